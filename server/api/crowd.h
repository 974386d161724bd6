/*
 * crowd - how many reads each client address has parked on this server.
 *
 * One for all client loops: one short lock at parking and leaving. Addresses
 * are counted exactly; only those with something parked cost memory.
 */
#ifndef SERVER_API_CROWD_H
#define SERVER_API_CROWD_H

#include <stdint.h>

#include "storage/err.h"

#define CROWD_ADDRESS 16 /* bytes; IPv4 mapped into IPv6 */

struct crowd;

/* max: parked reads of one address, at least 1. ERR_NOMEM. */
MUST_CHECK enum err crowd_new(
    unsigned max, struct crowd **out, struct errmsg *why);
void crowd_free(struct crowd *crowd); /* NULL allowed */

/* Any thread. ERR_LIMIT, ERR_NOMEM: not counted. */
MUST_CHECK enum err crowd_enter(
    struct crowd *crowd, const uint8_t address[static CROWD_ADDRESS]);
/* Any thread; once for each OK of crowd_enter. */
void crowd_leave(
    struct crowd *crowd, const uint8_t address[static CROWD_ADDRESS]);

#endif
