#include "fsm/request.h"

#include <assert.h>
#include <string.h>

#include "fsm/result.h"
#include "fsm/table.h"
#include "storage/buf.h"

#define SERVER_KEY_SIZE 8
#define ROW_KEY_SIZE    16
#define SERVER_ROW_SIZE 16

/* What is kept per server. All zero: never heard of. */
struct server {
	uint64_t start, lowest;
};

/* Big-endian key of a row; its first half is the key of the server. */
static void
key_make(uint8_t key[static ROW_KEY_SIZE], uint64_t server, uint64_t sequence)
{
	for (size_t i = 0; i < 8; i++) {
		key[i] = (uint8_t)(server >> (56 - 8 * i));
		key[8 + i] = (uint8_t)(sequence >> (56 - 8 * i));
	}
}

static enum err
server_get(struct txn *txn, uint64_t id, struct server *out)
{
	uint8_t key[ROW_KEY_SIZE];
	struct reader in;
	enum err rc;

	*out = (struct server){0};
	key_make(key, id, 0);
	rc = txn_get(
	    txn, TABLE_REQUEST, key, SERVER_KEY_SIZE, &in.data, &in.size);
	if (rc == ERR_NOTFOUND)
		return OK;
	if (rc != OK)
		return rc;
	if (!read_u64(&in, &out->start) || !read_u64(&in, &out->lowest) ||
	    in.size != 0)
		return ERR_CORRUPT;
	return OK;
}

static enum err
server_put(struct txn *txn, uint64_t id, const struct server *server)
{
	uint8_t key[ROW_KEY_SIZE], memory[SERVER_ROW_SIZE];
	/* Full from the start, so it never allocates. */
	struct buf row = {
	    .data = memory, .capacity = sizeof(memory), .max = sizeof(memory)};

	key_make(key, id, 0);
	buf_u64(&row, server->start);
	buf_u64(&row, server->lowest);
	return txn_put(
	    txn, TABLE_REQUEST, key, SERVER_KEY_SIZE, row.data, row.size);
}

/* Drop rows from (included) to (excluded). No row is REQUEST_ROWS_MAX or more
 * above the lowest, so neither is the loop longer. */
static enum err
rows_drop(struct txn *txn, uint64_t server, uint64_t from, uint64_t to)
{
	uint8_t key[ROW_KEY_SIZE];
	enum err rc;

	for (uint64_t i = from; i < to && i - from < REQUEST_ROWS_MAX; i++) {
		key_make(key, server, i);
		rc = txn_delete(txn, TABLE_REQUEST, key, sizeof(key), NULL);
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* What the server's row becomes by what the id tells. */
static struct server
server_after(const struct server *server, const struct request_id *id)
{
	struct server after = *server;

	if (id->start > after.start)
		after = (struct server){id->start, id->lowest};
	else if (id->start == after.start && id->lowest > after.lowest)
		after.lowest = id->lowest;
	if (after.lowest == 0)
		after.lowest = 1; /* sequences start there */
	return after;
}

enum err
request_find(struct txn *txn, const struct request_id *id, bool *known,
    struct fsm_result *result)
{
	uint8_t key[ROW_KEY_SIZE];
	struct server server, after;
	struct reader in;
	enum err rc;

	*known = false;
	if (id->server == 0)
		return OK;
	rc = server_get(txn, id->server, &server);
	if (rc != OK)
		return rc;
	after = server_after(&server, id);
	*known = true;
	if (id->start < after.start || id->sequence < after.lowest) {
		fsm_result_refuse(result, ERR_UNKNOWN,
		    "too old a request, its result is forgotten");
		return OK;
	}
	if (id->sequence - after.lowest >= REQUEST_ROWS_MAX ||
	    id->sequence == UINT64_MAX) { /* one above it is always left */
		fsm_result_refuse(result, ERR_BUSY,
		    "more than %d requests are unanswered", REQUEST_ROWS_MAX);
		return OK;
	}
	*known = false;
	if (server.start != after.start)
		return OK; /* what is stored is of an older start */

	key_make(key, id->server, id->sequence);
	rc = txn_get(txn, TABLE_REQUEST, key, sizeof(key), &in.data, &in.size);
	if (rc == ERR_NOTFOUND)
		return OK;
	if (rc != OK)
		return rc;
	if (!fsm_result_decode(&in, result) || in.size != 0)
		return ERR_CORRUPT;
	*known = true;
	return OK;
}

enum err
request_remember(struct txn *txn, const struct request_id *id,
    const struct fsm_result *result)
{
	uint8_t key[ROW_KEY_SIZE], memory[FSM_RESULT_SIZE_MAX];
	struct buf row = {
	    .data = memory, .capacity = sizeof(memory), .max = sizeof(memory)};
	struct server server, after;
	enum err rc;

	if (id->server == 0)
		return OK;
	rc = server_get(txn, id->server, &server);
	if (rc != OK)
		return rc;
	after = server_after(&server, id);
	if (after.start != server.start || after.lowest != server.lowest) {
		rc = rows_drop(txn, id->server, server.lowest,
		    after.start != server.start ? UINT64_MAX : after.lowest);
		if (rc == OK)
			rc = server_put(txn, id->server, &after);
		if (rc != OK)
			return rc;
	}
	if (id->start < after.start || id->sequence < after.lowest)
		return OK; /* forgotten by its own command */

	fsm_result_encode(result, &row);
	assert(row.failed == OK);
	key_make(key, id->server, id->sequence);
	return txn_put(
	    txn, TABLE_REQUEST, key, sizeof(key), row.data, row.size);
}

static bool
last_sequence(void *arg, const uint8_t *key, size_t key_size,
    const uint8_t *data, size_t size)
{
	uint64_t *last = arg;
	struct reader in = {key, key_size};
	uint64_t server, sequence;

	(void)data;
	(void)size;
	/* The server's own row, the first, has no sequence. */
	if (read_u64(&in, &server) && read_u64(&in, &sequence))
		*last = sequence;
	return true;
}

enum err
request_forget(struct txn *txn, uint64_t id)
{
	uint8_t key[ROW_KEY_SIZE];
	struct server server;
	uint64_t last = 0;
	enum err rc;

	rc = server_get(txn, id, &server);
	if (rc != OK)
		return rc;
	key_make(key, id, 0);
	rc = txn_walk(txn, TABLE_REQUEST, key, SERVER_KEY_SIZE, NULL, 0,
	    last_sequence, &last);
	if (rc != OK || last == 0)
		return rc;
	rc = rows_drop(txn, id, server.lowest, last + 1);
	if (rc != OK)
		return rc;
	server.lowest = last + 1;
	return server_put(txn, id, &server);
}
