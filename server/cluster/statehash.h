/*
 * statehash - members compare the hash of their state once a minute (hazard 5).
 *
 * The leader names a raft index; each voter that still knows its state hash
 * after that entry tells it to all. FRAME_STATE_HASH: u8 0 (ask), u64 index;
 * or u8 1 (report), u64 index, 32 bytes. Whoever sees a majority of all voters
 * agree on another hash than its own stops itself; any other difference is an
 * alarm. Consensus loop.
 */
#ifndef SERVER_CLUSTER_STATEHASH_H
#define SERVER_CLUSTER_STATEHASH_H

#include "server/cluster/env.h"
#include "server/cluster/frame.h"
#include "storage/err.h"

#define STATEHASH_PERIOD_MS 60000

struct statehash;

/* rotten: our state differs from what a majority agrees on; must not return
 * in the product. */
MUST_CHECK enum err statehash_new(struct env *env,
    void (*rotten)(void *arg, uint64_t index), void *arg,
    struct statehash **out, struct errmsg *why);
void statehash_free(struct statehash *hashes);
void statehash_frame(
    struct statehash *hashes, uint64_t from, const struct frame *frame);
void statehash_tick(struct statehash *hashes, uint64_t now_ms);

#endif
