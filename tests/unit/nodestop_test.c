/*
 * Goal: a node stops in order whenever it is told to, and what others still
 * hold of it stays good until it is freed.
 * Method: nodes in one process (support/trio), stopped in the middle of things.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/config.h"
#include "server/loop.h"
#include "server/worker.h"
#include "storage/txn.h"
#include "tests/support/burst.h"
#include "tests/support/test.h"

struct reader_thread {
	struct node *node;
	atomic_bool end;
	unsigned reads;
};

static void *
read_on(void *arg)
{
	struct reader_thread *r = arg;
	struct txn *txn = NULL;
	struct errmsg why;

	while (!atomic_load(&r->end)) {
		if (txn_read(node_db(r->node), &txn, &why) == OK)
			r->reads++;
		txn_abort(txn);
		txn = NULL;
	}
	return NULL;
}

/* Client loops answer their last requests while the node closes. */
static void
the_state_can_be_read_until_the_node_is_freed(void **state)
{
	struct trio *trio = trio_new(1);
	struct reader_thread r = {0};
	unsigned before;
	pthread_t thread;

	(void)state;
	trio_start(trio, 0);
	(void)trio_leader(trio);
	assert_int_equal(trio_put(trio, 0, "a", "{}", NULL), OK);
	r.node = trio_node(trio, 0);
	assert_int_equal(pthread_create(&thread, NULL, read_on, &r), 0);
	trio_halt(trio, 0);
	assert_true(trio_has(trio, 0, "a", "{}"));
	trio_sleep(20);
	atomic_store(&r.end, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	before = r.reads;
	assert_true(before > 0);
	trio_stop(trio, 0);
	trio_start(trio, 0);
	(void)trio_leader(trio);
	assert_true(trio_has(trio, 0, "a", "{}"));
	trio_free(trio);
}

/* Raft was never started: two more are missing. */
static void
a_server_that_waits_to_form_stops(void **state)
{
	struct trio *trio = trio_new(3);

	(void)state;
	trio_start(trio, 0);
	trio_sleep(50);
	trio_stop(trio, 0);
	trio_free(trio);
}

/* Greetings and promises arrive while libraft closes. */
static void
servers_stop_at_any_moment_of_the_forming(void **state)
{
	(void)state;
	for (unsigned ms = 0; ms < 200; ms += 20) {
		struct trio *trio = trio_new(3);

		for (unsigned i = 0; i < 3; i++)
			trio_start(trio, i);
		trio_sleep(ms);
		for (unsigned i = 0; i < 3; i++)
			trio_stop(trio, i);
		for (unsigned i = 0; i < 3; i++)
			trio_start(trio, i);
		(void)trio_leader(trio);
		trio_free(trio);
	}
}

static void
what_arrives_after_the_stop_is_answered(void **state)
{
	struct trio *trio = trio_new(1);
	struct burst *burst;
	struct errmsg why;

	(void)state;
	trio_start(trio, 0);
	(void)trio_leader(trio);
	trio_halt(trio, 0);
	burst = burst_begin(trio, 0, 5, "late");
	assert_int_equal(burst_wait(burst).closed, 5);
	assert_int_equal(trio_barrier(trio, 0), ERR_CLOSED);
	assert_int_equal(
	    trio_call(trio, 0, NODE_CALL_TRANSFER, "", 0, &why), ERR_CLOSED);
	burst_free(burst);
	trio_free(trio);
}

/* A busy port is found only after everything was opened. */
static void
a_node_whose_start_failed_is_freed(void **state)
{
	char *base = test_tmpdir(), dir[600], name[] = "n0", dc[] = "dc1",
	     domain[] = "consul", bind[] = "127.0.0.1", bad[] = "0.0.0.0";
	struct config config = {.node_name = name,
	    .data_dir = dir,
	    .datacenter = dc,
	    .domain = domain,
	    .bind = bad, /* nothing to advertise: refused */
	    .bootstrap_expect = 1,
	    .port_server = 1,
	    .election_ms = 500,
	    .heartbeat_ms = 50,
	    .snapshot_threshold = 1024,
	    .snapshot_trailing = 256,
	    .state_quota = UINT64_C(1) << 30};
	struct worker *worker;
	struct errmsg why = {""};
	struct node *node = NULL;
	struct loop *loop;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/n0", base);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(loop_new("n0", &loop, &why), OK);
		assert_int_equal(worker_new(1, 8, &worker, &why), OK);
		if (i == 0) {
			assert_int_equal(
			    node_open(&config, loop, worker, &node, &why),
			    ERR_INVALID);
			assert_non_null(strstr(why.text, "advertise_addr"));
		} else { /* the lock is free, nothing is left open */
			config.bind = bind;
			assert_int_equal(
			    node_open(&config, loop, worker, &node, &why), OK);
			node_free(node);
		}
		worker_free(worker);
		loop_free(loop);
	}
	test_rmdir(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_state_can_be_read_until_the_node_is_freed),
	    cmocka_unit_test(a_server_that_waits_to_form_stops),
	    cmocka_unit_test(servers_stop_at_any_moment_of_the_forming),
	    cmocka_unit_test(what_arrives_after_the_stop_is_answered),
	    cmocka_unit_test(a_node_whose_start_failed_is_freed),
	};

	return cmocka_run_group_tests_name("nodestop", tests, NULL, NULL);
}
