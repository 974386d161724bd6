/*
 * Goal: what a fuzz target has once met never hurts again, in any build.
 * Method: the main() of a target where libFuzzer is not: it runs the files
 * named, or else the whole corpus that bears the target's name, from the root
 * of the repository.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (16u << 20) /* bytes of one file */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX), *exact = NULL;
	bool good = false;
	size_t size;

	if (file == NULL || data == NULL)
		goto out;
	size = fread(data, 1, INPUT_MAX, file);
	if (ferror(file))
		goto out;
	/* A block of just this size, so that an overread is seen. */
	exact = realloc(data, size == 0 ? 1 : size);
	if (exact == NULL)
		goto out;
	data = exact;
	(void)LLVMFuzzerTestOneInput(data, size);
	good = true;
out:
	if (!good)
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
	if (file != NULL)
		(void)fclose(file);
	free(data);
	return good;
}

/* Of ".../http_fuzz": tests/fuzz/corpus/http */
static bool
replay_corpus(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash == NULL ? program : slash + 1;
	size_t size = strlen(name) - strlen("_fuzz");
	char path[PATH_MAX];
	struct dirent *entry;
	unsigned count = 0;
	bool good = true;
	DIR *dir;

	(void)snprintf(
	    path, sizeof(path), "tests/fuzz/corpus/%.*s", (int)size, name);
	dir = opendir(path);
	if (dir == NULL) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "tests/fuzz/corpus/%.*s/%s",
		    (int)size, name, entry->d_name);
		good = replay(path) && good;
		count++;
	}
	(void)closedir(dir);
	printf("%u inputs\n", count);
	return good && count > 0;
}

int
main(int argc, char **argv)
{
	bool good = true;

	if (argc < 2)
		return replay_corpus(argv[0]) ? 0 : 1;
	for (int i = 1; i < argc; i++)
		good = replay(argv[i]) && good;
	return good ? 0 : 1;
}
