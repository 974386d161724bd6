#include "server/cluster/promise.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "storage/file.h"

#define PROMISE_MAGIC    "CONCLPRM"
#define PROMISE_VERSION  1
#define PROMISE_PATH_MAX 4096
#define PROMISE_SIZE_MAX 256 /* bytes encoded */
#define PROMISE_SEEN_MAX 16  /* ids listed in a refusal */

/* Ascending without doubles; 0 is no raft id. */
static bool
list_valid(const struct promise *promise)
{
	if (promise->count == 0 || promise->count > PROMISE_SERVERS_MAX ||
	    promise->ids[0] == 0)
		return false;
	for (unsigned i = 1; i < promise->count; i++) {
		if (promise->ids[i] <= promise->ids[i - 1])
			return false;
	}
	return true;
}

static bool
list_has(const struct promise *promise, uint64_t id)
{
	for (unsigned i = 0; i < promise->count; i++) {
		if (promise->ids[i] == id)
			return true;
	}
	return false;
}

static bool
same(const struct promise *a, const struct promise *b)
{
	return strcmp(a->cluster_id, b->cluster_id) == 0 &&
	    a->count == b->count &&
	    memcmp(a->ids, b->ids, a->count * sizeof(a->ids[0])) == 0;
}

void
promise_encode(const struct promise *promise, struct buf *out)
{
	assert(promise->count <= PROMISE_SERVERS_MAX);
	buf_text(out, promise->cluster_id);
	buf_u8(out, (uint8_t)promise->count);
	for (unsigned i = 0; i < promise->count; i++)
		buf_u64(out, promise->ids[i]);
}

enum err
promise_decode(
    const uint8_t *data, size_t size, struct promise *out, struct errmsg *why)
{
	struct reader in = {data, size};
	struct promise promise = {0};
	const uint8_t *text;
	size_t length;
	uint8_t count;

	if (!read_bytes(&in, NODE_UUID_SIZE - 1, &text, &length) ||
	    !read_u8(&in, &count))
		return err_set(why, ERR_CORRUPT, "promise is cut short");
	if (length != NODE_UUID_SIZE - 1 || memchr(text, 0, length) != NULL) {
		return err_set(why, ERR_CORRUPT, "promise names no cluster id");
	}
	if (count > PROMISE_SERVERS_MAX) {
		return err_set(why, ERR_CORRUPT,
		    "promise lists %u servers, at most %d", count,
		    PROMISE_SERVERS_MAX);
	}
	memcpy(promise.cluster_id, text, length);
	promise.count = count;
	for (unsigned i = 0; i < count; i++) {
		if (!read_u64(&in, &promise.ids[i]))
			return err_set(
			    why, ERR_CORRUPT, "promise is cut short");
	}
	if (in.size != 0) {
		return err_set(why, ERR_CORRUPT,
		    "promise is followed by %zu more bytes", in.size);
	}
	if (!list_valid(&promise)) {
		return err_set(
		    why, ERR_CORRUPT, "promise's server list is not ascending");
	}
	*out = promise;
	return OK;
}

static enum err
path_of(char out[static PROMISE_PATH_MAX], const char *dir, struct errmsg *why)
{
	int n = snprintf(out, PROMISE_PATH_MAX, "%s/promise", dir);

	if (n < 0 || n >= PROMISE_PATH_MAX)
		return err_set(why, ERR_LIMIT, "path %s is too long", dir);
	return OK;
}

enum err
promise_load(const char *data_dir, struct promise *out, struct errmsg *why)
{
	struct buf content = buf_new(PROMISE_SIZE_MAX);
	char path[PROMISE_PATH_MAX];
	uint32_t version;
	enum err rc;

	rc = path_of(path, data_dir, why);
	if (rc == OK) {
		rc = file_read_checked(path, PROMISE_MAGIC, PROMISE_VERSION,
		    &version, &content, why);
	}
	if (rc == OK)
		rc = promise_decode(content.data, content.size, out, why);
	buf_free(&content);
	return rc;
}

