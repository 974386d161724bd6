#include "server/cluster/inbound.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "server/cluster/hub.h"
#include "server/cluster/raftmsg.h"
#include "server/log.h"
#include "server/net/tls.h"
#include "storage/buf.h"

static struct inbound *
inbound_of(struct link *link)
{
	return CONTAINER_OF(link, struct inbound, link);
}

/* Words for the dialer, and the same ones here. */
static void
refuse(struct inbound *inbound, enum err code, const struct errmsg *why)
{
	log_event(LOG_WARN, "rpc",
	    "refused server connection: from=%s error=%s", inbound->from,
	    why->text);
	inbound->hub->refused++;
	/* One that does not even begin as a server gets no answer. */
	if (code != ERR_PROTOCOL && code != ERR_CORRUPT &&
	    link_send(&inbound->link, FRAME_REFUSE, why->text,
		strlen(why->text)) == OK)
		link_close_after_writes(&inbound->link);
	else
		link_close(&inbound->link);
	inbound->ticks = 0;
}

/* Contract 5.3: server-only streams need a server's certificate. */
static enum err
check_name(const struct inbound *inbound, struct errmsg *why)
{
	const struct transport_tls *tls = &inbound->hub->tls;

	if (tls->name == NULL || tls->plain_allowed)
		return OK;
	if (inbound->link.stream.tls != NULL &&
	    tls_peer_has_name(inbound->link.stream.tls, tls->name))
		return OK;
	return err_set(why, ERR_DENIED,
	    "AuthorizeServerConn failed certificate validation for certificate "
	    "with a SAN.DNSName of %s: the peer's certificate does not carry "
	    "it",
	    tls->name);
}

static enum err
send_welcome(struct inbound *inbound, const struct hello *ours)
{
	struct buf out = buf_new(HELLO_SIZE_MAX);
	enum err rc;

	hello_encode(ours, &out);
	rc = buf_status(&out, NULL);
	if (rc == OK)
		rc = link_send(
		    &inbound->link, FRAME_WELCOME, out.data, out.size);
	buf_free(&out);
	return rc;
}

static void
on_hello(struct inbound *inbound, const struct frame *frame)
{
	struct hub *hub = inbound->hub;
	struct hello ours, theirs;
	struct errmsg why;
	enum err rc;

	rc = hello_decode(frame->data, frame->size, &theirs, &why);
	if (rc == OK)
		rc = check_name(inbound, &why);
	if (rc == OK) {
		memset(&ours, 0, sizeof(ours));
		hub->events.introduce(hub->arg, theirs.id, &ours);
		ours.bulk = theirs.bulk;
		rc = hub_greet(hub, &ours, &theirs, &why);
	}
	if (inbound->link.closing)
		return; /* the owner has dropped it meanwhile */
	if (rc == ERR_EXISTS) {
		/* Ourselves: the dialing side sees it by our hello. */
		if (send_welcome(inbound, &ours) == OK)
			link_close_after_writes(&inbound->link);
		else
			link_close(&inbound->link);
		return;
	}
	if (rc != OK) {
		refuse(inbound, rc, &why);
		return;
	}
	inbound->greeted = true;
	inbound->id = theirs.id;
	inbound->instance = theirs.instance;
	inbound->bulk = theirs.bulk;
	memcpy(inbound->address, theirs.address, sizeof(inbound->address));
	inbound->link.reader.max = FRAME_MAX;
	hub_heard(hub, inbound->id);
	if (send_welcome(inbound, &ours) != OK)
		inbound_close(inbound, "cannot send the welcome");
	else
		inbound->events->greeted(inbound);
}

/* libraft takes what it is to own from the message. */
static void
deliver(struct inbound *inbound, struct raft_message *message)
{
	struct hub *hub = inbound->hub;

	message->server_id = inbound->id;
	message->server_address = inbound->address;
	hub->events.message(hub->arg, message);
}

static enum err
on_raft(struct inbound *inbound, const struct frame *frame, struct errmsg *why)
{
	struct raft_message message;
	enum err rc;

	rc = raftmsg_decode(frame->data, frame->size, &message, why);
	if (rc != OK)
		return rc;
	if (message.type == RAFT_INSTALL_SNAPSHOT) {
		raftmsg_free(&message);
		return err_set(why, ERR_PROTOCOL,
		    "a snapshot came as a plain raft message");
	}
	if (message.type == RAFT_REQUEST_VOTE &&
	    message.request_vote.candidate_id != inbound->id) {
		return err_set(why, ERR_PROTOCOL,
		    "server %" PRIu64 " asks for a vote for %llu", inbound->id,
		    (unsigned long long)message.request_vote.candidate_id);
	}
	deliver(inbound, &message);
	return OK;
}

