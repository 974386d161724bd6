/*
 * snapshot_out - one raft snapshot on its way to a peer.
 *
 * FRAME_SNAPSHOT_BEGIN, then pieces, each only when the connection's queue is
 * empty, so memory stays bounded and forwarded requests on the same connection
 * wait for one piece at most. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_SNAPSHOT_OUT_H
#define SERVER_CLUSTER_SNAPSHOT_OUT_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/err.h"

#define SNAPSHOT_OUT_PIECE     (256u << 10)
#define SNAPSHOT_OUT_REPEAT_MS 30000 /* the same index not again before */
#define SNAPSHOT_OUT_STUCK_MS  30000 /* no piece left for so long */

struct link;

/* Private but for size of itself; zeroed = none under way. */
struct snapshot_out {
	struct raft_io_send *req; /* NULL = none under way */
	raft_io_send_cb cb;
	const uint8_t *data; /* borrowed until cb */
	uint64_t size, sent;
	raft_index index; /* also of the one sent last */
	uint64_t begun_ms, moved_ms;
};

/*
 * Begin. ERR_BUSY: one is under way, or this index was begun less than 30 s
 * ago (libraft repeats a snapshot with every missed heartbeat, notes on libraft
 * 3). Other errors: link_send's, ERR_LIMIT above IMAGE_SIZE_MAX. On OK req is
 * kept and cb runs once.
 */
MUST_CHECK enum err snapshot_out_begin(struct snapshot_out *out,
    struct link *link, uint64_t now_ms, struct raft_io_send *req,
    const struct raft_message *message, raft_io_send_cb cb);
/* Send a piece if the queue is empty. true: call again in the next loop turn;
 * false: when the link has drained. */
bool snapshot_out_pump(
    struct snapshot_out *out, struct link *link, uint64_t now_ms);
bool snapshot_out_stuck(const struct snapshot_out *out, uint64_t now_ms);
/* The connection is gone, or we are stopping: cb with status, and forget. */
void snapshot_out_abort(struct snapshot_out *out, int status);

#endif
