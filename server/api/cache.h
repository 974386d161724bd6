/*
 * cache - rendered answers of one loop, until what they show changes.
 *
 * Keyed by kind of read, object and variant (pretty, gzip); filed under the
 * topic of the object, so that a publish drops what it touched and nothing
 * else. Bounded in entries and bytes, the oldest goes first. Only public
 * bodies come here (hazard 19). Client loop.
 */
#ifndef SERVER_API_CACHE_H
#define SERVER_API_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fsm/span.h"
#include "fsm/topic.h"

#define CACHE_ENTRIES_MAX 1024
#define CACHE_BYTES_MAX   ((size_t)32 << 20) /* of bodies, per loop */

enum cache_variant { CACHE_PRETTY = 1, CACHE_GZIP = 2 };

struct body;
struct cache;

struct cache_key {
	const void *kind; /* compared by address */
	uint64_t topic;
	struct span object; /* copied by cache_put */
	unsigned variant;   /* enum cache_variant */
};

struct cache_value {
	uint64_t index;    /* what X-Consul-Index says */
	uint64_t version;  /* ETag, 0 = none */
	struct body *body; /* one reference is the cache's */
};

/* NULL: out of memory. */
struct cache *cache_new(void);
void cache_free(struct cache *cache); /* NULL allowed */

/* Borrowed until the next call that is not cache_find; NULL: not there. */
const struct cache_value *cache_find(
    struct cache *cache, const struct cache_key *key);
/*
 * Remember, with a reference of the cache's own; what was there under the key
 * is replaced. Too large or out of memory: not remembered, no error.
 */
void cache_put(struct cache *cache, const struct cache_key *key,
    const struct cache_value *value);
/* These have changed. */
void cache_drop(struct cache *cache, const struct topics *topics);
unsigned cache_count(const struct cache *cache);

#endif
