/*
 * records - the leader keeps the member rows, the cluster row and the quota
 * true to what is so.
 *
 * One proposal at a time; one that was refused is tried again after a pause.
 * Consensus loop.
 */
#ifndef SERVER_CLUSTER_RECORDS_H
#define SERVER_CLUSTER_RECORDS_H

#include "server/cluster/env.h"
#include "server/cluster/members.h"
#include "server/cluster/promise.h"
#include "server/cluster/proposals.h"
#include "storage/txn.h"

struct records;

MUST_CHECK enum err records_new(struct env *env, struct proposals *proposals,
    struct records **out, struct errmsg *why);
/* No proposal of theirs is under way: the home loop has ended. */
void records_free(struct records *records);

/* Our own advertised address; borrowed. */
void records_self(struct records *records, const char *address);
/* One step, if one is due; on a ready leader. first: those that form the
 * cluster. */
void records_tick(struct records *records, const struct members *members,
    const struct promise *first, struct txn *txn, uint64_t now_ms);

#endif
