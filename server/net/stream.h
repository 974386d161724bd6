/*
 * stream - a byte stream over uv_tcp or uv_pipe, with TLS or without.
 *
 * One vtable-free layer for listeners and dialers, HTTP and server RPC: above
 * it nobody knows which it is. Plaintext callbacks only. Reading borrows the
 * loop's one read buffer, so an idle stream holds no buffer. Writes try at
 * once, then queue (bounded by write_max; above it ERR_LIMIT and the owner
 * closes). TCP_NODELAY and keep-alive are set. Loop thread of its owner only.
 *
 * Life: one of the starting calls -> opened -> data ... -> ended or failed ->
 * stream_close -> closed. From any callback the owner may close the stream;
 * after stream_close nothing but closed is called, and that never from inside
 * stream_close. A starting call that answers an error has touched nothing;
 * whatever goes wrong after it answered OK is told by failed, later.
 */
#ifndef SERVER_NET_STREAM_H
#define SERVER_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "server/net/body.h"
#include "server/net/tls.h"
#include "storage/err.h"

#define STREAM_READ_MAX (64 * 1024) /* bytes in one go */

struct stream;
struct stream_shared; /* per loop: read buffer, scratch */

/* One a loop, made before its first stream; freed after its last. */
MUST_CHECK enum err stream_shared_new(
    uv_loop_t *loop, struct stream_shared **out, struct errmsg *why);
void stream_shared_free(struct stream_shared *shared); /* NULL allowed */

struct stream_events {
	/* TCP (and TLS) is up. Not called for accepted plain streams. */
	void (*opened)(struct stream *stream);
	/* Plaintext; borrowed during the call, wiped after it. */
	void (*data)(struct stream *stream, const uint8_t *data, size_t size);
	/* The peer ended its sending side in order (plain half-close or
	 * close_notify). Writing may go on. */
	void (*ended)(struct stream *stream);
	/* Broken (connect, TLS, read, write), at most once: the owner calls
	 * stream_close. */
	void (*failed)(
	    struct stream *stream, enum err code, const struct errmsg *why);
	/* All queued bytes have left. May be NULL. */
	void (*drained)(struct stream *stream);
	/* After stream_close: the handle is gone, memory may be freed. */
	void (*closed)(struct stream *stream);
};

/* Embedded by the owner. Small on purpose: a parked watcher pays for it. */
struct stream {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	struct stream_shared *shared;       /* borrowed */
	const struct stream_events *events; /* borrowed, constant */
	struct tls *tls;                    /* owned, NULL = plain */
	struct stream_write *writes;        /* private: plaintext that waits */
	struct stream_write *last_write;    /* private */
	void *starting;                     /* private */
	uint32_t queued;                    /* bytes not yet sent */
	uint32_t write_max;                 /* limit on queued */
	int16_t error;                      /* private */
	uint8_t state;                      /* private */
	uint8_t flags;                      /* private */
};

/*
 * Accept from a listening uv stream (tcp or pipe), inside its connection
 * callback. context NULL = plain. Reading starts at once.
 */
MUST_CHECK enum err stream_accept(struct stream *stream,
    struct stream_shared *shared, const struct stream_events *events,
    uv_stream_t *listener, struct tls_context *context, uint32_t write_max,
    struct errmsg *why);
/* The same for a connected non-blocking socket, which is moved: whatever the
 * answer, the caller no longer closes it. is_unix: a unix-domain socket. */
MUST_CHECK enum err stream_adopt(struct stream *stream,
    struct stream_shared *shared, const struct stream_events *events, int fd,
    bool is_unix, struct tls_context *context, uint32_t write_max,
    struct errmsg *why);
/*
 * Dial an address (IPv4 or IPv6). Result through opened or failed; no deadline
 * of its own. Writes before opened are queued. ERR_NOMEM, ERR_INVALID (bad
 * server name or address family).
 */
MUST_CHECK enum err stream_connect(struct stream *stream,
    struct stream_shared *shared, const struct stream_events *events,
    const struct sockaddr *address, struct tls_context *context,
    const char *server_name, bool check_name, uint32_t write_max,
    struct errmsg *why);
/*
 * For a port that takes both (contract 5.3): start plain, and before handing
 * on any byte look at the first: 0x16 turns the stream into TLS under context
 * (refused as ERR_PROTOCOL when context is NULL); anything else stays plain,
 * or is refused when plain_allowed is false.
 */
MUST_CHECK enum err stream_accept_either(struct stream *stream,
    struct stream_shared *shared, const struct stream_events *events,
    uv_stream_t *listener, struct tls_context *context, bool plain_allowed,
    uint32_t write_max, struct errmsg *why);

/*
 * Send head (copied if it cannot leave at once) and body (referenced until it
 * has left; NULL allowed; the caller keeps its own reference). ERR_LIMIT: more
 * than write_max would be queued, nothing was sent. ERR_CLOSED (why says what
 * broke), ERR_NOMEM: the stream is dead, failed will not be called, the owner
 * closes.
 */
MUST_CHECK enum err stream_write(struct stream *stream, const void *head,
    size_t head_size, struct body *body, struct errmsg *why);

/* Stop or restart reading: back-pressure. What was read already, at most
 * STREAM_READ_MAX bytes, still arrives. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* Close now: queued bytes are dropped. */
void stream_close(struct stream *stream);
/* Close after what is queued has left. Nothing but closed is called from now
 * on; the owner bounds the wait with stream_close. */
void stream_close_after_writes(struct stream *stream);
/* The same in the gentle way: after the last byte say the end of our sending
 * side, then throw away what still arrives until the peer ends too. Without it
 * the kernel answers unread bytes with a reset, which takes from the peer the
 * answer it has not read yet. The owner bounds the wait with stream_close. */
void stream_linger(struct stream *stream);
bool stream_closing(const struct stream *stream); /* any of the three */
bool stream_is_tls(const struct stream *stream);

/* The peer's address as text "127.0.0.1:4711", "[::1]:4711" or "unix"; and
 * the IP alone as 16 bytes (v4 mapped) for counting; zero for unix. */
void stream_peer(const struct stream *stream, char *text, size_t size);
void stream_peer_ip(const struct stream *stream, uint8_t ip[static 16]);

#endif
