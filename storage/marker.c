#include "storage/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "storage/buf.h"
#include "storage/db.h"
#include "storage/file.h"

#define MARKER_MAGIC   "CONCLMRK"
#define MARKER_VERSION 1
#define MARKER_SIZE    200 /* bytes of content, more than ever needed */
#define BOOT_ID_PATH   "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_SIZE   64 /* bytes; a UUID and its newline today */

/* Linux 6.8: a mount id that is never used again, unlike the older one. Not in
 * the headers of the systems this is built on. */
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif

struct marker {
	bool clean;
	uint32_t schema;
	char boot_id[BOOT_ID_SIZE + 1];
	uint64_t mount; /* 0: the kernel does not tell */
	uint64_t device;
	uint64_t inode;
};

static enum err
path_in(const char *dir, const char *name, char path[static PATH_MAX],
    struct errmsg *why)
{
	int size = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	if (size < 0 || size >= PATH_MAX)
		return err_set(why, ERR_IO, "path too long: %.200s", dir);
	return OK;
}

static enum err
boot_id_read(char boot_id[static BOOT_ID_SIZE + 1], struct errmsg *why)
{
	struct buf buf = buf_new(BOOT_ID_SIZE);
	enum err rc;

	rc = file_read(BOOT_ID_PATH, &buf, why);
	if (rc == OK) {
		memset(boot_id, 0, BOOT_ID_SIZE + 1);
		memcpy(boot_id, buf.data, buf.size);
		boot_id[strcspn(boot_id, "\n")] = '\0';
	} else if (rc == ERR_NOTFOUND) {
		rc = ERR_IO;
	}
	buf_free(&buf);
	return rc;
}

/* What holds now. ERR_NOTFOUND: there is no data.mdb. */
static enum err
marker_observe(const char *dir, struct marker *now, struct errmsg *why)
{
	char path[PATH_MAX];
	struct statx st;
	enum err rc;

	*now = (struct marker){.schema = DB_SCHEMA};
	rc = path_in(dir, "data.mdb", path, why);
	if (rc != OK)
		return rc;
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW,
		STATX_BASIC_STATS | STATX_MNT_ID | STATX_MNT_ID_UNIQUE,
		&st) != 0) {
		return err_set(why, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    "cannot stat %.200s: %s", path, strerror(errno));
	}
	if ((st.stx_mask & (STATX_MNT_ID | STATX_MNT_ID_UNIQUE)) != 0)
		now->mount = st.stx_mnt_id;
	now->device = makedev(st.stx_dev_major, st.stx_dev_minor);
	now->inode = st.stx_ino;
	return boot_id_read(now->boot_id, why);
}

static enum err
marker_decode(const struct buf *content, struct marker *then)
{
	struct reader in = {content->data, content->size};
	const uint8_t *boot_id;
	uint8_t clean;
	size_t size;

	*then = (struct marker){0};
	if (!read_u8(&in, &clean) || !read_u32(&in, &then->schema) ||
	    !read_bytes(&in, BOOT_ID_SIZE, &boot_id, &size) ||
	    !read_u64(&in, &then->mount) || !read_u64(&in, &then->device) ||
	    !read_u64(&in, &then->inode) || in.size != 0 || clean > 1)
		return ERR_CORRUPT;
	then->clean = clean == 1;
	memcpy(then->boot_id, boot_id, size);
	return OK;
}

static enum err
marker_read(const char *dir, struct marker *then, struct errmsg *why)
{
	struct buf content = buf_new(MARKER_SIZE);
	char path[PATH_MAX];
	uint32_t version;
	enum err rc;

	rc = path_in(dir, "marker", path, why);
	if (rc != OK)
		return rc;
	rc = file_read_checked(
	    path, MARKER_MAGIC, MARKER_VERSION, &version, &content, why);
	if (rc == OK && marker_decode(&content, then) != OK)
		rc = err_set(why, ERR_CORRUPT, "%.200s is not a marker", path);
	buf_free(&content);
	return rc;
}

/* Is the page cache that an unclean stop left behind still the one we have?
 * If not, why tells what changed. */
static bool
cache_survived(
    const struct marker *then, const struct marker *now, struct errmsg *why)
{
	const char *what = NULL;

	if (strcmp(then->boot_id, now->boot_id) != 0)
		what = "the machine was rebooted";
	else if (now->mount == 0)
		what = "the kernel gives no mount id";
	else if (then->mount != now->mount)
		what = "the file system was mounted anew";
	else if (then->device != now->device)
		what = "the data is on another device";
	else if (then->inode != now->inode)
		what = "data.mdb is another file";
	if (what == NULL)
		return true;
	(void)err_set(why, OK, "not closed cleanly, and since then %s", what);
	return false;
}

enum err
marker_check(const char *dir, bool *believe, struct errmsg *why)
{
	struct marker then, now;
	enum err rc, seen;

	seen = marker_observe(dir, &now, why);
	if (seen == ERR_NOMEM)
		return seen;
	if (seen == ERR_NOTFOUND) {
		*believe = true;
		return OK;
	}
	rc = marker_read(dir, &then, seen == OK ? why : NULL);
	if (rc == ERR_NOMEM || rc == ERR_UNSUPPORTED)
		return rc;
	/* Before any doubt: what a newer version wrote is not ours to drop. */
	if (rc == OK && then.schema > DB_SCHEMA) {
		return err_set(why, ERR_UNSUPPORTED,
		    "%.200s has schema %" PRIu32 ", this server reads %d", dir,
		    then.schema, DB_SCHEMA);
	}
	*believe = false;
	if (rc == ERR_NOTFOUND && seen == OK)
		(void)err_set(why, OK, "data.mdb has no marker beside it");
	if (rc == OK && seen == OK)
		*believe = then.clean || cache_survived(&then, &now, why);
	return OK;
}

bool
marker_is_clean(const char *dir)
{
	struct marker then, now;

	return marker_observe(dir, &now, NULL) == ERR_NOTFOUND ||
	    (marker_read(dir, &then, NULL) == OK && then.clean);
}

enum err
marker_remove(const char *dir, struct errmsg *why)
{
	char path[PATH_MAX];
	enum err rc;

	rc = path_in(dir, "marker", path, why);
	if (rc != OK)
		return rc;
	if (unlink(path) != 0 && errno != ENOENT)
		return err_set(why, ERR_IO, "cannot remove %.200s: %s", path,
		    strerror(errno));
	return OK;
}

enum err
marker_write(const char *dir, bool clean, struct errmsg *why)
{
	struct buf content = buf_new(MARKER_SIZE);
	char path[PATH_MAX];
	struct marker now;
	enum err rc;

	rc = marker_observe(dir, &now, why);
	if (rc != OK)
		return rc == ERR_NOTFOUND ? ERR_IO : rc;
	rc = path_in(dir, "marker", path, why);
	if (rc != OK)
		return rc;
	buf_u8(&content, clean ? 1 : 0);
	buf_u32(&content, now.schema);
	buf_text(&content, now.boot_id);
	buf_u64(&content, now.mount);
	buf_u64(&content, now.device);
	buf_u64(&content, now.inode);
	rc = file_write_checked(
	    path, MARKER_MAGIC, MARKER_VERSION, &content, why);
	buf_free(&content);
	return rc;
}
