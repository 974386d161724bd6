/*
 * Goal: whatever network and disks do, members end up with the same state, all
 * acknowledged writes in it, none refused, and the cluster answers again.
 * Method: random histories of cuts, delays and writes over three or five
 * servers; fixed seeds, then random ones. SEED=n replays one; SIM_SEEDS=n is
 * the number of random ones, ended after 20 s in any case.
 */
#include <inttypes.h>
#include <time.h>

#include "tests/support/sim.h"
#include "tests/support/test.h"

#define STEPS     8000
#define BUDGET_MS 20000

/* Numbers of events so far: a history without any proves nothing. */
struct tally {
	unsigned acknowledged, transfers, promotions;
	raft_term terms;
};

static void
disturb(struct sim *sim, unsigned servers, struct tally *tally)
{
	unsigned a = (unsigned)sim_random(sim, servers);
	unsigned b = (a + 1 + (unsigned)sim_random(sim, servers - 1)) % servers;
	unsigned leader;

	switch (sim_random(sim, 400)) {
	case 0:
	case 1:
		sim_cut(sim, a, b);
		break;
	case 2:
		sim_cut_off(sim, a);
		break;
	case 3:
		if (sim_until_any_ready(sim, 0, &leader))
			sim_cut_off(sim, leader);
		break;
	case 4:
	case 5:
	case 6:
		sim_join_all(sim);
		break;
	case 7:
		sim_latency(sim, a, 1 + (unsigned)sim_random(sim, 100),
		    1 + (unsigned)sim_random(sim, 400));
		break;
	case 8:
		tally->transfers += sim_transfer(sim, a) == OK;
		break;
	case 9:
		if (sim_until_any_ready(sim, 0, &leader)) {
			tally->promotions +=
			    sim_assign_voter(sim, leader, b) == OK;
		}
		break;
	default:
		break;
	}
}

/* Any server that believes it leads may be asked, the deposed included. */
static void
write_somewhere(struct sim *sim, unsigned servers)
{
	unsigned number = (unsigned)sim_random(sim, servers);
	uint64_t id;
	enum err rc;

	if (sim_random(sim, 4) != 0)
		return;
	rc = sim_propose(sim, number, &id);
	assert_true(rc == OK || rc == ERR_BADSTATE || rc == ERR_NOTLEADER);
}

static void
history(uint64_t seed, struct tally *tally)
{
	struct sim_options options = {.seed = seed};
	struct sim *sim;
	unsigned leader;
	uint64_t id;

	options.servers = seed % 3 == 0 ? 5 : 3;
	options.voters = 3; /* of five, two are promoted on the way */
	sim = sim_new(&options);
	for (unsigned step = 0; step < STEPS; step++) {
		sim_step(sim);
		write_somewhere(sim, options.servers);
		disturb(sim, options.servers, tally);
	}
	sim_join_all(sim);
	for (unsigned i = 0; i < options.servers; i++)
		sim_latency(sim, i, 15, 10);
	sim_run(sim, 5000);
	assert_true(sim_until_any_ready(sim, 20000, &leader));
	assert_int_equal(sim_propose(sim, leader, &id), OK);
	assert_true(sim_until_equal(sim, 60000));
	assert_true(sim_acknowledged(sim, id));
	sim_assert_equal(sim);
	sim_assert_kept(sim);
	assert_int_equal(sim_refused(sim, 0), 0);
	tally->acknowledged += sim_acknowledged_count(sim);
	tally->terms += raft_current_term(sim_raft(sim, leader));
	sim_free(sim);
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
random_histories_keep_members_equal_and_writes_safe(void **state)
{
	static const uint64_t fixed[] = {1, 2, 3, 6, 7, 9, 42, 1000003};
	const char *text = getenv("SIM_SEEDS");
	unsigned count = text == NULL ? 20 : (unsigned)strtoul(text, NULL, 10);
	struct tally tally = {0};
	uint64_t begun = now_ms();
	unsigned done = 0;

	(void)state;
	if (getenv("SEED") != NULL) {
		history(sim_seed("history"), &tally);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		print_message("history: fixed seed %" PRIu64 "\n", fixed[i]);
		history(fixed[i], &tally);
	}
	assert_true(tally.acknowledged > 2000);
	assert_true(tally.terms > 50);
	assert_true(tally.transfers > 10);
	assert_true(tally.promotions > 5);
	for (; done < count && now_ms() - begun < BUDGET_MS; done++)
		history(sim_seed("history"), &tally);
	print_message("history: %u random seeds, %u writes acknowledged, "
		      "%llu terms, %u transfers, %u promotions\n",
	    done, tally.acknowledged, tally.terms, tally.transfers,
	    tally.promotions);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		random_histories_keep_members_equal_and_writes_safe),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
