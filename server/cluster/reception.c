#include "server/cluster/reception.h"

#include <stdlib.h>
#include <string.h>

#include "server/cluster/inbound.h"
#include "server/log.h"
#include "server/net/address.h"

#define BACKLOG 128

static void
on_greeted(struct inbound *inbound)
{
	struct reception *reception = inbound->owner;

	for (struct inbound *i = reception->list; i != NULL; i = i->next) {
		if (i != inbound && i->greeted && i->id == inbound->id &&
		    i->instance != inbound->instance)
			inbound_close(i, "the server has been restarted");
	}
}

static void
on_proven(struct inbound *inbound)
{
	struct reception *reception = inbound->owner;

	/* Not at the hello already: one that only looks who lives here (see
	 * transport_discover) must not push a working one aside. */
	for (struct inbound *i = reception->list; i != NULL; i = i->next) {
		if (i != inbound && i->greeted && i->id == inbound->id &&
		    i->bulk == inbound->bulk)
			inbound_close(i, "replaced by a newer connection");
	}
}

bool
reception_has(const struct reception *reception, uint64_t id, bool bulk)
{
	const struct inbound *i = reception->list;

	while (i != NULL &&
	    (!i->greeted || i->link.closing || i->id != id || i->bulk != bulk))
		i = i->next;
	return i != NULL;
}

static void
on_closed(struct inbound *inbound)
{
	struct reception *reception = inbound->owner;
	const struct hub *hub = reception->hub;
	struct inbound **at = &reception->list;
	bool last;

	while (*at != inbound)
		at = &(*at)->next;
	*at = inbound->next;
	last = inbound->greeted && reception->listening &&
	    !reception_has(reception, inbound->id, inbound->bulk);
	if (last && hub->events.deaf != NULL)
		hub->events.deaf(hub->arg, inbound->id);
	free(inbound);
}

static const struct inbound_events inbound_events = {
    .greeted = on_greeted,
    .proven = on_proven,
    .closed = on_closed,
};

static void
reception_accept(struct reception *reception)
{
	struct inbound *inbound;
	struct errmsg why;
	unsigned waiting = 0, open = 0;
	enum err rc;

	for (struct inbound *i = reception->list; i != NULL; i = i->next) {
		open++;
		waiting += !i->greeted;
	}
	rc = inbound_new(reception->hub, &inbound_events, reception,
	    (uv_stream_t *)&reception->listener, &inbound, &why);
	reception->starved = rc == ERR_NOMEM;
	if (rc != OK) {
		log_event(LOG_WARN, "rpc",
		    "cannot accept a server connection: error=%s", why.text);
		return;
	}
	inbound->next = reception->list;
	reception->list = inbound;
	if (waiting < RECEPTION_WAITING_MAX && open < RECEPTION_OPEN_MAX)
		return;
	reception->hub->refused++;
	log_event(LOG_WARN, "rpc",
	    "too many server connections: waiting=%u open=%u from=%s", waiting,
	    open, inbound->from);
	inbound_close(inbound, NULL);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct reception *reception = listener->data;

	if (status != 0) {
		log_event(LOG_WARN, "rpc",
		    "cannot accept a server connection: error=%s",
		    uv_strerror(status));
		return;
	}
	if (reception->listening)
		reception_accept(reception);
}

static void
on_listener_closed(uv_handle_t *handle)
{
	struct reception *reception = handle->data;

	reception->busy = false;
	hub_release(reception->hub);
}

void
reception_init(struct reception *reception, struct hub *hub)
{
	memset(reception, 0, sizeof(*reception));
	reception->hub = hub;
}

static uint16_t
bound_port(const uv_tcp_t *listener)
{
	struct sockaddr_storage sa;
	int size = sizeof(sa);

	memset(&sa, 0, sizeof(sa));
	if (uv_tcp_getsockname(listener, (struct sockaddr *)&sa, &size) != 0)
		return 0;
	if (sa.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
	return ntohs(((struct sockaddr_in *)&sa)->sin_port);
}

enum err
reception_listen(
    struct reception *reception, const char *address, struct errmsg *why)
{
	struct sockaddr_storage sa;
	struct address parsed;
	enum err rc;
	int rv;

	if (reception->busy)
		return err_set(why, ERR_BADSTATE, "already listening");
	rc = address_parse(address, 0, &parsed, why);
	if (rc == OK)
		rc = address_sockaddr(&parsed, &sa, why);
	if (rc != OK)
		return rc;
	rv = uv_tcp_init(reception->hub->uv, &reception->listener);
	if (rv != 0) {
		return err_set(why, ERR_IO, "cannot listen on %s: %s", address,
		    uv_strerror(rv));
	}
	hub_hold(reception->hub);
	reception->busy = true;
	reception->listener.data = reception;
	rv = uv_tcp_bind(&reception->listener, (const struct sockaddr *)&sa, 0);
	if (rv == 0)
		rv = uv_listen((uv_stream_t *)&reception->listener, BACKLOG,
		    on_connection);
	if (rv != 0) {
		uv_close(
		    (uv_handle_t *)&reception->listener, on_listener_closed);
		if (rv == UV_EADDRINUSE) {
			return err_set(why, ERR_EXISTS,
			    "address %s is in use by another process", address);
		}
		return err_set(why, ERR_IO, "cannot listen on %s: %s", address,
		    uv_strerror(rv));
	}
	reception->listening = true;
	reception->port = bound_port(&reception->listener);
	return OK;
}

void
reception_drop(struct reception *reception, uint64_t id)
{
	for (struct inbound *i = reception->list; i != NULL; i = i->next) {
		if (i->greeted && i->id == id)
			inbound_close(i, "the server is dropped");
	}
}

void
reception_tick(struct reception *reception)
{
	for (struct inbound *i = reception->list; i != NULL; i = i->next)
		inbound_tick(i);
	/* libuv says nothing more of a connection it could not give away. */
	if (reception->starved && reception->listening)
		reception_accept(reception);
}

void
reception_close(struct reception *reception)
{
	for (struct inbound *i = reception->list; i != NULL; i = i->next)
		inbound_close(i, NULL);
	if (!reception->listening)
		return;
	reception->listening = false;
	reception->port = 0;
	uv_close((uv_handle_t *)&reception->listener, on_listener_closed);
}
