#include "server/cluster/raftdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* Digits up to (and past) the separator, or to the end if it is NUL. */
static bool
number(const char **text, char separator, uint64_t *out)
{
	const char *at = *text;
	uint64_t value = 0;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (*at != separator)
		return false;
	*text = separator == '\0' ? at : at + 1;
	*out = value;
	return true;
}

static bool
skip(const char **text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(*text, prefix, length) != 0)
		return false;
	*text += length;
	return true;
}

static enum err
add(struct raftdir_list *list, const struct raftdir_file *file,
    struct errmsg *why)
{
	struct raftdir_file *files;

	/* Doubling: when count is a power of two the array is full. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t more = list->count == 0 ? 1 : 2 * list->count;

		files = reallocarray(list->files, more, sizeof(*files));
		if (files == NULL)
			return err_set(why, ERR_NOMEM, "out of memory");
		list->files = files;
	}
	list->files[list->count++] = *file;
	return OK;
}

/* Data and metadata file of one snapshot become one row. */
static enum err
add_snapshot(struct raftdir_list *list, const struct raftdir_file *file,
    struct errmsg *why)
{
	for (size_t i = 0; i < list->count; i++) {
		struct raftdir_file *old = &list->files[i];

		if (memcmp(old->key, file->key, sizeof(old->key)) == 0) {
			old->has_meta |= file->has_meta;
			old->has_data |= file->has_data;
			return OK;
		}
	}
	return add(list, file, why);
}

static enum err
sort_in(struct raftdir *dir, const char *name, struct errmsg *why)
{
	struct raftdir_file file = {0};
	const char *at = name;
	size_t length = strlen(name);
	const char *meta;

	if (length >= sizeof(file.name))
		return OK;
	memcpy(file.name, name, length + 1);
	if (skip(&at, "corrupt-")) {
		memcpy(dir->corrupt, file.name, sizeof(dir->corrupt));
		return OK;
	}
	if (skip(&at, "open-")) {
		if (!number(&at, '\0', &file.key[0]))
			return OK;
		return add(&dir->open, &file, why);
	}
	if (skip(&at, "snapshot-")) {
		meta = strstr(at, ".meta");
		file.has_meta = meta != NULL && meta[5] == '\0';
		file.has_data = !file.has_meta;
		if (file.has_meta)
			file.name[meta - name] = '\0';
		at = file.name + (at - name);
		if (!number(&at, '-', &file.key[0]) ||
		    !number(&at, '-', &file.key[1]) ||
		    !number(&at, '\0', &file.key[2]))
			return OK;
		return add_snapshot(&dir->snapshots, &file, why);
	}
	if (number(&at, '-', &file.key[0]) && number(&at, '\0', &file.key[1]))
		return add(&dir->closed, &file, why);
	return OK;
}

static int
by_key(const void *a, const void *b)
{
	const struct raftdir_file *x = a, *y = b;

	for (size_t i = 0; i < ARRAY_SIZE(x->key); i++) {
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	}
	return 0;
}

static void
sort(struct raftdir_list *list)
{
	if (list->count > 1) {
		qsort(list->files, list->count, sizeof(*list->files), by_key);
	}
}

enum err
raftdir_list(const char *path, struct raftdir *out, struct errmsg *why)
{
	struct raftdir dir = {.path = path};
	struct dirent *entry;
	enum err rc = OK;
	DIR *stream;

	stream = opendir(path);
	if (stream == NULL)
		return err_set(why, ERR_IO, "%s: %s", path, strerror(errno));
	do {
		errno = 0;
		entry = readdir(stream);
		if (entry != NULL)
			rc = sort_in(&dir, entry->d_name, why);
		else if (errno != 0)
			rc = err_set(
			    why, ERR_IO, "%s: %s", path, strerror(errno));
	} while (rc == OK && entry != NULL);
	closedir(stream);
	if (rc != OK) {
		raftdir_free(&dir);
		return rc;
	}
	sort(&dir.closed);
	sort(&dir.open);
	sort(&dir.snapshots);
	*out = dir;
	return OK;
}

void
raftdir_free(struct raftdir *dir)
{
	free(dir->closed.files);
	free(dir->open.files);
	free(dir->snapshots.files);
	*dir = (struct raftdir){.path = dir->path};
}

bool
raftdir_superseded(const struct raftdir_list *closed, size_t i)
{
	const struct raftdir_file *file = &closed->files[i];

	return i + 1 < closed->count && file->key[0] == file[1].key[0] &&
	    file->key[1] < file[1].key[1];
}

static enum err
read_all(int fd, uint8_t *data, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, data + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		got += (size_t)n;
	}
	return OK;
}

enum err
raftdir_read(const struct raftdir *dir, const char *name, size_t max,
    uint8_t **data, size_t *size, struct errmsg *why)
{
	char path[PATH_SIZE];
	uint8_t *bytes = NULL;
	struct stat st;
	enum err rc = OK;
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/%s", dir->path, name);
	if (n < 0 || n >= PATH_SIZE)
		return err_set(why, ERR_LIMIT, "path %s is too long", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return err_set(why, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    "%s: %s", path, strerror(errno));
	}
	errno = 0;
	if (fstat(fd, &st) != 0) {
		rc = err_set(why, ERR_IO, "%s: %s", path, strerror(errno));
		goto out;
	}
	if ((uintmax_t)st.st_size > max) {
		rc = err_set(why, ERR_LIMIT, "%s has %jd bytes, at most %zu",
		    path, (intmax_t)st.st_size, max);
		goto out;
	}
	if (st.st_size > 0) {
		bytes = malloc((size_t)st.st_size);
		if (bytes == NULL) {
			rc = err_set(why, ERR_NOMEM, "out of memory");
			goto out;
		}
		rc = read_all(fd, bytes, (size_t)st.st_size);
		if (rc != OK) {
			rc = err_set(why, rc, "read %s: %s", path,
			    errno == 0 ? "cut short" : strerror(errno));
			goto out;
		}
	}
	*data = bytes;
	*size = (size_t)st.st_size;
	bytes = NULL; /* moved */
out:
	free(bytes);
	close(fd);
	return rc;
}