static enum err
on_piece(struct inbound *inbound, const struct frame *frame, struct errmsg *why)
{
	struct raft_message message;
	bool done;
	enum err rc;

	rc = snapshot_in_add(
	    &inbound->snapshot, frame->data, frame->size, &done, &message, why);
	if (rc == OK && done)
		deliver(inbound, &message);
	return rc;
}

static void
on_frame(struct link *link, const struct frame *frame)
{
	struct inbound *inbound = inbound_of(link);
	struct hub *hub = inbound->hub;
	struct errmsg why;
	enum err rc = OK;

	if (!inbound->greeted) {
		if (frame->type == FRAME_HELLO)
			on_hello(inbound, frame);
		else
			link_fail(link,
			    err_set(&why, ERR_PROTOCOL,
				"frame of type %u before the hello",
				(unsigned)frame->type),
			    &why);
		return;
	}
	hub_heard(hub, inbound->id);
	if (frame->type == FRAME_KEEPALIVE)
		return;
	if (!inbound->proven) {
		inbound->proven = true;
		inbound->events->proven(inbound);
	}
	if (frame->type == FRAME_RAFT)
		rc = on_raft(inbound, frame, &why);
	else if (frame->type == FRAME_SNAPSHOT_BEGIN)
		rc = snapshot_in_begin(
		    &inbound->snapshot, frame->data, frame->size, &why);
	else if (frame->type == FRAME_SNAPSHOT_DATA)
		rc = on_piece(inbound, frame, &why);
	else if (frame->type <= FRAME_REFUSE)
		rc = err_set(&why, ERR_PROTOCOL, "a second hello");
	else
		hub->events.frame(hub->arg, inbound->id, frame);
	if (rc != OK)
		link_fail(link, rc, &why);
}

static void
on_failed(struct link *link, enum err code, const struct errmsg *why)
{
	struct inbound *inbound = inbound_of(link);
	bool orderly = code == ERR_CLOSED; /* port probes too */

	if (!inbound->greeted)
		inbound->hub->refused++;
	log_event(orderly ? LOG_DEBUG : LOG_WARN, "rpc",
	    "server connection closed: from=%s peer=%" PRIu64 " error=%s",
	    inbound->from, inbound->id, why->text);
}

static void
on_closed(struct link *link)
{
	struct inbound *inbound = inbound_of(link);
	struct hub *hub = inbound->hub;

	snapshot_in_discard(&inbound->snapshot);
	inbound->events->closed(inbound); /* it is gone */
	hub_release(hub);
}

static const struct link_events link_events = {
    .opened = NULL,
    .frame = on_frame,
    .failed = on_failed,
    .drained = NULL,
    .closed = on_closed,
};

enum err
inbound_new(struct hub *hub, const struct inbound_events *events, void *owner,
    uv_stream_t *listener, struct inbound **out, struct errmsg *why)
{
	struct inbound *inbound = calloc(1, sizeof(*inbound));
	enum err rc;

	if (inbound == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	inbound->hub = hub;
	inbound->events = events;
	inbound->owner = owner;
	rc = link_accept(&inbound->link, hub, &link_events, listener, why);
	if (rc != OK) {
		free(inbound);
		return rc;
	}
	inbound->link.reader.max = HELLO_SIZE_MAX;
	stream_peer(
	    &inbound->link.stream, inbound->from, sizeof(inbound->from));
	hub_hold(hub);
	*out = inbound;
	return OK;
}

void
inbound_tick(struct inbound *inbound)
{
	struct errmsg why;

	if (inbound->link.closing) {
		/* Words that do not leave are not worth waiting for. */
		if (++inbound->ticks >= LINK_DEAD_TICKS)
			link_close(&inbound->link);
	} else if (inbound->greeted) {
		link_tick(&inbound->link);
	} else if (++inbound->ticks >= INBOUND_HELLO_TICKS) {
		link_fail(&inbound->link,
		    err_set(&why, ERR_TIMEOUT, "no hello within %d ms",
			INBOUND_HELLO_TICKS * LINK_TICK_MS),
		    &why);
	}
}

void
inbound_close(struct inbound *inbound, const char *why)
{
	if (why != NULL && !inbound->link.closing) {
		log_event(LOG_DEBUG, "rpc",
		    "closing server connection: from=%s peer=%" PRIu64
		    " reason=%s",
		    inbound->from, inbound->id, why);
	}
	link_close(&inbound->link);
}
