/*-------------------------------------------------------------------------
 *
 * aws_credentials.c
 *	  Credentials of this server, found as the AWS SDKs find them.
 *
 * In this order: environment variables; a profile of the shared files that
 * assumes a role; a web identity (EKS); keys in the shared files; the container
 * (ECS, EKS Pod Identity); the instance (EC2).  Single sign-on and
 * credential_process are not supported, and a profile that needs one is told so.
 *
 * The environment and home directory are the server's, as its administrator has
 * set them.  Only stores and profiles registered without keys come here.
 *
 * IDENTIFICATION
 *	  src/net/aws_credentials.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "net/aws.h"
#include "net/json.h"
#include "net/sigv4.h"
#include "net/xml.h"
#include "record/errors.h"
#include "record/record.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MAX_FILE (1024 * 1024)
#define REFRESH_BEFORE (10 * 60 * USECS_PER_SEC)	/* expiry, when refreshing begins */
#define MAX_ROLES 5				/* that assume one another */

typedef struct Found
{
	AwsCredentials credentials;
	TimestampTz expires;		/* DT_NOEND: never */
} Found;

/* what was found last, in a memory context of its own */
static MemoryContext cache_context = NULL;
static Found *cache = NULL;

/* ---------- files ---------- */

static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value == NULL || value[0] == '\0' ? NULL : value;
}

/* Contents of a file, or NULL if it cannot be read. */
static char *
read_small_file(const char *path)
{
	FILE	   *file = AllocateFile(path, "r");
	StringInfoData contents;
	char		chunk[4096];
	size_t		n;

	if (file == NULL)
		return NULL;
	initStringInfo(&contents);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0 && contents.len < MAX_FILE)
		appendBinaryStringInfo(&contents, chunk, n);
	FreeFile(file);
	return contents.data;
}

/* A file of the shared configuration: where a variable says, or in ~/.aws. */
static char *
read_shared_file(const char *variable, const char *name)
{
	const char *path = environment(variable);
	const char *home = environment("HOME");

	if (path != NULL)
		return read_small_file(path);
	if (home == NULL)
	{
		struct passwd *user = getpwuid(geteuid());

		home = user == NULL ? NULL : user->pw_dir;
	}
	return home == NULL ? NULL : read_small_file(psprintf("%s/.aws/%s", home, name));
}

static char *
trimmed(const char *from, const char *to)
{
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r'))
		to--;
	return pnstrdup(from, to - from);
}

/* Value of a name in a section of an INI file, or NULL. */
static char *
ini_value(const char *file, const char *section, const char *name)
{
	bool		inside = false;

	while (file != NULL && *file != '\0')
	{
		const char *end = file + strcspn(file, "\n");
		const char *equals = memchr(file, '=', end - file);

		if (*file == '[')
		{
			const char *bracket = memchr(file, ']', end - file);

			inside = bracket != NULL && strcmp(trimmed(file + 1, bracket), section) == 0;
		}
		else if (inside && *file != '#' && *file != ';' && equals != NULL &&
				 pg_strcasecmp(trimmed(file, equals), name) == 0)
			return trimmed(equals + 1, end);
		file = *end == '\0' ? end : end + 1;
	}
	return NULL;
}

typedef struct SharedFiles
{
	char	   *credentials;	/* NULL: none */
	char	   *config;
} SharedFiles;

static SharedFiles
shared_files(void)
{
	SharedFiles files;

	files.credentials = read_shared_file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
	files.config = read_shared_file("AWS_CONFIG_FILE", "config");
	return files;
}

