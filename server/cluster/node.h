/*
 * node - this server's place in the cluster: propose, read barrier, calls to
 * the leader, role, members. All of libraft is behind this header.
 *
 * Runs the consensus loop: libraft, its disk, the transport, the state machine
 * and the one writer of LMDB. Requests come in from any loop by mailbox and go
 * back the same way; each brings its own memory, so nothing here waits and no
 * answer can find a full queue (hazard 18). Callbacks run once, on the home
 * loop named in the request, never from inside the call, at shutdown too.
 */
#ifndef SERVER_CLUSTER_NODE_H
#define SERVER_CLUSTER_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "fsm/fsm.h"
#include "server/loop.h"
#include "server/worker.h"
#include "storage/buf.h"
#include "storage/db.h"
#include "storage/err.h"

#define NODE_MEMBERS_MAX 16
#define NODE_ADDRESS_MAX 128
#define NODE_NAME_MAX    128
#define NODE_UUID_SIZE   37 /* with NUL */

struct config;
struct node;
struct watch;

/*
 * Open everything under config->data_dir (lock, identity, raft, state) and
 * judge it; nothing runs yet. The loop must not be started. ERR_CORRUPT and
 * ERR_BADSTATE carry the exact words and the command that explains the options.
 */
MUST_CHECK enum err node_open(const struct config *config, struct loop *loop,
    struct worker *worker, struct node **out, struct errmsg *why);
/* Listen on the server port and start raft or the bootstrap; before or on the
 * loop. */
MUST_CHECK enum err node_start(struct node *node, struct errmsg *why);
/* Loop thread: hand leadership on, fail what waits (ERR_CLOSED), close all but
 * the state; closed runs on the loop at the end. */
void node_stop(struct node *node, void (*closed)(void *arg), void *arg);
/* After closed and the loop's end; or the loop was never started: then it is
 * run here to close what was opened. Nobody reads the state any more. */
void node_free(struct node *node);

/* Any thread: read the files of tls.internal_rpc again; new connections between
 * servers use them. On error the old ones stay. Switching TLS on or off needs a
 * restart (contract 5.6). */
MUST_CHECK enum err node_reload(
    struct node *node, const struct config *next, struct errmsg *why);

/* The state, for readers on any thread. */
struct db *node_db(struct node *node);

/* -- writes ------------------------------------------------------------- */

struct node_proposal;
typedef void (*node_propose_cb)(struct node_proposal *proposal);

/* Embed it. Owned by the node from node_propose until cb runs. */
struct node_proposal {
	/* out */
	enum err status;          /* OK: result is the rules' answer.
				     ERR_NOLEADER, ERR_BUSY, ERR_FULL,
				     ERR_CLOSED: surely not applied.
				     ERR_UNKNOWN: perhaps. */
	struct errmsg why;        /* if status is not OK */
	struct fsm_result result; /* if status is OK */
	bool behind; /* this server has not applied it within 1 s */
	/* private */
	node_propose_cb cb;
	struct loop *home; /* NULL: it came from another server */
	void *owner;
	struct buf command;
	struct loop_task task;
	struct node_proposal *next;          /* in one list at a time */
	struct node_proposal *older, *newer; /* those with a request id */
	struct request_id id;                /* sequence 0 = none yet */
	uint64_t deadline_ms, begun_ms, peer;
	bool sent;     /* the leader has it, unanswered */
	bool doubtful; /* an earlier attempt may be applied */
	bool internal; /* of this server as the leader */
};

/*
 * Replicate one command, on the leader wherever it is (no leader yet: held for
 * the hold timeout). Any thread that runs home. *command is moved: encoded
 * bytes (command_encode), wiped after use. Returns ERR_BUSY while the
 * configured number of proposals is in flight, ERR_LIMIT for an oversized
 * command; cb then never runs and *command stays the caller's.
 */
MUST_CHECK enum err node_propose(struct node *node, struct loop *home,
    struct buf *command, struct node_proposal *proposal, node_propose_cb cb);

/* -- reads -------------------------------------------------------------- */

struct node_barrier;
typedef void (*node_barrier_cb)(struct node_barrier *barrier);

struct node_barrier {
	enum err status; /* OK, ERR_NOLEADER, ERR_TIMEOUT, ERR_CLOSED */
	struct errmsg why;
	/* private */
	node_barrier_cb cb;
	struct loop *home; /* NULL: it came from another server */
	void *owner;
	struct loop_task task;
	struct node_barrier *next;
	uint64_t deadline_ms, index, peer, sequence, round;
};

/*
 * After cb with OK every read transaction begun on this server sees all that
 * was acknowledged anywhere before the call (hazards 15, 17). One quorum round
 * is shared by all that wait.
 */
void node_read_barrier(struct node *node, struct loop *home,
    struct node_barrier *barrier, node_barrier_cb cb);

/* -- calls executed by the leader ---------------------------------------- */

