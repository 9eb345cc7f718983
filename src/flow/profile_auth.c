/*-------------------------------------------------------------------------
 *
 * profile_auth.c
 *	  Connector profiles as the services behind them want to see them.
 *
 * The tables below say how each connector's service is authenticated to, and which
 * members of a profile hold what that takes.  Custom connectors choose for themselves.
 *
 * IDENTIFICATION
 *	  src/flow/profile_auth.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdlib.h>
#include <time.h>

#include "apps/aws_target.h"
#include "catalog/access.h"
#include "catalog/private_link.h"
#include "catalog/secret.h"
#include "connector/manifest_engine.h"
#include "connector/traits.h"
#include "flow/profile_auth.h"
#include "flow/session.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "net/aws_json.h"
#include "net/aws_service.h"
#include "net/signature.h"
#include "net/url.h"
#include "record/errors.h"
#include "record/jsonb_access.h"
#include "record/wiped.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define JWT_SECONDS 180

typedef struct Scheme
{
	AuthKind	kind;
	const char *base;			/* NULL: the property instanceUrl */
	char	  **endpoint;		/* the setting that takes the place of base unless it is empty; or NULL */
	const char *signing_name;	/* without any token, requests are signed with the server's AWS
								 * identity for this service; NULL: they are not */
	const char *region;			/* of that service */
	struct
	{
		const char *name;
		const char *member;		/* of the credentials; NULL: prefix is all */
		const char *prefix;
	}			pairs[MAX_AUTH_PAIRS];
	const char *user;			/* members of the credentials */
	const char *secret;
	const char *key_id;
	const char *data_key;
	const TokenService *service;
	const char *login;			/* path of a session's login; NULL: OAuth */
	const char *oauth;			/* member of the credentials that OAuth's are in; NULL: they are it */
	bool		my_domain;		/* token URLs are also at the instanceUrl */
	const char *domain;			/* token URLs are for instances in it; others have their own */
	const char *const *tails;	/* ends of the URL that people copy along with it; NULL-terminated */
} Scheme;

/* Marketo shows the addresses of its APIs, not of the instance */
static const char *const marketo_tails[] = {"/rest", "/identity", "/bulk", NULL};

static const Scheme schemes[CONNECTOR_TYPE_COUNT] = {
	[CONNECTOR_SALESFORCE] = {.kind = BY_TOKEN, .service = &token_salesforce, .my_domain = true},
	[CONNECTOR_PARDOT] = {.kind = BY_TOKEN, .service = &token_oauth, .my_domain = true},
	[CONNECTOR_SLACK] = {.kind = BY_TOKEN, .service = &token_slack, .domain = "slack.com"},
	[CONNECTOR_MARKETO] = {.kind = BY_TOKEN, .service = &token_oauth, .tails = marketo_tails},
	[CONNECTOR_ZENDESK] = {.kind = BY_TOKEN, .service = &token_oauth_json},
	[CONNECTOR_GOOGLE_ANALYTICS] = {.kind = BY_TOKEN, .base = "https://analyticsdata.googleapis.com",
	.service = &token_oauth, .domain = "googleapis.com"},
	[CONNECTOR_SERVICENOW] = {.kind = BY_PASSWORD, .user = "username", .secret = "password",
	.service = &token_oauth, .oauth = "oAuth2Credentials"},
	[CONNECTOR_VEEVA] = {.kind = BY_TOKEN, .user = "username", .secret = "password",
	.service = &token_veeva, .login = "/api/v25.2/auth"},
	[CONNECTOR_SNOWFLAKE] = {.kind = BY_TOKEN, .user = "username", .secret = "password",
	.service = &token_snowflake, .login = "/session/v1/login-request"},
	[CONNECTOR_REDSHIFT] = {.kind = BY_PASSWORD, .user = "username", .secret = "password"},
	[CONNECTOR_SAP_ODATA] = {.kind = BY_PASSWORD, .user = "username", .secret = "password",
	.service = &token_oauth, .oauth = "oAuthCredentials"},
	[CONNECTOR_HONEYCODE] = {.kind = BY_TOKEN, .base = "https://honeycode.us-west-2.amazonaws.com",
	.endpoint = &aws_honeycode_endpoint, .service = &token_oauth, .signing_name = "honeycode", .region = "us-west-2"},
	[CONNECTOR_DATADOG] = {.kind = BY_HEADERS,
	.pairs = {{"DD-API-KEY", "apiKey", ""}, {"DD-APPLICATION-KEY", "applicationKey", ""}}},
	[CONNECTOR_DYNATRACE] = {.kind = BY_HEADERS, .pairs = {{"Authorization", "apiToken", "Api-Token "}}},
	[CONNECTOR_SINGULAR] = {.kind = BY_HEADERS, .base = "https://api.singular.net",
	.pairs = {{"Authorization", "apiKey", ""}}},
	[CONNECTOR_TRENDMICRO] = {.kind = BY_HEADERS, .base = "https://app.deepsecurity.trendmicro.com",
	.pairs = {{"api-secret-key", "apiSecretKey", ""}, {"api-version", NULL, "v1"}}},
	[CONNECTOR_AMPLITUDE] = {.kind = BY_PASSWORD, .base = "https://amplitude.com", .user = "apiKey", .secret = "secretKey"},
	[CONNECTOR_INFOR_NEXUS] = {.kind = BY_NEXUS, .key_id = "accessKeyId", .secret = "secretAccessKey",
	.user = "userId", .data_key = "datakey"},
};

