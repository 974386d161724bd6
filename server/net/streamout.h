/*
 * streamout - the sending half of a stream; private to stream.c and itself.
 *
 * A plain stream gives what the socket does not take to libuv, which keeps the
 * order. A TLS stream encrypts only as fast as the socket takes: what waits,
 * waits as plaintext (a copied head, a counted body), and at most one record
 * of ciphertext is under way. Before a stream is open everything waits.
 */
#ifndef SERVER_NET_STREAMOUT_H
#define SERVER_NET_STREAMOUT_H

#include "server/net/stream.h"

#define STREAM_RECORD_MAX (16 * 1024) /* plaintext bytes in a TLS record */
#define STREAM_CIPHER_MAX (512 * 1024)

enum stream_state {
	STREAM_DIALLING,
	STREAM_PEEKING,   /* the first byte is awaited */
	STREAM_HANDSHAKE, /* TLS handshake */
	STREAM_OPEN,
	STREAM_BROKEN,   /* the owner was told */
	STREAM_ABORTING, /* could not start: the handle is on its way out */
	STREAM_ABORTED,  /* could not start: told, without a handle */
	STREAM_CLOSED    /* stream_close was called */
};

enum stream_flag {
	STREAM_PAUSED = 1,
	STREAM_ENDED = 2,     /* the peer sends no more */
	STREAM_FINISHING = 4, /* close when all has left */
	STREAM_LINGERS = 8,   /* and wait for the peer's end */
	STREAM_SHUT = 16,     /* our end was said */
	STREAM_PLAIN_OK = 32, /* for a stream that takes both */
	STREAM_WANTED = 64    /* stream_close came while aborting */
};

struct stream_shared {
	uv_loop_t *loop;
	struct buf cipher;                 /* what TLS wants sent */
	uint8_t record[STREAM_RECORD_MAX]; /* one record being put together */
	uint8_t plain[STREAM_RECORD_MAX];  /* one record that arrived */
	uint8_t read[STREAM_READ_MAX];
};

/* Told by stream.c to the owner, unless closed: see stream.h. */
void stream_break(
    struct stream *stream, enum err code, const struct errmsg *why);
/* All has left a finishing stream. */
void stream_finished(struct stream *stream);
/* Connected or on the way, and not broken. */
static inline bool
stream_live(const struct stream *stream)
{
	return stream->state <= STREAM_OPEN;
}
/* libuv's error number as ours, with a sentence. */
enum err stream_uv_error(int error, const char *what, struct errmsg *why);

/* Send the ciphertext in shared->cipher. ERR_CLOSED, ERR_NOMEM. */
MUST_CHECK enum err streamout_cipher(struct stream *stream, struct errmsg *why);
/* Send what waited while the stream was not open. */
MUST_CHECK enum err streamout_flush(struct stream *stream, struct errmsg *why);
/* Bytes that waited have left: if they were the last, tell, or finish. */
void streamout_moved(struct stream *stream);
bool streamout_empty(const struct stream *stream);
/* Drop what waits (what libuv has it gives back itself). */
void streamout_drop(struct stream *stream);

#endif
