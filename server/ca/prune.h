/*
 * prune - the task that takes overdue roots off the list (contract 3.7).
 * Consensus loop.
 */
#ifndef SERVER_CA_PRUNE_H
#define SERVER_CA_PRUNE_H

#include "server/ca/castep.h"
#include "server/ca/overdue.h"
#include "storage/err.h"

struct prune;
/* prune is gone when cb returns. */
typedef void (*prune_cb)(void *arg, struct prune *prune);

/*
 * Check once, and commit what is to be removed, the keys with it. Calls back
 * once, later; what goes wrong is logged and tried again at the next check.
 * overdue is used during the call only. ERR_BUSY: the clock is not sure;
 * ERR_NOTFOUND: nothing to do; then, and on any other error, no callback.
 */
MUST_CHECK enum err prune_start(const struct ca_env *env,
    struct overdue *overdue, prune_cb cb, void *arg, struct prune **out,
    struct errmsg *why);
void prune_abandon(struct prune *prune);

#endif
