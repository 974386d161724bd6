#include "server/cluster/identity.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/log.h"
#include "storage/buf.h"
#include "storage/file.h"

#define IDENTITY_MAGIC    "CONCLIDN"
#define IDENTITY_VERSION  1
#define IDENTITY_MAX      1024 /* bytes of content */
#define IDENTITY_PATH_MAX 4096
#define DAMAGED_MAX       1000 /* damaged-<n> folders looked through */

/* Both directories and the vote belong to one raft id. */
static const char *const belongings[] = {
    IDENTITY_RAFT_DIR, IDENTITY_STATE_DIR, "ballot"};

static enum err
join(char out[static IDENTITY_PATH_MAX], const char *dir, const char *name,
    struct errmsg *why)
{
	int n = snprintf(out, IDENTITY_PATH_MAX, "%s/%s", dir, name);

	if (n < 0 || n >= IDENTITY_PATH_MAX)
		return err_set(why, ERR_LIMIT, "path %s is too long", dir);
	return OK;
}

static enum err
draw(void *out, size_t size)
{
	uint8_t *at = out;

	while (size > 0) {
		ssize_t n = getrandom(at, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		at += n;
		size -= (size_t)n;
	}
	return OK;
}

/* Below 2^63, so that no tool that reads it as signed is surprised. */
static enum err
draw_id(uint64_t *out, struct errmsg *why)
{
	do {
		if (draw(out, sizeof(*out)) != OK)
			return err_set(why, ERR_IO, "no random bytes");
		*out &= INT64_MAX;
	} while (*out == 0);
	return OK;
}

enum err
identity_uuid(char out[static NODE_UUID_SIZE])
{
	uint8_t b[16];
	enum err rc;

	rc = draw(b, sizeof(b));
	if (rc != OK)
		return rc;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 4122 4.4: version 4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(out, NODE_UUID_SIZE,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
	    b[11], b[12], b[13], b[14], b[15]);
	return OK;
}

/* A text of at most size - 1 bytes, none of them NUL. */
static bool
read_field(struct reader *in, char *out, size_t size)
{
	const uint8_t *data;
	size_t length;

	if (!read_bytes(in, size - 1, &data, &length))
		return false;
	if (length > 0 && memchr(data, 0, length) != NULL)
		return false;
	if (length > 0)
		memcpy(out, data, length);
	out[length] = '\0';
	return true;
}

static bool
record_decode(struct reader *in, struct identity *out)
{
	uint8_t bootstrapped, renewing;

	if (!read_u64(in, &out->id) || !read_u64(in, &out->previous) ||
	    !read_u64(in, &out->start) ||
	    !read_field(in, out->node_id, sizeof(out->node_id)) ||
	    !read_field(in, out->cluster_id, sizeof(out->cluster_id)) ||
	    !read_u8(in, &bootstrapped) || !read_u8(in, &renewing) ||
	    !read_field(in, out->machine, sizeof(out->machine)) ||
	    !read_u64(in, &out->device) || !read_u64(in, &out->inode))
		return false;
	out->bootstrapped = bootstrapped == 1;
	out->renewing = renewing == 1;
	return in->size == 0 && out->id != 0 && bootstrapped <= 1 &&
	    renewing <= 1 && strlen(out->node_id) == NODE_UUID_SIZE - 1;
}

/* Fills *out but for dir and instance. ERR_NOTFOUND: there is none. */
static enum err
record_read(const char *dir, struct identity *out, struct errmsg *why)
{
	struct buf content = buf_new(IDENTITY_MAX);
	char path[IDENTITY_PATH_MAX];
	uint32_t version;
	enum err rc;

	rc = join(path, dir, "identity", why);
	if (rc == OK) {
		rc = file_read_checked(path, IDENTITY_MAGIC, IDENTITY_VERSION,
		    &version, &content, why);
	}
	if (rc == OK) {
		struct reader in = {content.data, content.size};

		if (!record_decode(&in, out)) {
			rc = err_set(why, ERR_CORRUPT,
			    "%s does not hold a server's identity", path);
		}
	}
	buf_free(&content);
	return rc;
}

/*
 * A missing file (containers often have none) is an empty text, which is then
 * compared with nothing: inode and lock still stand guard.
 */
static void
machine_read(char out[static IDENTITY_MACHINE_SIZE])
{
	struct buf text = buf_new(IDENTITY_MACHINE_SIZE - 1);
	size_t n = 0;

	if (file_read("/etc/machine-id", &text, NULL) == OK) {
		while (
		    n < text.size && text.data[n] > ' ' && text.data[n] < 0x7f)
			n++;
		if (n > 0)
			memcpy(out, text.data, n);
	}
	out[n] = '\0';
	buf_free(&text);
}

/* Where we are now: machine, device and inode of identity->dir. */
static enum err
place_read(struct identity *identity, struct errmsg *why)
{
	struct stat st;

	if (stat(identity->dir, &st) != 0) {
		return err_set(why, ERR_IO, "data directory %s: %s",
		    identity->dir, strerror(errno));
	}
	identity->device = st.st_dev;
	identity->inode = st.st_ino;
	machine_read(identity->machine);
	return OK;
}

/* Compare the place with the one stored; a known machine is never forgotten. */
static enum err
place_judge(
    struct identity *now, const struct identity *stored, struct errmsg *why)
{
	static const char words[] =
	    "this directory was copied or moved, and the same server must not "
	    "run twice: if the other one is gone for good, run \"conclaved "
	    "adopt\"";

	if (now->inode != stored->inode) {
		return err_set(why, ERR_BADSTATE,
		    "data directory %s has inode %" PRIu64
		    " and was written as inode %" PRIu64 "; %s",
		    now->dir, now->inode, stored->inode, words);
	}
	if (now->machine[0] != '\0' && stored->machine[0] != '\0' &&
	    strcmp(now->machine, stored->machine) != 0) {
		return err_set(why, ERR_BADSTATE,
		    "data directory %s was written on machine %s and this is "
		    "%s; %s",
		    now->dir, stored->machine, now->machine, words);
	}
	if (now->machine[0] == '\0')
		memcpy(now->machine, stored->machine, sizeof(now->machine));
	if (now->device != stored->device) {
		log_event(LOG_WARN, "server",
		    "data directory is on another device number than before, "
		    "same inode and machine: path=%s was=%" PRIu64
		    " is=%" PRIu64,
		    now->dir, stored->device, now->device);
	}
	return OK;
}

enum err
identity_store(const struct identity *identity, struct errmsg *why)
{
	struct buf content = buf_new(IDENTITY_MAX);
	char path[IDENTITY_PATH_MAX];
	enum err rc;

	assert(identity->id != 0);
	buf_u64(&content, identity->id);
	buf_u64(&content, identity->previous);
	buf_u64(&content, identity->start);
	buf_text(&content, identity->node_id);
	buf_text(&content, identity->cluster_id);
	buf_u8(&content, identity->bootstrapped);
	buf_u8(&content, identity->renewing);
	buf_text(&content, identity->machine);
	buf_u64(&content, identity->device);
	buf_u64(&content, identity->inode);
	rc = join(path, identity->dir, "identity", why);
	if (rc == OK)
		rc = buf_status(&content, why);
	if (rc == OK) {
		rc = file_write_checked(
		    path, IDENTITY_MAGIC, IDENTITY_VERSION, &content, why);
	}
	buf_free(&content);
	return rc;
}

/* The pid in the file is a hint for the reader of the words, no more. */
static enum err
lock_refuse(int fd, const char *path, struct errmsg *why)
{
	char pid[32] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	return err_set(why, ERR_EXISTS,
	    "%s is locked: process %s already serves this data directory", path,
	    pid[0] == '\0' ? "(unknown)" : pid);
}

static enum err
lock_take(const char *dir, int *lock, struct errmsg *why)
{
	char path[IDENTITY_PATH_MAX], pid[32];
	enum err rc;
	int fd, n;

	rc = join(path, dir, "lock", why);
	if (rc != OK)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(why, ERR_IO, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		rc = errno == EWOULDBLOCK ? lock_refuse(fd, path, why)
					  : err_set(why, ERR_IO, "lock %s: %s",
						path, strerror(errno));
		close(fd);
		return rc;
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
		rc = err_set(why, ERR_IO, "%s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	*lock = fd;
	return OK;
}

static enum err
exists(const char *dir, const char *name, bool *found, struct errmsg *why)
{
	char path[IDENTITY_PATH_MAX];
	struct stat st;
	enum err rc;

	rc = join(path, dir, name, why);
	if (rc != OK)
		return rc;
	*found = lstat(path, &st) == 0;
	if (!*found && errno != ENOENT)
		return err_set(why, ERR_IO, "%s: %s", path, strerror(errno));
	return OK;
}

static enum err
dir_sync(const char *dir, struct errmsg *why)
{
	enum err rc = OK;
	int fd;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = err_set(why, ERR_IO, "sync %s: %s", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

/* The first damaged-<n> that is not there yet, made. */
static enum err
aside_make(
    const char *dir, char out[static IDENTITY_PATH_MAX], struct errmsg *why)
{
	char name[32];
	enum err rc;

	for (int n = 1; n <= DAMAGED_MAX; n++) {
		snprintf(name, sizeof(name), "damaged-%d", n);
		rc = join(out, dir, name, why);
		if (rc != OK)
			return rc;
		if (mkdir(out, 0700) == 0)
			return OK;
		if (errno != EEXIST) {
			return err_set(
			    why, ERR_IO, "%s: %s", out, strerror(errno));
		}
	}
	return err_set(why, ERR_LIMIT,
	    "%s holds %d damaged-<n> folders already, remove some", dir,
	    DAMAGED_MAX);
}

/* Move what belongs to the old raft id, then forget that this was due. */
static enum err
set_aside(struct identity *identity, struct errmsg *why)
{
	char aside[IDENTITY_PATH_MAX], from[IDENTITY_PATH_MAX],
	    to[IDENTITY_PATH_MAX];
	enum err rc;

	assert(identity->renewing);
	rc = aside_make(identity->dir, aside, why);
	for (size_t i = 0; rc == OK && i < ARRAY_SIZE(belongings); i++) {
		rc = join(from, identity->dir, belongings[i], why);
		if (rc == OK)
			rc = join(to, aside, belongings[i], why);
		if (rc == OK && rename(from, to) != 0 && errno != ENOENT) {
			rc = err_set(why, ERR_IO, "move %s to %s: %s", from, to,
			    strerror(errno));
		}
	}
	if (rc == OK)
		rc = dir_sync(aside, why);
	if (rc == OK)
		rc = dir_sync(identity->dir, why);
	if (rc != OK)
		return rc;
	identity->renewing = false;
	return identity_store(identity, why);
}

/* Nothing of a server may lie here already: its identity would be lost. */
static enum err
draw_fresh(struct identity *identity, struct errmsg *why)
{
	static const char *const traces[] = {
	    IDENTITY_RAFT_DIR, IDENTITY_STATE_DIR, "ballot", "promise"};
	bool found;
	enum err rc;

	for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
		rc = exists(identity->dir, traces[i], &found, why);
		if (rc != OK)
			return rc;
		if (found) {
			return err_set(why, ERR_CORRUPT,
			    "%s/identity is missing beside %s: whose log this "
			    "is cannot be told",
			    identity->dir, traces[i]);
		}
	}
	rc = draw_id(&identity->id, why);
	if (rc != OK)
		return rc;
	if (identity_uuid(identity->node_id) != OK)
		return err_set(why, ERR_IO, "no random bytes");
	return place_read(identity, why);
}

static enum err
load(struct identity *identity, struct errmsg *why)
{
	struct identity stored = {0};
	char *dir = identity->dir;
	enum err rc;

	rc = record_read(dir, &stored, why);
	if (rc == ERR_NOTFOUND)
		return draw_fresh(identity, why);
	if (rc != OK)
		return rc;
	*identity = stored;
	identity->dir = dir;
	rc = place_read(identity, why);
	if (rc != OK)
		return rc;
	return place_judge(identity, &stored, why);
}

enum err
identity_open(
    const char *data_dir, struct identity *out, int *lock, struct errmsg *why)
{
	struct identity identity = {0};
	int fd = -1;
	enum err rc;

	if (mkdir(data_dir, 0700) != 0 && errno != EEXIST) {
		return err_set(why, ERR_IO, "data directory %s: %s", data_dir,
		    strerror(errno));
	}
	rc = lock_take(data_dir, &fd, why);
	if (rc != OK)
		return rc;
	identity.dir = strdup(data_dir);
	if (identity.dir == NULL)
		rc = err_set(why, ERR_NOMEM, "out of memory");
	if (rc == OK)
		rc = load(&identity, why);
	if (rc == OK && draw(&identity.instance, sizeof(uint64_t)) != OK)
		rc = err_set(why, ERR_IO, "no random bytes");
	if (rc == OK) {
		identity.start++;
		rc = identity_store(&identity, why);
	}
	if (rc == OK && identity.renewing)
		rc = set_aside(&identity, why);
	if (rc != OK) {
		identity_free(&identity);
		close(fd);
		return rc;
	}
	*out = identity;
	*lock = fd;
	return OK;
}

enum err
identity_adopt(const char *data_dir, struct errmsg *why)
{
	struct identity identity = {0};
	int fd = -1;
	enum err rc;

	rc = lock_take(data_dir, &fd, why);
	if (rc != OK)
		return rc;
	rc = record_read(data_dir, &identity, why);
	if (rc != OK)
		goto out;
	identity.dir = strdup(data_dir);
	if (identity.dir == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	rc = place_read(&identity, why);
	if (rc == OK)
		rc = identity_store(&identity, why);
out:
	identity_free(&identity);
	close(fd);
	return rc;
}

enum err
identity_renew(struct identity *identity, uint64_t *old_id, struct errmsg *why)
{
	struct identity renewed = *identity;
	enum err rc;

	rc = draw_id(&renewed.id, why);
	if (rc != OK)
		return rc;
	renewed.previous = identity->id;
	renewed.bootstrapped = false; /* nobody has added the new id */
	renewed.renewing = true;
	rc = identity_store(&renewed, why);
	if (rc != OK)
		return rc;
	*old_id = identity->id;
	*identity = renewed;
	return set_aside(identity, why);
}

void
identity_free(struct identity *identity)
{
	if (identity == NULL)
		return;
	free(identity->dir);
	identity->dir = NULL;
}
