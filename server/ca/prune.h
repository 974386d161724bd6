/*
 * prune - take roots off the list when nothing signed by them can be alive
 * (contract 3.7, hazard 13).
 *
 * A root goes two leaf lifetimes after it was rotated out. Because a wrong
 * clock would remove live trust, it must have been found due for ten minutes
 * of this machine's monotonic clock within one term. Consensus loop.
 */
#ifndef SERVER_CA_PRUNE_H
#define SERVER_CA_PRUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/ca/castep.h"
#include "server/ca/castore.h"
#include "storage/err.h"

#define PRUNE_PATIENCE_MS (10 * 60 * 1000)
#define PRUNE_ID_TEXT     256

/* Which roots were found due, and since when; all zero at the start of a term.
 * Plain. */
struct prune_watch {
	size_t count;
	struct prune_mark {
		char id[PRUNE_ID_TEXT];
		uint64_t since_ms; /* monotonic */
	} marks[AUTHORITY_ROOTS_MAX];
};

/* leaf_ttl in nanoseconds, now in seconds since 1970. */
bool prune_due(const struct ca_root *root, int64_t leaf_ttl, int64_t now);

/* Look at every stored root; drop[i] = remove it now. Returns how many. */
size_t prune_check(struct prune_watch *watch, const struct castore *store,
    int64_t now, uint64_t mono_ms, bool drop[static AUTHORITY_ROOTS_MAX]);

struct prune;
/* prune is gone when cb returns. */
typedef void (*prune_cb)(void *arg, struct prune *prune);

/* Check once, and commit what is to be removed. Calls back once, later; what
 * goes wrong is logged and tried again at the next check. watch is used during
 * the call only. ERR_BUSY: the clock is not sure; ERR_NOTFOUND: nothing to
 * do, no callback. */
MUST_CHECK enum err prune_start(const struct ca_env *env,
    struct prune_watch *watch, prune_cb cb, void *arg, struct prune **out,
    struct errmsg *why);
void prune_abandon(struct prune *prune);

#endif
