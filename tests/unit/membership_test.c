/*
 * Goal: changes of membership that libraft refuses leave nothing behind.
 * Method: a sole voter on a real directory, and no space for its log.
 */
#include "server/cluster/membership.h"

#include <limits.h>
#include <unistd.h>
#include <uv.h>

#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/config.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/worker.h"
#include "tests/support/test.h"

#define STRANGER 2

struct bench {
	struct loop *loop;
	struct worker *worker;
	struct config config;
	struct identity identity;
	struct consensus *consensus;
	struct membership *membership;
	char *dir;
	int lock;
	bool closed;
	unsigned answers;
	enum err status;
};

static void
on_applied(void *arg, uint64_t index, const uint8_t hash[static DB_HASH_SIZE],
    const struct fsm_outcome *outcome)
{
	(void)arg, (void)index, (void)hash, (void)outcome;
}

static void
on_committed(void *arg, const struct topics *topics, uint64_t revision)
{
	(void)arg, (void)topics, (void)revision;
}

static void
on_event(void *arg)
{
	(void)arg;
}

static void
on_dropped(void *arg, uint64_t index)
{
	(void)arg, (void)index;
}

static void
on_send(void *arg, struct raft_io_send *req, const struct raft_message *message,
    raft_io_send_cb cb)
{
	(void)arg, (void)message;
	cb(req, RAFT_NOCONNECTION);
}

static const struct consensus_events events = {
    .machine = {.applied = on_applied, .committed = on_committed},
    .role = on_event,
    .turn = on_event,
    .dropped = on_dropped,
    .send = on_send};

static void
note_closed(void *arg)
{
	struct bench *b = arg;

	b->closed = true;
}

static void
changed(void *arg, enum err status)
{
	struct bench *b = arg;

	b->answers++;
	b->status = status;
}

static void
bench_open(struct bench *b)
{
	struct errmsg why;

	*b = (struct bench){.config = {.election_ms = 500,
				.heartbeat_ms = 50,
				.snapshot_threshold = 1024,
				.snapshot_trailing = 256}};
	log_configure(LOG_ERROR, false);
	b->dir = test_tmpdir();
	assert_int_equal(loop_new("raft", &b->loop, &why), OK);
	assert_int_equal(worker_new(1, 8, &b->worker, &why), OK);
	assert_int_equal(
	    identity_open(b->dir, &b->identity, &b->lock, &why), OK);
	assert_int_equal(consensus_open(&b->config, &b->identity, b->loop,
			     b->worker, &events, b, &b->consensus, &why),
	    OK);
	assert_int_equal(consensus_bootstrap(b->consensus, &why), OK);
	assert_int_equal(consensus_start(b->consensus, &why), OK);
	assert_int_equal(
	    membership_new(b->consensus, &b->membership, &why), OK);
	while (!consensus_ready(b->consensus))
		(void)uv_run(loop_uv(b->loop), UV_RUN_ONCE);
}

static void
bench_close(struct bench *b)
{
	consensus_stop(b->consensus, note_closed, b);
	while (!b->closed)
		(void)uv_run(loop_uv(b->loop), UV_RUN_ONCE);
	consensus_free(b->consensus);
	membership_free(b->membership);
	worker_free(b->worker);
	loop_free(b->loop);
	identity_free(&b->identity);
	(void)close(b->lock);
	test_rmdir(b->dir);
}

static enum err
change(struct bench *b, enum membership_change what, struct errmsg *why)
{
	return membership_change(
	    b->membership, what, STRANGER, changed, b, why);
}

/* libraft keeps the request of a refused assignment and would call it back at
 * the end of the leadership, long after its memory is gone. */
static void
a_refused_assignment_is_not_called_back(void **state)
{
	struct bench b;
	struct errmsg why;

	(void)state;
	bench_open(&b);
	assert_int_equal(change(&b, MEMBERSHIP_ADD, &why), OK);
	assert_int_equal(change(&b, MEMBERSHIP_STANDBY, &why), ERR_BUSY);
	while (b.answers == 0)
		(void)uv_run(loop_uv(b.loop), UV_RUN_ONCE);
	assert_int_equal(b.status, OK);
	raft_set_capacity_threshold(consensus_raft(b.consensus), USHRT_MAX);
	assert_int_equal(change(&b, MEMBERSHIP_STANDBY, &why), ERR_FULL);
	bench_close(&b);
	assert_int_equal(b.answers, 1);
}

static void
a_change_under_way_at_the_end_is_unknown(void **state)
{
	struct bench b;
	struct errmsg why;

	(void)state;
	bench_open(&b);
	assert_int_equal(change(&b, MEMBERSHIP_ADD, &why), OK);
	bench_close(&b);
	assert_int_equal(b.answers, 1);
	assert_int_equal(b.status, ERR_UNKNOWN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_refused_assignment_is_not_called_back),
	    cmocka_unit_test(a_change_under_way_at_the_end_is_unknown),
	};

	return cmocka_run_group_tests_name("membership", tests, NULL, NULL);
}
