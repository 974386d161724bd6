/*
 * connserver - what connections and their server share; private to conn.c,
 * connreply.c, connserver.c and their test.
 *
 * States of a connection and what may follow:
 *   OPENING  TLS handshake                    -> IDLE, CLOSING
 *   IDLE     between requests, nothing read   -> READING, BUSY, CLOSING
 *   READING  half a request is here           -> BUSY, CLOSING
 *   BUSY     the handler has it (parked, say) -> IDLE, SENDING, CLOSING
 *   SENDING  answered, but not all has left   -> IDLE, CLOSING
 *   CLOSING  the last bytes leave, or none    -> freed
 */
#ifndef SERVER_NET_CONNSERVER_H
#define SERVER_NET_CONNSERVER_H

#include <sys/queue.h>

#include "server/net/conn.h"
#include "server/net/http.h"
#include "server/net/stream.h"
#include "server/net/wheel.h"

enum conn_state {
	CONN_OPENING,
	CONN_IDLE,
	CONN_READING,
	CONN_BUSY,
	CONN_SENDING,
	CONN_CLOSING
};

enum conn_flag {
	CONN_KEEP = 1,        /* keep alive after this answer */
	CONN_HTTP10 = 2,      /* and say so */
	CONN_HEAD = 4,        /* answer without its body */
	CONN_HANDLING = 8,    /* inside the handler's call */
	CONN_LOST = 16,       /* the client went, an answer is still owed */
	CONN_SOCKETLESS = 32, /* and its stream is closed already */
	CONN_REFUSED = 64, /* over the limit: 503 as soon as it can be said */
	CONN_LOOPBACK = 128
};

/* Bytes that came while a request was being answered. */
struct conn_held {
	LIST_ENTRY(conn_held) ready; /* in server->ready, if due */
	struct conn *conn;
	bool is_ready;
	size_t size;
	uint8_t data[];
};

struct conn {
	struct stream stream;
	struct conn_server *server;
	struct wheel_node node;
	struct http_parser_state parser;
	struct conn_held *held;    /* owned, or NULL */
	struct http_request *kept; /* owned, or NULL: conn_keep_request */
	void (*gone)(struct conn *, void *arg);
	void *gone_arg;
	uint32_t begun; /* READING: the second of its first byte; BUSY:
			   microseconds, cut, when the handler got it */
	uint32_t left;  /* of queued bytes, when last looked at */
	uint8_t state;
	uint8_t flags;
};

struct conn_listener;

struct conn_server {
	struct loop *loop;
	uv_loop_t *uv;
	struct conn_limits *limits; /* borrowed */
	conn_handler handler;
	void *arg;
	struct stream_shared *shared;
	struct http_request *request; /* the one being taken apart */
	const uint8_t *request_data;  /* and its bytes, for conn_keep_request */
	size_t request_size;
	struct buf scratch; /* an answer's head */
	struct buf fixed;   /* the configured header lines */
	struct wheel wheel;
	uv_timer_t clock; /* turns the wheel */
	uv_idle_t idle;   /* runs while ready is not empty */
	LIST_HEAD(, conn_held) ready;
	LIST_HEAD(, conn_listener) listeners;
	unsigned connections;
	unsigned handles; /* ours, not yet closed */
	int reserve;      /* descriptor to give up when there are none */
	uint32_t stop_by; /* second at which stopping is enough */
	bool stopping;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* conn.c: a fresh connection on an accepted socket; fd is moved. Counted in
 * limits->open by the caller, given back here. */
void conn_open(struct conn_server *server, int fd, bool is_unix,
    bool is_loopback, bool refused, struct tls_context *context);
/* Close after what is queued, or now. */
void conn_finish(struct conn *conn);
void conn_drop(struct conn *conn);
void conn_expire(struct conn *conn);
/* Its request was answered: let it go, and the connection too if it was lost
 * before; not to be touched any more then. */
void conn_answered(struct conn *conn);
/* Go on with what was held. */
void conn_go_on(struct conn *conn);

/* connreply.c: our own answer, an error; the connection closes behind it. */
void conn_refuse(
    struct conn *conn, int status, const char *text, const char *headers);
/* Where the connection stands after an answer or when bytes have left. */
void conn_settle(struct conn *conn);

/* connserver.c */
/* Seconds of the loop's clock; microseconds, cut to 32 bits. */
uint32_t conn_now(const struct conn_server *server);
uint32_t conn_now_us(void);
/* A connection is being freed. */
void conn_server_left(struct conn_server *server);
void conn_server_ready(struct conn_server *server, struct conn_held *held);

#endif
