#include "server/cluster/transport.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/cluster/hub.h"
#include "server/cluster/peer.h"
#include "server/cluster/reception.h"
#include "server/cluster/seeker.h"
#include "server/log.h"
#include "server/loop.h"
#include "server/net/address.h"

/* Encoding memory kept between messages. */
#define SCRATCH_KEEP_MAX (1u << 20)

struct transport {
	struct loop *loop;
	struct hub hub;
	struct reception reception;
	struct peer *peers;     /* closing ones too, until they are gone */
	struct seeker *seekers; /* the same */
	struct buf scratch;     /* one encoded message */
	uv_timer_t tick;
	uv_idle_t pump; /* runs while a snapshot can go on at once */
	bool stopping;
	void (*closed)(void *arg);
	void *closed_arg;
};

static struct transport *
transport_of(struct hub *hub)
{
	return CONTAINER_OF(hub, struct transport, hub);
}

static struct peer *
peer_find(const struct transport *transport, uint64_t id)
{
	for (struct peer *p = transport->peers; p != NULL; p = p->next) {
		if (p->id == id && !p->closing)
			return p;
	}
	return NULL;
}

static void
on_tick(uv_timer_t *timer)
{
	struct transport *transport = timer->data;

	/* Objects leave their lists only when their handles are gone, never
	 * from inside a callback: the lists are safe to walk. */
	for (struct peer *p = transport->peers; p != NULL; p = p->next)
		peer_tick(p);
	for (struct seeker *s = transport->seekers; s != NULL; s = s->next)
		dial_tick(&s->dial);
	reception_tick(&transport->reception);
	if (transport->scratch.capacity > SCRATCH_KEEP_MAX)
		buf_free(&transport->scratch);
}

static void
on_pump(uv_idle_t *idle)
{
	struct transport *transport = idle->data;
	bool again = false;

	for (struct peer *p = transport->peers; p != NULL; p = p->next)
		again |= peer_pump(p);
	if (!again)
		(void)uv_idle_stop(idle);
}

static void
wake(struct hub *hub)
{
	struct transport *transport = transport_of(hub);

	if (!transport->stopping)
		(void)uv_idle_start(&transport->pump, on_pump);
}

enum err
transport_new(struct loop *loop, const struct transport_tls *tls,
    const struct transport_events *events, void *arg, struct transport **out,
    struct errmsg *why)
{
	struct transport *transport = calloc(1, sizeof(*transport));
	uv_loop_t *uv = loop_uv(loop);
	enum err rc;