/* authenticationTypes of custom connectors; their members are within those named */
typedef struct CustomScheme
{
	const char *type;
	const char *member;
	Scheme		scheme;
} CustomScheme;

static const CustomScheme custom_schemes[] = {
	{"BASIC", "basic", {.kind = BY_PASSWORD, .user = "username", .secret = "password"}},
	{"APIKEY", "apiKey", {.kind = BY_HEADERS}},
	{"OAUTH2", "oauth2", {.kind = BY_TOKEN, .service = &token_oauth}},
};

static const CustomScheme *
custom_scheme(Jsonb *own)
{
	char	   *type = jsonb_get_text(own, "authenticationType");

	for (int i = 0; i < (int) lengthof(custom_schemes); i++)
	{
		if (type != NULL && strcmp(type, custom_schemes[i].type) == 0)
			return &custom_schemes[i];
	}
	return NULL;
}

static Scheme
scheme_of(const ProfileRow *profile, Jsonb *own)
{
	const ConnectorTraits *traits = connector_traits_find(profile->connector_type);
	const CustomScheme *custom;
	Scheme		scheme;

	if (connector_traits_type(traits) == CONNECTOR_CUSTOM)
	{
		custom = custom_scheme(own);
		return custom == NULL ? (Scheme){0} : custom->scheme;
	}
	scheme = schemes[connector_traits_type(traits)];
	if (scheme.oauth != NULL && jsonb_get_container(own, scheme.oauth) != NULL)
		scheme.kind = BY_TOKEN;
	if (scheme.signing_name != NULL && jsonb_get_text(own, "accessToken") == NULL &&
		jsonb_get_text(own, "refreshToken") == NULL && jsonb_get_container(own, "oAuthRequest") == NULL)
		scheme.kind = BY_SIGV4;
	return scheme;
}

static Jsonb *
own_properties(const ProfileRow *profile)
{
	return jsonb_get_container(profile->properties, connector_traits_find(profile->connector_type)->key);
}

/* The object that holds what a scheme's members name. */
static Jsonb *
members_of(const ProfileRow *profile, Jsonb *own, const Scheme *scheme)
{
	const CustomScheme *custom;
	Jsonb	   *basic;

	if (connector_traits_type(connector_traits_find(profile->connector_type)) == CONNECTOR_CUSTOM)
	{
		custom = custom_scheme(own);
		return custom == NULL ? NULL : jsonb_get_container(own, custom->member);
	}
	if (scheme->kind == BY_TOKEN && scheme->oauth != NULL)
		return jsonb_get_container(own, scheme->oauth);
	basic = jsonb_get_container(own, "basicAuthCredentials");
	return basic != NULL ? basic : own;
}

/* ---------- addresses ---------- */

static char *
without_slash(char *url)
{
	size_t		length = strlen(url);

	while (length > 0 && url[length - 1] == '/')
		url[--length] = '\0';
	return url;
}

