/*
 * entry - one raft log entry: a batch of commands with its guards (hazard 3).
 *
 * Layout, big-endian: u32 magic "CEN1"; u64 expected raft index; u64 term;
 * 32 bytes SHA-256 of the command entry before it (zero for the first); u16
 * count; count times (u64 server, u64 start, u64 sequence, u64 lowest, u32
 * size, command bytes); zero bytes up to a multiple of 8 (libraft breaks on
 * other lengths; this is the one place that pads). The entry's own hash, which
 * the next one carries, covers all bytes, padding included. Any thread. [fuzz]
 */
#ifndef FSM_ENTRY_H
#define FSM_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "storage/buf.h"
#include "storage/db.h"
#include "storage/err.h"

#define ENTRY_COMMANDS_MAX 64
#define ENTRY_SIZE_SOFT    (64 * 1024) /* stop packing above this */
#define ENTRY_SIZE_MAX     (1u << 20)

/*
 * Names one request for ever: a retry carries the same bytes. server 0 = the
 * command is not remembered (it is never retried). lowest: this server's
 * lowest sequence not yet answered; rows below are dropped (hazard 22).
 */
struct request_id {
	uint64_t server;   /* raft id of the server that received the request */
	uint64_t start;    /* its start counter */
	uint64_t sequence; /* from 1 */
	uint64_t lowest;
};

struct entry_head {
	uint64_t index;
	uint64_t term;
	uint8_t previous[DB_HASH_SIZE];
	uint16_t count;
};

/* Begin in an empty buf with max ENTRY_SIZE_MAX. */
void entry_begin(struct buf *out, uint64_t index, uint64_t term,
    const uint8_t previous[static DB_HASH_SIZE]);
/* Append one command; the caller keeps count below ENTRY_COMMANDS_MAX. */
void entry_add(struct buf *out, const struct request_id *id,
    const void *command, size_t size);
/* Patch the count, pad, hash. ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err entry_end(struct buf *out, uint16_t count,
    uint8_t hash[static DB_HASH_SIZE], struct errmsg *why);

/* Read the head; *in stands at the first command. ERR_CORRUPT. */
MUST_CHECK enum err entry_open(
    struct reader *in, struct entry_head *head, struct errmsg *why);
/* The next command, borrowed. ERR_CORRUPT. */
MUST_CHECK enum err entry_next(struct reader *in, struct request_id *id,
    const uint8_t **command, size_t *size, struct errmsg *why);
/* After head->count commands: nothing is left but padding. ERR_CORRUPT. */
MUST_CHECK enum err entry_close(const struct reader *in, struct errmsg *why);

#endif
