/*
 * segment - look over libraft's log files before libraft does (hazard 4).
 *
 * libraft 0.22.1 cuts an open segment at the first bad batch without a word,
 * whatever stands behind it. Here: a bad batch with a good one after it is
 * damage; a bad last batch is a torn tail of an unacknowledged write. Damage
 * also is: corrupt-* files; gaps and overlaps between closed segments, unless a
 * snapshot covers them or a truncation was cut short; closed segments whose
 * batches do not check; snapshot data without its metadata file; term-and-vote
 * files that no crash leaves. Main thread, before raft_uv_init.
 */
#ifndef SERVER_CLUSTER_SEGMENT_H
#define SERVER_CLUSTER_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/err.h"

struct segment_report {
	bool empty;          /* no log, no snapshot, no metadata */
	bool metadata;       /* a readable metadata file exists */
	uint64_t term, vote; /* from the newest metadata file */
	uint64_t last_index; /* highest index found in closed segments, open
				ones counted on from them, and snapshots */
	uint64_t snapshot_index;
	bool torn; /* a torn tail was found: allowed */
};

/* Reads only. OK: nothing contradicts the files. ERR_CORRUPT names file, offset
 * and what is wrong. ERR_IO, ERR_NOMEM. */
MUST_CHECK enum err segment_scan(
    const char *raft_dir, struct segment_report *out, struct errmsg *why);

/*
 * After segment_scan said OK: take away what a crash left behind and libraft
 * stumbles over. Nothing acknowledged is lost, and doing it again does nothing:
 *   - an open segment's tail that is torn, or too short for another batch
 *     (libraft takes it for an I/O error, frees twice and aborts): cut off
 *   - closed segments all behind the snapshot, left by an installation
 *     (libraft refuses, or counts open segments on from them): removed
 *   - term 1 without a vote and without a log, left by a bootstrap (libraft
 *     would never bootstrap again): removed; the ballot keeps the term
 *   - the shorter of two closed segments with one first index, left by a
 *     truncation (libraft refuses): removed, so that it never happened
 * ERR_IO, ERR_NOMEM, ERR_CORRUPT.
 */
MUST_CHECK enum err segment_mend(const char *raft_dir, struct errmsg *why);

#endif
