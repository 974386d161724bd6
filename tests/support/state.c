#include "tests/support/state.h"

#include "storage/image.h"
#include "tests/support/test.h"

#define MAP_SIZE (UINT64_C(256) << 20)

static void
begin(struct state *state)
{
	struct errmsg why = {{0}};
	enum err rc;

	rc = txn_write(state->db, &state->txn, &why);
	if (rc != OK)
		fail_msg("txn_write: %s", why.text);
}

static void
commit(struct state *state)
{
	struct errmsg why = {{0}};
	enum err rc;

	rc = txn_commit(state->txn, &why);
	if (rc != OK)
		fail_msg("txn_commit: %s", why.text);
	state->txn = NULL;
}

static void
open_db(struct state *state)
{
	struct errmsg why = {{0}};
	bool rebuilt = false;
	enum err rc;

	rc = db_open(state->dir, MAP_SIZE, &rebuilt, &state->db, &why);
	if (rc != OK)
		fail_msg("db_open: %s", why.text);
	assert_false(rebuilt);
}

void
state_open(struct state *state)
{
	memset(state, 0, sizeof(*state));
	state->dir = test_tmpdir();
	open_db(state);
	begin(state);
}

void
state_close(struct state *state)
{
	txn_abort(state->txn);
	db_close(state->db);
	test_rmdir(state->dir);
}

void
state_commit(struct state *state)
{
	commit(state);
	begin(state);
}

void
state_reopen(struct state *state)
{
	commit(state);
	db_close(state->db);
	open_db(state);
	begin(state);
}

void
state_copy(struct state *state, struct state *from)
{
	struct errmsg why = {{0}};
	struct txn *reader;
	uint64_t index;
	uint8_t *data;
	size_t size;

	state_commit(from);
	index = txn_meta(from->txn)->index;
	assert_int_equal(txn_read(from->db, &reader, &why), OK);
	assert_int_equal(
	    image_write(reader, index, malloc, (void **)&data, &size, &why),
	    OK);
	txn_abort(reader);

	txn_abort(state->txn);
	state->txn = NULL;
	if (image_load(state->db, data, size, &why) != OK)
		fail_msg("image_load: %s", why.text);
	free(data);
	begin(state);
}

void
state_mark(struct state *state)
{
	state->mark = *txn_meta(state->txn);
}

bool
state_unchanged(const struct state *state)
{
	return memcmp(&state->mark, txn_meta(state->txn),
		   sizeof(state->mark)) == 0;
}
