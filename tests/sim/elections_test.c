/*
 * Goal: no membership change splits the cluster (hazard 1), and whoever is
 * connected to a majority elects a leader in bounded time (hazard 2).
 * Method: the two histories that break libraft 0.22.1, once with the rule and
 * once, as a control, without it.
 */
#include "tests/support/sim.h"
#include "tests/support/test.h"

enum { S1, S2, S3, S4, S5 };

/*
 * Four voters on the way from three to five. S1 appends "S5 votes" and is cut
 * off with S5; S2 is elected, removes S1 and writes with S3; S4 then reaches
 * only S1 and S5. Counts who acknowledged a write in the end.
 */
static struct sim *
membership_history(bool without_barrier, uint64_t writes[2])
{
	struct sim_options options = {.servers = 5,
	    .voters = 4,
	    .seed = 1,
	    .without_barrier = without_barrier,
	    .election_ms = {1000, 1500, 1300, 1310, 1990}};
	struct sim *sim = sim_new(&options);
	uint64_t first;

	assert_true(sim_until_ready(sim, S1, 20000));
	assert_int_equal(sim_propose(sim, S1, &first), OK);
	sim_run(sim, 600);
	assert_true(sim_acknowledged(sim, first));
	for (unsigned i = S2; i <= S4; i++) {
		sim_cut(sim, S1, i);
		sim_cut(sim, S5, i);
	}
	assert_int_equal(sim_assign_voter(sim, S1, S5), OK);
	while (raft_state(sim_raft(sim, S2)) != RAFT_LEADER) {
		assert_true(sim_now(sim) < 60000);
		sim_step(sim);
	}
	sim_run(sim, without_barrier ? 100 : 0);
	sim_cut(sim, S2, S4);
	sim_cut(sim, S3, S4);
	writes[0] = writes[1] = UINT64_MAX;
	if (without_barrier) {
		assert_int_equal(sim_remove(sim, S2, S1), OK);
		sim_run(sim, 300);
		assert_int_equal(sim_propose(sim, S2, &writes[0]), OK);
	} else {
		/* Its barrier is on S2 and S3 at most: two of four. */
		for (unsigned i = 0; i < 50; i++) {
			assert_int_equal(sim_remove(sim, S2, S1), ERR_BADSTATE);
			assert_int_equal(
			    sim_propose(sim, S2, &writes[0]), ERR_BADSTATE);
			sim_run(sim, 10);
		}
	}
	sim_run(sim, 300);
	sim_join(sim, S1, S4);
	sim_join(sim, S5, S4);
	assert_true(sim_until_ready(sim, S1, 60000));
	assert_int_equal(sim_propose(sim, S1, &writes[1]), OK);
	sim_run(sim, 500);
	return sim;
}

static void
hazard_01_a_new_leader_changes_no_membership_before_its_barrier(void **state)
{
	uint64_t writes[2];
	struct sim *sim = membership_history(false, writes);

	(void)state;
	assert_int_equal(writes[0], UINT64_MAX); /* never taken */
	assert_true(sim_acknowledged(sim, writes[1]));
	sim_join_all(sim);
	assert_true(sim_until_equal(sim, 60000));
	sim_assert_equal(sim);
	sim_assert_kept(sim);
	sim_free(sim);
}

static void
hazard_01_control_without_the_barrier_the_cluster_splits(void **state)
{
	uint64_t writes[2];
	struct sim *sim = membership_history(true, writes);

	(void)state;
	assert_true(sim_acknowledged(sim, writes[0]));
	assert_true(sim_acknowledged(sim, writes[1]));
	assert_true(sim_has(sim, S2, writes[0]));
	assert_false(sim_has(sim, S1, writes[0]));
	assert_true(sim_has(sim, S1, writes[1]));
	assert_false(sim_has(sim, S2, writes[1]));
	sim_free(sim);
}

/*
 * S1 has one entry nobody else has and is cut off; the others elect twice and
 * write nothing; their leader is lost and S1 comes back. (Barriers are left
 * out: they would write, and the case is about elections without a write.)
 * True if the two that are connected have a leader after ten minutes.
 */
static bool
prevote_history(bool without_raftio)
{
	struct sim_options options = {.servers = 3,
	    .voters = 3,
	    .seed = 1,
	    .without_barrier = true,
	    .without_raftio = without_raftio,
	    .election_ms = {1000, 1300, 1310}};
	struct sim *sim = sim_new(&options);
	unsigned leader, other;
	uint64_t id;
	bool elected;

	assert_true(sim_until_ready(sim, S1, 20000));
	assert_int_equal(sim_propose(sim, S1, &id), OK);
	sim_run(sim, 600);
	sim_cut_off(sim, S1);
	assert_int_equal(sim_propose(sim, S1, &id), OK);
	assert_true(sim_until_ready(sim, S2, 20000));
	sim_run(sim, 200);
	sim_cut(sim, S2, S3);
	sim_run(sim, 2500);
	sim_join(sim, S2, S3);
	while (!sim_ready(sim, S2) && !sim_ready(sim, S3)) {
		assert_true(sim_now(sim) < 60000);
		sim_step(sim);
	}
	sim_run(sim, 200);
	leader = sim_ready(sim, S2) ? S2 : S3;
	other = leader == S2 ? S3 : S2;
	sim_cut(sim, leader, other);
	sim_join(sim, S1, other);
	sim_run(sim, without_raftio ? 600000 : 10000);
	elected = sim_ready(sim, S1) || sim_ready(sim, other);
	sim_free(sim);
	return elected;
}

static void
hazard_02_two_connected_servers_of_three_elect_a_leader(void **state)
{
	(void)state;
	assert_true(prevote_history(false));
}

static void
hazard_02_control_without_the_repair_they_never_do(void **state)
{
	(void)state;
	assert_false(prevote_history(true));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hazard_01_a_new_leader_changes_no_membership_before_its_barrier),
	    cmocka_unit_test(
		hazard_01_control_without_the_barrier_the_cluster_splits),
	    cmocka_unit_test(
		hazard_02_two_connected_servers_of_three_elect_a_leader),
	    cmocka_unit_test(
		hazard_02_control_without_the_repair_they_never_do),
	};

	print_message("elections: fixed histories, no seed\n");
	return cmocka_run_group_tests_name("elections", tests, NULL, NULL);
}
