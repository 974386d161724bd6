/*
 * conn - one accepted HTTP connection: deadlines, limits, keep-alive,
 * back-pressure; and its server: the listeners of one client loop.
 *
 * Life of a request: bytes -> http -> handler(conn, request) -> conn_reply,
 * at once or later. Between, the connection reads only to notice that the
 * client went away. While a request is parked the head buffer is released, so
 * the handler copies what it needs. A parked connection costs under 1 KiB
 * besides its socket. Deadlines: head 10 s (408), idle 120 s, TLS handshake
 * 10 s. One loop.
 */
#ifndef SERVER_NET_CONN_H
#define SERVER_NET_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/net/address.h"
#include "server/net/body.h"
#include "server/net/http.h"
#include "server/net/tls.h"
#include "storage/err.h"

struct conn;
struct conn_server;
struct loop;

/* A whole request. The handler calls conn_reply exactly once for it, inside
 * the call or later on the same loop. request is good until the handler
 * returns, or until conn_keep_request(conn) was called, until the reply. */
typedef void (*conn_handler)(
    void *arg, struct conn *conn, const struct http_request *request);

/* Shared by all loops; connection counts are atomics. */
struct conn_limits {
	unsigned max_connections;
	size_t body_max;
	const char *const *header_names; /* response headers from config */
	const char *const *header_values;
	unsigned header_count;
};

/* One per client loop, on that loop's uv (before it starts). */
MUST_CHECK enum err conn_server_new(struct loop *loop,
    const struct conn_limits *limits, conn_handler handler, void *arg,
    struct conn_server **out, struct errmsg *why);

/*
 * Serve a socket that is already bound and listening (see conn_bind). Every
 * loop gets its own socket of the same address by SO_REUSEPORT for TCP; a unix
 * socket is given to one loop only. context NULL = plain HTTP. fd is moved.
 */
MUST_CHECK enum err conn_server_listen(struct conn_server *server, int fd,
    struct tls_context *context, struct errmsg *why);
/* Bind and listen; *fd is the caller's. Names a busy address: ERR_EXISTS.
 * unix sockets: an old one nobody answers on is replaced; mode 0600. */
MUST_CHECK enum err conn_bind(const struct address *address, bool reuse_port,
    int *fd, struct errmsg *why);
/* Loop thread: new connections use this context; open ones finish under the
 * old (reload). */
void conn_server_set_tls(
    struct conn_server *server, struct tls_context *context);

/* Loop thread: stop accepting; idle connections close, others after their
 * answer. closed runs when none is left. */
void conn_server_stop(
    struct conn_server *server, void (*closed)(void *arg), void *arg);
void conn_server_free(struct conn_server *server); /* after closed */

/* The answer. headers: ready lines "Name: value\r\n" (may be ""), copied.
 * body may be NULL; one reference is taken over from the caller. */
void conn_reply(struct conn *conn, int status, const char *content_type,
    const char *headers, size_t headers_size, struct body *body);

/* Keep the request's slices good until the reply (costs its buffer). */
void conn_keep_request(struct conn *conn);
/* What to run if the client goes away, or the server stops, before the reply;
 * conn_reply must then not be called. Cleared by conn_reply. */
void conn_on_gone(
    struct conn *conn, void (*gone)(struct conn *, void *arg), void *arg);
void conn_peer_ip(const struct conn *conn, uint8_t ip[static 16]);
void conn_peer_text(const struct conn *conn, char *out, size_t size);
bool conn_is_loopback(const struct conn *conn); /* unix sockets too */

#endif
