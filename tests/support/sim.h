/*
 * sim - a cluster in one process under simulated time.
 *
 * libraft's own fixture (its network, disk and clock), our raftio round each
 * server's raft_io, the real state machine on a real LMDB per server, and a
 * small proposer that keeps the rules of the product: barrier first, chain tail
 * moved only by an accepted proposal, commit only what the log has stored. Each
 * rule can be switched off, for the controls. Same seed, same history.
 *
 * Limits of the fixture: no restart from disk, no snapshots, at most 8 servers;
 * each step copies the leader's log, so histories stay short.
 */
#ifndef TESTS_SUPPORT_SIM_H
#define TESTS_SUPPORT_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include <raft.h>

#include "storage/db.h"
#include "storage/err.h"

#define SIM_SERVERS_MAX 5

struct sim;

struct sim_options {
	unsigned servers; /* 1..SIM_SERVERS_MAX; numbered from 0 */
	unsigned voters;  /* the first of them */
	uint64_t seed;
	unsigned election_ms[SIM_SERVERS_MAX]; /* 1000..1999; 0 = by chance,
						again and again */
	/* Controls: leave a rule out. */
	bool without_raftio;  /* libraft's raft_io as it is */
	bool without_barrier; /* a new leader acts at once, on what it has
				 applied */
};

/* SEED from the environment, else random; printed with the name. */
uint64_t sim_seed(const char *name);
/* The next of a sequence of random numbers, below bound. */
uint64_t sim_random(struct sim *sim, uint64_t bound);

struct sim *sim_new(const struct sim_options *options);
/* Ends in asserts of its own: see sim_step. */
void sim_free(struct sim *sim);

/*
 * One event, then what a loop turn does on each server: notice leadership,
 * commit. Asserts after each: nothing is committed that the log has not stored
 * (hazard 4), and no server's applied index goes back.
 */
void sim_step(struct sim *sim);
void sim_run(struct sim *sim, unsigned ms);
/* Step until the server is a ready leader (raft's leader only, with
 * without_barrier); false after ms. */
bool sim_until_ready(struct sim *sim, unsigned server, unsigned ms);
/* Step until any server is a ready leader. */
bool sim_until_any_ready(struct sim *sim, unsigned ms, unsigned *server);
/* Until all servers have applied and committed the same index; false after. */
bool sim_until_equal(struct sim *sim, unsigned ms);
uint64_t sim_now(struct sim *sim);

struct raft *sim_raft(struct sim *sim, unsigned server);
bool sim_ready(struct sim *sim, unsigned server);

/* Drop what goes between the two, both ways, until joined again. */
void sim_cut(struct sim *sim, unsigned a, unsigned b);
void sim_join(struct sim *sim, unsigned a, unsigned b);
void sim_cut_off(struct sim *sim, unsigned server); /* from all */
void sim_join_all(struct sim *sim);
void sim_latency(
    struct sim *sim, unsigned server, unsigned network_ms, unsigned disk_ms);

/* Propose one write of its own. ERR_BADSTATE: not a ready leader. ERR_NOTLEADER
 * and ERR_FULL come from libraft. *id names it for sim_acknowledged. */
enum err sim_propose(struct sim *sim, unsigned server, uint64_t *id);
bool sim_acknowledged(const struct sim *sim, uint64_t id);
/* Is the write in this server's committed state? */
bool sim_has(struct sim *sim, unsigned server, uint64_t id);
unsigned sim_acknowledged_count(const struct sim *sim);

/* Membership, through the one check of hazard 1. */
enum err sim_assign_voter(struct sim *sim, unsigned by, unsigned server);
enum err sim_remove(struct sim *sim, unsigned by, unsigned server);
/* Hand leadership to whoever libraft picks. ERR_BADSTATE, ERR_BUSY. */
enum err sim_transfer(struct sim *sim, unsigned by);

/* Entries the guards refused on this server (hazard 3). */
unsigned sim_refused(const struct sim *sim, unsigned server);
/* Steps at whose end more was applied than the log had stored. */
unsigned sim_ahead(const struct sim *sim, unsigned server);
void sim_state_hash(
    struct sim *sim, unsigned server, uint8_t hash[static DB_HASH_SIZE]);

/* All servers agree: applied index, chain, state hash; sums match the rows. */
void sim_assert_equal(struct sim *sim);
/* Each acknowledged write is on every server. */
void sim_assert_kept(struct sim *sim);

#endif
