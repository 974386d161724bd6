#include "server/net/connserver.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log.h"
#include "server/loop.h"
#include "server/net/head.h"

#define ACCEPT_MAX 64  /* connections taken in one turn of the loop */
#define REFUSE_MAX 256 /* over the limit and still told so */
#define READY_MAX  64  /* connections going on in one turn */
#define CLOCK_MS   1000
#define STOP_S     5
#define HEAD_MAX   (64 * 1024) /* an answer's head */

struct conn_listener {
	LIST_ENTRY(conn_listener) link;
	uv_poll_t poll;
	struct conn_server *server;
	struct tls_context *context; /* counted; NULL = plain */
	int fd;                      /* owned */
	bool is_unix;
};

uint32_t
conn_now(const struct conn_server *server)
{
	return (uint32_t)(uv_now(server->uv) / 1000);
}

uint32_t
conn_now_us(void)
{
	return (uint32_t)(uv_hrtime() / 1000);
}

/* Names and values become ready lines, once. */
static enum err
fix_headers(struct conn_server *server, struct errmsg *why)
{
	const struct conn_limits *limits = server->limits;

	for (unsigned i = 0; i < limits->header_count; i++) {
		const char *name = limits->header_names[i];
		const char *value = limits->header_values[i];
		bool good = name[0] != '\0';

		for (const char *at = name; *at != '\0'; at++)
			good = good && head_is_token((uint8_t)*at);
		for (const char *at = value; *at != '\0'; at++)
			good = good && (uint8_t)*at >= 0x20 && *at != 0x7f;
		if (!good) {
			return err_set(why, ERR_INVALID,
			    "http_config.response_headers: \"%s\" is no "
			    "header, or its value no text",
			    name);
		}
		buf_printf(&server->fixed, "%s: %s\r\n", name, value);
	}
	return buf_status(&server->fixed, why);
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct conn_server *server = handle->data;

	server->handles--;
	conn_server_left(server);
}

void
conn_server_left(struct conn_server *server)
{
	if (server->connections > 0)
		return;
	/* The clock goes with the last connection: it bounds the stop. */
	if (!server->stopping)
		(void)uv_timer_stop(&server->clock);
	else if (!uv_is_closing((uv_handle_t *)&server->clock))
		uv_close((uv_handle_t *)&server->clock, on_handle_closed);
	else if (server->handles == 0)
		server->closed(server->closed_arg);
}

static struct conn *
conn_of_node(struct wheel_node *node)
{
	return CONTAINER_OF(node, struct conn, node);
}

static void
on_expired(struct wheel_node *node, void *arg)
{
	(void)arg;
	conn_expire(conn_of_node(node));
}

static void
drop_one(struct wheel_node *node, void *arg)
{
	(void)arg;
	conn_drop(conn_of_node(node));
}

static void
on_clock(uv_timer_t *clock)
{
	struct conn_server *server = clock->data;

	wheel_turn(&server->wheel, conn_now(server), on_expired, server);
	if (server->stopping && conn_now(server) >= server->stop_by)
		wheel_each(&server->wheel, drop_one, server);
}

/* Connections that held bytes back, a bounded number each turn. */
static void
on_idle(uv_idle_t *idle)
{
	struct conn_server *server = idle->data;

	for (unsigned i = 0; i < READY_MAX; i++) {
		struct conn_held *held = LIST_FIRST(&server->ready);

		if (held == NULL)
			break;
		conn_go_on(held->conn);
	}
	if (LIST_EMPTY(&server->ready))
		(void)uv_idle_stop(idle);
}

void
conn_server_ready(struct conn_server *server, struct conn_held *held)
{
	if (held->is_ready)
		return;
	held->is_ready = true;
	LIST_INSERT_HEAD(&server->ready, held, ready);
	(void)uv_idle_start(&server->idle, on_idle);
}

/* Out of descriptors: with the spare one the waiting client is taken off the
 * queue and let go, or the listener would be reported again and again. false:
 * nobody waits (the kernel looks for a descriptor first). */
