/*
 * conn - one accepted HTTP connection: deadlines, limits, keep-alive,
 * back-pressure; and its server: the listeners of one client loop.
 *
 * Life of a request: bytes -> http -> handler(conn, request) -> conn_reply,
 * at once or later. Between, the connection reads only to notice that the
 * client went away (half a close counts); what it pipelined meanwhile is held
 * and looked at in a later turn of the loop. While a request is parked the head
 * buffer is released, so the handler copies what it needs. A parked connection
 * costs under 1 KiB besides its socket. Deadlines, to the second: head 10 s
 * from its first byte, whatever comes meanwhile, body 1 s more for each 64 KiB
 * (408); idle, or an answer that does not move, 120 s; TLS handshake 10 s.
 * One loop.
 */
#ifndef SERVER_NET_CONN_H
#define SERVER_NET_CONN_H

#include <stdatomic.h>
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

/* Shared by all loops; must live as long as their servers. */
struct conn_limits {
	unsigned max_connections; /* above: 503 with Retry-After */
	size_t body_max;
	const char *const *header_names; /* response headers from config */
	const char *const *header_values;
	unsigned header_count;
	atomic_uint open; /* private: connections of all loops now */
};

/* One per client loop, on that loop's uv (before it starts). ERR_INVALID: a
 * configured response header holds what may not stand in one. */
MUST_CHECK enum err conn_server_new(struct loop *loop,
    struct conn_limits *limits, conn_handler handler, void *arg,
    struct conn_server **out, struct errmsg *why);

/*
 * Serve a socket that is already bound and listening (see conn_bind). Every
 * loop gets its own socket of the same address by SO_REUSEPORT for TCP; a unix
 * socket is given to one loop only. context NULL = plain HTTP. fd is moved,
 * on an error too.
 */
MUST_CHECK enum err conn_server_listen(struct conn_server *server, int fd,
    struct tls_context *context, struct errmsg *why);
/*
 * Bind and listen; *fd is the caller's. Names a busy address: ERR_EXISTS.
 * reuse_port: one of several sockets of this process for the same address; that
 * another process, even of the same user, shares it is refused. unix sockets:
 * an old one nobody answers on is replaced; mode 0600. Main thread, at start.
 */
MUST_CHECK enum err conn_bind(const struct address *address, bool reuse_port,
    int *fd, struct errmsg *why);
/* Loop thread: new connections to the TLS listeners use this context; open
 * ones finish under the old (reload). */
void conn_server_set_tls(
    struct conn_server *server, struct tls_context *context);

/* Loop thread: stop accepting; idle connections close, others after their
 * answer, for which there are 5 s: then they are told gone. closed runs when
 * none is left, never from inside the call. */
void conn_server_stop(
    struct conn_server *server, void (*closed)(void *arg), void *arg);
void conn_server_free(struct conn_server *server); /* after closed */

/* The answer. headers: ready lines "Name: value\r\n" (may be ""), copied.
 * body may be NULL; one reference is taken over from the caller. */
void conn_reply(struct conn *conn, int status, const char *content_type,
    const char *headers, size_t headers_size, struct body *body);

/* Inside the handler: keep the request good until the reply (costs its bytes
 * and 3 KiB). Slices taken from it before do not move along. ERR_NOMEM. */
MUST_CHECK enum err conn_keep_request(struct conn *conn);
/* What to run if the client goes away, or the server stops, before the reply;
 * conn_reply must then not be called, and conn is not to be touched any more.
 * Cleared by conn_reply. Without it the answer is awaited and dropped. */
void conn_on_gone(
    struct conn *conn, void (*gone)(struct conn *, void *arg), void *arg);
void conn_peer_ip(const struct conn *conn, uint8_t ip[static 16]);
void conn_peer_text(const struct conn *conn, char *out, size_t size);
bool conn_is_loopback(const struct conn *conn); /* unix sockets too */

#endif