/* the URL of an instance, of one of an API there */
static char *
without_tail(char *url, const char *const *tails)
{
	size_t		length = strlen(url);

	for (; tails != NULL && *tails != NULL; tails++)
	{
		size_t		tail = strlen(*tails);

		if (length > tail && pg_strcasecmp(url + length - tail, *tails) == 0)
		{
			url[length - tail] = '\0';
			return without_slash(url);
		}
	}
	return url;
}

/* a URL with a port behind its host, unless it has one */
static char *
with_port(char *url, const char *port)
{
	const char *scheme = strstr(url, "://");
	size_t		begin = scheme == NULL ? 0 : scheme + 3 - url;
	size_t		end = begin + strcspn(url + begin, "/?#");
	const char *last = memchr(url + begin, ']', end - begin);

	if (port == NULL || memchr(last == NULL ? url + begin : last, ':', url + end - (last == NULL ? url + begin : last)) != NULL)
		return url;
	return psprintf("%.*s:%s%s", (int) end, url, port, url + end);
}

/* hosts and URLs that profiles give; NULL: none */
static char *
base_url(const ProfileRow *profile, const Scheme *scheme)
{
	Jsonb	   *properties = own_properties(profile);
	char	   *url = jsonb_get_text(properties, "instanceUrl");
	char	   *account = jsonb_get_text(properties, "accountName");
	char	   *host = jsonb_get_text(properties, "applicationHostUrl");
	char	   *region = jsonb_get_text(properties, "region");

	if (url == NULL)
		url = jsonb_get_text(jsonb_get_container(properties, "profileProperties"), "instanceUrl");
	if (url == NULL && host != NULL)
	{
		char	   *port = jsonb_get_text(properties, "portNumber");

		url = with_port(without_slash(host), port);
	}
	/* an account is named, or where it has no name of its own (a private link), a URL */
	if (url == NULL && account != NULL && strstr(account, "://") != NULL)
		url = account;
	if (url == NULL && account != NULL)
		url = region == NULL || strcmp(region, "us-west-2") == 0
			? psprintf("https://%s.snowflakecomputing.com", account)
			: psprintf("https://%s.%s.snowflakecomputing.com", account, region);
	if (url == NULL && scheme->endpoint != NULL && (*scheme->endpoint)[0] != '\0')
		url = pstrdup(*scheme->endpoint);
	if (url == NULL && scheme->base != NULL)
		url = pstrdup(scheme->base);
	if (url == NULL)
		return NULL;
	if (pg_strncasecmp(url, "https://", 8) != 0 && pg_strncasecmp(url, "http://", 7) != 0)
		url = psprintf("https://%s", url);
	return without_tail(without_slash(url), scheme->tails);
}

/* whether the host of a URL is a domain, or in it */
static bool
is_in_domain(const char *url, const char *domain)
{
	const char *host = strstr(url, "://") + 3;
	size_t		length = strcspn(host, "/:");
	size_t		tail = strlen(domain);

	return length >= tail && pg_strncasecmp(host + length - tail, domain, tail) == 0 &&
		(length == tail || host[length - tail - 1] == '.');
}

static char *
token_url(const ProfileRow *profile, const Scheme *scheme)
{
	const ConnectorTraits *traits = connector_traits_find(profile->connector_type);
	Jsonb	   *properties = own_properties(profile);
	char	   *base = base_url(profile, scheme);
	char	   *instance = jsonb_get_text(properties, "instanceUrl");
	char	   *url;
	int			which = 0;

	if (scheme->login != NULL)
		return base == NULL ? NULL : psprintf("%s%s", base, scheme->login);
	url = jsonb_get_text(jsonb_get_container(properties, "oAuth2Properties"), "tokenUrl");
	if (url == NULL)
		url = jsonb_get_text(jsonb_get_container(properties, "oAuthProperties"), "tokenUrl");
	if (url != NULL)
		return url;
	if (traits->token_urls == NULL)
		return NULL;
	if (jsonb_get_bool(properties, "isSandboxEnvironment", false) && traits->token_urls[1] != NULL)
		which = 1;
	if (scheme->my_domain && instance != NULL && instance[0] != '\0' && base != NULL &&
		connector_traits_type(traits) == CONNECTOR_SALESFORCE)
		return psprintf("%s/services/oauth2/token", base);
	if (scheme->domain != NULL && base != NULL && !is_in_domain(base, scheme->domain))
		return psprintf("%s%s", base, strchr(strstr(traits->token_urls[which], "://") + 3, '/'));
	if (traits->token_urls[which][0] == '/')
		return base == NULL ? NULL : psprintf("%s%s", base, traits->token_urls[which]);
	return pstrdup(traits->token_urls[which]);
}

