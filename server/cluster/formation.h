/*
 * formation - from an empty data directory to a member (hazard 6).
 *
 * Gathers greetings. Either a member of a living cluster is met: join it; or
 * exactly bootstrap_expect empty servers see each other: the lowest raft id
 * draws a cluster id, asks each for its one durable promise, and with all of
 * them bootstraps as the sole voter; the others wait to be added. Runs until
 * raft has been started. Consensus loop.
 */
#ifndef SERVER_CLUSTER_FORMATION_H
#define SERVER_CLUSTER_FORMATION_H

#include "server/cluster/env.h"
#include "server/cluster/frame.h"
#include "server/cluster/hello.h"
#include "server/cluster/members.h"

struct formation;

/* Start raft; bootstrap: as the sole voter first. */
typedef void (*formation_start_cb)(void *arg, bool bootstrap);

/* Reads the promise file. ERR_CORRUPT. */
MUST_CHECK enum err formation_new(struct env *env, struct members *members,
    formation_start_cb start, void *arg, struct formation **out,
    struct errmsg *why);
void formation_free(struct formation *formation);

/* What our hello says we are. */
enum hello_state formation_state(const struct formation *formation);
void formation_hello(struct formation *formation, const struct hello *hello);
void formation_frame(
    struct formation *formation, uint64_t from, const struct frame *frame);
/* About each 100 ms. */
void formation_tick(struct formation *formation, uint64_t now_ms);
/* What it waits for, one sentence. Borrowed. */
const char *formation_words(const struct formation *formation);

#endif
