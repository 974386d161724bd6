#include "server/cluster/dial.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "server/cluster/hub.h"
#include "server/log.h"
#include "server/net/address.h"
#include "storage/buf.h"

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 1000

static void dial_try(struct dial *dial);
static const struct link_events link_events;

static struct dial *
dial_of(struct link *link)
{
	return CONTAINER_OF(link, struct dial, link);
}

/* All handles gone: tell the owner, once. */
static void
finish(struct dial *dial)
{
	if (dial->closing && !dial->timer_open && !dial->resolving &&
	    !dial->link.live)
		dial->events->closed(dial);
}

static void
on_timer(uv_timer_t *timer)
{
	dial_try(timer->data);
}

static void
retry_later(struct dial *dial)
{
	uint64_t ms = RETRY_MIN_MS;

	for (unsigned i = 0; i < dial->tries && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	dial->tries++;
	(void)uv_timer_start(
	    &dial->timer, on_timer, hub_jitter(dial->hub, ms), 0);
}

/* The first failure of a series is a warning, the rest are noise. */
static void
log_failure(struct dial *dial, const struct errmsg *why)
{
	log_event(dial->said ? LOG_DEBUG : LOG_WARN, "rpc",
	    "%s server: address=%s bulk=%d error=%s",
	    dial->up ? "lost connection to" : "cannot connect to",
	    dial->address, dial->bulk, why->text);
	dial->said = true;
}

static void
forget_addresses(struct dial *dial)
{
	uv_freeaddrinfo(dial->found);
	dial->found = dial->next = NULL;
}

static enum err
connect_to(struct dial *dial, const struct sockaddr *sa, struct errmsg *why)
{
	dial->greeting = false;
	dial->ticks = 0;
	return link_connect(&dial->link, dial->hub, &link_events, sa, why);
}

/* Try what the resolver found, one after the other; then wait. */
static void
connect_next(struct dial *dial)
{
	struct errmsg why;
	enum err rc;

	while (dial->next != NULL) {
		struct addrinfo *info = dial->next;

		dial->next = info->ai_next;
		if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
			continue;
		rc = connect_to(dial, info->ai_addr, &why);
		if (rc == OK)
			return;
		log_failure(dial, &why);
	}
	forget_addresses(dial);
	retry_later(dial);
}

static void
on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *found)
{
	struct dial *dial = CONTAINER_OF(resolver, struct dial, resolver);
	struct errmsg why;

	dial->resolving = false;
	if (dial->closing) {
		uv_freeaddrinfo(found);
		finish(dial);
		return;
	}
	if (dial->stale) {
		dial->stale = false;
		uv_freeaddrinfo(found);
		dial_try(dial);
		return;
	}
	if (status != 0) {
		(void)err_set(
		    &why, ERR_IO, "cannot resolve: %s", uv_strerror(status));
		log_failure(dial, &why);
	}
	dial->found = dial->next = found;
	connect_next(dial);
}

static enum err
resolve(struct dial *dial, const struct address *address, struct errmsg *why)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	char port[8];
	int rv;

	(void)snprintf(port, sizeof(port), "%u", address->port);
	rv = uv_getaddrinfo(dial->hub->uv, &dial->resolver, on_resolved,
	    address->host, port, &hints);
	if (rv != 0) {
		return err_set(
		    why, ERR_IO, "cannot resolve: %s", uv_strerror(rv));
	}
	dial->resolving = true;
	return OK;
}

static void
dial_try(struct dial *dial)
{
	struct sockaddr_storage sa;
	struct address address;
	struct errmsg why;
	enum err rc;

	assert(!dial->link.live && !dial->resolving && !dial->closing);
	rc = address_parse(dial->address, TRANSPORT_PORT, &address, &why);
	if (rc == OK && !address.is_ip) {
		rc = resolve(dial, &address, &why);
	} else if (rc == OK) {
		rc = address_sockaddr(&address, &sa, &why);
		if (rc == OK)
			rc = connect_to(
			    dial, (const struct sockaddr *)&sa, &why);
	}
	if (rc != OK) {
		log_failure(dial, &why);
		retry_later(dial);
	}
}

static void
on_opened(struct link *link)
{
	struct dial *dial = dial_of(link);
	struct buf out = buf_new(HELLO_SIZE_MAX);
	struct hello ours;
	struct errmsg why;
	enum err rc;

	memset(&ours, 0, sizeof(ours));
	dial->hub->events.introduce(dial->hub->arg, dial->id, &ours);
	if (link->closing)
		return;
	ours.bulk = dial->bulk;
	hello_encode(&ours, &out);
	rc = buf_status(&out, &why);
	if (rc == OK) {
		link->reader.max = HELLO_SIZE_MAX;
		dial->greeting = true;
		rc = link_send(link, FRAME_HELLO, out.data, out.size);
		if (rc != OK)
			(void)err_set(&why, rc, "cannot send the hello");
	}
	buf_free(&out);
	if (rc != OK)
		link_fail(link, rc, &why);
}

