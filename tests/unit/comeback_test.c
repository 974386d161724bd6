/*
 * Goal: who was removed stays out and says so; who comes back with damaged data
 * is taken in under a new id; nobody is put out for one that claims its name.
 * Method: three real nodes in one process, and a fourth on copied data.
 */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdio.h>

#include "server/cluster/doubt.h"
#include "server/cluster/identity.h"
#include "server/duration.h"
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

static enum err
remove_id(struct trio *trio, unsigned through, uint64_t id)
{
	struct buf request = buf_new(8);
	struct errmsg why;
	enum err rc;

	buf_u64(&request, id);
	rc = trio_call(
	    trio, through, NODE_CALL_REMOVE, request.data, request.size, &why);
	buf_free(&request);
	return rc;
}

static void
a_removed_server_stays_out_and_says_why(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), out = (leader + 1) % 3;
	uint64_t id = trio_id(trio, out), begun;
	struct node_member member;
	struct node_status status;
	struct errmsg why;

	(void)state;
	assert_int_equal(remove_id(trio, leader, id), OK);
	trio_sleep(2500); /* it gives up its leader; nobody adds it again */
	assert_false(trio_member(trio, id, &member));
	begun = time_mono_ms();
	assert_int_equal(trio_put(trio, out, "a", "{}", NULL), ERR_REMOVED);
	assert_int_equal(trio_barrier(trio, out), ERR_REMOVED);
	assert_int_equal(
	    trio_call(trio, out, NODE_CALL_SERVERS, "", 0, &why), ERR_REMOVED);
	assert_true(time_mono_ms() - begun < 1000);
	node_status(trio_node(trio, out), &status);
	assert_int_equal(status.role, NODE_REMOVED);
	assert_non_null(strstr(status.state, "removed"));
	/* The next leader does not take it in either. */
	assert_int_equal(
	    trio_call(trio, leader, NODE_CALL_TRANSFER, "", 0, &why), OK);
	trio_sleep(1000);
	assert_false(trio_member(trio, id, &member));
	assert_int_equal(trio_put(trio, leader, "b", "{}", NULL), OK);
	/* Nor after a restart. */
	trio_stop(trio, out);
	trio_start(trio, out);
	trio_sleep(2500);
	assert_false(trio_member(trio, id, &member));
	assert_int_equal(trio_barrier(trio, out), ERR_REMOVED);
	trio_free(trio);
}

static void
a_leader_that_leaves_hands_on_first(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio);
	uint64_t id = trio_id(trio, leader);
	struct node_member member;

	(void)state;
	assert_int_equal(remove_id(trio, leader, id), OK);
	trio_sleep(2500);
	assert_int_not_equal(trio_leader(trio), leader);
	assert_false(trio_member(trio, id, &member));
	assert_int_equal(trio_barrier(trio, leader), ERR_REMOVED);
	trio_free(trio);
}

static void
hazard_04_a_doubted_server_comes_back_under_another_id(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), other = (leader + 1) % 3;
	uint64_t old = trio_id(trio, other);
	struct node_member member;
	struct errmsg why;

	(void)state;
	assert_int_equal(trio_put(trio, leader, "a", "{}", NULL), OK);
	trio_stop(trio, other);
	assert_int_equal(
	    doubt_mark(trio_dir(trio, other), "a test doubts it", &why), OK);
	trio_start(trio, other);
	assert_int_not_equal(trio_id(trio, other), old);
	assert_true(trio_voters(trio, 3));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(trio_barrier(trio, i), OK);
		assert_true(trio_has(trio, i, "a", "{}"));
	}
	assert_false(trio_member(trio, old, &member));
	assert_true(trio_member(trio, trio_id(trio, other), &member));
	/* It is no stranger at its next start. */
	trio_stop(trio, other);
	trio_start(trio, other);
	assert_int_equal(trio_barrier(trio, other), OK);
	assert_true(trio_voters(trio, 3));
	trio_free(trio);
}

static void
copy_directory(const char *from, const char *to)
{
	char *argv[] = {
	    strdup("cp"), strdup("-a"), strdup(from), strdup(to), NULL};
	int status = -1;
	pid_t pid;

	assert_int_equal(
	    posix_spawnp(&pid, "cp", NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
}

/* A copy of the data of a living member, damaged, so that it draws a raft id of
 * its own: its node id says it was that member. */
static void
hazard_06_no_living_member_goes_for_one_with_its_node_id(void **state)
{
	struct trio *trio = three();
	unsigned leader = trio_leader(trio), real = (leader + 1) % 3, copy;
	uint64_t id = trio_id(trio, real);
	struct node_member member;
	struct errmsg why;

	(void)state;
	trio_stop(trio, real);
	copy = trio_add(trio);
	copy_directory(trio_dir(trio, real), trio_dir(trio, copy));
	trio_start(trio, real);
	assert_int_equal(trio_barrier(trio, real), OK);
	assert_int_equal(identity_adopt(trio_dir(trio, copy), &why), OK);
	assert_int_equal(doubt_mark(trio_dir(trio, copy), "a copy", &why), OK);
	trio_start(trio, copy);
	trio_sleep(2000);
	assert_true(trio_member(trio, id, &member));
	assert_true(member.voter);
	assert_false(trio_member(trio, trio_id(trio, copy), &member));
	assert_int_equal(trio_put(trio, real, "a", "{}", NULL), OK);
	trio_free(trio);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_removed_server_stays_out_and_says_why),
	    cmocka_unit_test(a_leader_that_leaves_hands_on_first),
	    cmocka_unit_test(
		hazard_04_a_doubted_server_comes_back_under_another_id),
	    cmocka_unit_test(
		hazard_06_no_living_member_goes_for_one_with_its_node_id),
	};

	return cmocka_run_group_tests_name("comeback", tests, NULL, NULL);
}
