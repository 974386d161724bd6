/*
 * Goal: the state follows the log, never ahead of what is stored (hazard 4) and
 * never held back by it for longer than need be.
 * Method: the state machine of one server on a real database; of libraft only
 * the few fields it looks at.
 */
#include "server/cluster/machine.h"

#include <raft.h>
#include <stdio.h>

#include "fsm/command.h"
#include "fsm/entry.h"
#include "server/log.h"
#include "storage/hash.h"
#include "storage/image.h"
#include "storage/txn.h"
#include "tests/support/test.h"

struct bench {
	char *dir;
	struct machine *machine;
	struct raft raft;
	uint64_t applied, committed; /* events */
	uint8_t tail[DB_HASH_SIZE];  /* hash of the last entry made */
};

static void
on_applied(void *arg, uint64_t index, const uint8_t hash[static DB_HASH_SIZE],
    const struct fsm_outcome *outcome)
{
	struct bench *b = arg;

	(void)hash;
	assert_false(outcome->refused);
	assert_int_equal(index, b->applied + 1); /* in order, each once */
	b->applied = index;
}

static void
on_committed(void *arg, const struct topics *topics, uint64_t revision)
{
	struct bench *b = arg;

	(void)topics;
	b->committed = revision;
}

static const struct machine_events events = {on_applied, on_committed};

static void
bench_reopen(struct bench *b)
{
	struct errmsg why;

	assert_int_equal(
	    machine_open(b->dir, &events, b, &b->machine, &why), OK);
	machine_attach(b->machine, &b->raft, NULL, 1024, 256);
	b->applied = machine_applied(b->machine);
}

static struct bench *
bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	log_configure(LOG_ERROR, false);
	b->dir = test_tmpdir();
	bench_reopen(b);
	return b;
}

static void
bench_free(struct bench *b)
{
	machine_close(b->machine);
	test_rmdir(b->dir);
	free(b);
}

/* libraft applies the entry at index: one that changes the state. */
static void
apply(struct bench *b, uint64_t index)
{
	struct command command = {.type = COMMAND_TLSCONF_SET};
	struct buf bytes = buf_new(COMMAND_SIZE_MAX),
		   entry = buf_new(ENTRY_SIZE_MAX);
	struct raft_fsm *fsm = machine_fsm(b->machine);
	struct raft_buffer buffer;
	struct errmsg why;
	char scope[32];
	void *result;

	(void)snprintf(scope, sizeof(scope), "s%u", (unsigned)index);
	command.tlsconf_set.scope = span_of(scope);
	command.tlsconf_set.document = span_of("{}");
	assert_int_equal(command_encode(&command, &bytes, &why), OK);
	entry_begin(&entry, index, 1, b->tail);
	entry_add(&entry, &(struct request_id){0}, bytes.data, bytes.size);
	assert_int_equal(entry_end(&entry, 1, b->tail, &why), OK);
	buffer = (struct raft_buffer){entry.data, entry.size};
	b->raft.commit_index = index;
	b->raft.last_applied = index - 1;
	assert_int_equal(fsm->apply(fsm, &buffer, &result), 0);
	b->raft.last_applied = index;
	memset(entry.data, 0xff, entry.size); /* libraft's, gone at any time */
	buf_free(&bytes);
	buf_free(&entry);
}

/* Raft index that a reader sees. */
static uint64_t
seen(struct bench *b)
{
	struct txn *txn = NULL;
	struct errmsg why;
	uint64_t index;

	assert_int_equal(txn_read(machine_db(b->machine), &txn, &why), OK);
	index = txn_meta(txn)->index;
	txn_abort(txn);
	return index;
}

static void
hazard_04_what_is_not_stored_is_not_visible(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		apply(b, i);
	b->raft.last_stored = 2;
	machine_commit(b->machine);
	assert_int_equal(seen(b), 2);
	assert_int_equal(machine_visible(b->machine), 2);
	assert_int_equal(b->committed, 2);
	b->raft.last_stored = 3;
	machine_commit(b->machine);
	assert_int_equal(seen(b), 3);
	assert_int_equal(machine_visible(b->machine), 3);
	/* Barriers come without a call, and count as visible. */
	b->raft.last_applied = 7;
	machine_commit(b->machine);
	assert_int_equal(machine_visible(b->machine), 7);
	bench_free(b);
}