/* The acceptor's hello: judge it as it judged ours. */
static void
welcome(struct dial *dial, const struct frame *frame)
{
	struct hub *hub = dial->hub;
	struct hello ours, theirs;
	struct errmsg why;
	enum err rc;

	rc = hello_decode(frame->data, frame->size, &theirs, &why);
	if (rc == OK && dial->id != 0 && theirs.id != dial->id) {
		rc = err_set(&why, ERR_DENIED,
		    "another server answers at this address: \"%s\"",
		    theirs.name);
	}
	if (rc == OK) {
		memset(&ours, 0, sizeof(ours));
		hub->events.introduce(hub->arg, theirs.id, &ours);
		rc = hub_greet(hub, &ours, &theirs, &why);
	}
	if (dial->link.closing)
		return; /* the owner has dropped it meanwhile */
	if (rc == ERR_EXISTS && dial->id == 0) {
		log_event(LOG_DEBUG, "rpc",
		    "own address among those to join: address=%s",
		    dial->address);
		dial_close(dial);
		return;
	}
	if (rc != OK) {
		link_fail(&dial->link, rc, &why);
		return;
	}
	dial->up = true;
	dial->said = false;
	dial->tries = 0;
	dial->link.reader.max = FRAME_MAX;
	forget_addresses(dial); /* resolved anew when this one is lost */
	hub_heard(hub, theirs.id);
	dial->events->up(dial, &theirs);
}

static void
refused(struct dial *dial, const struct frame *frame)
{
	struct errmsg why;
	size_t size = frame->size < 256 ? frame->size : 256;

	(void)err_set(&why, ERR_DENIED, "refused by the peer: %.*s", (int)size,
	    (const char *)frame->data);
	dial->said = false; /* an operator has to see each of these */
	link_fail(&dial->link, ERR_DENIED, &why);
}

static void
on_frame(struct link *link, const struct frame *frame)
{
	struct dial *dial = dial_of(link);
	struct errmsg why;

	if (frame->type == FRAME_KEEPALIVE && dial->up)
		hub_heard(dial->hub, dial->id);
	else if (frame->type == FRAME_WELCOME && dial->greeting && !dial->up)
		welcome(dial, frame);
	else if (frame->type == FRAME_REFUSE && dial->greeting && !dial->up)
		refused(dial, frame);
	else
		link_fail(link,
		    err_set(&why, ERR_PROTOCOL,
			"frame of type %u on a dialed connection",
			(unsigned)frame->type),
		    &why);
}

static void
on_failed(struct link *link, enum err code, const struct errmsg *why)
{
	struct dial *dial = dial_of(link);

	(void)code;
	log_failure(dial, why);
	if (dial->up) {
		dial->up = false;
		dial->events->down(dial);
	}
}

static void
on_drained(struct link *link)
{
	struct dial *dial = dial_of(link);

	if (dial->up && dial->events->drained != NULL)
		dial->events->drained(dial);
}

static void
on_link_closed(struct link *link)
{
	struct dial *dial = dial_of(link);

	if (dial->closing)
		finish(dial);
	else
		connect_next(dial);
}

static const struct link_events link_events = {
    .opened = on_opened,
    .frame = on_frame,
    .failed = on_failed,
    .drained = on_drained,
    .closed = on_link_closed,
};

void
dial_open(struct dial *dial, struct hub *hub, const struct dial_events *events,
    uint64_t id, bool bulk, const char *address)
{
	memset(dial, 0, sizeof(*dial));
	dial->hub = hub;
	dial->events = events;
	dial->id = id;
	dial->bulk = bulk;
	(void)snprintf(dial->address, sizeof(dial->address), "%s", address);
	(void)uv_timer_init(hub->uv, &dial->timer);
	dial->timer.data = dial;
	dial->timer_open = true;
	/* From the loop: the owner is still setting itself up. */
	(void)uv_timer_start(&dial->timer, on_timer, 0, 0);
}

void
dial_redirect(struct dial *dial, const char *address)
{
	bool was_up = dial->up;

	if (dial->closing)
		return;
	(void)snprintf(dial->address, sizeof(dial->address), "%s", address);
	dial->tries = 0;
	dial->said = false;
	dial->up = false;
	dial->next = NULL;
	if (dial->link.live) {
		link_close(&dial->link); /* retried once it is gone */
	} else if (dial->resolving) {
		dial->stale = true; /* it resolves the old name */
	} else {
		(void)uv_timer_start(&dial->timer, on_timer, 0, 0);
	}
	if (was_up)
		dial->events->down(dial);
}

void
dial_hurry(struct dial *dial)
{
	if (dial->closing || dial->link.live || dial->resolving)
		return;
	dial->tries = 0;
	(void)uv_timer_start(&dial->timer, on_timer, 0, 0);
}

void
dial_tick(struct dial *dial)
{
	struct errmsg why;

	if (dial->up) {
		link_tick(&dial->link);
	} else if (dial->link.live && ++dial->ticks >= LINK_DEAD_TICKS) {
		link_fail(&dial->link,
		    err_set(&why, ERR_TIMEOUT, "no answer within %d ms",
			LINK_DEAD_TICKS * LINK_TICK_MS),
		    &why);
	}
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct dial *dial = handle->data;

	dial->timer_open = false;
	finish(dial);
}

void
dial_close(struct dial *dial)
{
	if (dial->closing)
		return;
	dial->closing = true;
	dial->up = false;
	forget_addresses(dial);
	link_close(&dial->link);
	if (dial->resolving) /* may be running already: then it ends itself */
		(void)uv_cancel((uv_req_t *)&dial->resolver);
	uv_close((uv_handle_t *)&dial->timer, on_timer_closed);
}
