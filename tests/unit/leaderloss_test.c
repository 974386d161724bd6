/*
 * Goal: nothing that waits at a node is lost, answered twice or answered wrong
 * when leadership moves, ends, or has not begun.
 * Method: three nodes in one process (support/trio), many writes in flight.
 */
#include <stdio.h>

#include "tests/support/burst.h"
#include "tests/support/test.h"

#define WRITES 2000

static struct trio *
three(void)
{
	struct trio *trio = trio_new(3);

	for (unsigned i = 0; i < 3; i++)
		trio_start(trio, i);
	(void)trio_leader(trio);
	return trio;
}

/* Everybody has all that was acknowledged. */
static void
assert_kept(struct trio *trio, struct burst *burst, unsigned but)
{
	for (unsigned i = 0; i < 3; i++) {
		if (i == but)
			continue;
		assert_int_equal(trio_barrier(trio, i), OK);
		assert_true(burst_kept(burst, i));
	}
}

static void
a_transfer_under_load_answers_each_write_once(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), follower = (leader + 1) % 3;
	struct burst *here = burst_begin(trio, leader, WRITES, "here");
	struct burst *there = burst_begin(trio, follower, WRITES, "there");
	struct burst_tally tally;
	struct errmsg why;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		(void)!trio_call(
		    trio, follower, NODE_CALL_TRANSFER, "", 0, &why);
	tally = burst_wait(here);
	assert_int_equal(tally.ok + tally.unknown, WRITES);
	/* Forwarded ones are retried under their ids. */
	tally = burst_wait(there);
	assert_int_equal(tally.ok + tally.unknown, WRITES);
	assert_kept(trio, here, 3);
	assert_kept(trio, there, 3);
	burst_free(here);
	burst_free(there);
	trio_free(trio);
}

static void
a_stopped_leader_leaves_no_forwarded_write_unanswered(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), follower = (leader + 1) % 3;
	struct burst *burst = burst_begin(trio, follower, 200, "f");
	struct burst_tally tally;

	(void)state;
	trio_stop(trio, leader);
	tally = burst_wait(burst);
	assert_int_equal(tally.ok, 200); /* retried at the next leader */
	assert_kept(trio, burst, leader);
	burst_free(burst);
	trio_free(trio);
}

static void
a_stopped_server_answers_all_that_waits_there(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), follower = (leader + 1) % 3;
	struct burst *on_leader = burst_begin(trio, leader, WRITES, "l");
	struct burst *on_follower = burst_begin(trio, follower, WRITES, "f");
	struct burst_tally tally;

	(void)state;
	trio_stop(trio, follower);
	tally = burst_wait(on_follower);
	assert_int_equal(tally.ok + tally.unknown + tally.closed, WRITES);
	trio_stop(trio, leader);
	tally = burst_wait(on_leader);
	assert_int_equal(tally.ok + tally.unknown + tally.closed, WRITES);
	burst_free(on_leader);
	burst_free(on_follower);
	trio_free(trio);
}

/* Client writes wait until all first servers vote; what makes them so must not
 * wait behind them. */
static void
hazard_06_an_early_write_does_not_hold_up_the_forming(void **state)
{
	for (unsigned count = 1; count <= 3; count += 2) {
		struct trio *trio = trio_new(count);
		struct burst *burst;
		struct burst_tally tally;

		(void)state;
		for (unsigned i = 0; i < count; i++)
			trio_start(trio, i);
		burst = burst_begin(trio, 0, 10, "early");
		tally = burst_wait(burst);
		assert_int_equal(tally.ok, 10);
		burst_free(burst);
		trio_free(trio);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_transfer_under_load_answers_each_write_once),
	    cmocka_unit_test(
		a_stopped_leader_leaves_no_forwarded_write_unanswered),
	    cmocka_unit_test(a_stopped_server_answers_all_that_waits_there),
	    cmocka_unit_test(
		hazard_06_an_early_write_does_not_hold_up_the_forming),
	};

	return cmocka_run_group_tests_name("leaderloss", tests, NULL, NULL);
}
