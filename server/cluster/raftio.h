/*
 * raftio - our hands on struct raft_io: the disk is libraft's, the rest ours.
 *
 * Wraps an initialised raft_io (raft_uv, or the fixture's in simulation) and
 * replaces single entries of its table:
 *   start         keeps the recv callback, so that raftio_deliver can filter
 *   send          hazard 2 (a refused pre-vote carries our own term), shim
 *                 defect 2 (last_term of InstallSnapshot from what was loaded),
 *                 no vote while muted (hazard 4); then hooks.send
 *   append        watched by a deadline of 4 s: a write that failed after
 *                 submission never calls back (defect 3); errors are fatal
 *   truncate      errors are fatal
 *   set_term/vote ballot first, then the original; errors are fatal
 *   snapshot_put  own snapshots: content dumped in a worker, then the original
 *   snapshot_get  remembers (index, term)
 * Fatal = hooks.fatal, which does not return in the product: the process ends
 * before libraft sees the error. Consensus loop.
 */
#ifndef SERVER_CLUSTER_RAFTIO_H
#define SERVER_CLUSTER_RAFTIO_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/ballot.h"
#include "storage/err.h"

#define RAFTIO_APPEND_DEADLINE_MS 4000

struct loop;
struct worker;
struct raftio;

struct raftio_hooks {
	void *arg;
	/* NULL: the wrapped one (simulation). */
	void (*send)(void *arg, struct raft_io_send *req,
	    const struct raft_message *message, raft_io_send_cb cb);
	/*
	 * Write the state a snapshot stands for, in a worker: *data from
	 * raft_malloc, moved. snapshot is what the fsm's snapshot hook left
	 * for it (raftio_set_snapshot). ERR_* is fatal.
	 */
	enum err (*dump)(void *arg, void *snapshot, uint64_t index, void **data,
	    size_t *size, struct errmsg *why);
	/* Must not return in the product. */
	void (*fatal)(void *arg, const char *what, const char *reason);
};

/*
 * io must be initialised and not yet given to raft_init. worker NULL: dump runs
 * at once, on this thread (simulation). ballot NULL: not kept (simulation).
 * clock: monotonic ms.
 */
MUST_CHECK enum err raftio_wrap(struct raft_io *io, struct raft *raft,
    struct loop *loop, struct worker *worker, struct ballot *ballot,
    const struct raftio_hooks *hooks, uint64_t (*clock)(void),
    struct raftio **out, struct errmsg *why);
/* After raft_close's callback. The wrapped io keeps its own life. */
void raftio_free(struct raftio *raftio);

/* A message from the transport; moved. Dropped with its memory released:
 * InstallSnapshot while our own snapshot is under way (shim defect 1),
 * RequestVote while muted, and everything before start. */
void raftio_deliver(struct raftio *raftio, struct raft_message *message);

/* The fsm's snapshot hook hands over what dump needs; finalize clears it. */
void raftio_set_snapshot(struct raftio *raftio, void *snapshot);
/* From the fsm's snapshot_finalize. */
void raftio_snapshot_done(struct raftio *raftio);
bool raftio_snapshotting(const struct raftio *raftio);

/* Neither vote nor stand for election (hazard 4) until unmuted. */
void raftio_mute(struct raftio *raftio, bool muted);

/* Call about each 100 ms: the append deadline. */
void raftio_tick(struct raftio *raftio, uint64_t now_ms);
/* Appends submitted and not yet called back. */
unsigned raftio_appends(const struct raftio *raftio);

#endif
