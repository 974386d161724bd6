/*
 * request - results of requests that may be retried inside the cluster
 * (hazard 22).
 *
 * Key u64 server, u64 sequence -> the encoded fsm_result. Key u64 server alone
 * -> u64 start, u64 lowest. A higher start drops the server's older rows; rows
 * below lowest are dropped; at most REQUEST_ROWS_MAX rows a server. Apply only.
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
 * Was this request applied before? *known true fills *result with what it
 * answered then. A sequence below lowest, an older start, or one more row than
 * allowed: *known true and the result is ERR_UNKNOWN / ERR_BUSY respectively.
 */
MUST_CHECK enum err request_find(struct txn *txn, const struct request_id *id,
    bool *known, struct fsm_result *result);

/* Remember, and drop what the id says is no longer needed. */
MUST_CHECK enum err request_remember(struct txn *txn,
    const struct request_id *id, const struct fsm_result *result);

#endif