/* ---------- private connections ---------- */

static bool
is_private(const ProfileRow *profile)
{
	return strcmp(profile->connection_mode, "Private") == 0;
}

char *
profile_private_endpoint(const ProfileRow *profile)
{
	const Scheme *scheme = &schemes[connector_traits_type(connector_traits_find(profile->connector_type))];
	char	   *name = jsonb_get_text(own_properties(profile), "privateLinkServiceName");
	char	   *host;

	if (!is_private(profile))
		return NULL;
	if (name != NULL && name[0] != '\0')
		return name;
	host = base_url(profile, scheme);
	if (host == NULL)
		return NULL;
	host = strstr(host, "://") + 3;
	name = pnstrdup(host, host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#"));
	for (char *p = name; *p != '\0'; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	return name;
}

/*
 * Where connections to the profile's service lead; NULL if it is public.  By https only: a
 * certificate says that it is the service that answers there.
 */
static char *
private_address(const ProfileRow *profile, const Scheme *scheme)
{
	char	   *base;
	char	   *name;
	char	   *address;

	if (!is_private(profile))
		return NULL;
	base = base_url(profile, scheme);
	if (base == NULL || pg_strncasecmp(base, "https://", 8) != 0)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("the private connection of connector profile \"%s\" needs the URL of its service, and that must be https",
					   profile->name));
	name = profile_private_endpoint(profile);
	address = private_endpoint_address(name);
	if (address == NULL)
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("there is no private endpoint \"%s\"", name),
				errhint("A superuser says where it is with appflow.set_private_endpoint()."));
	return address;
}

/* may nothing of the profile's go publicly, not even for tokens and metadata? */
static bool
all_is_private(const ProfileRow *profile)
{
	return connector_traits_type(connector_traits_find(profile->connector_type)) != CONNECTOR_SALESFORCE ||
		jsonb_get_bool(own_properties(profile), "usePrivateLinkForMetadataAndAuthorization", false);
}

static void
check_private_state(const ProfileRow *profile)
{
	if (profile->private_status == NULL || strcmp(profile->private_status, "CREATED") == 0)
		return;
	if (strcmp(profile->private_status, "PENDING") == 0)
		ereport(ERROR,
				appflow_error(WF_CONFLICT),
				errmsg("the private connection of connector profile \"%s\" is still being checked", profile->name),
				errhint("The view appflow.connector_profiles shows what comes of it."));
	ereport(ERROR,
			appflow_error(WF_CONNECTOR),
			errmsg("the private connection of connector profile \"%s\" has failed: %s", profile->name,
				   profile->private_failure == NULL ? "" : profile->private_failure),
			errhint("appflow.update_connector_profile() has it checked again."));
}

/* ---------- credentials ---------- */

char *
profile_credentials(const ProfileRow *profile)
{
	char	   *text = profile->has_credentials ? secret_get("profile", profile->name) : NULL;

	if (text == NULL)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("the credentials of connector profile \"%s\" are missing", profile->name),
				errhint("Give them with appflow.update_connector_profile()."));
	return text;
}

Jsonb *
profile_own_credentials(const ProfileRow *profile, const char *credentials)
{
	return jsonb_get_container(jsonb_parse(credentials), connector_traits_find(profile->connector_type)->key);
}

char *
profile_given_token(const ProfileRow *profile, Jsonb *own)
{
	Scheme		scheme = scheme_of(profile, own);
	char	   *token = jsonb_get_text(members_of(profile, own, &scheme), "accessToken");

	return token == NULL || token[0] == '\0' ? NULL : token;
}

static void
add_claim(StringInfo claims, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfoChar(claims, claims->len == 0 ? '{' : ',');
	escape_json(claims, name);
	appendStringInfoChar(claims, ':');
	escape_json(claims, value);
}

