/*
 * fsm - the replicated state machine: committed entries in, results out.
 *
 * Total and pure: no clock, no randomness, no locale, no iteration order, no
 * raft, no uv. The same entries leave byte-identical tables on every member.
 * An entry that cannot be believed (bytes, expected index, hash of the entry
 * before) is applied as "refused" on all members alike, and the chain goes on
 * from its own hash. Consensus loop only.
 */
#ifndef FSM_FSM_H
#define FSM_FSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fsm/entry.h"
#include "fsm/result.h"
#include "fsm/topic.h"
#include "storage/buf.h"
#include "storage/err.h"
#include "storage/txn.h"

/* Revisions stay below 2^53, so that every client can hold one exactly. */
#define FSM_REVISION_MAX ((UINT64_C(1) << 53) - 1)

struct fsm_outcome {
	uint16_t count; /* commands of the entry; 0 if it was refused whole */
	bool refused;   /* the guards refused the entry; see why */
	struct errmsg why;
	struct fsm_result results[ENTRY_COMMANDS_MAX];
};

/*
 * Apply the entry at raft index. Sets index, term, revision and chain in the
 * transaction's meta row; adds what changed to topics. The caller skips
 * entries at or below meta.index.
 *
 * OK for every possible content of data. Anything else (ERR_IO, ERR_FULL,
 * ERR_NOMEM, ERR_CORRUPT for a stored row) is storage trouble: the entry was
 * not applied as a whole and the process must stop.
 *
 * A request that was applied before gets the result it got then, changed flag
 * and revision included, and touches nothing.
 *
 * A refused entry moves index, term (if its head can be read) and chain, and
 * nothing else. A restored image brings its chain with it; on an empty state
 * (chain all zero) the first entry must carry zeroes.
 */
MUST_CHECK enum err fsm_apply(struct txn *txn, uint64_t index,
    const uint8_t *data, size_t size, struct fsm_outcome *outcome,
    struct topics *topics);

#endif