	if (transport == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	rc = hub_init(&transport->hub, uv, tls, events, arg, why);
	if (rc != OK) {
		free(transport);
		return rc;
	}
	transport->loop = loop;
	transport->hub.wake = wake;
	transport->scratch = buf_new(FRAME_HEAD_SIZE + FRAME_MAX);
	reception_init(&transport->reception, &transport->hub);
	(void)uv_timer_init(uv, &transport->tick);
	transport->tick.data = transport;
	hub_hold(&transport->hub);
	(void)uv_idle_init(uv, &transport->pump);
	transport->pump.data = transport;
	hub_hold(&transport->hub);
	(void)uv_timer_start(
	    &transport->tick, on_tick, LINK_TICK_MS, LINK_TICK_MS);
	*out = transport;
	return OK;
}

enum err
transport_listen(
    struct transport *transport, const char *address, struct errmsg *why)
{
	assert(loop_here(transport->loop));
	if (transport->stopping)
		return err_set(why, ERR_CLOSED, "stopping");
	return reception_listen(&transport->reception, address, why);
}

uint16_t
transport_port(const struct transport *transport)
{
	return transport->reception.port;
}

/* One spelling for one address, so that texts can be compared. */
static enum err
canonical(const struct transport *transport, const char *text,
    char out[static NODE_ADDRESS_MAX], struct errmsg *why)
{
	char whole[ADDRESS_TEXT_MAX];
	struct address address;
	enum err rc;

	if (transport->stopping)
		return err_set(why, ERR_CLOSED, "stopping");
	rc = address_parse(text, TRANSPORT_PORT, &address, why);
	if (rc != OK)
		return rc;
	if (address.is_unix || address.port == 0) {
		return err_set(why, ERR_INVALID,
		    "server address \"%s\" names no TCP port", text);
	}
	address_text(&address, whole, sizeof(whole));
	if (strlen(whole) >= NODE_ADDRESS_MAX) {
		return err_set(why, ERR_INVALID,
		    "server address has %zu bytes, limit %d", strlen(whole),
		    NODE_ADDRESS_MAX - 1);
	}
	memcpy(out, whole, strlen(whole) + 1);
	return OK;
}

static void
peer_gone(struct peer *peer)
{
	struct transport *transport = transport_of(peer->hub);
	struct peer **at = &transport->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	free(peer);
}

static void
seeker_gone(struct seeker *seeker)
{
	struct transport *transport = seeker->owner;
	struct seeker **at = &transport->seekers;

	while (*at != seeker)
		at = &(*at)->next;
	*at = seeker->next;
	free(seeker);
}

/* The owner may have made the peer in its greeted(): then it has chosen the
 * address. Otherwise the one that answered is as good as any. */
static void
seeker_found(struct seeker *seeker, const struct hello *theirs)
{
	struct transport *transport = seeker->owner;
	struct peer *peer = peer_find(transport, theirs->id);
	struct errmsg why;

	if (transport->stopping)
		return;
	if (peer == NULL) {
		if (transport_peer(
			transport, theirs->id, seeker->address, &why) != OK)
			log_event(LOG_WARN, "rpc",
			    "cannot keep server: address=%s error=%s",
			    seeker->address, why.text);
	} else if (!peer->main.up && peer->main.tries > 0) {
		peer_redirect(peer, seeker->address);
	}
}

static const struct seeker_events seeker_events = {
    .found = seeker_found,
    .closed = seeker_gone,
};

enum err
transport_discover(
    struct transport *transport, const char *address, struct errmsg *why)
{
	char text[NODE_ADDRESS_MAX];
	struct seeker *seeker;
	unsigned count = 0;
	enum err rc;

	assert(loop_here(transport->loop));
	rc = canonical(transport, address, text, why);
	if (rc != OK)
		return rc;
	for (struct peer *p = transport->peers; p != NULL; p = p->next) {
		if (!p->closing && strcmp(p->address, text) == 0)
			return OK;
	}
	for (struct seeker *s = transport->seekers; s != NULL; s = s->next) {
		if (!s->dial.closing && strcmp(s->address, text) == 0)
			return OK;
		count++;
	}
	if (count >= SEEKER_MAX) {
		return err_set(why, ERR_LIMIT,
		    "more than %d addresses to look for servers at",
		    SEEKER_MAX);
	}
	seeker = seeker_new(&transport->hub, &seeker_events, transport, text);
	if (seeker == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	seeker->next = transport->seekers;
	transport->seekers = seeker;
	return OK;
}

enum err
transport_peer(struct transport *transport, uint64_t id, const char *address,
    struct errmsg *why)
{
	char text[NODE_ADDRESS_MAX];
	struct peer *peer;
	unsigned count = 0;
	enum err rc;

