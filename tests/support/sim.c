#include "tests/support/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "server/cluster/raftio.h"
#include "storage/txn.h"
#include "tests/support/sim_impl.h"
#include "tests/support/test.h"

#define MAP_SIZE  (UINT64_C(32) << 20)
#define REDRAW_MS 700
#define DISK_MS   10 /* the fixture's own default */

struct barrier {
	struct raft_barrier barrier;
	struct sim_server *server;
	raft_term term;
};

/* -- chance and time ------------------------------------------------------ */

uint64_t
sim_seed(const char *name)
{
	const char *text = getenv("SEED");
	uint64_t seed;

	if (text != NULL && text[0] != '\0')
		seed = strtoull(text, NULL, 10);
	else
		assert_int_equal(
		    getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	print_message("%s: seed %" PRIu64 " (SEED=n replays it)\n", name, seed);
	return seed;
}

/* splitmix64 */
uint64_t
sim_random(struct sim *sim, uint64_t bound)
{
	uint64_t z = (sim->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % bound;
}

/* raftio's clock serves only its deadlines, which simulated time has not. */
static uint64_t
no_clock(void)
{
	return 0;
}

uint64_t
sim_now(struct sim *sim)
{
	return raft_fixture_time(&sim->fixture);
}

/* -- the state machine as the node drives it ------------------------------ */

static int
on_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct sim_server *server = fsm->data;
	struct sim *sim = server->sim;
	uint64_t index = raft_last_applied(server->raft) + 1;
	struct topics topics = {0};
	struct errmsg why;

	*result = NULL;
	assert_true(index > server->applied);
	if (server->txn == NULL) {
		assert_int_equal(txn_write(server->db, &server->txn, &why), OK);
	}
	assert_int_equal(fsm_apply(server->txn, index, buf->base, buf->len,
			     &sim->outcome, &topics),
	    OK);
	server->applied = index;
	memcpy(server->chain, txn_meta(server->txn)->chain, DB_HASH_SIZE);
	server->refused += sim->outcome.refused;
	server->refusals[index % SIM_OUTCOMES] = sim->outcome.refused;
	if (!sim->outcome.refused)
		assert_int_equal(sim->outcome.results[0].code, OK);
	return 0;
}

static int
on_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
	(void)fsm;
	(void)bufs;
	(void)n;
	return RAFT_NOMEM; /* the fixture cannot truncate behind one */
}

static int
on_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	(void)fsm;
	(void)buf;
	return RAFT_INVALID;
}

static enum err
on_dump(void *arg, void *snapshot, uint64_t index, void **data, size_t *size,
    struct errmsg *why)
{
	(void)arg;
	(void)snapshot;
	(void)index;
	(void)data;
	(void)size;
	return err_set(why, ERR_UNSUPPORTED, "no snapshots in simulation");
}

static void
on_fatal(void *arg, const char *what, const char *reason)
{
	(void)arg;
	fail_msg("%s: %s", what, reason);
}

/* Hazard 4: only what the local log has stored may be committed. */
static void
commit(struct sim_server *server)
{
	struct errmsg why;
	struct db_meta meta;
	uint64_t before;

	if (server->raft->last_stored < raft_last_applied(server->raft))
		server->ahead++;
	db_meta(server->db, &meta);
	before = meta.index;
	if (server->txn != NULL &&
	    server->raft->last_stored >= server->applied) {
		assert_int_equal(txn_commit(server->txn, &why), OK);
		server->txn = NULL;
		db_meta(server->db, &meta);
	}
	assert_true(meta.index >= before);
	assert_true(meta.index <= server->raft->last_stored);
}

/* -- leadership ----------------------------------------------------------- */

static void
on_barrier(struct raft_barrier *req, int status)
{
	struct barrier *barrier = CONTAINER_OF(req, struct barrier, barrier);
	struct sim_server *server = barrier->server;

	if (status == 0 && barrier->term == server->led &&
	    raft_state(server->raft) == RAFT_LEADER &&
	    raft_current_term(server->raft) == barrier->term) {
		server->ready = true;
		memcpy(server->tail, server->chain, DB_HASH_SIZE);
	}
	free(barrier);
}

