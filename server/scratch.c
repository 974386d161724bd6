#include "server/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err
scratch_make(char **path, struct errmsg *why)
{
	const char *base = getenv("TMPDIR");
	char name[512];

	if (base == NULL || base[0] == '\0')
		base = "/tmp";
	(void)snprintf(name, sizeof(name), "%s/conclave-dev-XXXXXX", base);
	if (mkdtemp(name) == NULL)
		return err_set(why, ERR_IO, "-dev: no directory under %s: %s",
		    base, strerror(errno));
	*path = strdup(name);
	return *path != NULL ? OK : err_set(why, ERR_NOMEM, "out of memory");
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	(void)remove(path);
	return 0; /* go on: leave as little as possible */
}

void
scratch_remove(char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}