/*
 * A private key as PEM text.  Credentials have no room for line breaks, so it comes
 * as what is between PEM's first and last line, without breaks: PKCS #8, base64.
 */
static char *
pem_of(const char *base64)
{
	StringInfoData pem;
	size_t		length = base64 == NULL ? 0 : strlen(base64);

	initStringInfo(&pem);
	appendStringInfoString(&pem, "-----BEGIN PRIVATE KEY-----\n");
	for (size_t i = 0; i < length; i += 64)
	{
		appendBinaryStringInfo(&pem, base64 + i, (int) Min(length - i, 64));
		appendStringInfoChar(&pem, '\n');
	}
	appendStringInfoString(&pem, "-----END PRIVATE KEY-----\n");
	return pem.data;
}

/*
 * An assertion signed with a private key, which is in place of the refresh token.
 * What custom properties say is claimed; "kid" names the key.
 */
static char *
signed_assertion(const ProfileRow *profile, Jsonb *members, Jsonb *extra, const char *url)
{
	StringInfoData claims;
	const char *key_id = jsonb_get_text(extra, "kid");
	char	   *subject = jsonb_get_text(extra, "sub");
	char	   *audience = jsonb_get_text(extra, "aud");
	char	   *issuer = jsonb_get_text(members, "clientId");
	char	   *token;
	char	   *copy;

	if (key_id != NULL && (strchr(key_id, '"') != NULL || strchr(key_id, '\\') != NULL))
		ereport(ERROR,
				appflow_error(WF_VALIDATION),
				errmsg("\"kid\" of connector profile \"%s\" must not contain quotes or backslashes", profile->name));
	initStringInfo(&claims);
	add_claim(&claims, "iss", issuer);
	add_claim(&claims, "sub", subject != NULL ? subject : issuer);
	add_claim(&claims, "aud", audience != NULL ? audience : url);
	add_claim(&claims, "scope", jsonb_get_text(extra, "scope"));
	appendStringInfo(&claims, "%c\"iat\":" INT64_FORMAT ",\"exp\":" INT64_FORMAT "}", claims.len == 0 ? '{' : ',',
					 (int64) time(NULL), (int64) time(NULL) + JWT_SECONDS);
	token = signature_jwt(claims.data, pem_of(jsonb_get_text(members, "refreshToken")), key_id);
	if (token == NULL)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("the refreshToken of connector profile \"%s\" is not an RSA private key", profile->name),
				errhint("The grant JWT_BEARER signs with it: give the key as PKCS #8 in base64, without line breaks."));
	copy = pstrdup(token);
	free(token);
	return copy;
}

/* the grant of a profile, by wire name */
static const char *
grant_of(const ProfileRow *profile, Jsonb *members)
{
	char	   *grant = jsonb_get_text(jsonb_get_container(own_properties(profile), "oAuth2Properties"), "oAuth2GrantType");

	if (grant == NULL)
		grant = jsonb_get_text(members, "oAuth2GrantType");
	if (grant != NULL)
		return grant;
	if (jsonb_get_text(members, "jwtToken") != NULL)
		return "JWT_BEARER";
	if (connector_traits_type(connector_traits_find(profile->connector_type)) == CONNECTOR_MARKETO)
		return "CLIENT_CREDENTIALS";
	return "AUTHORIZATION_CODE";
}

bool
profile_brings_code(const ProfileRow *profile, Jsonb *own)
{
	Scheme		scheme = scheme_of(profile, own);
	Jsonb	   *members = members_of(profile, own, &scheme);
	char	   *refresh_token = jsonb_get_text(members, "refreshToken");

	return scheme.kind == BY_TOKEN && strcmp(grant_of(profile, members), "AUTHORIZATION_CODE") == 0 &&
		(refresh_token == NULL || refresh_token[0] == '\0') && profile_given_token(profile, own) == NULL &&
		jsonb_get_text(jsonb_get_container(members, "oAuthRequest"), "authCode") != NULL;
}

