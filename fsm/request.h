/*
 * request - results of requests that may be retried inside the cluster
 * (hazard 22).
 *
 * Key u64 server, u64 sequence -> the encoded fsm_result. Key u64 server alone
 * -> u64 start, u64 lowest. Rows below lowest are dropped, a higher start drops
 * them all, and no sequence is taken that is REQUEST_ROWS_MAX or more above
 * lowest: so a server never has more rows than that. Apply only. All calls: OK,
 * or storage trouble.
 */
#ifndef FSM_REQUEST_H
#define FSM_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "fsm/entry.h"
#include "storage/err.h"
#include "storage/txn.h"

#define REQUEST_ROWS_MAX 4096 /* per server */

struct fsm_result;

/*
 * May this request be applied? *known true: no, and *result is the answer: that
 * of the first time, or ERR_UNKNOWN (an older start, a sequence below lowest:
 * nobody can say any more), or ERR_BUSY (one more row than allowed).
 */
MUST_CHECK enum err request_find(struct txn *txn, const struct request_id *id,
    bool *known, struct fsm_result *result);

/* Remember, and drop what the id says is no longer needed. */
MUST_CHECK enum err request_remember(struct txn *txn,
    const struct request_id *id, const struct fsm_result *result);

/* The server left the cluster: drop its results, and answer each late retry of
 * them with ERR_UNKNOWN. It may come back under the same id. */
MUST_CHECK enum err request_forget(struct txn *txn, uint64_t server);

#endif
