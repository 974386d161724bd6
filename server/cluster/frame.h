/*
 * frame - the unit of the server-to-server wire. [fuzz]
 *
 * u8 0xC5, u8 type, u16 reserved (0), u32 payload size, payload. A first byte
 * of 0x16 is a TLS record instead (contract 5.3); anything else is refused.
 */
#ifndef SERVER_CLUSTER_FRAME_H
#define SERVER_CLUSTER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/buf.h"
#include "storage/err.h"

#define FRAME_MAGIC     0xC5
#define FRAME_HEAD_SIZE 8
#define FRAME_MAX       (16u << 20) /* payload bytes */

/* Travels: append, never renumber. */
enum frame_type {
	FRAME_HELLO = 1,
	FRAME_WELCOME = 2,        /* the acceptor's hello */
	FRAME_REFUSE = 3,         /* text; then the connection closes */
	FRAME_RAFT = 4,           /* one raft message (raftmsg.h) */
	FRAME_SNAPSHOT_BEGIN = 5, /* raft InstallSnapshot head, u64 data size */
	FRAME_SNAPSHOT_DATA = 6,  /* next piece, at most 256 KiB */
	FRAME_PING = 7,           /* read-index round; payload of node's */
	FRAME_PONG = 8,
	FRAME_PROPOSE = 9, /* forwarded command (bulk) */
	FRAME_PROPOSE_RESULT = 10,
	FRAME_CALL = 11, /* forwarded call (bulk) */
	FRAME_CALL_RESULT = 12,
	FRAME_BARRIER = 13, /* follower asks for a read index */
	FRAME_BARRIER_RESULT = 14,
	FRAME_PROMISE = 15, /* bootstrap: please promise */
	FRAME_PROMISED = 16,
	FRAME_STATE_HASH = 17,     /* compare state hashes (hazard 5) */
	FRAME_KEEPALIVE = 18,      /* empty: still here */
	FRAME_JOIN = 19,           /* text: cluster id of who will add you */
	FRAME_REMOVED = 20,        /* u64 term: the leader says you are out */
	FRAME_LAST = FRAME_REMOVED /* the highest one in use */
};

/* Incremental reader of one connection. */
struct frame_reader {
	uint32_t max;       /* largest payload taken; the owner may lower it */
	struct buf partial; /* private: the frame that came in pieces */
	bool handed_out;    /* private: partial was given to the caller */
};

struct frame {
	enum frame_type type;
	const uint8_t *data; /* borrowed until the next frame_next */
	size_t size;
};

/* A reader that takes payloads up to FRAME_MAX. */
void frame_reader_init(struct frame_reader *reader);
void frame_reader_free(struct frame_reader *reader);
/* Head of a frame whose payload of size bytes follows. */
void frame_head(
    uint8_t head[static FRAME_HEAD_SIZE], enum frame_type type, uint32_t size);
/*
 * Take the next frame out of *data / *size (advanced). *got false: all input is
 * eaten, more is needed. ERR_PROTOCOL: wrong magic, reserved bits, unknown
 * type, oversized; ERR_NOMEM. After an error the reader is of no more use.
 */
MUST_CHECK enum err frame_next(struct frame_reader *reader,
    const uint8_t **data, size_t *size, bool *got, struct frame *frame,
    struct errmsg *why);

#endif
