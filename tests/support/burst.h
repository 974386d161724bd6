/*
 * burst - many writes at once through one node of a trio.
 */
#ifndef TESTS_SUPPORT_BURST_H
#define TESTS_SUPPORT_BURST_H

#include "tests/support/trio.h"

struct burst;

/* How the writes of a burst ended. */
struct burst_tally {
	unsigned ok, unknown, closed, noleader, other;
};

/* Begin count writes of TLS documents, scopes "<name>-<number>". */
struct burst *burst_begin(
    struct trio *trio, unsigned server, unsigned count, const char *name);
/* Answered by now. */
unsigned burst_answered(struct burst *burst);
/* Wait until all are answered, at most 20 s; each exactly once. */
struct burst_tally burst_wait(struct burst *burst);
/* Does this server hold all of the burst that were answered OK? */
bool burst_kept(struct burst *burst, unsigned server);
void burst_free(struct burst *burst);

#endif