/* A new leader's first act (hazard 1). */
static void
lead(struct sim_server *server)
{
	struct barrier *barrier;

	if (raft_state(server->raft) != RAFT_LEADER) {
		server->ready = false;
		return;
	}
	if (server->led == raft_current_term(server->raft))
		return;
	server->led = raft_current_term(server->raft);
	server->ready = server->sim->options.without_barrier;
	memcpy(server->tail, server->chain, DB_HASH_SIZE);
	if (server->ready)
		return;
	barrier = calloc(1, sizeof(*barrier));
	assert_non_null(barrier);
	barrier->server = server;
	barrier->term = server->led;
	assert_int_equal(
	    raft_barrier(server->raft, &barrier->barrier, on_barrier), 0);
}

/* A disk that got faster would let a later write overtake an earlier one in the
 * fixture, which libraft cannot bear and its real disk never does. */
static void
disk(struct sim_server *server)
{
	if (server->raftio != NULL && raftio_appends(server->raftio) > 0)
		return;
	raft_fixture_set_disk_latency(
	    &server->sim->fixture, server->number, server->disk_ms);
}

/* The fixture gives a server the same timeout each time: two alike would stand
 * against each other for ever. */
static void
redraw(struct sim *sim)
{
	for (unsigned i = 0; i < sim->options.servers; i++) {
		if (sim->options.election_ms[i] == 0) {
			raft_fixture_set_randomized_election_timeout(
			    &sim->fixture, i,
			    1000 + (unsigned)sim_random(sim, 1000));
		}
	}
	sim->redraw = sim_now(sim) + REDRAW_MS;
}

void
sim_step(struct sim *sim)
{
	if (sim_now(sim) >= sim->redraw)
		redraw(sim);
	raft_fixture_step(&sim->fixture);
	for (unsigned i = 0; i < sim->options.servers; i++) {
		lead(&sim->servers[i]);
		commit(&sim->servers[i]);
		disk(&sim->servers[i]);
	}
}

void
sim_run(struct sim *sim, unsigned ms)
{
	uint64_t end = sim_now(sim) + ms;

	while (sim_now(sim) < end)
		sim_step(sim);
}

struct raft *
sim_raft(struct sim *sim, unsigned server)
{
	return sim->servers[server].raft;
}

bool
sim_ready(struct sim *sim, unsigned server)
{
	return sim->servers[server].ready;
}

bool
sim_until_ready(struct sim *sim, unsigned server, unsigned ms)
{
	uint64_t end = sim_now(sim) + ms;

	while (!sim_ready(sim, server) && sim_now(sim) < end)
		sim_step(sim);
	return sim_ready(sim, server);
}

bool
sim_until_any_ready(struct sim *sim, unsigned ms, unsigned *server)
{
	uint64_t end = sim_now(sim) + ms;

	for (;;) {
		for (unsigned i = 0; i < sim->options.servers; i++) {
			if (sim_ready(sim, i)) {
				*server = i;
				return true;
			}
		}
		if (sim_now(sim) >= end)
			return false;
		sim_step(sim);
	}
}

static bool
equal(struct sim *sim)
{
	const struct sim_server *first = &sim->servers[0];

	for (unsigned i = 0; i < sim->options.servers; i++) {
		const struct sim_server *server = &sim->servers[i];

		if (server->txn != NULL || server->applied != first->applied ||
		    raft_last_index(server->raft) !=
			raft_last_applied(server->raft) ||
		    raft_last_index(server->raft) !=
			raft_last_index(first->raft))
			return false;
	}
	return true;
}

bool
sim_until_equal(struct sim *sim, unsigned ms)
{
	uint64_t end = sim_now(sim) + ms;

	while (!equal(sim) && sim_now(sim) < end)
		sim_step(sim);
	return equal(sim);
}

