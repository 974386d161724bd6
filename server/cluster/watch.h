/*
 * watch - the parked reads of one client loop: wake, expire, drain.
 *
 * Life of a wait: the owner reads, finds nothing new, parks under a topic in
 * the same callback; then exactly one of: changed (its topic was published),
 * timeout, stopping; or the owner cancels. Publishing crosses threads by a
 * bounded dirty set with an overflow mark "all" (hazard 18): never a queue, and
 * strictly after commit. Woken waits run a time slice per loop turn (5 ms) in
 * order of parking, so that no turn exceeds 20 ms. The struct is embedded by
 * the owner: no allocation here. One loop, but watch_publish.
 */
#ifndef SERVER_CLUSTER_WATCH_H
#define SERVER_CLUSTER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "fsm/topic.h"
#include "server/loop.h"
#include "storage/err.h"

struct watch;

enum watch_reason { WATCH_CHANGED, WATCH_TIMEOUT, WATCH_STOPPING };

struct watch_wait;
typedef void (*watch_cb)(struct watch_wait *wait, enum watch_reason reason);

/* A ring with a head of its own: leaving it needs no knowledge of which. */
struct watch_link {
	struct watch_link *next, *prev; /* NULL while in no ring */
};

/* All private but for the embedding. Zero it before the first park. */
struct watch_wait {
	struct watch_link link;  /* topic chain or woken list */
	struct watch_link timer; /* wheel slot */
	uint64_t topic;
	uint64_t deadline_ms; /* 0 = expired, stands in the woken list */
	watch_cb cb;
};

/* max: parked waits of this registry. The loop must not be started. ERR_NOMEM,
 * ERR_INTERNAL. */
MUST_CHECK enum err watch_new(
    struct loop *loop, unsigned max, struct watch **out, struct errmsg *why);
/* Before the loop starts: max is of all registries that share this count, which
 * outlives them. */
void watch_share(struct watch *watch, _Atomic unsigned *total);
/* Loop thread, once: wake all with WATCH_STOPPING (bounded per turn), refuse
 * new ones, close the handles, then call done, never from inside. */
void watch_stop(struct watch *watch, void (*done)(void *arg), void *arg);
/* After done, when nobody publishes any more. NULL is allowed. */
void watch_free(struct watch *watch);

/* ERR_LIMIT (max reached), ERR_CLOSED (stopping); cb then never runs.
 * deadline_ms: monotonic, at most 20 minutes away; the wheel's step is 50 ms.
 */
MUST_CHECK enum err watch_park(struct watch *watch, struct watch_wait *wait,
    uint64_t topic, uint64_t deadline_ms, watch_cb cb);
/* Also from inside another wait's callback. Not parked: no effect. */
void watch_cancel(struct watch *watch, struct watch_wait *wait);
bool watch_parked(const struct watch_wait *wait);
unsigned watch_count(const struct watch *watch);
/* The newest revision published to this loop: a reader whose transaction is
 * older opens a new one. */
uint64_t watch_revision(const struct watch *watch);

/*
 * What to call on the loop when topics arrive, before waits are woken (caches
 * drop what they hold). One; before the loop starts.
 */
void watch_on_dirty(struct watch *watch,
    void (*dirty)(void *arg, const struct topics *topics), void *arg);

/* Consensus loop, after commit. Never blocks longer than a short lock. */
void watch_publish(
    struct watch *watch, const struct topics *topics, uint64_t revision);

#endif
