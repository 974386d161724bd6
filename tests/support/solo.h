/*
 * solo - one server on a real directory: libraft's disk under our raftio.
 *
 * Runs in a child process, so that it can be killed like a server. For tests of
 * what libraft leaves behind and what it makes of it again.
 */
#ifndef TESTS_SUPPORT_SOLO_H
#define TESTS_SUPPORT_SOLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct solo {
	const char *dir;     /* must exist */
	unsigned entries;    /* to apply in this run */
	size_t entry_size;   /* bytes, a multiple of 8 */
	unsigned in_flight;  /* proposals at a time */
	size_t segment_size; /* bytes */
	unsigned threshold;  /* entries between snapshots, 0 = none */
	unsigned trailing;   /* entries kept behind one, not 0 */
	bool settle;         /* before the end, wait for snapshots under way */
	bool kill;           /* end with SIGKILL instead of raft_close */
	bool may_crash;      /* a crash of libraft is an answer too */
};

struct solo_result {
	int status; /* of raft_init, bootstrap or raft_start; 0 = ran */
	uint64_t last_index; /* after start, before anything was applied */
	uint64_t term;
	uint64_t snapshots; /* taken in this run */
	bool crashed;
	uint64_t restored; /* index of the snapshot restored at start */
};

/* Fork, run, wait. Aborts the test if the child fails otherwise. The first run
 * on an empty directory bootstraps. */
struct solo_result solo_run(const struct solo *solo);

#endif