static bool
add_grant(const ProfileRow *profile, Jsonb *members, Jsonb *extra, const char *refresh_token, bool first,
		  TokenRequest *request)
{
	const char *grant = grant_of(profile, members);
	Jsonb	   *code = jsonb_get_container(members, "oAuthRequest");
	char	   *assertion = jsonb_get_text(members, "jwtToken");
	char	   *secret = jsonb_get_text(members, "clientSecret");
	char	   *client_arn = jsonb_get_text(members, "clientCredentialsArn");

	if (refresh_token == NULL)
		refresh_token = jsonb_get_text(members, "refreshToken");
	if (strcmp(grant, "CLIENT_CREDENTIALS") == 0)
	{
		if (jsonb_get_text(members, "clientId") == NULL && client_arn == NULL)
			return false;
		token_add_field(request, "grant_type", "client_credentials");
		request->repeatable = true;
	}
	else if (strcmp(grant, "JWT_BEARER") == 0 && (assertion != NULL || refresh_token != NULL))
	{
		token_add_field(request, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
		token_add_field(request, "assertion", assertion != NULL ? assertion :
						signed_assertion(profile, members, extra, request->url));
		request->repeatable = true;
		return true;
	}
	else if (refresh_token != NULL && refresh_token[0] != '\0')
	{
		token_add_field(request, "grant_type", "refresh_token");
		token_add_field(request, "refresh_token", refresh_token);
	}
	else if (first && jsonb_get_text(code, "authCode") != NULL)
	{
		token_add_field(request, "grant_type", "authorization_code");
		token_add_field(request, "code", jsonb_get_text(code, "authCode"));
		token_add_field(request, "redirect_uri", jsonb_get_text(code, "redirectUri"));
	}
	else
		return false;
	token_add_field(request, "client_id", jsonb_get_text(members, "clientId"));
	token_add_field(request, "client_secret", secret);
	if (client_arn != NULL && secret == NULL)
	{
		/* whoever may make the server read the secret may have it sent to the token URL */
		aws_check_identity(profile->owner, "");
		request->client_arn = client_arn;
	}
	return true;
}

bool
profile_token_request(const ProfileRow *profile, Jsonb *own, const char *refresh_token, bool first,
					  TokenRequest *request)
{
	Scheme		scheme = scheme_of(profile, own);
	Jsonb	   *members = members_of(profile, own, &scheme);
	Jsonb	   *extra = jsonb_get_container(jsonb_get_container(own_properties(profile), "oAuth2Properties"),
											"tokenUrlCustomProperties");
	List	   *names = jsonb_keys(extra);
	ListCell   *lc;

	*request = (TokenRequest)
	{
		.service = scheme.service, .profile = profile->name, .url = token_url(profile, &scheme)
	};
	if (scheme.kind != BY_TOKEN || request->url == NULL)
		return false;
	if (is_private(profile) && all_is_private(profile) && base_url(profile, &scheme) != NULL &&
		url_same_origin(base_url(profile, &scheme), request->url))
		request->via = private_address(profile, &scheme);
	if (scheme.service == &token_veeva)
	{
		token_add_field(request, "username", jsonb_get_text(members, scheme.user));
		token_add_field(request, "password", jsonb_get_text(members, scheme.secret));
		request->repeatable = true;
		return true;
	}
	if (scheme.service == &token_snowflake)
	{
		token_add_field(request, "CLIENT_APP_ID", "appflow");
		token_add_field(request, "CLIENT_APP_VERSION", "1.0");
		token_add_field(request, "ACCOUNT_NAME", jsonb_get_text(own_properties(profile), "accountName"));
		token_add_field(request, "LOGIN_NAME", jsonb_get_text(members, scheme.user));
		token_add_field(request, "PASSWORD", jsonb_get_text(members, scheme.secret));
		request->repeatable = true;
		return true;
	}
	if (!add_grant(profile, members, extra, refresh_token, first, request))
		return false;
	if (strcmp(request->values[0], "urn:ietf:params:oauth:grant-type:jwt-bearer") != 0)
	{
		foreach(lc, names)
			token_add_field(request, lfirst(lc), jsonb_get_text(extra, lfirst(lc)));
	}
	return true;
}

void
profile_token_client(TokenRequest *request)
{
	Jsonb	   *client;
	char	   *id;
	char	   *secret;

	if (request->client_arn == NULL)
		return;
	client = aws_secret_value(request->client_arn, psprintf("Please validate the ClientCredentialsArn provided and please make sure "
															"the server has required permissions to access the credentials (connector profile \"%s\")",
															request->profile));
	id = jsonb_get_text(client, "clientId");
	secret = jsonb_get_text(client, "clientSecret");
	if (id == NULL)
		id = jsonb_get_text(client, "client_id");
	if (secret == NULL)
		secret = jsonb_get_text(client, "client_secret");
	explicit_bzero(client, VARSIZE(client));
	if (id == NULL || secret == NULL)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("secret \"%s\" of connector profile \"%s\" does not have clientId and clientSecret",
					   request->client_arn, request->profile));
	token_add_field(request, "client_id", id);
	token_add_field(request, "client_secret", secret);
}

