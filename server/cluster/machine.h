/*
 * machine - the state machine as libraft drives it: struct raft_fsm over fsm/
 * and the state database.
 *
 * Committed entries are applied into one LMDB transaction per loop turn, each
 * only once the local log has stored it (hazard 4), so the state is never ahead
 * of the log. Snapshots read a transaction of their own in a
 * worker. Anything that fails on disk ends the process. Consensus loop only.
 */
#ifndef SERVER_CLUSTER_MACHINE_H
#define SERVER_CLUSTER_MACHINE_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "fsm/fsm.h"
#include "storage/db.h"
#include "storage/err.h"

struct machine;
struct raftio;

struct machine_events {
	/* An entry was applied into the open transaction; nothing may be
	 * answered yet. hash: of the whole entry. */
	void (*applied)(void *arg, uint64_t index,
	    const uint8_t hash[static DB_HASH_SIZE],
	    const struct fsm_outcome *outcome);
	/* Committed: everything applied so far is visible to readers. */
	void (*committed)(
	    void *arg, const struct topics *topics, uint64_t revision);
};

/* Open the state in dir. A dropped state is not an error (db_open). */
MUST_CHECK enum err machine_open(const char *dir,
    const struct machine_events *events, void *arg, struct machine **out,
    struct errmsg *why);
/* Commit what may be committed, close, mark clean. NULL allowed. */
void machine_close(struct machine *machine);
/* Close without marking clean. NULL allowed. */
void machine_abandon(struct machine *machine);

/* The table for raft_init; borrowed. raft and raftio must be set before it is
 * started. threshold, trailing: entries (libraft's snapshot settings). */
struct raft_fsm *machine_fsm(struct machine *machine);
void machine_attach(struct machine *machine, struct raft *raft,
    struct raftio *raftio, unsigned threshold, unsigned trailing);

/* Apply and commit what the log has stored; call at the end of each loop turn.
 */
void machine_commit(struct machine *machine);
/* For raftio_hooks.dump; a worker's thread. */
enum err machine_dump(void *arg, void *snapshot, uint64_t index, void **data,
    size_t *size, struct errmsg *why);

struct db *machine_db(struct machine *machine);
/* Raft index of the last entry applied, committed to LMDB or not; entries that
 * wait for the log are not. */
uint64_t machine_applied(const struct machine *machine);
/* Raft index up to which readers see everything (barriers count). */
uint64_t machine_visible(const struct machine *machine);
uint64_t machine_revision(const struct machine *machine);
/* Hash of the last command entry, applied or waiting for the log. */
void machine_chain(
    const struct machine *machine, uint8_t chain[static DB_HASH_SIZE]);
/* State hash after the entry at index, if still remembered (the last 1024). */
bool machine_state_hash(const struct machine *machine, uint64_t index,
    uint8_t hash[static DB_HASH_SIZE]);

#endif
