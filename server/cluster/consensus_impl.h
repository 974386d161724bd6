/*
 * consensus_impl - struct consensus, for consensus.c and consensus_life.c
 * alone.
 */
#ifndef SERVER_CLUSTER_CONSENSUS_IMPL_H
#define SERVER_CLUSTER_CONSENSUS_IMPL_H

#include <raft.h>
#include <raft/uv.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "server/cluster/ballot.h"
#include "server/cluster/consensus.h"
#include "server/cluster/raftio.h"

struct consensus {
	struct loop *loop;
	struct worker *worker;
	const struct consensus_events *events;
	void *arg;
	struct raft raft;
	struct raft_io io;
	struct raft_uv_transport no_transport;
	struct raftio *raftio;
	struct machine *machine;
	struct ballot ballot;
	bool started, closing;
	bool proving;     /* the state, in a worker */
	bool closed_raft; /* and waiting for the proof */
	char address[24]; /* logical: the raft id in hex */

	int state;
	uint64_t term, leader;
	bool ready, barrier;
	uint64_t hurried; /* the leader whose end we hurry after; 0 = none */
	unsigned election_ms;       /* as configured */
	uint8_t tail[DB_HASH_SIZE]; /* hash of the last entry submitted */

	uv_prepare_t prepare;
	uv_check_t check;
	unsigned handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Both ends of a loop turn: roles, commits, what there is to propose. */
void consensus_turn(struct consensus *consensus);
/* Does not return. */
void consensus_fatal(void *arg, const char *what, const char *reason);

#endif
