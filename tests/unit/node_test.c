/*
 * Goal: real nodes form a cluster, answer on every server, survive the loss of
 * their leader and a restart of all, and never lose what they acknowledged.
 * Method: three nodes in one process (support/trio) with disks and sockets.
 */
#include <stdio.h>

#include "fsm/fsm.h"
#include "tests/support/test.h"
#include "tests/support/trio.h"

static struct trio *
three(void)
{
	struct trio *trio = trio_new(3);

	for (unsigned i = 0; i < 3; i++)
		trio_start(trio, i);
	(void)trio_leader(trio);
	return trio;
}

static void
a_write_through_any_server_is_read_on_every_server(void **state)
{
	struct trio *trio = three();
	struct fsm_result result;
	uint64_t last = 0;
	char scope[16];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(scope, sizeof(scope), "s%u", i);
		assert_int_equal(trio_put(trio, i, scope, "{}", &result), OK);
		assert_int_equal(result.code, OK);
		assert_true(result.revision > last);
		last = result.revision;
		/* An answer never runs ahead of the server that gave it. */
		assert_true(trio_has(trio, i, scope, "{}"));
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(trio_barrier(trio, k), OK);
			assert_true(trio_has(trio, k, scope, "{}"));
		}
	}
	trio_free(trio);
}

static void
the_cluster_goes_on_without_its_leader(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), other = (leader + 1) % 3;

	(void)state;
	assert_int_equal(trio_put(trio, leader, "a", "{}", NULL), OK);
	trio_stop(trio, leader);
	/* Held until somebody leads, then done. */
	assert_int_equal(trio_put(trio, other, "b", "{}", NULL), OK);
	assert_int_equal(trio_barrier(trio, other), OK);
	assert_true(trio_has(trio, other, "a", "{}"));
	trio_start(trio, leader);
	assert_int_equal(trio_barrier(trio, leader), OK);
	assert_true(trio_has(trio, leader, "b", "{}"));
	trio_free(trio);
}

static void
a_restart_of_all_keeps_everything(void **state)
{
	struct trio *trio = three();
	char scope[16];

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		(void)snprintf(scope, sizeof(scope), "s%u", i);
		assert_int_equal(trio_put(trio, i % 3, scope, "{}", NULL), OK);
	}
	for (unsigned i = 0; i < 3; i++)
		trio_stop(trio, i);
	for (unsigned i = 0; i < 3; i++)
		trio_start(trio, i);
	(void)trio_leader(trio);
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(trio_barrier(trio, k), OK);
		for (unsigned i = 0; i < 30; i++) {
			(void)snprintf(scope, sizeof(scope), "s%u", i);
			assert_true(trio_has(trio, k, scope, "{}"));
		}
	}
	trio_free(trio);
}

/* The default-mode read of a follower waits for what the leader had. */
static void
hazard_15_an_idle_cluster_answers_barriers_at_once(void **state)
{
	struct trio *trio = three();

	(void)state;
	for (unsigned round = 0; round < 50; round++)
		assert_int_equal(trio_barrier(trio, round % 3), OK);
	trio_free(trio);
}

static void
leadership_moves_on_request(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), follower = (leader + 1) % 3;
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    trio_call(trio, follower, NODE_CALL_TRANSFER, "", 0, &why), OK);
	assert_int_not_equal(trio_leader(trio), leader);
	assert_int_equal(
	    trio_call(trio, follower, NODE_CALL_TRANSFER, "nobody", 6, &why),
	    ERR_NOTFOUND);
	assert_string_equal(why.text, "cannot find peer nobody");
	trio_free(trio);
}

static void
a_removed_server_is_out_and_the_rest_go_on(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), follower = (leader + 1) % 3;
	struct node_status *status = calloc(1, sizeof(*status));
	struct buf id = buf_new(8);
	struct errmsg why;

	(void)state;
	assert_non_null(status);
	node_status(trio_node(trio, follower), status);
	buf_u64(&id, status->id);
	assert_int_equal(
	    trio_call(trio, leader, NODE_CALL_REMOVE, id.data, id.size, &why),
	    OK);
	assert_int_equal(trio_put(trio, leader, "after", "{}", NULL), OK);
	assert_int_equal(
	    trio_call(trio, leader, NODE_CALL_REMOVE, id.data, id.size, &why),
	    ERR_NOTFOUND);
	buf_free(&id);
	free(status);
	trio_free(trio);
}

static void
a_lone_server_forms_a_cluster_of_one(void **state)
{
	struct trio *trio = trio_new(1);

	(void)state;
	trio_start(trio, 0);
	(void)trio_leader(trio);
	assert_int_equal(trio_put(trio, 0, "a", "{}", NULL), OK);
	assert_int_equal(trio_barrier(trio, 0), OK);
	trio_stop(trio, 0);
	trio_start(trio, 0);
	(void)trio_leader(trio);
	assert_true(trio_has(trio, 0, "a", "{}"));
	trio_free(trio);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_write_through_any_server_is_read_on_every_server),
	    cmocka_unit_test(the_cluster_goes_on_without_its_leader),
	    cmocka_unit_test(a_restart_of_all_keeps_everything),
	    cmocka_unit_test(
		hazard_15_an_idle_cluster_answers_barriers_at_once),
	    cmocka_unit_test(leadership_moves_on_request),
	    cmocka_unit_test(a_removed_server_is_out_and_the_rest_go_on),
	    cmocka_unit_test(a_lone_server_forms_a_cluster_of_one),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
