#include "server/net/conn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/metrics.h"
#include "server/net/connserver.h"
#include "storage/secret.h"

#define HEAD_S      10 /* for a head, and the least for a body */
#define HANDSHAKE_S 10
#define IDLE_S      120
#define LINGER_S    2
#define BODY_RATE   (64 * 1024) /* bytes that earn a body one more second */
#define BATCH_MAX   16          /* pipelined requests in one turn of the loop */

static struct conn *
conn_of(struct stream *stream)
{
	return CONTAINER_OF(stream, struct conn, stream);
}

static void
set_deadline(struct conn *conn, uint32_t seconds)
{
	wheel_set(&conn->server->wheel, &conn->node,
	    conn_now(conn->server) + seconds);
}

static void
drop_held(struct conn *conn)
{
	struct conn_held *held = conn->held;

	if (held == NULL)
		return;
	if (held->is_ready)
		LIST_REMOVE(held, ready);
	secret_wipe(held->data, held->size);
	free(held);
	conn->held = NULL;
}

static void
drop_request(struct conn *conn)
{
	http_next(&conn->parser);
	free(conn->kept);
	conn->kept = NULL;
}

static void
conn_free(struct conn *conn)
{
	struct conn_server *server = conn->server;

	drop_held(conn);
	drop_request(conn);
	wheel_remove(&conn->node);
	atomic_fetch_sub_explicit(
	    &server->limits->open, 1, memory_order_relaxed);
	metrics_add(METRIC_HTTP_CONNECTIONS, -1);
	server->connections--;
	free(conn);
	conn_server_left(server);
}

/* The client is lost. Who has the request is told; who asked for no word gets
 * to answer into the void first. */
static void
tell_gone(struct conn *conn)
{
	void (*gone)(struct conn *, void *) = conn->gone;

	if (conn->state != CONN_BUSY) {
		conn->state = CONN_CLOSING;
	} else if (gone != NULL) {
		conn->gone = NULL;
		conn->state = CONN_CLOSING;
		gone(conn, conn->gone_arg);
	} else {
		conn->flags |= CONN_LOST;
	}
}

void
conn_drop(struct conn *conn)
{
	if ((conn->flags & CONN_LOST) == 0)
		tell_gone(conn);
	drop_held(conn);
	wheel_set(&conn->server->wheel, &conn->node, WHEEL_NEVER);
	stream_close(&conn->stream);
}

void
conn_finish(struct conn *conn)
{
	assert(conn->state != CONN_BUSY);
	conn->state = CONN_CLOSING;
	conn->left = conn->stream.queued;
	set_deadline(conn, conn->left > 0 ? IDLE_S : LINGER_S);
	drop_held(conn);
	stream_linger(&conn->stream);
}

/* An answer that moves may take its time; one that does not is given up. */
static bool
moves(struct conn *conn)
{
	if (conn->stream.queued >= conn->left)
		return false;
	conn->left = conn->stream.queued;
	set_deadline(conn, conn->left > 0 ? IDLE_S : LINGER_S);
	return true;
}

void
conn_expire(struct conn *conn)
{
	char text[80];

	/* Out of the wheel now; every branch below ends in or sets anew. */
	wheel_set(&conn->server->wheel, &conn->node, WHEEL_NEVER);
	switch ((enum conn_state)conn->state) {
	case CONN_READING:
		(void)snprintf(text, sizeof(text),
		    "request was not whole %d s after its first byte",
		    (int)(conn_now(conn->server) - conn->begun));
		conn_refuse(conn, 408, text, "");
		break;
	case CONN_IDLE:
		conn_finish(conn);
		break;
	case CONN_SENDING:
	case CONN_CLOSING:
		if (!moves(conn))
			conn_drop(conn);
		break;
	case CONN_OPENING:
		conn_drop(conn);
		break;
	case CONN_BUSY:
		break; /* has no deadline */
	}
}

void
conn_settle(struct conn *conn)
{
	if ((conn->flags & CONN_KEEP) == 0 || conn->server->stopping) {
		conn_finish(conn);
		return;
	}
	conn->left = conn->stream.queued;
	conn->state = conn->left > 0 ? CONN_SENDING : CONN_IDLE;
	set_deadline(conn, IDLE_S);
	if (conn->state == CONN_IDLE && conn->held != NULL)
		conn_server_ready(conn->server, conn->held);
}

