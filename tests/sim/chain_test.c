/*
 * Goal: entries that a new leader inherits unapplied cost nothing (hazard 3),
 * and the state never runs ahead of what the log has stored (hazard 4).
 * Method: a leader is cut off when its entries are stored by the others but not
 * yet known as committed; a follower whose disk is slower than the network.
 */
#include "tests/support/sim.h"
#include "tests/support/test.h"

enum { S1, S2, S3 };

/* Up to the moment in which S2 leads and still has to apply what S1 left. */
static struct sim *
inherited_entries(bool without_barrier)
{
	struct sim_options options = {.servers = 3,
	    .voters = 3,
	    .seed = 1,
	    .without_barrier = without_barrier,
	    .election_ms = {1000, 1300, 1310}};
	struct sim *sim = sim_new(&options);
	uint64_t id;

	assert_true(sim_until_ready(sim, S1, 20000));
	assert_int_equal(sim_propose(sim, S1, &id), OK);
	sim_run(sim, 600);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sim_propose(sim, S1, &id), OK);
	while (
	    sim_raft(sim, S2)->last_stored < raft_last_index(sim_raft(sim, S1)))
		sim_step(sim);
	sim_cut_off(sim, S1);
	assert_true(raft_last_applied(sim_raft(sim, S2)) <
	    raft_last_index(sim_raft(sim, S2)));
	while (raft_state(sim_raft(sim, S2)) != RAFT_LEADER) {
		assert_true(sim_now(sim) < 60000);
		sim_step(sim);
	}
	return sim;
}

static void
finish(struct sim *sim, unsigned refused)
{
	sim_join_all(sim);
	assert_true(sim_until_equal(sim, 60000));
	sim_assert_equal(sim);
	sim_assert_kept(sim);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sim_refused(sim, i), refused);
	sim_free(sim);
}

static void
hazard_03_a_new_leader_proposes_right_after_its_barrier(void **state)
{
	struct sim *sim = inherited_entries(false);
	uint64_t ids[20];

	(void)state;
	assert_int_equal(sim_propose(sim, S2, &ids[0]), ERR_BADSTATE);
	assert_true(sim_until_ready(sim, S2, 20000));
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(sim_propose(sim, S2, &ids[i]), OK);
	sim_run(sim, 1000);
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		assert_true(sim_acknowledged(sim, ids[i]));
	finish(sim, 0);
}

/* Without the barrier rule the first proposal chains on the wrong entry. That
 * must cost this entry, the same on all, and not the cluster. */
static void
hazard_03_control_a_wrong_chain_is_refused_alike_and_life_goes_on(void **state)
{
	struct sim *sim = inherited_entries(true);
	uint64_t wrong, right;

	(void)state;
	assert_true(sim_until_ready(sim, S2, 20000));
	assert_int_equal(sim_propose(sim, S2, &wrong), OK);
	assert_int_equal(sim_propose(sim, S2, &right), OK);
	sim_run(sim, 1000);
	assert_false(sim_acknowledged(sim, wrong));
	assert_true(sim_acknowledged(sim, right));
	assert_false(sim_has(sim, S2, wrong));
	finish(sim, 1);
}

static void
hazard_04_nothing_is_committed_that_the_log_has_not_stored(void **state)
{
	struct sim_options options = {.servers = 3,
	    .voters = 3,
	    .seed = 1,
	    .election_ms = {1000, 1300, 1310}};
	struct sim *sim = sim_new(&options);
	uint64_t ids[10];

	(void)state;
	assert_true(sim_until_ready(sim, S1, 20000));
	sim_latency(sim, S3, 15, 900); /* S3 learns of the commit first */
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_int_equal(sim_propose(sim, S1, &ids[i]), OK);
		sim_run(sim, 50);
	}
	assert_true(sim_acknowledged(sim, ids[0]));
	assert_true(sim_ahead(sim, S3) > 0);
	assert_true(sim_has(sim, S2, ids[0]));
	assert_false(sim_has(sim, S3, ids[0])); /* applied, not committed */
	sim_run(sim, 3000);
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		assert_true(sim_has(sim, S3, ids[i]));
	finish(sim, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hazard_03_a_new_leader_proposes_right_after_its_barrier),
	    cmocka_unit_test(
		hazard_03_control_a_wrong_chain_is_refused_alike_and_life_goes_on),
	    cmocka_unit_test(
		hazard_04_nothing_is_committed_that_the_log_has_not_stored),
	};

	print_message("chain: fixed histories, no seed\n");
	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