/* ---------- the authenticator ---------- */

/* What the profile's owner has set; appflow.set_rate_limit(). */
static void
read_limit(const ProfileRow *profile, Authenticator *authenticator)
{
	CatalogAccess access;
	CatalogValue values[] = {catalog_text(profile->name)};

	authenticator->limit.database = MyDatabaseId;
	authenticator->limit.name = authenticator_keep(authenticator, profile->name);
	authenticator->limit.burst = 1;
	catalog_begin(&access);
	if (catalog_execute("SELECT (requests_per_second OPERATOR(pg_catalog.*) 1000000)::int8, burst FROM appflow.rate_limit "
						"WHERE connector_profile_name OPERATOR(pg_catalog.=) $1", 1, values) > 0)
	{
		authenticator->limit.rate = catalog_get_int64(0, 1) / 1000000.0;
		authenticator->limit.burst = (int) catalog_get_int64(0, 2);
	}
	catalog_end(&access);
}

/* The header or the parameter that a custom connector wants its key in. */
static void
add_custom_key(Authenticator *authenticator, const ProfileRow *profile, Jsonb *members, const ManifestApiKey *told)
{
	Jsonb	   *settings = jsonb_get_container(own_properties(profile), "profileProperties");
	const char *header = jsonb_get_text(settings, "apiKeyHeader");
	const char *parameter = jsonb_get_text(settings, "apiKeyParameter");
	char	   *key = jsonb_get_text(members, "apiKey");

	if (told != NULL)
	{
		header = told->header;
		parameter = told->parameter;
		if (told->prefix != NULL && key != NULL)
		{
			char	   *whole = psprintf("%s%s", told->prefix, key);

			authenticator_add_pair(authenticator, header, whole);
			secret_wipe(whole);
			return;
		}
	}
	if (parameter != NULL && header == NULL)
	{
		authenticator->kind = BY_PARAMETERS;
		authenticator_add_pair(authenticator, parameter, key);
		return;
	}
	if (header == NULL)
		header = "X-API-Key";
	authenticator_add_pair(authenticator, header, key);
}

/* credentials of a kind of its own that a manifest has places for; wipes nothing of members */
static void
add_custom_pairs(Authenticator *authenticator, const ConnectorSession *shape, Jsonb *members, const ManifestPairs *pairs)
{
	for (int i = 0; i < pairs->count; i++)
	{
		char	   *whole = manifest_expand_credentials(shape, pairs->items[i].value, members);

		if (whole == NULL)
			ereport(ERROR,
					appflow_error(WF_AUTHENTICATION),
					errmsg("the credentials of connector profile \"%s\" lack what connector \"%s\" wants: \"%s\" is %s",
						   shape->profile_name, session_application(shape), pairs->items[i].name, pairs->items[i].value));
		authenticator_add_pair(authenticator, pairs->items[i].name, whole);
		secret_wipe(whole);
	}
}

