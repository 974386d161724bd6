/*
 * state - an empty state in a directory of its own, for tests of the rules.
 */
#ifndef TESTS_SUPPORT_STATE_H
#define TESTS_SUPPORT_STATE_H

#include "fsm/fsm.h"
#include "storage/db.h"
#include "storage/txn.h"

struct state {
	char *dir;
	struct db *db;
	struct txn *txn; /* a writer, always open between the calls below */
	struct db_meta mark;
	struct fsm_outcome outcome; /* of the last entry, see draft.h */
	struct topics topics;
};

/* Each aborts the test on failure. */
void state_open(struct state *state);
void state_close(struct state *state);
/* Commit, and go on in a new transaction. */
void state_commit(struct state *state);
/* Commit, close the database, open it again. */
void state_reopen(struct state *state);
/* Replace the state by that of from, by way of an image. */
void state_copy(struct state *state, struct state *from);

/* Remember the sums of all tables; has anything changed since? */
void state_mark(struct state *state);
bool state_unchanged(const struct state *state);

#endif