/* A member of a profile; the credentials file goes before the config file. */
static char *
profile_value(const SharedFiles *files, const char *profile, const char *name)
{
	char	   *value = ini_value(files->credentials, profile, name);

	if (value == NULL)
		value = ini_value(files->config, psprintf("profile %s", profile), name);
	if (value == NULL && strcmp(profile, "default") == 0)
		value = ini_value(files->config, profile, name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *
profile_name(void)
{
	const char *name = environment("AWS_PROFILE");

	if (name == NULL)
		name = environment("AWS_DEFAULT_PROFILE");
	return name == NULL ? "default" : name;
}

char *
aws_chain_region(void)
{
	const char *region = environment("AWS_REGION");
	SharedFiles files;

	if (region == NULL)
		region = environment("AWS_DEFAULT_REGION");
	if (region != NULL)
		return pstrdup(region);
	files = shared_files();
	return profile_value(&files, profile_name(), "region");
}

/* ---------- answers ---------- */

static void
no_answer(const char *who, const char *reason)
{
	ereport(ERROR,
			appflow_error(WF_AUTHENTICATION),
			errmsg("could not get credentials from %s: %s", who, reason));
}

static void
free_json(void *document)
{
	json_object_put(document);
}

static char *
json_text(json_object *document, const char *name)
{
	json_object *member;

	if (!json_object_object_get_ex(document, name, &member) ||
		!json_object_is_type(member, json_type_string))
		return NULL;
	return pstrdup(json_object_get_string(member));
}

/*
 * The credentials in a JSON document of a container or an instance.  Its text is
 * never shown.
 */
static Found *
found_in_json(HttpCall *call, const char *who)
{
	Owned	   *owned = own_in_context(CurrentMemoryContext, free_json);
	Found	   *found = palloc0(sizeof(Found));
	char	   *code;
	char	   *expires;

	if (call->status != 200)
		no_answer(who, psprintf("the answer has status %d", call->status));
	owned->object = json_tokener_parse(http_body(call, NULL));
	if (owned->object == NULL || !json_object_is_type(owned->object, json_type_object))
		no_answer(who, "the answer is no JSON object");
	code = json_text(owned->object, "Code");
	if (code != NULL && strcmp(code, "Success") != 0)
		no_answer(who, psprintf("the answer has code \"%s\"", code));
	found->credentials.access_key_id = json_text(owned->object, "AccessKeyId");
	found->credentials.secret_access_key = json_text(owned->object, "SecretAccessKey");
	found->credentials.session_token = json_text(owned->object, "Token");
	expires = json_text(owned->object, "Expiration");
	found->expires = expires == NULL ? DT_NOEND : aws_parse_time(expires);
	if (found->credentials.access_key_id == NULL || found->credentials.secret_access_key == NULL)
		no_answer(who, "the answer has no keys");
	own_release(owned);
	return found;
}

static void
free_document(void *leaves)
{
	xml_free(leaves);
}

static void
add_form(StringInfo form, const char *name, const char *value)
{
	char	   *encoded = sigv4_encode(value, false);
	char	   *copy;

	if (encoded == NULL)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	copy = MemoryContextStrdup(CurrentMemoryContext, encoded);
	free(encoded);
	appendStringInfo(form, "&%s=%s", name, copy);
}

static void
sign_sts(HttpCall *call, void *arg)
{
	aws_sign(call, arg);
}

/*
 * Ask the Security Token Service for a role's credentials; by a token of a web
 * identity, or signed with credentials.
 */
static Found *
assume_role(const char *role, const char *session, const char *external_id,
			const char *token, const AwsCredentials *credentials)
{
	const char *region = aws_chain_region();
	const char *endpoint = environment("AWS_ENDPOINT_URL_STS");
	Owned	   *owned = own_in_context(CurrentMemoryContext, free_document);
	Found	   *found = palloc0(sizeof(Found));
	AwsSigner	signer = {.service = "sts", .credentials = credentials};
	StringInfoData form;
	HttpCall   *call;
	XmlLeaves  *answer;
	const char *code;

	signer.region = region == NULL ? "us-east-1" : region;
	initStringInfo(&form);
	appendStringInfo(&form, "Action=%s&Version=2011-06-15",
					 token != NULL ? "AssumeRoleWithWebIdentity" : "AssumeRole");
	add_form(&form, "RoleArn", role);
	add_form(&form, "RoleSessionName", session != NULL ? session : "appflow");
	if (token != NULL)
		add_form(&form, "WebIdentityToken", token);
	if (external_id != NULL)
		add_form(&form, "ExternalId", external_id);

	/* an endpoint of the server's environment is the administrator's word */
	call = http_call("POST", endpoint != NULL ? endpoint
					 : psprintf("https://sts.%s.%s/", signer.region, aws_domain(signer.region)));
	call->platform = endpoint != NULL;
	call->whole = true;
	call->repeatable = true;
	call->body = form.data;
	call->body_length = form.len;
	http_header(call, "Content-Type", "application/x-www-form-urlencoded");
	if (token == NULL)
	{
		call->prepare = sign_sts;
		call->arg = &signer;
	}
	http_wait(call);

	owned->object = xml_leaves(http_body(call, NULL), strlen(http_body(call, NULL)));
	answer = owned->object;
	if (answer == NULL)
		no_answer("STS", psprintf("the answer has status %d", call->status));
	code = xml_text(answer, "Error", "Code");
	if (call->status != 200)
		no_answer("STS", psprintf("%s: %s", code == NULL ? "error" : code,
								  xml_text(answer, "Error", "Message") == NULL ? ""
								  : xml_text(answer, "Error", "Message")));
	found->credentials.access_key_id = xml_text(answer, "Credentials", "AccessKeyId");
	found->credentials.secret_access_key = xml_text(answer, "Credentials", "SecretAccessKey");
	found->credentials.session_token = xml_text(answer, "Credentials", "SessionToken");
	if (found->credentials.access_key_id == NULL || found->credentials.secret_access_key == NULL)
		no_answer("STS", "the answer has no keys");
	found->credentials.access_key_id = pstrdup(found->credentials.access_key_id);
	found->credentials.secret_access_key = pstrdup(found->credentials.secret_access_key);
	if (found->credentials.session_token != NULL)
		found->credentials.session_token = pstrdup(found->credentials.session_token);
	code = xml_text(answer, "Credentials", "Expiration");
	found->expires = code == NULL ? DT_NOEND : aws_parse_time(code);
	own_release(owned);
	http_close(call);
	return found;
}

/* ---------- the sources ---------- */

static Found *
found_keys(const char *id, const char *secret, const char *token)
{
	Found	   *found;

	if (id == NULL || secret == NULL)
		return NULL;
	found = palloc0(sizeof(Found));
	found->credentials.access_key_id = pstrdup(id);
	found->credentials.secret_access_key = pstrdup(secret);
	found->credentials.session_token = token == NULL ? NULL : pstrdup(token);
	found->expires = DT_NOEND;
	return found;
}

static Found *
from_environment(void)
{
	const char *token = environment("AWS_SESSION_TOKEN");

	return found_keys(environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"),
					  token != NULL ? token : environment("AWS_SECURITY_TOKEN"));
}

static Found *
from_profile_keys(const SharedFiles *files, const char *profile)
{
	return found_keys(profile_value(files, profile, "aws_access_key_id"),
					  profile_value(files, profile, "aws_secret_access_key"),
					  profile_value(files, profile, "aws_session_token"));
}

static Found *
by_web_identity(const char *role, const char *session, const char *token_file)
{
	char	   *token = read_small_file(token_file);

	if (token == NULL)
		no_answer("STS", psprintf("could not read the web identity token file \"%s\"", token_file));
	return assume_role(role, session, NULL, trimmed(token, token + strcspn(token, "\n")), NULL);
}

static Found *from_container(void);
static Found *from_instance(void);

/* A role that a profile assumes, or NULL if it assumes none. */
static Found *
from_profile_role(const SharedFiles *files, const char *profile, int depth)
{
	char	   *role = profile_value(files, profile, "role_arn");
	char	   *session = profile_value(files, profile, "role_session_name");
	char	   *token_file = profile_value(files, profile, "web_identity_token_file");
	char	   *source = profile_value(files, profile, "source_profile");
	char	   *kind = profile_value(files, profile, "credential_source");
	Found	   *by = NULL;

	if (role == NULL)
		return NULL;
	if (token_file != NULL)
		return by_web_identity(role, session, token_file);
	if (depth == MAX_ROLES)
		no_answer("the shared files", "their profiles assume too many roles after one another");
	if (source != NULL)
	{
		/* a profile may name itself, for its keys */
		if (strcmp(source, profile) != 0)
			by = from_profile_role(files, source, depth + 1);
		if (by == NULL)
			by = from_profile_keys(files, source);
	}
	else if (kind != NULL && strcmp(kind, "Environment") == 0)
		by = from_environment();
	else if (kind != NULL && strcmp(kind, "EcsContainer") == 0)
		by = from_container();
	else if (kind != NULL && strcmp(kind, "Ec2InstanceMetadata") == 0)
		by = from_instance();
	if (by == NULL)
		no_answer("the shared files",
				  psprintf("profile \"%s\" assumes a role, but the credentials for that are missing", profile));
	return assume_role(role, session, profile_value(files, profile, "external_id"),
					   NULL, &by->credentials);
}

static Found *
from_web_identity(void)
{
	const char *role = environment("AWS_ROLE_ARN");
	const char *token_file = environment("AWS_WEB_IDENTITY_TOKEN_FILE");

	if (role == NULL || token_file == NULL)
		return NULL;
	return by_web_identity(role, environment("AWS_ROLE_SESSION_NAME"), token_file);
}

static HttpCall *
platform_call(const char *method, const char *url, int timeout, int retries)
{
	HttpCall   *call = http_call(method, url);

	call->platform = true;
	call->whole = true;
	call->max_body = 64 * 1024;
	call->connect_timeout = timeout;
	call->idle_timeout = timeout;
	call->max_retries = retries;
	return call;
}

/* Plain http goes only to where nobody else listens in. */
static bool
container_address(const char *url)
{
	static const char *const hosts[] = {
		"127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"
	};
	const char *host;
	size_t		length;

	if (pg_strncasecmp(url, "https://", 8) == 0)
		return true;
	if (pg_strncasecmp(url, "http://", 7) != 0)
		return false;
	host = url + 7;
	length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
		return false;
	for (int i = 0; i < (int) lengthof(hosts); i++)
	{
		if (strlen(hosts[i]) == length && pg_strncasecmp(host, hosts[i], length) == 0)
			return true;
	}
	return false;
}

static Found *
from_container(void)
{
	const char *relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *token_file = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	HttpCall   *call;
	Found	   *found;

	if (relative == NULL && full == NULL)
		return NULL;
	if (relative == NULL && !container_address(full))
		no_answer("the container", "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or lead to the container's own addresses");
	call = platform_call("GET", relative != NULL ? psprintf("http://169.254.170.2%s", relative) : full,
						 2000, 2);
	if (token_file != NULL)
	{
		char	   *contents = read_small_file(token_file);

		if (contents == NULL)
			no_answer("the container", psprintf("could not read the token file \"%s\"", token_file));
		token = trimmed(contents, contents + strcspn(contents, "\r\n"));
	}
	if (token != NULL)
		http_header(call, "Authorization", token);
	http_wait(call);
	found = found_in_json(call, "the container");
	http_close(call);
	return found;
}

static Found *
from_instance(void)
{
	const char *disabled = environment("AWS_EC2_METADATA_DISABLED");
	const char *endpoint = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	HttpCall   *call;
	char	   *token = NULL;
	char	   *role;
	Found	   *found;

	if (disabled != NULL && pg_strcasecmp(disabled, "true") == 0)
		return NULL;
	if (endpoint == NULL)
		endpoint = "http://169.254.169.254";
	else if (endpoint[strlen(endpoint) - 1] == '/')
		endpoint = pnstrdup(endpoint, strlen(endpoint) - 1);

	call = platform_call("PUT", psprintf("%s/latest/api/token", endpoint), 1000, 0);
	http_header(call, "X-aws-ec2-metadata-token-ttl-seconds", "21600");
	if (!http_try_wait(call))
	{
		/* not on an instance; only a slow answer may be one without tokens */
		if (call->failure != HTTP_TIMEOUT)
			return NULL;
	}
	else if (call->status == 200)
		token = pstrdup(http_body(call, NULL));
	else if (call->status != 403 && call->status != 404 && call->status != 405)
		no_answer("the instance", psprintf("the answer to the request for a token has status %d", call->status));
	http_close(call);

	call = platform_call("GET", psprintf("%s/latest/meta-data/iam/security-credentials/", endpoint), 1000, 0);
	if (token != NULL)
		http_header(call, "X-aws-ec2-metadata-token", token);
	if (!http_try_wait(call) || call->status != 200)
		return NULL;
	role = pstrdup(http_body(call, NULL));
	role[strcspn(role, "\r\n")] = '\0';
	http_close(call);
	if (role[0] == '\0')
		return NULL;

	call = platform_call("GET", psprintf("%s/latest/meta-data/iam/security-credentials/%s", endpoint, role), 1000, 1);
	if (token != NULL)
		http_header(call, "X-aws-ec2-metadata-token", token);
	http_wait(call);
	found = found_in_json(call, "the instance");
	http_close(call);
	return found;
}

static Found *
find_credentials(void)
{
	SharedFiles files = shared_files();
	const char *profile = profile_name();
	Found	   *found = NULL;

	/* a profile that is asked for goes before what happens to be set */
	if (environment("AWS_PROFILE") == NULL)
		found = from_environment();
	if (found == NULL)
		found = from_profile_role(&files, profile, 0);
	if (found == NULL)
		found = from_web_identity();
	if (found == NULL)
		found = from_profile_keys(&files, profile);
	if (found == NULL &&
		(profile_value(&files, profile, "sso_session") != NULL ||
		 profile_value(&files, profile, "sso_start_url") != NULL ||
		 profile_value(&files, profile, "credential_process") != NULL))
		no_answer("the shared files",
				  psprintf("profile \"%s\" needs single sign-on or credential_process, which are not supported", profile));
	if (found == NULL)
		found = from_container();
	if (found == NULL)
		found = from_instance();
	if (found == NULL)
		ereport(ERROR,
				appflow_error(WF_AUTHENTICATION),
				errmsg("no AWS credentials found"),
				errhint("Give keys when registering, or set up the environment of the database server as for the AWS SDKs."));
	return found;
}

/* ---------- the cache ---------- */

static void
refresh(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "appflow AWS credentials",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Found	   *found = find_credentials();

	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, TopMemoryContext);
	if (cache_context != NULL)
		MemoryContextDelete(cache_context);
	cache_context = context;
	cache = found;
}

/* Refresh, and say whether that went well. A cancel is still an error. */
static bool
try_refresh(void)
{
	volatile bool good = true;
	MemoryContext old = CurrentMemoryContext;

	PG_TRY();
	{
		refresh();
	}
	PG_CATCH();
	{
		int			code = geterrcode();

		MemoryContextSwitchTo(old);
		if (code != ERRCODE_QUERY_CANCELED && code != ERRCODE_ADMIN_SHUTDOWN &&
			code != ERRCODE_OUT_OF_MEMORY)
		{
			FlushErrorState();
			good = false;
		}
		else
			PG_RE_THROW();
	}
	PG_END_TRY();
	return good;
}

const AwsCredentials *
aws_chain_credentials(void)
{
	TimestampTz now = GetCurrentTimestamp();

	/* while they are good, those at hand will do if there are no new ones */
	if (cache == NULL || cache->expires <= now)
		refresh();
	else if (cache->expires != DT_NOEND && cache->expires - now < REFRESH_BEFORE)
		(void) try_refresh();
	return &cache->credentials;
}

void
aws_chain_forget(void)
{
	cache = NULL;
}

const AwsCredentials *
aws_chain_cached(void)
{
	return cache == NULL ? NULL : &cache->credentials;
}

const AwsCredentials *
aws_role_credentials(const char *role)
{
	return &assume_role(role, NULL, NULL, NULL, NULL)->credentials;
}