static bool
shed(struct conn_server *server, struct conn_listener *listener)
{
	int fd;

	if (server->reserve >= 0)
		(void)close(server->reserve);
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	server->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

static bool
is_loopback(const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;

	if (peer->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	if (peer->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	return true; /* unix */
}

static void
take(struct conn_server *server, struct conn_listener *listener, int fd,
    const struct sockaddr_storage *peer)
{
	unsigned before = atomic_fetch_add_explicit(
	    &server->limits->open, 1, memory_order_relaxed);
	unsigned max = server->limits->max_connections;

	if (before >= max && before - max >= REFUSE_MAX) {
		/* Too many even to be told so. */
		atomic_fetch_sub_explicit(
		    &server->limits->open, 1, memory_order_relaxed);
		(void)close(fd);
		return;
	}
	if (server->connections == 0) {
		wheel_turn(
		    &server->wheel, conn_now(server), on_expired, server);
		(void)uv_timer_start(
		    &server->clock, on_clock, CLOCK_MS, CLOCK_MS);
	}
	conn_open(server, fd, listener->is_unix, is_loopback(peer),
	    before >= max, listener->context);
}

static void
on_acceptable(uv_poll_t *poll, int status, int happened)
{
	struct conn_listener *listener =
	    CONTAINER_OF(poll, struct conn_listener, poll);
	struct conn_server *server = listener->server;
	unsigned dropped = 0;

	(void)status; /* an error shows itself in accept4 */
	(void)happened;
	for (unsigned i = 0; i < ACCEPT_MAX; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t size = sizeof(peer);
		int fd = accept4(listener->fd, (struct sockaddr *)&peer, &size,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take(server, listener, fd, &peer);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		if (errno == EMFILE || errno == ENFILE) {
			if (!shed(server, listener))
				break;
			dropped++;
		}
		/* else it was that client's own trouble (accept(2)) */
	}
	if (dropped > 0) {
		log_event(LOG_WARN, "http",
		    "out of file descriptors: dropped=%u connections=%u",
		    dropped, server->connections);
	}
}

static void
on_listener_closed(uv_handle_t *handle)
{
	struct conn_listener *listener =
	    CONTAINER_OF((uv_poll_t *)handle, struct conn_listener, poll);
	struct conn_server *server = listener->server;

	(void)close(listener->fd);
	tls_context_unref(listener->context);
	free(listener);
	server->handles--;
	conn_server_left(server);
}

enum err
conn_server_listen(struct conn_server *server, int fd,
    struct tls_context *context, struct errmsg *why)
{
	struct conn_listener *listener = calloc(1, sizeof(*listener));
	struct sockaddr_storage own = {0};
	socklen_t size = sizeof(own);
	int rc;

	if (listener == NULL) {
		(void)close(fd);
		return err_set(why, ERR_NOMEM, "out of memory");
	}
	(void)getsockname(fd, (struct sockaddr *)&own, &size);
	rc = uv_poll_init(server->uv, &listener->poll, fd);
	if (rc != 0) {
		(void)close(fd);
		free(listener);
		return err_set(why, ERR_IO, "listen: %s", uv_strerror(rc));
	}
	listener->server = server;
	listener->fd = fd;
	listener->is_unix = own.ss_family == AF_UNIX;
	listener->context = context != NULL ? tls_context_ref(context) : NULL;
	LIST_INSERT_HEAD(&server->listeners, listener, link);
	server->handles++;
	rc = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
	if (rc != 0)
		return err_set(why, ERR_IO, "listen: %s", uv_strerror(rc));
	return OK;
}

void
conn_server_set_tls(struct conn_server *server, struct tls_context *context)
{
	struct conn_listener *listener;

	LIST_FOREACH(listener, &server->listeners, link)
	{
		if (listener->context == NULL)
			continue;
		tls_context_unref(listener->context);
		listener->context = tls_context_ref(context);
	}
}

enum err
conn_server_new(struct loop *loop, struct conn_limits *limits,
    conn_handler handler, void *arg, struct conn_server **out,
    struct errmsg *why)
{
	struct conn_server *server = calloc(1, sizeof(*server));
	enum err rc;

	if (server == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	server->loop = loop;
	server->uv = loop_uv(loop);
	server->limits = limits;
	server->handler = handler;
	server->arg = arg;
	server->scratch = buf_new(HEAD_MAX);
	server->fixed = buf_new(HEAD_MAX / 2);
	server->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	LIST_INIT(&server->ready);
	LIST_INIT(&server->listeners);
	wheel_init(&server->wheel, conn_now(server));
	server->request = malloc(sizeof(*server->request));
	rc = fix_headers(server, why);
	if (rc == OK && server->request == NULL)
		rc = err_set(why, ERR_NOMEM, "out of memory");
	if (rc == OK)
		rc = stream_shared_new(server->uv, &server->shared, why);
	if (rc != OK) {
		conn_server_free(server);
		return rc;
	}
	/* Neither can fail: they only join the loop. */
	(void)uv_timer_init(server->uv, &server->clock);
	(void)uv_idle_init(server->uv, &server->idle);
	server->clock.data = server;
	server->idle.data = server;
	server->handles = 2;
	*out = server;
	return OK;
}

static void
stop_one(struct wheel_node *node, void *arg)
{
	struct conn *conn = conn_of_node(node);

	(void)arg;
	if (conn->state == CONN_OPENING)
		conn_drop(conn);
	else if (conn->state == CONN_IDLE || conn->state == CONN_READING ||
	    conn->state == CONN_SENDING)
		conn_finish(conn);
}

void
conn_server_stop(
    struct conn_server *server, void (*closed)(void *arg), void *arg)
{
	struct conn_listener *listener;

	assert(loop_here(server->loop));
	assert(!server->stopping);
	server->stopping = true;
	server->closed = closed;
	server->closed_arg = arg;
	server->stop_by = conn_now(server) + STOP_S;
	while ((listener = LIST_FIRST(&server->listeners)) != NULL) {
		LIST_REMOVE(listener, link);
		uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
	}
	wheel_each(&server->wheel, stop_one, server);
	uv_close((uv_handle_t *)&server->idle, on_handle_closed);
	conn_server_left(server);
}

void
conn_server_free(struct conn_server *server)
{
	if (server == NULL)
		return;
	if (server->reserve >= 0)
		(void)close(server->reserve);
	stream_shared_free(server->shared);
	buf_free(&server->scratch);
	buf_free(&server->fixed);
	free(server->request);
	free(server);
}