enum err
promise_store(
    const char *data_dir, const struct promise *promise, struct errmsg *why)
{
	struct buf content = buf_new(PROMISE_SIZE_MAX);
	char path[PROMISE_PATH_MAX];
	enum err rc;

	assert(list_valid(promise));
	promise_encode(promise, &content);
	rc = path_of(path, data_dir, why);
	if (rc == OK)
		rc = buf_status(&content, why);
	if (rc == OK) {
		rc = file_write_checked(
		    path, PROMISE_MAGIC, PROMISE_VERSION, &content, why);
	}
	buf_free(&content);
	return rc;
}

enum err
promise_judge(uint64_t self, unsigned expect, const struct promise *promised,
    const struct promise *asked, struct errmsg *why)
{
	if (strlen(asked->cluster_id) != NODE_UUID_SIZE - 1)
		return err_set(why, ERR_DENIED, "no cluster id in the request");
	if (!list_valid(asked)) {
		return err_set(why, ERR_DENIED,
		    "the server list of cluster %s is empty, too long or not "
		    "ascending",
		    asked->cluster_id);
	}
	if (promised != NULL) {
		if (same(promised, asked))
			return OK;
		return err_set(why, ERR_DENIED,
		    "server %" PRIu64 " has promised itself to cluster %s of "
		    "%u servers already, not to cluster %s of %u (undone only "
		    "by \"conclaved reset\")",
		    self, promised->cluster_id, promised->count,
		    asked->cluster_id, asked->count);
	}
	if (asked->count != expect) {
		return err_set(why, ERR_DENIED,
		    "server %" PRIu64 " has bootstrap_expect = %u, the "
		    "coordinator of cluster %s counts %u servers",
		    self, expect, asked->cluster_id, asked->count);
	}
	if (!list_has(asked, self)) {
		return err_set(why, ERR_DENIED,
		    "server %" PRIu64 " is not in the server list of cluster "
		    "%s",
		    self, asked->cluster_id);
	}
	return OK;
}

/* "17, 23, 42 and 3 more" */
static void
ids_print(char *out, size_t size, const uint64_t *ids, unsigned count)
{
	size_t at = 0;
	unsigned shown = count < PROMISE_SEEN_MAX ? count : PROMISE_SEEN_MAX;

	out[0] = '\0';
	for (unsigned i = 0; i < shown && at < size; i++) {
		at += (size_t)snprintf(out + at, size - at, "%s%" PRIu64,
		    i == 0 ? "" : ", ", ids[i]);
	}
	if (shown < count && at < size) {
		snprintf(out + at, size - at, " and %u more", count - shown);
	}
}

enum err
promise_elect(uint64_t self, unsigned expect, const uint64_t *seen,
    unsigned seen_count, bool *coordinator, struct promise *out,
    struct errmsg *why)
{
	struct promise promise = {0};
	char text[256];

	assert(self != 0);
	if (expect == 0 || expect > PROMISE_SERVERS_MAX) {
		return err_set(why, ERR_INVALID,
		    "bootstrap_expect is %u, want 1 to %d", expect,
		    PROMISE_SERVERS_MAX);
	}
	if (seen_count > expect) {
		ids_print(text, sizeof(text), seen, seen_count);
		return err_set(why, ERR_LIMIT,
		    "%u empty servers are in sight and bootstrap_expect is "
		    "%u: %s",
		    seen_count, expect, text);
	}
	if (seen_count < expect) {
		return err_set(why, ERR_BUSY,
		    "%u of %u servers in sight, %u more needed to bootstrap",
		    seen_count, expect, expect - seen_count);
	}
	promise.count = expect;
	for (unsigned i = 0; i < expect; i++) {
		unsigned at = i;

		for (; at > 0 && promise.ids[at - 1] > seen[i]; at--)
			promise.ids[at] = promise.ids[at - 1];
		promise.ids[at] = seen[i];
	}
	if (!list_valid(&promise) || !list_has(&promise, self)) {
		return err_set(why, ERR_INVALID,
		    "the empty servers in sight have doubles or lack server "
		    "%" PRIu64,
		    self);
	}
	*coordinator = promise.ids[0] == self;
	*out = promise;
	return OK;
}
