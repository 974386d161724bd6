/*
 * ballot - our own checksummed copy of (term, vote).
 *
 * libraft's metadata files carry no checksum and a short one counts as never
 * written, so every change of term or vote goes to this checked file "ballot"
 * first, synced. At start libraft's may be behind by what a crash cut off (then
 * raftio brings it up to the ballot) and never ahead. Two alternating
 * fixed-size records, so a torn one leaves the other. Consensus loop.
 */
#ifndef SERVER_CLUSTER_BALLOT_H
#define SERVER_CLUSTER_BALLOT_H

#include <stdint.h>

#include "storage/err.h"

struct ballot {
	int fd;            /* private */
	uint64_t sequence; /* private: of the newest record */
	uint64_t term;
	uint64_t vote; /* raft id, 0 = none */
};

/* Open or create dir/ballot. A fresh one has term 0. ERR_CORRUPT: no record of
 * an existing file can be believed. ERR_IO. */
MUST_CHECK enum err ballot_open(
    const char *dir, struct ballot *out, struct errmsg *why);
/* Durable when it returns OK. term never goes back.
 * ERR_IO, ERR_FULL: the process must stop. */
MUST_CHECK enum err ballot_store(
    struct ballot *ballot, uint64_t term, uint64_t vote, struct errmsg *why);
/*
 * May libraft's metadata hold this (term, vote)? OK also if it is behind;
 * ERR_CORRUPT if it is ahead or names another vote: this server may not vote.
 */
MUST_CHECK enum err ballot_judge(const struct ballot *ballot, uint64_t term,
    uint64_t vote, struct errmsg *why);
void ballot_close(struct ballot *ballot);

#endif
