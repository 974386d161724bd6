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

#include <stdint.h>

#include "fsm/entry.h"
#include "fsm/topic.h"
#include "storage/buf.h"
#include "storage/err.h"
#include "storage/txn.h"

#define FSM_WHY_SIZE 256

/*
 * The rules' answer to one command, the same on every member. revision is the
 * state revision after it: grown by one if the command changed the state, else
 * that of the state it was judged against.
 */
struct fsm_result {
	enum err code;
	bool changed;
	uint64_t revision;
	uint64_t create_index, modify_index; /* of the object, 0 = none */
	uint64_t value;                      /* command-specific */
	char why[FSM_WHY_SIZE];              /* "" if code is OK */
};

void fsm_result_encode(const struct fsm_result *result, struct buf *out);
MUST_CHECK bool fsm_result_decode(struct reader *in, struct fsm_result *out);

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
 * ERR_NOMEM) is storage trouble: the entry was not applied as a whole and the
 * process must stop.
 */
MUST_CHECK enum err fsm_apply(struct txn *txn, uint64_t index,
    const uint8_t *data, size_t size, struct fsm_outcome *outcome,
    struct topics *topics);

#endif
