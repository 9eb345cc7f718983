/*
 * resolver.c
 *	  Names below .test are looked up in the file of RESOLVER_FILE, anew each time:
 *	  lines of a name and an address; hang.test takes a minute.  Preloaded into a server under test, so that
 *	  names can change their address.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	int			(*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **);
	const char *path = getenv("RESOLVER_FILE");
	size_t		length = name == NULL ? 0 : strlen(name);
	char		known[256];
	char		address[256];
	FILE	   *file;
	int			result = EAI_NONAME;

	*(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (path == NULL || length < 5 || strcmp(name + length - 5, ".test") != 0)
		return real(name, service, hints, found);
	if (strcmp(name, "hang.test") == 0)
		sleep(60);
	file = fopen(path, "r");
	if (file == NULL)
		return EAI_NONAME;
	while (result != 0 && fscanf(file, "%255s %255s", known, address) == 2)
	{
		if (strcmp(known, name) == 0)
			result = real(address, service, hints, found);
	}
	fclose(file);
	return result;
}