/* Keep bytes for later. A client that pipelines more than a head's worth is
 * not read from until it is answered. */
static void
hold(struct conn *conn, const uint8_t *data, size_t size)
{
	struct conn_held *old = conn->held;
	size_t before = old != NULL ? old->size : 0;
	bool was_ready = old != NULL && old->is_ready;
	struct conn_held *held;

	if (size == 0)
		return;
	held = malloc(sizeof(*held) + before + size);
	if (held == NULL) {
		conn_drop(conn);
		return;
	}
	held->conn = conn;
	held->is_ready = false;
	held->size = before + size;
	if (before > 0)
		memcpy(held->data, old->data, before);
	memcpy(held->data + before, data, size);
	drop_held(conn);
	conn->held = held;
	if (was_ready)
		conn_server_ready(conn->server, held);
	if (held->size > HTTP_HEAD_MAX)
		stream_pause(&conn->stream);
}

void
conn_answered(struct conn *conn)
{
	if ((conn->flags & CONN_LOST) != 0) {
		conn->flags &= (uint8_t)~CONN_LOST;
		conn->state = CONN_CLOSING;
		if ((conn->flags & CONN_SOCKETLESS) != 0) {
			conn_free(conn);
			return;
		}
	}
	if ((conn->flags & CONN_HANDLING) == 0)
		drop_request(conn);
}

static void
go_continue(struct conn *conn)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct errmsg why;

	if (stream_write(&conn->stream, line, sizeof(line) - 1, NULL, &why) !=
	    OK)
		conn_drop(conn);
}

/* Half a request is here: its deadline counts from its first byte. */
static void
await_rest(struct conn *conn)
{
	uint32_t now = conn_now(conn->server);
	size_t earned = http_held(&conn->parser) / BODY_RATE;

	if (!http_pending(&conn->parser))
		return;
	if (conn->state != CONN_READING) {
		conn->state = CONN_READING;
		conn->begun = now;
	}
	wheel_set(&conn->server->wheel, &conn->node,
	    conn->begun + HEAD_S + (uint32_t)earned);
}

static void
handle(struct conn *conn, const uint8_t *data, size_t size)
{
	struct conn_server *server = conn->server;
	const struct http_request *request = server->request;

	conn->state = CONN_BUSY;
	conn->begun = conn_now_us();
	conn->flags &= (uint8_t) ~(CONN_KEEP | CONN_HTTP10 | CONN_HEAD);
	if (request->keep_alive)
		conn->flags |= CONN_KEEP;
	if (request->is_http10)
		conn->flags |= CONN_HTTP10;
	if (request->method == HTTP_HEAD_)
		conn->flags |= CONN_HEAD;
	wheel_set(&server->wheel, &conn->node, WHEEL_NEVER);
	server->request_data = data;
	server->request_size = size;
	conn->flags |= CONN_HANDLING;
	server->handler(server->arg, conn, request);
	conn->flags &= (uint8_t)~CONN_HANDLING;
	server->request_data = NULL;
	/* Answered, or parked: either way the bytes have been seen. */
	if (conn->state != CONN_BUSY || conn->kept == NULL)
		drop_request(conn);
}

static void
eat(struct conn *conn, const uint8_t *data, size_t size)
{
	struct conn_server *server = conn->server;
	struct errmsg why;
	size_t used;
	int status;

	for (unsigned count = 0; count < BATCH_MAX && size > 0; count++) {
		if (conn->state != CONN_IDLE && conn->state != CONN_READING)
			break;
		switch (http_feed(&conn->parser, data, size,
		    server->limits->body_max, &used, server->request, &status,
		    &why)) {
		case HTTP_MORE:
			await_rest(conn);
			return;
		case HTTP_CONTINUE:
			await_rest(conn);
			go_continue(conn);
			return;
		case HTTP_BAD:
			conn_refuse(conn, status, why.text, "");
			return;
		case HTTP_REQUEST:
			handle(conn, data, used);
			data += used;
			size -= used;
			break;
		}
	}
	if (conn->state == CONN_CLOSING || (conn->flags & CONN_LOST) != 0)
		return;
	hold(conn, data, size);
	if (conn->state == CONN_IDLE && conn->held != NULL)
		conn_server_ready(server, conn->held);
}

