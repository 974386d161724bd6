/*
 * expiry - how long the active root has to live: two gauges and a warning
 * (contract 3.7, 2.17). Consensus loop.
 */
#ifndef SERVER_CA_EXPIRY_H
#define SERVER_CA_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ca/castep.h"

/* Should the log warn? Less than 28 days or 40 % of the lifetime is left,
 * whichever is less. Seconds since 1970. */
bool expiry_is_near(int64_t not_before, int64_t not_after, int64_t now);

/* Set the gauges from the stored active root; warn tells whether a near end is
 * also logged. Leaves them alone if the time or the root is unknown. */
void expiry_show(const struct ca_env *env, bool warn);
/* This server does not lead: NaN. */
void expiry_hide(void);

#endif
