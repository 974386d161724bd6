/*
 * manager - the CA on the leader: bootstrap, configuration, rotation, pruning.
 *
 * A leader task (contract 3.2): started when this server leads and is ready,
 * dropped when it no longer does; keeps nothing in memory that matters. A
 * fault never touches leadership: it is a state with a reason, shown in
 * agent/self and the log, retried with backoff (1 s doubling to 256 s), and a
 * later good PUT repairs it. Consensus loop; computing happens in workers.
 */
#ifndef SERVER_CA_MANAGER_H
#define SERVER_CA_MANAGER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/node.h"
#include "storage/buf.h"
#include "storage/err.h"

struct config;
struct manager;

/* Registers itself with node (role, NODE_CALL_CA_CONFIGURE). Before
 * node_start. */
MUST_CHECK enum err manager_new(const struct config *config, struct node *node,
    struct loop *loop, struct worker *worker, struct manager **out,
    struct errmsg *why);
/* Consensus loop: abandon what is under way; done once no job is out. */
void manager_stop(struct manager *manager, void (*done)(void *arg), void *arg);
void manager_free(struct manager *manager);

/*
 * Request of NODE_CALL_CA_CONFIGURE, made by the API from the PUT body
 * (contract 2.3, 3.6). Everything is borrowed.
 *
 * Answered once the change is committed, or refused with nothing changed: the
 * call's status is OK, or another code with the words for the client in why.
 * Every answer of the manager's own carries a reply (manager_reply_decode); a
 * call that never reached it has an empty one. ERR_UNKNOWN: it may have been
 * applied.
 */
struct manager_put {
	const char *provider; /* "" if missing */
	const char *config;   /* compact JSON object; secret */
	size_t config_size;
	const char *state; /* compact JSON object, "" = omitted */
	bool force;
	uint64_t cas; /* 0 = unconditional */
};
void manager_put_encode(const struct manager_put *put, struct buf *out);

/*
 * Reply: u16 HTTP status (200; 400 for a changed State, 500 for all other
 * refusals), u64 revision to wait for (0 if refused). False: not a reply of
 * the manager's.
 */
MUST_CHECK bool manager_reply_decode(
    const struct buf *reply, unsigned *http_status, uint64_t *revision);

/* Any thread: "INITIALIZED" and so on, and the reason of the last fault ("" if
 * none). */
void manager_state(struct manager *manager, char *state, size_t state_size,
    struct errmsg *fault);

#endif
