/*
 * doubt - may this server believe its own disk? Asked once, at start.
 *
 * Compares what the log files, the ballot, the identity and the state say of
 * each other (hazards 4 and 5, notes on libraft 7). A server with a doubt has
 * perhaps forgotten what it promised, so it must not vote: it comes back as a
 * fresh non-voter, or refuses when nobody could refill it.
 */
#ifndef SERVER_CLUSTER_DOUBT_H
#define SERVER_CLUSTER_DOUBT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/ballot.h"
#include "server/cluster/identity.h"
#include "storage/err.h"

/*
 * applied: raft index the state database holds (0 = empty or dropped). Without
 * a doubt, what a crash left behind and libraft stumbles over is mended.
 * ERR_CORRUPT: a doubt, with the reason; ERR_IO.
 */
MUST_CHECK enum err doubt_check(const char *raft_dir,
    const struct identity *identity, const struct ballot *ballot,
    uint64_t applied, struct errmsg *why);

/*
 * What another server remembers of us (hello): we acknowledged (term, index)
 * as stored. True if that is no longer here: our term is lower, or equal with
 * a shorter log. In a later term a new leader may have cut the log rightly.
 */
bool doubt_forgot(uint64_t acked_term, uint64_t acked_index, uint64_t term,
    uint64_t last_index);

/*
 * A running server that finds it cannot be believed leaves a mark (the file
 * "doubt", one sentence) for its next start. doubt_marked: ERR_NOTFOUND, or OK
 * with the sentence in why.
 */
MUST_CHECK enum err doubt_mark(
    const char *data_dir, const char *words, struct errmsg *why);
MUST_CHECK enum err doubt_marked(const char *data_dir, struct errmsg *words);
/* The doubt was answered: this server comes back as another. */
void doubt_clear(const char *data_dir);

#endif
