/*
 * index - the revision clients see of tables and of objects that are absent.
 *
 * Kept per table: the revision of its last change, and of its last deletion.
 * An absent object's index is the larger of its table's last deletion and the
 * floor (the revision of the last operator's restore, hazard 14), so that who
 * waits for an object to appear can wait on an index that never goes back.
 * Row: key u8 table; u64 changed, u64 deleted. Key u8 0: u64 floor, u64 0.
 * Readers: any thread with their own transaction; writers: apply only.
 */
#ifndef FSM_INDEX_H
#define FSM_INDEX_H

#include <stdint.h>

#include "fsm/table.h"
#include "storage/err.h"
#include "storage/txn.h"

struct index {
	uint64_t changed; /* last change, at least the floor, at least 1 */
	uint64_t absent;  /* what an absent object of this table answers with,
			     at least the floor, at least 1 */
};

MUST_CHECK enum err index_get(
    struct txn *txn, enum table table, struct index *out);
MUST_CHECK enum err index_changed(
    struct txn *txn, enum table table, uint64_t revision);
MUST_CHECK enum err index_deleted(
    struct txn *txn, enum table table, uint64_t revision);
MUST_CHECK enum err index_set_floor(struct txn *txn, uint64_t revision);

#endif
