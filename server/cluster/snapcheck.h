/*
 * snapcheck - is the newest snapshot what this server wrote or was sent?
 *
 * libraft guards only the small metadata file beside it, and hands whatever
 * the data file holds to the state machine. Main thread, at start, and
 * "conclaved examine".
 */
#ifndef SERVER_CLUSTER_SNAPCHECK_H
#define SERVER_CLUSTER_SNAPCHECK_H

#include "storage/err.h"

/*
 * Read and verify the image in it. OK also without a snapshot. ERR_CORRUPT
 * names the file; ERR_UNSUPPORTED: a newer version wrote it; ERR_IO, ERR_NOMEM.
 * Takes time and memory in proportion.
 */
MUST_CHECK enum err snapcheck(const char *raft_dir, struct errmsg *why);

#endif
