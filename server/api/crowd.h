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
struct crowd_seat; /* one address that has something parked */

/* max: parked reads of one address, at least 1. ERR_NOMEM. */
MUST_CHECK enum err crowd_new(
    unsigned max, struct crowd **out, struct errmsg *why);
void crowd_free(struct crowd *crowd); /* NULL allowed */

/*
 * Any thread. The seat is what to leave with: by then the address cannot be
 * asked any more (a reset connection has none). ERR_LIMIT, ERR_NOMEM: not
 * counted, *seat untouched.
 */
MUST_CHECK enum err crowd_enter(struct crowd *crowd,
    const uint8_t address[static CROWD_ADDRESS], struct crowd_seat **seat);
/* Any thread; once for each OK of crowd_enter. */
void crowd_leave(struct crowd *crowd, struct crowd_seat *seat);

#endif