void
conn_go_on(struct conn *conn)
{
	struct conn_held *held = conn->held;

	assert(conn->state == CONN_IDLE);
	if (held->is_ready)
		LIST_REMOVE(held, ready);
	conn->held = NULL;
	stream_resume(&conn->stream);
	eat(conn, held->data, held->size);
	secret_wipe(held->data, held->size);
	free(held);
}

enum err
conn_keep_request(struct conn *conn)
{
	struct conn_server *server = conn->server;
	struct http_request *fresh;

	assert((conn->flags & CONN_HANDLING) != 0);
	assert(conn->state == CONN_BUSY);
	if (conn->kept != NULL)
		return OK;
	fresh = malloc(sizeof(*fresh));
	if (fresh == NULL ||
	    http_keep(&conn->parser, server->request_data, server->request_size,
		server->request) != OK) {
		free(fresh);
		return ERR_NOMEM;
	}
	conn->kept = server->request;
	server->request = fresh;
	return OK;
}

static void
on_opened(struct stream *stream)
{
	struct conn *conn = conn_of(stream);

	conn->state = CONN_IDLE;
	if ((conn->flags & CONN_REFUSED) != 0)
		conn_refuse(
		    conn, 503, "too many connections", "Retry-After: 1\r\n");
	else
		set_deadline(conn, IDLE_S);
}

static void
on_data(struct stream *stream, const uint8_t *data, size_t size)
{
	struct conn *conn = conn_of(stream);

	if (conn->state == CONN_CLOSING || (conn->flags & CONN_LOST) != 0)
		return;
	if (conn->held != NULL || conn->state > CONN_READING)
		hold(conn, data, size);
	else
		eat(conn, data, size);
}

static void
on_ended(struct stream *stream)
{
	struct conn *conn = conn_of(stream);

	/* Half a close behind a row of requests: those that are answered at
	 * once are answered. */
	while (conn->state == CONN_IDLE && conn->held != NULL)
		conn_go_on(conn);
	if (conn->state == CONN_SENDING)
		conn_finish(conn);
	else
		conn_drop(conn);
}

static void
on_failed(struct stream *stream, enum err code, const struct errmsg *why)
{
	(void)code;
	(void)why;
	conn_drop(conn_of(stream));
}

static void
on_drained(struct stream *stream)
{
	struct conn *conn = conn_of(stream);

	if (conn->state == CONN_SENDING)
		conn_settle(conn);
}

static void
on_closed(struct stream *stream)
{
	struct conn *conn = conn_of(stream);

	if ((conn->flags & CONN_LOST) != 0)
		conn->flags |= CONN_SOCKETLESS; /* freed by the answer */
	else
		conn_free(conn);
}

static const struct stream_events events = {
    on_opened, on_data, on_ended, on_failed, on_drained, on_closed};

void
conn_open(struct conn_server *server, int fd, bool is_unix, bool is_loopback,
    bool refused, struct tls_context *context)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	struct errmsg why;

	if (conn == NULL) {
		atomic_fetch_sub_explicit(
		    &server->limits->open, 1, memory_order_relaxed);
		(void)close(fd);
		conn_server_left(server);
		return;
	}
	conn->server = server;
	conn->state = context != NULL ? CONN_OPENING : CONN_IDLE;
	if (is_loopback)
		conn->flags |= CONN_LOOPBACK;
	if (refused)
		conn->flags |= CONN_REFUSED;
	server->connections++;
	metrics_add(METRIC_HTTP_CONNECTIONS, 1);
	set_deadline(conn, context != NULL ? HANDSHAKE_S : IDLE_S);
	/* What goes wrong is told by on_failed. */
	if (stream_adopt(&conn->stream, server->shared, &events, fd, is_unix,
		context, UINT32_MAX, &why) != OK)
		conn_free(conn);
	else if (refused && context == NULL)
		on_opened(&conn->stream);
}

void
conn_on_gone(
    struct conn *conn, void (*gone)(struct conn *, void *arg), void *arg)
{
	assert(conn->state == CONN_BUSY);
	conn->gone = gone;
	conn->gone_arg = arg;
}

void
conn_peer_ip(const struct conn *conn, uint8_t ip[static 16])
{
	stream_peer_ip(&conn->stream, ip);
}

void
conn_peer_text(const struct conn *conn, char *out, size_t size)
{
	stream_peer(&conn->stream, out, size);
}

bool
conn_is_loopback(const struct conn *conn)
{
	return (conn->flags & CONN_LOOPBACK) != 0;
}
