#include "server/cluster/peer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cluster/hub.h"
#include "server/cluster/raftmsg.h"
#include "server/log.h"
#include "storage/buf.h"

static void
waiting_add(struct peer *peer, const struct buf *frame)
{
	struct peer_waiting *slot;

	assert(frame->size <= PEER_WAITING_SIZE);
	if (peer->waiting_count == PEER_WAITING_MAX) { /* the oldest goes */
		peer->waiting_first =
		    (peer->waiting_first + 1) % PEER_WAITING_MAX;
		peer->waiting_count--;
	}
	slot = &peer->waiting[(peer->waiting_first + peer->waiting_count++) %
	    PEER_WAITING_MAX];
	slot->since_ms = uv_now(peer->hub->uv);
	slot->size = frame->size;
	memcpy(slot->frame, frame->data, frame->size);
}

static void
waiting_flush(struct peer *peer)
{
	const struct peer_waiting *slot;

	for (unsigned i = 0; i < peer->waiting_count; i++) {
		slot = &peer->waiting[(peer->waiting_first + i) %
		    PEER_WAITING_MAX];
		if (uv_now(peer->hub->uv) - slot->since_ms > PEER_WAITING_MS)
			continue;
		/* A fresh queue has room; a broken link says so itself. */
		if (link_write(&peer->main.link, slot->frame, slot->size) != OK)
			break;
	}
	peer->waiting_first = peer->waiting_count = 0;
}

static void
main_up(struct dial *dial, const struct hello *theirs)
{
	struct peer *peer = CONTAINER_OF(dial, struct peer, main);

	log_event(LOG_INFO, "rpc", "connected to server: name=%s address=%s",
	    theirs->name, peer->address);
	memset(&peer->sent, 0, sizeof(peer->sent));
	waiting_flush(peer);
	peer->hub->events.up(peer->hub->arg, peer->id);
}

static void
main_down(struct dial *dial)
{
	struct peer *peer = CONTAINER_OF(dial, struct peer, main);

	memset(&peer->sent, 0, sizeof(peer->sent));
	peer->hub->events.down(peer->hub->arg, peer->id);
}

static void
bulk_up(struct dial *dial, const struct hello *theirs)
{
	(void)dial;
	(void)theirs;
}

static void
bulk_down(struct dial *dial)
{
	struct peer *peer = CONTAINER_OF(dial, struct peer, bulk);

	snapshot_out_abort(&peer->snapshot, RAFT_NOCONNECTION);
}

static void
bulk_drained(struct dial *dial)
{
	struct peer *peer = CONTAINER_OF(dial, struct peer, bulk);

	if (peer->snapshot.req != NULL)
		peer->hub->wake(peer->hub);
}

static void
dial_gone(struct peer *peer)
{
	struct hub *hub = peer->hub;

	assert(peer->dials > 0);
	if (--peer->dials > 0)
		return;
	peer->closed(peer); /* it is gone */
	hub_release(hub);
}

static void
main_closed(struct dial *dial)
{
	dial_gone(CONTAINER_OF(dial, struct peer, main));
}

static void
bulk_closed(struct dial *dial)
{
	dial_gone(CONTAINER_OF(dial, struct peer, bulk));
}

static const struct dial_events main_events = {
    .up = main_up,
    .down = main_down,
    .drained = NULL,
    .closed = main_closed,
};

static const struct dial_events bulk_events = {
    .up = bulk_up,
    .down = bulk_down,
    .drained = bulk_drained,
    .closed = bulk_closed,
};

struct peer *
peer_new(struct hub *hub, uint64_t id, const char *address,
    void (*closed)(struct peer *peer))
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		return NULL;
	peer->hub = hub;
	peer->id = id;
	peer->closed = closed;
	peer->dials = 2;
	(void)snprintf(peer->address, sizeof(peer->address), "%s", address);
	dial_open(&peer->main, hub, &main_events, id, false, address);
	dial_open(&peer->bulk, hub, &bulk_events, id, true, address);
	hub_hold(hub);
	return peer;
}

void
peer_redirect(struct peer *peer, const char *address)
{
	if (peer->closing)
		return;
	if (strcmp(peer->address, address) == 0) {
		dial_hurry(&peer->main);
		dial_hurry(&peer->bulk);
		return;
	}
	(void)snprintf(peer->address, sizeof(peer->address), "%s", address);
	dial_redirect(&peer->bulk, address);
	dial_redirect(&peer->main, address);
}

void
peer_close(struct peer *peer, int status)
{
	if (peer->closing)
		return;
	peer->closing = true;
	dial_close(&peer->main);
	dial_close(&peer->bulk);
	snapshot_out_abort(&peer->snapshot, status);
}

