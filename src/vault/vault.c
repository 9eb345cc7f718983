/*-------------------------------------------------------------------------
 *
 * vault.c
 *	  Master keys: the settings, and those at hand in this process.
 *
 * IDENTIFICATION
 *	  src/vault/vault.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <sys/mman.h>

#include "utils/guc.h"
#include "vault/vault.h"

static const KeyProvider *const providers[] = {
	&key_file_provider,
	&key_command_provider,
};

static char *master_key;
int			key_command_timeout = 30000;

/* All that holds keys, in pages of its own. */
typedef struct KeyMemory
{
	Keyring		ring;
	char		text[KEYRING_MAX_TEXT];
} KeyMemory;

static KeyMemory *memory;
static char *loaded_setting;	/* what the ring was read from; NULL: it is empty */

/* ---------- settings ---------- */

static const KeyProvider *
provider_of(const char *setting, const char **argument)
{
	for (int i = 0; i < (int) lengthof(providers); i++)
	{
		size_t		length = strlen(providers[i]->prefix);

		if (strncmp(setting, providers[i]->prefix, length) == 0)
		{
			*argument = setting + length;
			return providers[i];
		}
	}
	return NULL;
}

static bool
check_master_key(char **newval, void **extra, GucSource source)
{
	const char *argument;
	const KeyProvider *provider;
	const char *problem;

	if (*newval == NULL || (*newval)[0] == '\0')
		return true;
	provider = provider_of(*newval, &argument);
	problem = provider != NULL ? provider->check(argument)
		: "It is \"file:\" with the absolute path of a file, or \"command:\" with a command.";
	if (problem != NULL)
		GUC_check_errdetail("%s", problem);
	return problem == NULL;
}

void
vault_define_settings(void)
{
	DefineCustomStringVariable("appflow.master_key",
							   "Where the keys are that seal credentials: file:/path or command:...",
							   NULL,
							   &master_key,
							   "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   check_master_key, NULL, NULL);
	DefineCustomIntVariable("appflow.master_key_timeout",
							"Time that a command of appflow.master_key may take.",
							NULL,
							&key_command_timeout,
							30000, 1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
}

/* ---------- the keys at hand ---------- */

void *
vault_protected_pages(size_t size)
{
	void	   *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("could not allocate memory for the master keys: %m"));

	/* what the system does not grant is done without */
	(void) mlock(pages, size);
#ifdef MADV_DONTDUMP
	(void) madvise(pages, size, MADV_DONTDUMP);
#endif
#ifdef MADV_WIPEONFORK
	(void) madvise(pages, size, MADV_WIPEONFORK);
#endif
	return pages;
}

static void
forget_keys(void)
{
	if (loaded_setting == NULL)
		return;
	keyring_wipe(&memory->ring);
	free(loaded_setting);
	loaded_setting = NULL;
}

/* A provider that gives no keys that can be used. */
static void
keys_unusable(const char *problem, int line)
{
	ereport(ERROR,
			errcode(ERRCODE_CONFIG_FILE_ERROR),
			errmsg("the text that appflow.master_key leads to cannot be used as master keys"),
			line > 0 ? errdetail("Line %d: %s.", line, problem) : errdetail("As a whole: %s.", problem),
			errhint("It has one key per line as \"id:key\", the current one first; a key is 32 random bytes, as 64 hexadecimal digits or in base64."));
}

/* Have the keys of the provider; as it gives them now if fresh.  Was it asked? */
static bool
load_keys(bool fresh)
{
	const KeyProvider *provider;
	const char *argument;
	const char *problem;
	int			line;

	if (master_key == NULL || master_key[0] == '\0')
	{
		forget_keys();
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("there is no master key to seal credentials with"),
				errhint("As a superuser: SELECT appflow.create_master_key_file('/directory/outside/of/the/data/appflow.key'); "
						"ALTER SYSTEM SET appflow.master_key = 'file:/directory/outside/of/the/data/appflow.key'; "
						"SELECT pg_reload_conf();"));
	}
	provider = provider_of(master_key, &argument);
	if (provider == NULL)		/* the check of the setting sees to it */
		elog(ERROR, "appflow.master_key has no provider");
	if (loaded_setting != NULL && strcmp(loaded_setting, master_key) != 0)
		forget_keys();
	if (loaded_setting != NULL && !fresh && provider->unchanged(argument))
		return false;

	/* a provider that fails leaves no keys, so that the next call asks it again */
	forget_keys();
	if (memory == NULL)
		memory = vault_protected_pages(sizeof(KeyMemory));
	PG_TRY();
	{
		size_t		length = provider->read(argument, memory->text, sizeof(memory->text));

		problem = keyring_parse(&memory->ring, memory->text, length, &line);
		if (problem != NULL)
			keys_unusable(problem, line);
	}
	PG_FINALLY();
	{
		OPENSSL_cleanse(memory->text, sizeof(memory->text));
	}
	PG_END_TRY();
	loaded_setting = strdup(master_key);
	if (loaded_setting == NULL)
	{
		keyring_wipe(&memory->ring);
		ereport(ERROR,
				errcode(ERRCODE_OUT_OF_MEMORY),
				errmsg("out of memory"));
	}
	return true;
}

static SealKey
first_key(void)
{
	return (SealKey)
	{
		memory->ring.keys[0].id, memory->ring.keys[0].bytes
	};
}

SealKey
vault_current_key(void)
{
	load_keys(true);
	return first_key();
}

bool
vault_find_key(const char *id, SealKey *key, SealKey *current)
{
	bool		asked = load_keys(false);

	if (!keyring_find(&memory->ring, id, key) &&
		(asked || !load_keys(true) || !keyring_find(&memory->ring, id, key)))
		return false;
	if (current != NULL)
		*current = first_key();
	return true;
}

/* ---------- files of keys ---------- */

char *
vault_create_key_file(const char *path)
{
	key_file_create(path);
	return psprintf("%s%s", key_file_provider.prefix, path);
}

void
vault_add_key(void)
{
	const char *argument = NULL;

	/* whatever is wrong with the keys as they are is said now */
	load_keys(true);
	if (provider_of(master_key, &argument) != &key_file_provider)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("a new master key can be added to a file only"),
				errhint("Let the command of appflow.master_key give a new key before the others, then call appflow.rewrap_secrets()."));
	key_file_add(argument);
}