/* A follower whose disk is slower than the others' is behind all the time. */
static void
hazard_04_a_log_that_lags_does_not_stop_the_state(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	for (uint64_t i = 1; i <= 50; i++) {
		apply(b, i);
		b->raft.last_stored = i > 3 ? i - 3 : 0;
		machine_commit(b->machine);
		assert_int_equal(seen(b), b->raft.last_stored);
		assert_int_equal(
		    machine_visible(b->machine), b->raft.last_stored);
	}
	bench_free(b);
}

static void
hazard_03_the_chain_goes_on_from_what_still_waits(void **state)
{
	struct bench *b = bench_new();
	uint8_t chain[DB_HASH_SIZE];

	(void)state;
	apply(b, 1);
	b->raft.last_stored = 1;
	machine_commit(b->machine);
	apply(b, 2);
	machine_commit(b->machine);
	assert_int_equal(seen(b), 1);
	machine_chain(b->machine, chain);
	assert_memory_equal(chain, b->tail, sizeof(chain));
	bench_free(b);
}

/* What the log may not have is forgotten, and comes again. */
static void
hazard_04_a_stop_leaves_the_state_where_the_log_is(void **state)
{
	struct bench *b = bench_new();
	uint8_t chain[DB_HASH_SIZE];

	(void)state;
	b->raft.last_stored = 1;
	apply(b, 1);
	memcpy(chain, b->tail, sizeof(chain));
	apply(b, 2);
	machine_close(b->machine);
	bench_reopen(b);
	assert_int_equal(machine_applied(b->machine), 1);
	assert_int_equal(seen(b), 1);
	memcpy(b->tail, chain, sizeof(chain));
	b->raft.last_stored = 2;
	apply(b, 2);
	machine_commit(b->machine);
	assert_int_equal(seen(b), 2);
	bench_free(b);
}

/* The state of one as libraft hands it to another. */
static struct raft_buffer
image_of(struct bench *b, uint64_t index)
{
	struct txn *txn = NULL;
	struct raft_buffer image;
	struct errmsg why;

	assert_int_equal(txn_read(machine_db(b->machine), &txn, &why), OK);
	assert_int_equal(
	    machine_dump(b->machine, txn, index, &image.base, &image.len, &why),
	    OK);
	txn_abort(txn);
	return image;
}

static void
a_snapshot_takes_the_place_of_all_that_waits(void **state)
{
	struct bench *from = bench_new(), *to = bench_new();
	struct raft_fsm *fsm = machine_fsm(to->machine);
	struct raft_buffer image;

	(void)state;
	for (uint64_t i = 1; i <= 9; i++)
		apply(from, i);
	from->raft.last_stored = 9;
	machine_commit(from->machine);
	image = image_of(from, 10); /* a barrier behind it */
	apply(to, 1);
	apply(to, 2);
	to->raft.last_stored = 1;
	machine_commit(to->machine);
	to->raft.commit_index = 10;
	assert_int_equal(fsm->restore(fsm, &image), 0); /* took the memory */
	to->raft.last_applied = 10;
	assert_int_equal(seen(to), 10);
	machine_commit(to->machine);
	assert_int_equal(machine_visible(to->machine), 10);
	to->applied = 10;
	memcpy(to->tail, from->tail, sizeof(to->tail));
	to->raft.last_stored = 11;
	apply(to, 11);
	machine_commit(to->machine);
	assert_int_equal(seen(to), 11);
	bench_free(from);
	bench_free(to);
}

/* At a start it is the caller that ends the process, with the right words. */
static void
a_damaged_snapshot_is_refused_at_a_start(void **state)
{
	struct bench *b = bench_new();
	struct raft_fsm *fsm = machine_fsm(b->machine);
	struct raft_buffer image;

	(void)state;
	apply(b, 1);
	b->raft.last_stored = 1;
	machine_commit(b->machine);
	image = image_of(b, 5);
	((uint8_t *)image.base)[image.len / 2] ^= 1;
	b->raft.commit_index = 0;
	assert_int_equal(fsm->restore(fsm, &image), RAFT_CORRUPT);
	raft_free(image.base); /* still ours */
	bench_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hazard_04_what_is_not_stored_is_not_visible),
	    cmocka_unit_test(hazard_04_a_log_that_lags_does_not_stop_the_state),
	    cmocka_unit_test(hazard_03_the_chain_goes_on_from_what_still_waits),
	    cmocka_unit_test(
		hazard_04_a_stop_leaves_the_state_where_the_log_is),
	    cmocka_unit_test(a_snapshot_takes_the_place_of_all_that_waits),
	    cmocka_unit_test(a_damaged_snapshot_is_refused_at_a_start),
	};

	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
