/*
 * blocking - how every read is executed: modes, barriers, parking.
 *
 * Life of a read: (default, consistent: wait for a read barrier) -> look ->
 * answer, or, if the client named an index and nothing newer is there, park
 * -> woken -> again from the start. At the deadline it goes round once more
 * and answers with what is there; so does a stopping server, without the
 * barrier. Looking and parking happen in one callback (hazard 18); every pass
 * takes a fresh barrier, and no read is executed elsewhere (hazard 17).
 * Client loop.
 */
#ifndef SERVER_API_BLOCKING_H
#define SERVER_API_BLOCKING_H

#include "fsm/span.h"
#include "server/api/gate.h"
#include "server/api/reply.h"
#include "server/api/view.h"

#define BLOCKING_OBJECT_MAX 64 /* bytes of an object's key */

/*
 * Execute and answer. object: at most BLOCKING_OBJECT_MAX bytes, copied.
 * Blocks if the route does and the query names an index.
 */
void blocking_read(
    const struct ask *ask, const struct view_kind *kind, struct span object);

/* What the loop's gate runs. */
void blocking_passed(struct gate_wait *wait);

#endif
