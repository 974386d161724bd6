/*
 * raftio_impl - what raftio.c and raftio_snapshot.c share; nobody else includes
 * it.
 */
#ifndef SERVER_CLUSTER_RAFTIO_IMPL_H
#define SERVER_CLUSTER_RAFTIO_IMPL_H

#include "server/cluster/raftio.h"

struct raftio_append;

struct raftio {
	struct raft_io *io;   /* the wrapped one, patched */
	struct raft_io inner; /* its table as it was */
	struct raft *raft;
	struct loop *loop;
	struct worker *worker; /* NULL: dumps run on this thread */
	struct ballot *ballot; /* NULL: not kept */
	struct raftio_hooks hooks;
	uint64_t (*clock)(void);
	raft_io_recv_cb recv; /* libraft's, from start */
	bool muted;

	struct raftio_append *oldest, *newest; /* under way, by age */
	unsigned appends;
	uint64_t watched_ms; /* time in which ticks came */
	uint64_t ticked_ms;  /* clock at the last tick, 0 = none yet */

	void *snapshot;     /* left by the fsm for the next dump */
	bool snapshotting;  /* from the fsm's snapshot to its finalize */
	bool dumping;       /* a dump is with the worker */
	raft_index got;     /* last snapshot loaded for sending, */
	raft_term got_term; /* and its term */
	bool closing;
	bool inner_closed;
	raft_io_close_cb closed; /* libraft's, from close */
};

/* raft_init points io->data at raft, raftio_wrap points raft->data at us. */
struct raftio *raftio_of(struct raft_io *io);

/* Call hooks.fatal; returns status, for the tests in which it returns. */
int raftio_fail(struct raftio *raftio, const char *what, int status);

/* Entries of the table, in raftio_snapshot.c. */
int raftio_put(struct raft_io *io, unsigned trailing,
    struct raft_io_snapshot_put *req, const struct raft_snapshot *snapshot,
    raft_io_snapshot_put_cb cb);
int raftio_get(struct raft_io *io, struct raft_io_snapshot_get *req,
    raft_io_snapshot_get_cb cb);
void raftio_close(struct raft_io *io, raft_io_close_cb cb);

#endif
