/*
 * proof - recompute the sums of a state that an unclean stop left behind
 * (hazard 5).
 *
 * The marker says that the page cache survived; whether the rows did is for
 * their sums to say. Runs in a worker, beside everything else. Consensus loop.
 */
#ifndef SERVER_CLUSTER_PROOF_H
#define SERVER_CLUSTER_PROOF_H

#include <stdbool.h>

#include "storage/db.h"

struct loop;
struct worker;

/*
 * false: the state is proven, done does not run. Else done runs once, on the
 * loop, and the db must stay open until then. If the sums are wrong the process
 * ends instead, and the next start rebuilds the state from snapshot and log.
 */
bool proof_begin(struct db *db, struct loop *loop, struct worker *worker,
    void (*done)(void *arg), void *arg);

#endif