/* The whole frame of a raft message, in scratch. */
static enum err
encode(struct buf *scratch, const struct raft_message *message)
{
	uint8_t head[FRAME_HEAD_SIZE] = {0};
	enum err rc;

	buf_reset(scratch);
	buf_raw(scratch, head, sizeof(head));
	raftmsg_encode(message, scratch);
	rc = buf_status(scratch, NULL);
	if (rc == OK)
		frame_head(scratch->data, FRAME_RAFT,
		    (uint32_t)(scratch->size - FRAME_HEAD_SIZE));
	return rc;
}

/* What the peer has been sent, so that a push can stand behind it. */
static void
sent_note(struct peer_sent *sent, const struct raft_append_entries *m)
{
	raft_index last = m->prev_log_index + m->n_entries;
	raft_index told = m->leader_commit < last ? m->leader_commit : last;

	if (sent->term != m->term) {
		memset(sent, 0, sizeof(*sent));
		sent->version = m->version;
	}
	if (m->n_entries > 0) {
		sent->term = m->term;
		sent->index = last;
		sent->entry_term = m->entries[m->n_entries - 1].term;
	}
	if (sent->term == m->term && told > sent->told)
		sent->told = told;
}

static enum err
send_encoded(
    struct peer *peer, struct buf *scratch, const struct raft_message *message)
{
	enum err rc;

	rc = encode(scratch, message);
	if (rc != OK)
		return rc;
	if (peer->main.up)
		rc = link_write(&peer->main.link, scratch->data, scratch->size);
	else if (message->type == RAFT_APPEND_ENTRIES ||
	    scratch->size > PEER_WAITING_SIZE)
		return ERR_CLOSED; /* repeated with the next heartbeat */
	else
		waiting_add(peer, scratch);
	return rc;
}

void
peer_send_raft(struct peer *peer, struct buf *scratch, struct raft_io_send *req,
    const struct raft_message *message, raft_io_send_cb cb)
{
	struct raft_message copy = *message;
	struct raft_append_entries *append = &copy.append_entries;
	enum err rc;

	if (message->type == RAFT_INSTALL_SNAPSHOT) {
		rc = peer->bulk.up
		    ? snapshot_out_begin(&peer->snapshot, &peer->bulk.link,
			  uv_now(peer->hub->uv), req, message, cb)
		    : ERR_CLOSED;
		if (rc == OK)
			peer->hub->wake(peer->hub);
		else
			cb(req, RAFT_NOCONNECTION);
		return;
	}
	if (message->type == RAFT_APPEND_ENTRIES) {
		if (!peer->main.up) { /* spare the copy */
			cb(req, RAFT_NOCONNECTION);
			return;
		}
		/* Not all in one message: the first entries. To refuse would
		 * repeat for ever; from their result raft goes on with the
		 * rest. */
		append->n_entries =
		    raftmsg_fitting(append->entries, append->n_entries);
	}
	rc = send_encoded(peer, scratch, &copy);
	if (rc == OK && message->type == RAFT_APPEND_ENTRIES)
		sent_note(&peer->sent, append);
	cb(req, rc == OK ? 0 : RAFT_NOCONNECTION);
}

enum err
peer_send(struct peer *peer, bool bulk, enum frame_type type, const void *data,
    size_t size)
{
	struct dial *dial = bulk ? &peer->bulk : &peer->main;

	if (!dial->up)
		return ERR_CLOSED;
	if (size > FRAME_MAX)
		return ERR_LIMIT;
	return link_send(&dial->link, type, data, size);
}

void
peer_push_commit(
    struct peer *peer, struct buf *scratch, raft_term term, raft_index commit)
{
	struct peer_sent *sent = &peer->sent;
	struct raft_message message;

	/*
	 * libraft takes min(leader_commit, last index of the message) for the
	 * new commit index even where that is below the one it has, so a push
	 * must never stand behind less than it commits.
	 */
	if (!peer->main.up || term == 0 || sent->term != term ||
	    sent->index < commit || sent->told >= commit)
		return;
	memset(&message, 0, sizeof(message));
	message.type = RAFT_APPEND_ENTRIES;
	message.append_entries.version = sent->version;
	message.append_entries.term = term;
	message.append_entries.prev_log_index = sent->index;
	message.append_entries.prev_log_term = sent->entry_term;
	message.append_entries.leader_commit = commit;
	if (send_encoded(peer, scratch, &message) == OK)
		sent->told = commit;
}

bool
peer_pump(struct peer *peer)
{
	return peer->bulk.up && !peer->closing &&
	    snapshot_out_pump(
		&peer->snapshot, &peer->bulk.link, uv_now(peer->hub->uv));
}

void
peer_tick(struct peer *peer)
{
	struct errmsg why;

	if (peer->closing)
		return;
	dial_tick(&peer->main);
	dial_tick(&peer->bulk);
	if (snapshot_out_stuck(&peer->snapshot, uv_now(peer->hub->uv))) {
		link_fail(&peer->bulk.link,
		    err_set(&why, ERR_TIMEOUT,
			"a snapshot does not move for %d ms",
			SNAPSHOT_OUT_STUCK_MS),
		    &why);
	}
}
