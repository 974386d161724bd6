/*
 * peer - a server we keep two connections to: main and bulk.
 *
 * What is sent to it, and what must be known of what was sent: the last log
 * entry behind which a commit may be pushed (hazard 16), the snapshot under
 * way, and the few small messages that wait while connecting: a dropped vote
 * request costs an election timeout (notes on libraft 4). Consensus loop only.
 */
#ifndef SERVER_CLUSTER_PEER_H
#define SERVER_CLUSTER_PEER_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/dial.h"
#include "server/cluster/frame.h"
#include "server/cluster/snapshot_out.h"
#include "storage/err.h"

#define PEER_WAITING_MAX  16   /* messages */
#define PEER_WAITING_SIZE 128  /* bytes of one, frame head included */
#define PEER_WAITING_MS   1000 /* an older vote is of no use */

struct hub;

struct peer {
	struct peer *next; /* the owner's list */
	uint64_t id;
	char address[NODE_ADDRESS_MAX];
	bool closing;
	/* private */
	struct hub *hub;
	void (*closed)(struct peer *peer);
	struct dial main, bulk;
	unsigned dials; /* not yet closed */
	struct peer_sent {
		raft_term term;       /* 0: no entries on this connection */
		raft_index index;     /* of the last entry sent */
		raft_term entry_term; /* its term */
		raft_index told;      /* highest commit it can know of */
		unsigned char version;
	} sent;
	struct snapshot_out snapshot;
	unsigned waiting_first, waiting_count; /* a ring */
	struct peer_waiting {
		uint64_t since_ms;
		size_t size;
		uint8_t frame[PEER_WAITING_SIZE];
	} waiting[PEER_WAITING_MAX];
};

/* Owned by the caller from now until closed runs, after peer_close. NULL: out
 * of memory. */
struct peer *peer_new(struct hub *hub, uint64_t id, const char *address,
    void (*closed)(struct peer *peer));
/* Its greeting came, from this address: dial there, and at once. */
void peer_redirect(struct peer *peer, const char *address);
/* Snapshots under way end with status. */
void peer_close(struct peer *peer, int status);

/* See transport_send_raft. scratch is a buffer to encode into. */
void peer_send_raft(struct peer *peer, struct buf *scratch,
    struct raft_io_send *req, const struct raft_message *message,
    raft_io_send_cb cb);
MUST_CHECK enum err peer_send(struct peer *peer, bool bulk,
    enum frame_type type, const void *data, size_t size);
/* See transport_push_commit. */
void peer_push_commit(
    struct peer *peer, struct buf *scratch, raft_term term, raft_index commit);
/* Send a piece of the snapshot under way; true: again in the next turn. */
bool peer_pump(struct peer *peer);
void peer_tick(struct peer *peer); /* once a LINK_TICK_MS */

#endif
