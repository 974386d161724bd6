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
	uint64_t floor;   /* revision of the last operator's restore, or 0 */
};

/*
 * The modify index clients see of an object: its own, or the floor if that is
 * later. So one row stamps every object at a restore, and a compare-and-set
 * with an index from before it can never pass.
 */
static inline uint64_t
index_stamp(const struct index *index, uint64_t modify_index)
{
	return modify_index > index->floor ? modify_index : index->floor;
}

/* All: ERR_CORRUPT, ERR_IO, and for writers what txn_put may answer. */
MUST_CHECK enum err index_get(
    struct txn *txn, enum table table, struct index *out);
MUST_CHECK enum err index_changed(
    struct txn *txn, enum table table, uint64_t revision);
/* A deletion is a change of the table as well. */
MUST_CHECK enum err index_deleted(
    struct txn *txn, enum table table, uint64_t revision);
/* Never lowers it. The caller has raised the state revision to the same. */
MUST_CHECK enum err index_set_floor(struct txn *txn, uint64_t revision);

#endif