/* Numbers travel between servers: append, never renumber. */
enum node_call_kind {
	NODE_CALL_CA_CONFIGURE = 1, /* contract 2.3, body from server/ca */
	NODE_CALL_TRANSFER = 2,     /* text: raft id in decimal, or "" */
	NODE_CALL_REMOVE = 3,       /* u64 raft id */
	NODE_CALL_SERVERS = 4,      /* -> node_servers, encoded */
	NODE_CALL_JOIN = 5,         /* cluster-internal */
	NODE_CALL_LEAVE = 6, /* u64 raft id: transfer first, then remove */
	NODE_CALL_KINDS = 16
};

#define NODE_CALL_MAX (8u << 20) /* bytes of request or reply */

struct node_call;
typedef void (*node_call_cb)(struct node_call *call);

struct node_call {
	enum err status; /* the leader's answer, or why it was not reached;
			    ERR_UNKNOWN if it may have acted */
	struct errmsg why;
	struct buf reply; /* owned by the caller once cb runs */
	/* private */
	node_call_cb cb;
	struct loop *home;
	void *owner;
	enum node_call_kind kind;
	struct buf request;
	struct loop_task task;
	struct node_call *next;
	uint64_t deadline_ms, until_ms, slot, peer;
	bool sent;
};

/* Any thread that runs home. *request is moved. */
void node_call(struct node *node, struct loop *home, enum node_call_kind kind,
    struct buf *request, uint64_t timeout_ms, struct node_call *call,
    node_call_cb cb);

/* An arrived call on the leader; answered once, on the consensus loop. */
struct node_incoming;
typedef void (*node_serve_cb)(void *arg, struct node_incoming *incoming,
    const uint8_t *request, size_t size);
/* Before node_start. The handler runs on the consensus loop of a leader that
 * is ready; request is borrowed during the call. */
void node_serve(
    struct node *node, enum node_call_kind kind, node_serve_cb cb, void *arg);
/* reply (may be NULL) stays the caller's. */
void node_answer(struct node_incoming *incoming, enum err status,
    const struct errmsg *why, const struct buf *reply);

/* -- role --------------------------------------------------------------- */

/*
 * Consensus loop: ready true once this server leads and its first barrier is
 * applied (hazard 1), false when it no longer does. Before node_start.
 */
typedef void (*node_role_cb)(void *arg, bool ready, uint64_t term);
void node_on_role(struct node *node, node_role_cb cb, void *arg);
/* Consensus loop: after each commit, what it touched. Before node_start. */
typedef void (*node_applied_cb)(
    void *arg, const struct topics *topics, uint64_t revision);
void node_on_applied(struct node *node, node_applied_cb cb, void *arg);
/* A registry of parked reads to publish to. Before node_start. */
MUST_CHECK enum err node_add_watch(struct node *node, struct watch *watch);
/* Consensus loop of a ready leader: seconds since 1970 by the voters' median
 * clock (hazard 13); *sure false while fewer than a majority answered. */
int64_t node_cluster_time(struct node *node, bool *sure);

/* -- what is known about the cluster -------------------------------------- */

enum node_role {
	NODE_ALONE,
	NODE_FOLLOWER,
	NODE_CANDIDATE,
	NODE_LEADER,
	NODE_STANDBY,
	NODE_REMOVED
};

struct node_member {
	uint64_t id;                    /* raft id */
	char node_id[NODE_UUID_SIZE];   /* "" if not known yet */
	char name[NODE_NAME_MAX];       /* "" if not known yet */
	char address[NODE_ADDRESS_MAX]; /* ip:port of the server RPC */
	char version[32];
	bool voter, leader, self;
	bool connected; /* heard from lately, seen from here */
	/* leader only, else 0 */
	uint64_t last_contact_ms, last_index, last_term;
	bool healthy;
	int64_t stable_since; /* seconds since 1970 */
};

struct node_status {
	enum node_role role;
	bool ready; /* leader whose barrier is applied */
	bool leader_known;
	bool bootstrapped; /* there is a raft configuration */
	char state[160];   /* a sentence: what it waits for, or "ok" */
	uint64_t id, leader_id, term, commit_index, applied_index, last_index,
	    configuration_index, snapshot_index;
	uint64_t last_contact_ms; /* since the leader was heard; 0 on leader */
	uint64_t revision;
	char node_id[NODE_UUID_SIZE], cluster_id[NODE_UUID_SIZE];
	char leader_address[NODE_ADDRESS_MAX]; /* "" if unknown */
	char address[NODE_ADDRESS_MAX];        /* our own, advertised */
	unsigned member_count;
	struct node_member members[NODE_MEMBERS_MAX];
};

/* Any thread: a copy, at most 100 ms old. */
void node_status(struct node *node, struct node_status *out);
/* Any thread, two relaxed loads: for the headers of every answer. */
bool node_leader_known(struct node *node);
uint64_t node_last_contact_ms(struct node *node);

/* NODE_CALL_SERVERS' reply. */
void node_servers_encode(const struct node_status *status, struct buf *out);
MUST_CHECK bool node_servers_decode(struct reader *in, struct node_status *out);

#endif
