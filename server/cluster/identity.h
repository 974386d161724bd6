/*
 * identity - who this server is, kept so that it can be only once (hazard 6).
 *
 * The checked file "identity" in the data directory: raft id, node id, cluster
 * id, start counter, and where it was written: machine id, device and inode of
 * the data directory. Another machine or inode is a cloned directory and
 * refuses to start until "conclaved adopt". Main thread at start; then
 * consensus loop.
 */
#ifndef SERVER_CLUSTER_IDENTITY_H
#define SERVER_CLUSTER_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/node.h"
#include "storage/err.h"

/* What the data directory holds beside the identity. */
#define IDENTITY_RAFT_DIR     "raft"  /* libraft's log and snapshots */
#define IDENTITY_STATE_DIR    "state" /* the LMDB environment */
#define IDENTITY_MACHINE_SIZE 65      /* with NUL */

struct identity {
	uint64_t id;       /* raft id, random, 1 .. 2^63-1 */
	uint64_t previous; /* raft id before the last identity_renew, until the
			      caller clears it; 0 = none. Whom the leader
			      should remove. */
	uint64_t start;    /* raised at each identity_open */
	uint64_t instance; /* random per process, not stored */
	char node_id[NODE_UUID_SIZE];
	char cluster_id[NODE_UUID_SIZE]; /* "" until promised or joined */
	bool bootstrapped;      /* raft_bootstrap succeeded, or a leader has
				   added this id: never bootstrap again */
	bool renewing;          /* private: log and state not yet set aside */
	uint64_t device, inode; /* private: of the directory */
	char machine[IDENTITY_MACHINE_SIZE]; /* private: "" = not known */
	char *dir;                           /* private: data directory */
};

/*
 * Take the lock file (ERR_EXISTS names the process that holds it), read or
 * draw the identity, raise the counter, store it. The directory is made 0700
 * if missing (its parent must exist); one of a newer version is
 * ERR_UNSUPPORTED and untouched; a damaged one, or one that is missing while
 * log or state are there, ERR_CORRUPT; a cloned one ERR_BADSTATE with the words
 * about adopt. A device number may change from boot to boot: that alone is
 * logged and accepted. *lock is the lock's descriptor, kept open for the life
 * of the process. On error nothing is owed.
 */
MUST_CHECK enum err identity_open(
    const char *data_dir, struct identity *out, int *lock, struct errmsg *why);
/* Store what the caller changed (cluster_id, bootstrapped, previous). ERR_IO,
 * ERR_FULL. */
MUST_CHECK enum err identity_store(
    const struct identity *identity, struct errmsg *why);
/* Accept the present machine and inode as this server's own (the verb adopt;
 * the process must not be running: ERR_EXISTS). Keeps the id, draws nothing.
 * ERR_NOTFOUND: there is no identity. */
MUST_CHECK enum err identity_adopt(const char *data_dir, struct errmsg *why);
/*
 * Draw a new raft id under the same node id, no member yet, then set the
 * damaged raft log, state and ballot aside as damaged-<n>/: this server comes
 * back as a fresh non-voter. The new id is durable before anything is moved,
 * and a move cut short is finished by the next identity_open, so the old id
 * never runs on an empty log. Nothing of theirs may be open. *old_id: whom the
 * leader should remove (also kept as previous). ERR_IO.
 */
MUST_CHECK enum err identity_renew(
    struct identity *identity, uint64_t *old_id, struct errmsg *why);
void identity_free(struct identity *identity);

/* A random UUID (version 4), lower case. ERR_IO if randomness fails. */
MUST_CHECK enum err identity_uuid(char out[static NODE_UUID_SIZE]);

#endif
