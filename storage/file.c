#include "storage/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/hash.h"

#define MAGIC_SIZE 8
#define READ_STEP  4096 /* bytes asked for at once */
#define FRAME_SIZE (MAGIC_SIZE + 4 + 4 + HASH_SIZE)

/* Translate errno of a failed step on path. */
static enum err
file_error(struct errmsg *why, const char *verb, const char *path)
{
	int saved = errno;
	enum err code = ERR_IO;

	if (saved == ENOSPC || saved == EDQUOT || saved == EFBIG)
		code = ERR_FULL;
	if (saved == ENOMEM)
		code = ERR_NOMEM;
	return err_set(
	    why, code, "cannot %s %.200s: %s", verb, path, strerror(saved));
}

static bool
write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t count = write(fd, data, size);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return false;
		data += count;
		size -= (size_t)count;
	}
	return true;
}

/* Sync the folder that holds path, so that a rename in it is durable. */
static enum err
folder_sync(const char *path, struct errmsg *why)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	enum err rc = OK;
	int fd, size;

	if (slash == NULL)
		size = snprintf(folder, sizeof(folder), ".");
	else if (slash == path)
		size = snprintf(folder, sizeof(folder), "/");
	else
		size = snprintf(
		    folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	assert(size > 0 && (size_t)size < sizeof(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return file_error(why, "open folder", folder);
	if (fsync(fd) != 0)
		rc = file_error(why, "sync folder", folder);
	(void)close(fd);
	return rc;
}

enum err
file_write(const char *path, const void *data, size_t size, struct errmsg *why)
{
	char temporary[PATH_MAX];
	int fd, length;
	enum err rc;

	/* A fixed name, so that crashes leave at most one stray file. */
	length = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	if (length < 0 || (size_t)length >= sizeof(temporary))
		return err_set(why, ERR_IO, "path too long: %.200s", path);
	if (unlink(temporary) != 0 && errno != ENOENT)
		return file_error(why, "remove", temporary);
	fd = open(temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(why, "create", temporary);
	if (!write_all(fd, data, size))
		rc = file_error(why, "write", temporary);
	else if (fsync(fd) != 0)
		rc = file_error(why, "sync", temporary);
	else
		rc = OK;
	if (close(fd) != 0 && rc == OK)
		rc = file_error(why, "close", temporary);
	if (rc == OK && rename(temporary, path) != 0)
		rc = file_error(why, "rename to", path);
	if (rc != OK) {
		(void)unlink(temporary);
		return rc;
	}
	return folder_sync(path, why);
}

/* Read until the end; more than out->max bytes are refused. */
static enum err
read_all(int fd, struct buf *out, const char *path, struct errmsg *why)
{
	uint8_t spill;

	for (;;) {
		size_t room = out->max - out->size;
		uint8_t *to = &spill;
		ssize_t count;

		if (room > READ_STEP)
			room = READ_STEP;
		if (room > 0)
			to = buf_reserve(out, room);
		if (to == NULL)
			return buf_status(out, why);
		count = read(fd, to, room > 0 ? room : sizeof(spill));
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return file_error(why, "read", path);
		if (count == 0)
			return OK;
		if (room == 0) {
			return err_set(why, ERR_LIMIT,
			    "%.200s is larger than %zu bytes", path, out->max);
		}
		buf_added(out, (size_t)count);
	}
}

enum err
file_read(const char *path, struct buf *out, struct errmsg *why)
{
	struct stat st;
	enum err rc;
	int fd;

	buf_reset(out);
	/* NONBLOCK: a FIFO in its place must not hang the open. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return err_set(why, ERR_NOTFOUND, "no file %.200s", path);
	if (fd < 0)
		return file_error(why, "open", path);
	if (fstat(fd, &st) != 0)
		rc = file_error(why, "stat", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(why, ERR_IO, "%.200s is not a regular file", path);
	else
		rc = read_all(fd, out, path, why);
	(void)close(fd);
	return rc;
}

enum err
file_write_checked(const char *path, const char *magic, uint32_t version,
    const struct buf *content, struct errmsg *why)
{
	struct buf frame = buf_new(FRAME_SIZE + FILE_CHECKED_MAX);
	uint8_t hash[HASH_SIZE];
	enum err rc;

	assert(strlen(magic) == MAGIC_SIZE);

	rc = buf_status(content, why);
	if (rc != OK)
		return rc;
	if (content->size > FILE_CHECKED_MAX) {
		return err_set(why, ERR_LIMIT,
		    "content of %.200s is %zu bytes, limit %u", path,
		    content->size, FILE_CHECKED_MAX);
	}
	buf_raw(&frame, magic, MAGIC_SIZE);
	buf_u32(&frame, version);
	buf_bytes(&frame, content->data, content->size);
	rc = buf_status(&frame, why);
	if (rc != OK)
		goto out;
	hash_bytes(frame.data, frame.size, hash);
	buf_raw(&frame, hash, sizeof(hash));
	rc = buf_status(&frame, why);
	if (rc == OK)
		rc = file_write(path, frame.data, frame.size, why);
out:
	buf_wipe(&frame);
	return rc;
}

/* Check a whole frame; *data is borrowed from it. The hash comes before the
 * version, so that a flipped bit is never taken for a newer program. */
static enum err
frame_open(const struct buf *frame, const char *path, const char *magic,
    uint32_t *version, const uint8_t **data, size_t *size, struct errmsg *why)
{
	struct reader in = {frame->data, frame->size};
	uint8_t found[MAGIC_SIZE], stored[HASH_SIZE];
	uint8_t hash[HASH_SIZE];

	if (!read_raw(&in, found, sizeof(found)) ||
	    memcmp(found, magic, MAGIC_SIZE) != 0) {
		return err_set(why, ERR_CORRUPT,
		    "%.200s does not begin with \"%s\"", path, magic);
	}
	if (!read_u32(&in, version) ||
	    !read_bytes(&in, FILE_CHECKED_MAX, data, size) ||
	    !read_raw(&in, stored, sizeof(stored)) || in.size != 0) {
		return err_set(
		    why, ERR_CORRUPT, "%.200s has a wrong length", path);
	}
	hash_bytes(frame->data, frame->size - sizeof(stored), hash);
	if (memcmp(hash, stored, sizeof(hash)) != 0) {
		return err_set(
		    why, ERR_CORRUPT, "%.200s has a wrong checksum", path);
	}
	return OK;
}

enum err
file_read_checked(const char *path, const char *magic, uint32_t max_version,
    uint32_t *version, struct buf *content, struct errmsg *why)
{
	struct buf frame = buf_new(FRAME_SIZE + FILE_CHECKED_MAX);
	const uint8_t *data;
	uint32_t found;
	size_t size;
	enum err rc;

	assert(strlen(magic) == MAGIC_SIZE);

	buf_reset(content);
	rc = file_read(path, &frame, why);
	if (rc == ERR_LIMIT)
		rc = ERR_CORRUPT; /* no frame of ours is that large */
	if (rc == OK)
		rc = frame_open(&frame, path, magic, &found, &data, &size, why);
	if (rc != OK)
		goto out;
	if (found > max_version) {
		rc = err_set(why, ERR_UNSUPPORTED,
		    "%.200s has version %" PRIu32
		    ", this server reads %" PRIu32,
		    path, found, max_version);
		goto out;
	}
	buf_raw(content, data, size);
	rc = buf_status(content, why);
	if (rc == OK)
		*version = found;
out:
	buf_wipe(&frame);
	return rc;
}