/* -- network and disk ----------------------------------------------------- */

void
sim_cut(struct sim *sim, unsigned a, unsigned b)
{
	raft_fixture_saturate(&sim->fixture, a, b);
	raft_fixture_saturate(&sim->fixture, b, a);
}

void
sim_join(struct sim *sim, unsigned a, unsigned b)
{
	raft_fixture_desaturate(&sim->fixture, a, b);
	raft_fixture_desaturate(&sim->fixture, b, a);
}

void
sim_cut_off(struct sim *sim, unsigned server)
{
	for (unsigned i = 0; i < sim->options.servers; i++) {
		if (i != server)
			sim_cut(sim, server, i);
	}
}

void
sim_join_all(struct sim *sim)
{
	for (unsigned i = 0; i < sim->options.servers; i++) {
		for (unsigned j = 0; j < i; j++)
			sim_join(sim, i, j);
	}
}

void
sim_latency(
    struct sim *sim, unsigned server, unsigned network_ms, unsigned disk_ms)
{
	raft_fixture_set_network_latency(&sim->fixture, server, network_ms);
	sim->servers[server].disk_ms = disk_ms;
}

/* -- life ----------------------------------------------------------------- */

static void
server_grow(struct sim *sim, unsigned number)
{
	struct sim_server *server = &sim->servers[number];
	const struct raftio_hooks hooks = {
	    .arg = server, .dump = on_dump, .fatal = on_fatal};
	unsigned election = sim->options.election_ms[number];
	struct errmsg why;
	bool rebuilt;

	server->sim = sim;
	server->number = number;
	server->disk_ms = DISK_MS;
	server->dir = test_tmpdir();
	assert_int_equal(
	    db_open(server->dir, MAP_SIZE, &rebuilt, &server->db, &why), OK);
	server->fsm = (struct raft_fsm){.version = 1,
	    .data = server,
	    .apply = on_apply,
	    .snapshot = on_snapshot,
	    .restore = on_restore};
	assert_int_equal(raft_fixture_grow(&sim->fixture, &server->fsm), 0);
	server->raft = raft_fixture_get(&sim->fixture, number);
	server->raft->tracer = NULL; /* it prints each step */
	raft_set_pre_vote(server->raft, true);
	raft_set_snapshot_threshold(server->raft, 1u << 30);
	if (election != 0) {
		raft_fixture_set_randomized_election_timeout(
		    &sim->fixture, number, election);
	}
	if (sim->options.without_raftio)
		return;
	assert_int_equal(raftio_wrap(server->raft->io, server->raft, NULL, NULL,
			     NULL, &hooks, no_clock, &server->raftio, &why),
	    OK);
}

struct sim *
sim_new(const struct sim_options *options)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	struct raft_configuration conf;

	assert_non_null(sim);
	assert_in_range(options->servers, 1, SIM_SERVERS_MAX);
	sim->options = *options;
	sim->random = options->seed;
	assert_int_equal(raft_fixture_init(&sim->fixture), 0);
	for (unsigned i = 0; i < options->servers; i++)
		server_grow(sim, i);
	assert_int_equal(
	    raft_fixture_configuration(&sim->fixture, options->voters, &conf),
	    0);
	redraw(sim);
	assert_int_equal(raft_fixture_bootstrap(&sim->fixture, &conf), 0);
	raft_configuration_close(&conf);
	assert_int_equal(raft_fixture_start(&sim->fixture), 0);
	return sim;
}

void
sim_free(struct sim *sim)
{
	raft_fixture_close(&sim->fixture); /* still applies what is due */
	for (unsigned i = 0; i < sim->options.servers; i++) {
		struct sim_server *server = &sim->servers[i];

		txn_abort(server->txn);
		db_abandon(server->db);
		raftio_free(server->raftio);
		test_rmdir(server->dir);
	}
	free(sim);
}
