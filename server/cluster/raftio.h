/*
 * raftio - our hands on struct raft_io: the disk is libraft's, the rest ours.
 *
 * Wraps an initialised raft_io (raft_uv, or the fixture's in simulation) in
 * place and replaces entries of its table:
 *   load          a term or vote that the ballot has and the metadata lacks (a
 *                 crash between the two writes) is written to the metadata too
 *   bootstrap     ballot first, then the original
 *   start         keeps the recv callback, so that raftio_deliver can filter
 *   send          hazard 2 (a refused pre-vote carries our own term), shim
 *                 defect 2 (last_term of InstallSnapshot from what was loaded),
 *                 no vote while muted (hazard 4); then hooks.send
 *   append        watched by a deadline of 4 s: a write that failed after
 *                 submission never calls back (defect 3); errors are fatal
 *   truncate      errors are fatal
 *   set_term/vote ballot first, then the original; errors are fatal
 *   snapshot_put  own snapshots: content dumped in a worker, then the original
 *                 (told by trailing: raft_set_snapshot_trailing above 0)
 *   snapshot_get  remembers (index, term); errors are fatal, libraft would free
 *                 what it never set
 *   close         waits for a dump under way
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
struct raft_uv_transport;
struct raftio;
struct worker;

struct raftio_hooks {
	void *arg;
	/*
	 * Takes the place of the wrapped send; NULL: the wrapped one
	 * (simulation). Must call cb once, now or later. The message struct is
	 * borrowed during the call only; what it points to, until cb.
	 */
	void (*send)(void *arg, struct raft_io_send *req,
	    const struct raft_message *message, raft_io_send_cb cb);
	/*
	 * Write the state a snapshot stands for, in a worker: *data from
	 * raft_malloc, moved. snapshot is what the fsm's snapshot hook left
	 * for it (raftio_set_snapshot). ERR_* is fatal.
	 */
	enum err (*dump)(void *arg, void *snapshot, uint64_t index, void **data,
	    size_t *size, struct errmsg *why);
	/* NULL allowed: entries were stored, ms after they were submitted. */
	void (*stored)(void *arg, unsigned entries, uint64_t ms);
	/* Must not return in the product. */
	void (*fatal)(void *arg, const char *what, const char *reason);
};

/*
 * io must be initialised (raft_uv_init) and not yet started. raft->data is the
 * raftio's from here on: raft may be given to raft_init with this io before or
 * after, but not be zeroed in between. worker NULL: dump runs at once, on this
 * thread (simulation); loop is then not used. ballot NULL: not kept
 * (simulation). clock: monotonic ms. hooks are copied.
 */
MUST_CHECK enum err raftio_wrap(struct raft_io *io, struct raft *raft,
    struct loop *loop, struct worker *worker, struct ballot *ballot,
    const struct raftio_hooks *hooks, uint64_t (*clock)(void),
    struct raftio **out, struct errmsg *why);
/* After raft_close's callback, or if raft was never started. The wrapped io
 * keeps its own life. NULL is allowed. */
void raftio_free(struct raftio *raftio);

/* A message from the transport; moved. Dropped with its memory released:
 * InstallSnapshot while our own snapshot is under way (shim defect 1),
 * RequestVote and TimeoutNow while muted, and everything before start and
 * after close. A leader's commit index that libraft would follow backwards
 * stays where ours is. */
void raftio_deliver(struct raftio *raftio, struct raft_message *message);

/* The fsm's snapshot hook hands over what dump needs; finalize clears it. */
void raftio_set_snapshot(struct raftio *raftio, void *snapshot);
/* From the fsm's snapshot_finalize. */
void raftio_snapshot_done(struct raftio *raftio);
bool raftio_snapshotting(const struct raftio *raftio);

/* Neither vote nor stand for election (hazard 4) until unmuted. (A sole voter
 * elects itself without a message: its owner judges before raft_start.) */
void raftio_mute(struct raftio *raftio, bool muted);

/*
 * Call about each 100 ms: the append deadline. It counts only time in which
 * this was called: a process that was stopped or a loop that stalled for
 * longer than 500 ms does not make a finished write look late.
 */
void raftio_tick(struct raftio *raftio, uint64_t now_ms);
/* Appends submitted and not yet called back. */
unsigned raftio_appends(const struct raftio *raftio);

/* A raft_uv transport that neither listens nor dials: our own carries the
 * messages. Lives as long as the io it is given to. */
void raftio_no_transport(struct raft_uv_transport *out);

#endif
