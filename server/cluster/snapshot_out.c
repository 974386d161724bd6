#include "server/cluster/snapshot_out.h"

#include "server/cluster/link.h"
#include "server/cluster/raftmsg.h"
#include "storage/image.h"

static void
end(struct snapshot_out *out, int status)
{
	struct raft_io_send *req = out->req;
	raft_io_send_cb cb = out->cb;

	out->req = NULL;
	out->data = NULL;
	if (req != NULL)
		cb(req, status); /* libraft frees the data in here */
}

enum err
snapshot_out_begin(struct snapshot_out *out, struct link *link, uint64_t now_ms,
    struct raft_io_send *req, const struct raft_message *message,
    raft_io_send_cb cb)
{
	const struct raft_install_snapshot *m = &message->install_snapshot;
	struct buf head;
	enum err rc;

	if (out->req != NULL)
		return ERR_BUSY;
	if (out->index == m->last_index && out->begun_ms != 0 &&
	    now_ms - out->begun_ms < SNAPSHOT_OUT_REPEAT_MS)
		return ERR_BUSY;
	if (m->data.len == 0 || m->data.len > IMAGE_SIZE_MAX)
		return ERR_LIMIT;
	head = buf_new(FRAME_MAX);
	raftmsg_encode(message, &head);
	buf_u64(&head, m->data.len);
	rc = buf_status(&head, NULL);
	if (rc == OK)
		rc =
		    link_send(link, FRAME_SNAPSHOT_BEGIN, head.data, head.size);
	buf_free(&head);
	if (rc != OK)
		return rc;
	out->req = req;
	out->cb = cb;
	out->data = m->data.base;
	out->size = m->data.len;
	out->sent = 0;
	out->index = m->last_index;
	out->begun_ms = out->moved_ms = now_ms;
	return OK;
}

bool
snapshot_out_pump(struct snapshot_out *out, struct link *link, uint64_t now_ms)
{
	uint64_t left = out->size - out->sent;
	size_t piece = left < SNAPSHOT_OUT_PIECE ? left : SNAPSHOT_OUT_PIECE;

	if (out->req == NULL || link->stream.queued > 0)
		return false;
	/* An error either breaks the link, which aborts, or passes. */
	if (link_send(
		link, FRAME_SNAPSHOT_DATA, out->data + out->sent, piece) != OK)
		return false;
	out->sent += piece;
	out->moved_ms = now_ms;
	if (out->sent < out->size)
		return link->stream.queued == 0;
	end(out, 0);
	return false;
}

bool
snapshot_out_stuck(const struct snapshot_out *out, uint64_t now_ms)
{
	return out->req != NULL &&
	    now_ms - out->moved_ms >= SNAPSHOT_OUT_STUCK_MS;
}

void
snapshot_out_abort(struct snapshot_out *out, int status)
{
	out->index = 0;
	out->begun_ms = 0;
	end(out, status);
}
