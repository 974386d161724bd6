/* validate: the server's own check, by the conclaved that lies beside us. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli.h"

#define SERVER "conclaved"

/* Our own directory; where that cannot be told, the search path. */
static bool
find_server(char out[static PATH_MAX])
{
	ssize_t size = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *slash;

	if (size < 0)
		return false;
	out[size] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL ||
	    (size_t)(slash + 1 - out) + sizeof(SERVER) > PATH_MAX)
		return false;
	memcpy(slash + 1, SERVER, sizeof(SERVER));
	return access(out, X_OK) == 0;
}

int
verb_validate(struct cli *cli)
{
	static char name[] = SERVER, validate[] = "-validate";
	static char file[] = "-config-file", dir[] = "-config-dir";
	char **argv = calloc(2 * cli->arg_count + 3, sizeof(*argv));
	char path[PATH_MAX];
	size_t count = 0;

	if (argv == NULL)
		return cli_fail("out of memory");
	argv[count++] = name;
	argv[count++] = validate;
	for (size_t i = 0; i < cli->arg_count; i++) {
		struct stat st;
		bool is_dir =
		    stat(cli->args[i], &st) == 0 && S_ISDIR(st.st_mode);

		argv[count++] = is_dir ? dir : file;
		argv[count++] = cli->args[i];
	}
	if (find_server(path))
		(void)execv(path, argv);
	else
		(void)execvp(SERVER, argv);
	free(argv);
	return cli_fail("Error running %s: %s", SERVER, strerror(errno));
}
