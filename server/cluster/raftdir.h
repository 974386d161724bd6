/*
 * raftdir - what lies in libraft's data directory, sorted by kind and age.
 *
 * Names are raft_uv's: <first>-<end> closed segments, open-<n> open ones,
 * snapshot-<term>-<index>-<time> and the same with .meta, metadata1 and 2,
 * corrupt-* what its recovery set aside. Other names are passed over, as
 * raft_uv does. Main thread.
 */
#ifndef SERVER_CLUSTER_RAFTDIR_H
#define SERVER_CLUSTER_RAFTDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/err.h"

#define RAFTDIR_FILE_MAX (UINT64_C(1) << 30) /* bytes of a segment */
#define RAFTDIR_NAME_MAX 128 /* with NUL; raft_uv passes over longer names */

struct raftdir_file {
	char name[RAFTDIR_NAME_MAX]; /* of the data file, for a snapshot */
	/* closed: first, end index. open: counter. snapshot: term, index,
	 * time. Sorted by these, ascending. */
	uint64_t key[3];
	bool has_meta, has_data; /* snapshots only */
};

struct raftdir_list {
	struct raftdir_file *files; /* owned */
	size_t count;
};

struct raftdir {
	const char *path; /* borrowed */
	struct raftdir_list closed, open, snapshots;
	char corrupt[RAFTDIR_NAME_MAX]; /* a corrupt-* file; "" = none */
};

/* ERR_IO, ERR_NOMEM; on error nothing is owed. */
MUST_CHECK enum err raftdir_list(
    const char *path, struct raftdir *out, struct errmsg *why);
void raftdir_free(struct raftdir *dir);

/* Is closed segment i the shorter of two with one first index? raft_uv writes
 * it when it truncates, before it removes the longer one. */
bool raftdir_superseded(const struct raftdir_list *closed, size_t i);

/*
 * A whole file in memory, freed by the caller with free(); *data NULL and size
 * 0 for an empty one. ERR_NOTFOUND, ERR_IO, ERR_NOMEM, ERR_LIMIT above max.
 */
MUST_CHECK enum err raftdir_read(const struct raftdir *dir, const char *name,
    size_t max, uint8_t **data, size_t *size, struct errmsg *why);

#endif
