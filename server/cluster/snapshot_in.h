/*
 * snapshot_in - a raft snapshot that arrives in pieces.
 *
 * Put together in one raft_malloc'ed block, which is what libraft is to own.
 * Consensus loop only.
 */
#ifndef SERVER_CLUSTER_SNAPSHOT_IN_H
#define SERVER_CLUSTER_SNAPSHOT_IN_H

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/err.h"

/* Zeroed = none under way. */
struct snapshot_in {
	bool active;
	struct raft_message message; /* owned while active, data included */
	size_t got;                  /* bytes of data.len that are there */
};

/* A FRAME_SNAPSHOT_BEGIN; an unfinished one before it is discarded.
 * ERR_CORRUPT, ERR_LIMIT (above IMAGE_SIZE_MAX), ERR_NOMEM. */
MUST_CHECK enum err snapshot_in_begin(struct snapshot_in *in,
    const uint8_t *data, size_t size, struct errmsg *why);
/*
 * The next FRAME_SNAPSHOT_DATA. *done: the message is whole and moved to *out
 * (server_id and server_address are the caller's to set). ERR_PROTOCOL: none
 * was begun, an empty piece, or more bytes than announced.
 */
MUST_CHECK enum err snapshot_in_add(struct snapshot_in *in, const uint8_t *data,
    size_t size, bool *done, struct raft_message *out, struct errmsg *why);
void snapshot_in_discard(struct snapshot_in *in);

#endif
