/*
 * quorum - rounds of pings that prove this server still leads (hazard 15), and
 * what the answers tell of each peer: clock, disk, log.
 *
 * FRAME_PING: u64 nonce, u64 term. FRAME_PONG: u64 nonce, u64 term, u8 yes,
 * u64 wall clock (ms since 1970), u8 low disk, u64 last log index, u64 last
 * log term, u64 visible index. yes: the peer's term is the asked one and it
 * takes the asker for its leader, at the moment of the answer. Only voters of
 * the present configuration count, self too only if it is one. Consensus loop.
 */
#ifndef SERVER_CLUSTER_QUORUM_H
#define SERVER_CLUSTER_QUORUM_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/env.h"
#include "server/cluster/frame.h"
#include "storage/err.h"

struct quorum;

/* A round ended: a majority said yes after it began, or it failed. */
typedef void (*quorum_cb)(void *arg, uint64_t round, bool proved);

MUST_CHECK enum err quorum_new(struct env *env, quorum_cb cb, void *arg,
    struct quorum **out, struct errmsg *why);
void quorum_free(struct quorum *quorum);

/* The number the next round will have; numbers grow. */
uint64_t quorum_next(const struct quorum *quorum);
/* Begin it; cb may run inside, when self is enough. false: not leading, or
 * ROUNDS_MAX are under way; cb does not run. */
bool quorum_begin(struct quorum *quorum);
/* Ask all voters for fresh facts, outside any round. */
void quorum_pulse(struct quorum *quorum);
void quorum_frame(
    struct quorum *quorum, uint64_t from, const struct frame *frame);
/* Fail rounds older than an election timeout; ping each 500 ms while leading
 * so that facts stay fresh. About each 100 ms. */
void quorum_tick(struct quorum *quorum, uint64_t now_ms);
/* Leadership changed: fail all rounds, forget facts. */
void quorum_reset(struct quorum *quorum);

struct quorum_facts {
	uint64_t id;
	uint64_t heard_ms; /* monotonic, of the last answer; 0 = never */
	int64_t clock_ms;  /* its wall clock minus ours */
	bool low_disk;
	uint64_t last_index, last_term, visible;
};
/* NULL if that peer never answered in this leadership. Borrowed. */
const struct quorum_facts *quorum_facts(
    const struct quorum *quorum, uint64_t id);
/* Does any voter say so? */
bool quorum_low_disk(const struct quorum *quorum);
/* ms since 1970 by the median clock of the voters that answered within 2 s;
 * *sure: they are a majority (hazard 13). */
int64_t quorum_time_ms(const struct quorum *quorum, bool *sure);

#endif
