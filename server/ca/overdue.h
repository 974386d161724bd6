/*
 * overdue - which roots no living certificate needs any more (contract 3.7,
 * hazard 13).
 *
 * A root goes two leaf lifetimes after it was rotated out. Because a wrong
 * clock would remove live trust, it must have been found due for ten minutes
 * of this machine's monotonic clock within one term. Pure.
 */
#ifndef SERVER_CA_OVERDUE_H
#define SERVER_CA_OVERDUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fsm/authority.h"
#include "server/ca/castore.h"

#define OVERDUE_PATIENCE_MS (10 * 60 * 1000)
#define OVERDUE_ID_TEXT     (AUTHORITY_TEXT_MAX + 1)

/* Which roots were found due, and since when; all zero at the start of a term.
 * Plain. */
struct overdue {
	size_t count;
	struct overdue_mark {
		char id[OVERDUE_ID_TEXT];
		uint64_t since_ms; /* monotonic */
	} marks[AUTHORITY_ROOTS_MAX];
};

/* leaf_ttl in nanoseconds, now in seconds since 1970. */
bool overdue_root(const struct ca_root *root, int64_t leaf_ttl, int64_t now);

/* Look at every stored root; drop[i] = remove it now. Returns how many. */
size_t overdue_check(struct overdue *overdue, const struct castore *store,
    int64_t now, uint64_t mono_ms, bool drop[static AUTHORITY_ROOTS_MAX]);

#endif