/* The authenticator, made in a memory context; all else in the current one. */
static Authenticator *
make_authenticator(const ProfileRow *profile, char **base, MemoryContext context)
{
	MemoryContext current;
	char	   *credentials = profile_credentials(profile);
	Jsonb	   *own = profile_own_credentials(profile, credentials);
	Scheme		scheme = scheme_of(profile, own);
	Jsonb	   *members = members_of(profile, own, &scheme);
	ConnectorSession shape = {
		.connector = connector_of_profile(profile), .profile_name = profile->name,
		.profile_properties = own_properties(profile)
	};
	const Manifest *manifest = shape.connector == NULL ? NULL : shape.connector->manifest;
	const ManifestAuthentication *told = manifest == NULL ? NULL : manifest->authentication;
	bool		custom;
	bool		told_by_token;
	Authenticator *authenticator;
	ProfileRow *copy;

	secret_wipe(credentials);
	if (base != NULL)
		*base = manifest == NULL ? NULL : manifest_base_url(&shape);
	if (base != NULL && *base == NULL)
		*base = base_url(profile, &scheme);
	custom = told != NULL && told->custom != NULL && scheme.kind == BY_NOTHING &&
		jsonb_get_container(own, "custom") != NULL;
	if (custom)
	{
		members = jsonb_get_container(jsonb_get_container(own, "custom"), "credentialsMap");
		scheme.kind = told->custom->headers.count > 0 ? BY_HEADERS : BY_PARAMETERS;
	}
	told_by_token = base != NULL && *base == NULL && scheme.kind == BY_TOKEN && scheme.service->instance != NULL;
	if (scheme.kind == BY_NOTHING || (base != NULL && *base == NULL && !told_by_token))
		ereport(ERROR,
				appflow_error(WF_UNSUPPORTED),
				errmsg("connector profile \"%s\" is not for a service that is asked by HTTP", profile->name),
				scheme.kind != BY_NOTHING ? errhint("Its properties have no instanceUrl.") : 0);
	current = MemoryContextSwitchTo(context);
	authenticator = authenticator_make(scheme.kind);
	MemoryContextSwitchTo(current);
	read_limit(profile, authenticator);
	for (int i = 0; i < MAX_AUTH_PAIRS && scheme.pairs[i].name != NULL; i++)
	{
		char	   *value = scheme.pairs[i].member == NULL ? "" : jsonb_get_text(members, scheme.pairs[i].member);
		char	   *whole = psprintf("%s%s", scheme.pairs[i].prefix, value == NULL ? "" : value);

		authenticator_add_pair(authenticator, scheme.pairs[i].name, whole);
		secret_wipe(whole);
	}
	if (custom)
	{
		add_custom_pairs(authenticator, &shape, members, &told->custom->headers);
		add_custom_pairs(authenticator, &shape, members, &told->custom->parameters);
	}
	else if (scheme.kind == BY_HEADERS && authenticator->npairs == 0)
		add_custom_key(authenticator, profile, members, told == NULL ? NULL : told->api_key);
	if (scheme.kind == BY_TOKEN)
	{
		copy = MemoryContextAlloc(authenticator->context, sizeof(ProfileRow));
		*copy = *profile;
		authenticator->obtain = profile_obtain_token;
		authenticator->wants_instance = told_by_token;
		authenticator->arg = copy;
		authenticator->token_header = scheme.service->header;
		authenticator->token_prefix = scheme.service->prefix;
		authenticator->token_suffix = scheme.service->suffix;
	}
	else if (scheme.kind == BY_SIGV4)
		authenticator->aws = (AwsSigner)
		{
			.service = scheme.signing_name,.region = scheme.region
		};
	else
	{
#define member(name) ((name) == NULL ? NULL : authenticator_keep(authenticator, jsonb_get_text(members, name)))
		authenticator->user = member(scheme.user);
		authenticator->secret = member(scheme.secret);
		authenticator->key_id = member(scheme.key_id);
		authenticator->data_key = member(scheme.data_key);
#undef member
	}
	if (own != NULL)
		explicit_bzero(own, VARSIZE(own));
	authenticator->guard.via = authenticator_keep(authenticator, private_address(profile, &scheme));
	authenticator->metadata_guard = authenticator->guard;
	if (!all_is_private(profile))
		authenticator->metadata_guard.via = NULL;
	return authenticator;
}

Authenticator *
profile_authenticator(const ProfileRow *profile, char **base)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context;
	Authenticator *authenticator;

	check_private_state(profile);
	context = wiped_context_create();
	MemoryContextSwitchTo(context);
	authenticator = make_authenticator(profile, base, caller);
	MemoryContextSwitchTo(caller);
	if (base != NULL && *base != NULL)
		*base = pstrdup(*base);
	MemoryContextDelete(context);
	return authenticator;
}
