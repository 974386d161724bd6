/*
 * consensus - libraft and its disk behind one small interface.
 *
 * Owns struct raft, raft_uv's raft_io (interposed, raftio.h), the ballot and
 * the machine. A leader is ready once the barrier that began its leadership is
 * applied; until then it proposes nothing and changes no membership (hazard
 * 1). Consensus loop only.
 */
#ifndef SERVER_CLUSTER_CONSENSUS_H
#define SERVER_CLUSTER_CONSENSUS_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/identity.h"
#include "server/cluster/machine.h"
#include "storage/buf.h"
#include "storage/err.h"

struct config;
struct consensus;
struct loop;
struct worker;

struct consensus_events {
	struct machine_events machine;
	/* State, term, leader or readiness changed. */
	void (*role)(void *arg);
	/* End of a loop turn, after commits: the time to propose. */
	void (*turn)(void *arg);
	/* libraft gave up the entry submitted at index: whether it was or will
	 * be applied is unknown, unless events.machine.applied told. */
	void (*dropped)(void *arg, uint64_t index);
	/* libraft wants to send; see transport_send_raft. */
	void (*send)(void *arg, struct raft_io_send *req,
	    const struct raft_message *message, raft_io_send_cb cb);
};

/*
 * Judge and open the log, the ballot and the state. ERR_CORRUPT: what is on
 * disk contradicts itself and this server must not vote with it; nothing is
 * open then. ERR_UNSUPPORTED: a newer version's. ERR_IO, ERR_NOMEM.
 */
MUST_CHECK enum err consensus_open(const struct config *config,
    const struct identity *identity, struct loop *loop, struct worker *worker,
    const struct consensus_events *events, void *arg, struct consensus **out,
    struct errmsg *why);
/* Write the first configuration: self as the sole voter. Once in the life of
 * a server (identity.bootstrapped guards); ERR_EXISTS: it was done before, and
 * a crash came before the identity said so. Before consensus_start. */
MUST_CHECK enum err consensus_bootstrap(
    struct consensus *consensus, struct errmsg *why);
/* ERR_CORRUPT as above: libraft refuses its files. */
MUST_CHECK enum err consensus_start(
    struct consensus *consensus, struct errmsg *why);
/* Close raft, started or not. The state can be read until consensus_free. */
void consensus_stop(
    struct consensus *consensus, void (*closed)(void *arg), void *arg);
/* After closed: close the state, marked clean. NULL allowed. */
void consensus_free(struct consensus *consensus);

struct machine *consensus_machine(struct consensus *consensus);
/* For reading its public fields and raft_match_index only. */
struct raft *consensus_raft(struct consensus *consensus);

bool consensus_leading(const struct consensus *consensus);
bool consensus_ready(const struct consensus *consensus);
uint64_t consensus_term(const struct consensus *consensus);
/* Raft id of the leader, 0 = not known. */
uint64_t consensus_leader(const struct consensus *consensus);
/* Is id in the present configuration, as a voter or not? */
bool consensus_has(const struct consensus *consensus, uint64_t id);
/* Is id a voter of the present configuration? */
bool consensus_is_voter(const struct consensus *consensus, uint64_t id);
unsigned consensus_voters(const struct consensus *consensus);

/*
 * Begin an entry in out (empty, limit ENTRY_SIZE_MAX) with the right index,
 * term and previous hash; add commands with entry_add; then submit, which
 * pads, copies, and tells the entry's index and hash. ERR_NOTLEADER (also
 * while not ready), ERR_FULL (no log space): surely not applied.
 */
void consensus_begin(struct consensus *consensus, struct buf *out);
MUST_CHECK enum err consensus_submit(struct consensus *consensus,
    struct buf *entry, uint16_t count, uint64_t *index,
    uint8_t hash[static DB_HASH_SIZE], struct errmsg *why);

/* Hand in what the transport received; moved. */
void consensus_deliver(
    struct consensus *consensus, struct raft_message *message);

/*
 * The leader's process is gone (its connections were closed): stand for
 * election after two to four heartbeats instead of the full timeout, until a
 * leader is known again. Timeouts are no matter of safety, and pre-vote keeps a
 * mistaken one from disturbing anybody. calm: the leader is there after all.
 */
void consensus_hurry(struct consensus *consensus);
void consensus_calm(struct consensus *consensus);
/* Neither vote nor stand for election (hazard 4). */
void consensus_mute(struct consensus *consensus, bool muted);
/* Call about each 100 ms. */
void consensus_tick(struct consensus *consensus, uint64_t now_ms);

#endif
