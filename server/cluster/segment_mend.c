#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cluster/batch.h"
#include "server/cluster/raftdir.h"
#include "server/cluster/segment.h"

#define PATH_SIZE 4096

static enum err
path_of(char out[static PATH_SIZE], const struct raftdir *dir, const char *name,
    struct errmsg *why)
{
	int n = snprintf(out, PATH_SIZE, "%s/%s", dir->path, name);

	if (n < 0 || n >= PATH_SIZE)
		return err_set(why, ERR_LIMIT, "path %s is too long", name);
	return OK;
}

static enum err
cut(const struct raftdir *dir, const char *name, size_t size,
    struct errmsg *why)
{
	char path[PATH_SIZE];
	enum err rc;
	int fd;

	rc = path_of(path, dir, name, why);
	if (rc != OK)
		return rc;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0 || fsync(fd) != 0) {
		rc = err_set(why, ERR_IO, "cut %s to %zu bytes: %s", path, size,
		    strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static enum err
take_away(const struct raftdir *dir, const char *name, struct errmsg *why)
{
	char path[PATH_SIZE];
	enum err rc;

	rc = path_of(path, dir, name, why);
	if (rc == OK && unlink(path) != 0) {
		rc = err_set(
		    why, ERR_IO, "remove %s: %s", path, strerror(errno));
	}
	return rc;
}

static enum err
sync_dir(const struct raftdir *dir, struct errmsg *why)
{
	enum err rc = OK;
	int fd;

	fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0) {
		rc = err_set(
		    why, ERR_IO, "sync %s: %s", dir->path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A whole file of good batches, or one with room for a head of zeros behind
 * them, is what libraft reads to the end. */
static enum err
mend_open(const struct raftdir *dir, const struct batch_crc *crc,
    const char *name, bool *entries, struct errmsg *why)
{
	size_t offset = BATCH_FILE_HEAD, size = 0;
	uint8_t *data = NULL;
	struct batch batch;
	enum err rc;

	rc = raftdir_read(dir, name, RAFTDIR_FILE_MAX, &data, &size, why);
	if (rc != OK || batch_blank(data, size, 0))
		goto out; /* libraft removes it */
	while (offset < size &&
	    batch_read(crc, data, size, offset, &batch) == BATCH_GOOD)
		offset += batch.size;
	if (offset == BATCH_FILE_HEAD)
		offset = 0; /* not one good batch: as if never written */
	*entries |= offset > 0;
	if (offset < size &&
	    (size - offset < BATCH_HEAD || !batch_blank(data, size, offset)))
		rc = cut(dir, name, offset, why);
out:
	free(data);
	return rc;
}

/* raft_uv writes the term before the first segment, and bootstraps only where
 * there is no term. */
static enum err
mend_bootstrap(const struct raftdir *dir, bool log, struct errmsg *why)
{
	uint8_t *data = NULL;
	bool cut_short;
	size_t size = 0;
	enum err rc;

	if (log || dir->closed.count > 0 || dir->snapshots.count > 0)
		return OK;
	rc =
	    raftdir_read(dir, "metadata2", RAFTDIR_FILE_MAX, &data, &size, why);
	free(data);
	data = NULL;
	if (rc != ERR_NOTFOUND)
		return rc;
	rc =
	    raftdir_read(dir, "metadata1", RAFTDIR_FILE_MAX, &data, &size, why);
	if (rc == ERR_NOTFOUND)
		return OK;
	if (rc != OK)
		return rc;
	/* u64 format, version, term, vote */
	cut_short = size == 32 && batch_u64(data + 8) == 1 &&
	    batch_u64(data + 16) == 1 && batch_u64(data + 24) == 0;
	free(data);
	return cut_short ? take_away(dir, "metadata1", why) : OK;
}

static enum err
mend_closed(const struct raftdir *dir, struct errmsg *why)
{
	const struct raftdir_list *closed = &dir->closed;
	const struct raftdir_list *snapshots = &dir->snapshots;
	uint64_t snapshot = 0;
	bool behind;
	enum err rc = OK;

	for (size_t i = 0; i < snapshots->count; i++) {
		const struct raftdir_file *file = &snapshots->files[i];

		if (file->has_meta && file->has_data)
			snapshot = file->key[1];
	}
	behind = closed->count > 0 &&
	    closed->files[closed->count - 1].key[1] < snapshot;
	for (size_t i = 0; rc == OK && i < closed->count; i++) {
		if (behind || raftdir_superseded(closed, i))
			rc = take_away(dir, closed->files[i].name, why);
	}
	return rc;
}

enum err
segment_mend(const char *raft_dir, struct errmsg *why)
{
	struct batch_crc crc;
	struct raftdir dir;
	bool entries = false; /* in open segments */
	enum err rc;

	batch_crc_init(&crc);
	rc = raftdir_list(raft_dir, &dir, why);
	if (rc != OK)
		return rc;
	rc = mend_closed(&dir, why);
	for (size_t i = 0; rc == OK && i < dir.open.count; i++) {
		rc = mend_open(
		    &dir, &crc, dir.open.files[i].name, &entries, why);
	}
	if (rc == OK)
		rc = mend_bootstrap(&dir, entries, why);
	if (rc == OK)
		rc = sync_dir(&dir, why);
	raftdir_free(&dir);
	return rc;
}
