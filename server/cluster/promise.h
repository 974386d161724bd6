/*
 * promise - the rule of bootstrap: one promise per server, once (hazard 6).
 *
 * Pure rules plus the checked file "promise" in the data directory. A promise
 * names the cluster id and the list of its first servers; it is undone only by
 * "conclaved reset". Why two bootstraps cannot both succeed: a cluster id needs
 * the promise of every server of its list, and each server promises once, and
 * only to a list of exactly its own bootstrap_expect servers that names it.
 * Consensus loop.
 */
#ifndef SERVER_CLUSTER_PROMISE_H
#define SERVER_CLUSTER_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/node.h"
#include "storage/buf.h"
#include "storage/err.h"

#define PROMISE_SERVERS_MAX 5

struct promise {
	char cluster_id[NODE_UUID_SIZE];
	unsigned count;                    /* servers in the list */
	uint64_t ids[PROMISE_SERVERS_MAX]; /* ascending */
};

/* Text cluster id, u8 count, count u64 ids ascending. Also a payload of the
 * server-to-server wire, hence [fuzz]. */
void promise_encode(const struct promise *promise, struct buf *out);
/* ERR_CORRUPT: cut short, bytes left over, no UUID, a list that is empty, too
 * long or not ascending. */
MUST_CHECK enum err promise_decode(
    const uint8_t *data, size_t size, struct promise *out, struct errmsg *why);

/* ERR_NOTFOUND: none given yet. ERR_CORRUPT. */
MUST_CHECK enum err promise_load(
    const char *data_dir, struct promise *out, struct errmsg *why);
MUST_CHECK enum err promise_store(
    const char *data_dir, const struct promise *promise, struct errmsg *why);

/*
 * May the server self (with bootstrap_expect expect, and given promised, NULL
 * = none) promise what is asked? OK also for the very same promise again.
 * ERR_DENIED with words: expects another number; self is not in the list; has
 * promised another cluster; list not ascending or with doubles.
 */
MUST_CHECK enum err promise_judge(uint64_t self, unsigned expect,
    const struct promise *promised, const struct promise *asked,
    struct errmsg *why);

/*
 * Who coordinates: true if self is the lowest of exactly expect empty servers
 * seen (self included, ids ascending in out). ERR_LIMIT (more than expect seen:
 * the words list them), ERR_BUSY (fewer: the words say how many are missing).
 */
MUST_CHECK enum err promise_elect(uint64_t self, unsigned expect,
    const uint64_t *seen, unsigned seen_count, bool *coordinator,
    struct promise *out, struct errmsg *why);

#endif
