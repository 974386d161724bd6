/*
 * lowio - a recorded raft_io under a raftio, whose answers the test chooses.
 *
 * raftio without libraft on either side: the entries it calls are noted here,
 * and what it would call in libraft is the test's.
 */
#ifndef TESTS_SUPPORT_LOWIO_H
#define TESTS_SUPPORT_LOWIO_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/ballot.h"
#include "server/cluster/raftio.h"
#include "server/loop.h"
#include "server/worker.h"

/* Everything one case looks at. */
struct lowio {
	struct raft_io io;
	struct raft raft;
	struct raftio *raftio;
	struct ballot *ballot;
	char *dir;
	struct ballot ballot_file;

	/* what the wrapped io does and saw */
	int rv;         /* of the next calls */
	unsigned calls; /* of the entry under test */
	uint64_t loaded_term, loaded_vote;
	uint64_t set_term, set_vote;
	struct raft_message sent;
	struct raft_io_append *append; /* handed down, to be called back */
	struct raft_io_snapshot_put *put;
	const struct raft_snapshot *put_snapshot;
	unsigned put_trailing;
	bool put_at_once; /* call back from inside, not later */
	struct raft_io_snapshot_get *get;
	raft_io_recv_cb recv;
	raft_io_close_cb close;

	/* what libraft saw */
	unsigned callbacks;
	int status;
	unsigned received;
	unsigned closed;
	char order[32]; /* letters, in order of happening */

	/* hooks */
	unsigned fatals;
	char fatal[256];
	unsigned stored;
	enum err dump;

	/* of a real dump */
	struct loop *loop;
	struct worker *worker;
	bool close_early;
	struct raft_io_snapshot_put own;
	struct loop_task stop;
};

/* Zeroed with calloc, loop and worker set by the caller, then lowio_wrap. */
void lowio_wrap(struct lowio *bench);
/* Wrapped; no loop, no worker; the second with a ballot in a directory. */
struct lowio *lowio_new(void);
struct lowio *lowio_new_ballot(void);
void lowio_free(struct lowio *bench);

struct lowio *lowio_of(struct raft_io *io);
void lowio_note(struct lowio *bench, char letter);
/* Let ms pass, with a tick each step_ms. */
void lowio_wait(struct lowio *bench, uint64_t ms, uint64_t step_ms);
/* For raft_io's close: counts, notes 'c'. */
void lowio_on_closed(struct raft_io *io);

#endif