	assert(loop_here(transport->loop));
	if (id == 0)
		return err_set(why, ERR_INVALID, "server id 0 is reserved");
	rc = canonical(transport, address, text, why);
	if (rc != OK)
		return rc;
	for (struct seeker *s = transport->seekers; s != NULL; s = s->next) {
		if (strcmp(s->address, text) == 0)
			seeker_close(s);
	}
	peer = peer_find(transport, id);
	if (peer != NULL) {
		peer_redirect(peer, text);
		return OK;
	}
	for (struct peer *p = transport->peers; p != NULL; p = p->next)
		count += !p->closing;
	if (count >= NODE_MEMBERS_MAX) {
		return err_set(why, ERR_LIMIT, "more than %d other servers",
		    NODE_MEMBERS_MAX);
	}
	peer = peer_new(&transport->hub, id, text, peer_gone);
	if (peer == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	peer->next = transport->peers;
	transport->peers = peer;
	return OK;
}

void
transport_drop(struct transport *transport, uint64_t id)
{
	struct peer *peer = peer_find(transport, id);

	assert(loop_here(transport->loop));
	if (peer != NULL)
		peer_close(peer, RAFT_NOCONNECTION);
	reception_drop(&transport->reception, id);
}

static void
on_all_gone(struct hub *hub)
{
	struct transport *transport = transport_of(hub);

	transport->closed(transport->closed_arg);
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct transport *transport = handle->data;

	hub_release(&transport->hub);
}

void
transport_stop(
    struct transport *transport, void (*closed)(void *arg), void *arg)
{
	assert(loop_here(transport->loop));
	assert(!transport->stopping);
	transport->stopping = true;
	transport->closed = closed;
	transport->closed_arg = arg;
	reception_close(&transport->reception);
	for (struct seeker *s = transport->seekers; s != NULL; s = s->next)
		seeker_close(s);
	for (struct peer *p = transport->peers; p != NULL; p = p->next)
		peer_close(p, RAFT_CANCELED);
	uv_close((uv_handle_t *)&transport->tick, on_handle_closed);
	uv_close((uv_handle_t *)&transport->pump, on_handle_closed);
	hub_wait(&transport->hub, on_all_gone); /* the timer is still open */
}

void
transport_free(struct transport *transport)
{
	if (transport == NULL)
		return;
	assert(transport->peers == NULL && transport->seekers == NULL);
	hub_free(&transport->hub);
	buf_free(&transport->scratch);
	free(transport);
}

void
transport_send_raft(struct transport *transport, struct raft_io_send *req,
    const struct raft_message *message, raft_io_send_cb cb)
{
	struct peer *peer = peer_find(transport, message->server_id);

	assert(loop_here(transport->loop));
	if (transport->stopping || peer == NULL) {
		cb(req,
		    transport->stopping ? RAFT_CANCELED : RAFT_NOCONNECTION);
		return;
	}
	peer_send_raft(peer, &transport->scratch, req, message, cb);
}

enum err
transport_send(struct transport *transport, uint64_t id, bool bulk,
    enum frame_type type, const void *data, size_t size)
{
	struct peer *peer = peer_find(transport, id);

	assert(loop_here(transport->loop));
	assert(type > FRAME_SNAPSHOT_DATA && type != FRAME_KEEPALIVE);
	if (peer == NULL)
		return ERR_CLOSED;
	return peer_send(peer, bulk, type, data, size);
}

void
transport_push_commit(
    struct transport *transport, raft_term term, raft_index commit)
{
	assert(loop_here(transport->loop));
	for (struct peer *p = transport->peers; p != NULL; p = p->next) {
		if (!p->closing)
			peer_push_commit(p, &transport->scratch, term, commit);
	}
}

bool
transport_connected(const struct transport *transport, uint64_t id)
{
	const struct peer *peer = peer_find(transport, id);

	return peer != NULL && peer->main.up;
}

bool
transport_mutual(const struct transport *transport, uint64_t id)
{
	const struct peer *peer = peer_find(transport, id);

	return peer != NULL && peer->main.up && peer->bulk.up &&
	    reception_has(&transport->reception, id, false) &&
	    reception_has(&transport->reception, id, true);
}

const char *
transport_address(const struct transport *transport, uint64_t id)
{
	const struct peer *peer = peer_find(transport, id);

	return peer != NULL ? peer->address : "";
}

uint64_t
transport_heard_ms(const struct transport *transport, uint64_t id)
{
	return hub_heard_ms(&transport->hub, id);
}

uint64_t
transport_refused(const struct transport *transport)
{
	return transport->hub.refused;
}

void
transport_set_tls(struct transport *transport, const struct transport_tls *tls)
{
	assert(loop_here(transport->loop));
	hub_set_tls(&transport->hub, tls);
}
