/*
 * sim_impl - what sim.c and sim_write.c share; nobody else includes it.
 */
#ifndef TESTS_SUPPORT_SIM_IMPL_H
#define TESTS_SUPPORT_SIM_IMPL_H

#include <raft/fixture.h>

#include "fsm/fsm.h"
#include "tests/support/sim.h"

#define SIM_OUTCOMES  8192 /* log indexes remembered for the callbacks */
#define SIM_PROPOSALS 8192 /* writes of one simulation */

struct raftio;

struct sim_server {
	struct sim *sim;
	unsigned number;
	struct raft *raft; /* the fixture's */
	struct raft_fsm fsm;
	struct raftio *raftio;
	char *dir;
	struct db *db;
	struct txn *txn;             /* open: applied, not yet committed */
	uint64_t applied;            /* in txn */
	uint8_t chain[DB_HASH_SIZE]; /* as applied */
	uint8_t tail[DB_HASH_SIZE];  /* of what was proposed */
	raft_term led;               /* term in which it noticed to lead */
	bool ready;
	unsigned disk_ms; /* wanted, in force once no append is under way */
	unsigned refused, ahead;
	bool refusals[SIM_OUTCOMES]; /* by index */
};

struct sim {
	struct raft_fixture fixture;
	struct sim_options options;
	uint64_t random;
	uint64_t redraw; /* time of the next change of election timeouts */
	struct sim_server servers[SIM_SERVERS_MAX];
	uint64_t proposed;
	bool acknowledged[SIM_PROPOSALS];
	struct fsm_outcome outcome; /* too large for the stack */
};

#endif
