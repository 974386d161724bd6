/*
 * transport - connections between servers: raft messages, frames, hellos.
 *
 * Each server dials every other twice: one connection for raft messages and
 * small frames, one for bulk (snapshots, forwarded requests), so that nothing
 * large stands before a heartbeat (hazard 17). What is sent goes out on our own
 * dialed connections; what arrives comes in on accepted ones. Reconnects by
 * itself (50 ms, doubling to 1 s, names resolved anew); a connection with
 * nothing heard for 3 s is closed (a small keep-alive travels both ways each
 * 500 ms). Queued bytes per peer are bounded; above the bound messages are
 * dropped, raft sends again. While connecting, up to 16 small messages wait.
 * Peer identity: from the hello and, under TLS, the certificate's DNS name
 * server.<dc>.<domain>. Callbacks may call back into the transport, but not
 * free it. Consensus loop only.
 *
 * In the tree: link (a framed connection), dial (one that keeps itself up),
 * peer (two dials), inbound (an accepted one), reception (the port), hub (what
 * they share).
 */
#ifndef SERVER_CLUSTER_TRANSPORT_H
#define SERVER_CLUSTER_TRANSPORT_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/cluster/frame.h"
#include "server/cluster/hello.h"
#include "storage/err.h"

#define TRANSPORT_QUEUE_MAX (32u << 20) /* bytes queued to one peer */
#define TRANSPORT_PORT      8300        /* where an address names none */

struct loop;
struct tls_context;
struct transport;

struct transport_events {
	/* Fill in our own hello for a connection to peer (0 = not known). */
	void (*introduce)(void *arg, uint64_t peer, struct hello *ours);
	/* A judged, acceptable hello arrived (either side). May still refuse:
	 * anything but OK, with the words. */
	enum err (*greeted)(
	    void *arg, const struct hello *theirs, struct errmsg *why);
	/* A raft message; what libraft is to own is moved. */
	void (*message)(void *arg, struct raft_message *message);
	/* Any other frame; borrowed. */
	void (*frame)(void *arg, uint64_t from, const struct frame *frame);
	/* Our dialed main connection to peer is up, or gone. */
	void (*up)(void *arg, uint64_t peer);
	void (*down)(void *arg, uint64_t peer);
	/* A connection of that peer to us is gone and no other of its kind is
	 * there: answers of its may be lost. NULL allowed. */
	void (*deaf)(void *arg, uint64_t peer);
};

/*
 * accept: context of the accepting side, NULL = no TLS; plain_allowed: take
 * plaintext too (always so without accept). dial: context of the dialing side,
 * NULL = plaintext. name: DNS name peers must carry, NULL = not checked; an
 * accepted peer is not asked for it while plain_allowed, since one that dials
 * plain cannot show any. Contexts are referenced, name is copied.
 */
struct transport_tls {
	struct tls_context *accept, *dial;
	bool plain_allowed;
	const char *name;
};

MUST_CHECK enum err transport_new(struct loop *loop,
    const struct transport_tls *tls, const struct transport_events *events,
    void *arg, struct transport **out, struct errmsg *why);
/* Bind "ip:port" ("ip": any port) and listen. ERR_EXISTS names a busy address.
 */
MUST_CHECK enum err transport_listen(
    struct transport *transport, const char *address, struct errmsg *why);
/* The port listened on; 0 if none. */
uint16_t transport_port(const struct transport *transport);
/* Keep trying this address (host or ip, port) until a hello tells whose it is;
 * then it becomes that peer's address. Known addresses are not doubled. */
MUST_CHECK enum err transport_discover(
    struct transport *transport, const char *address, struct errmsg *why);
/* Keep connected to this peer at this address; a changed address reconnects,
 * and one that waits for its next try makes it now.
 * ERR_LIMIT above NODE_MEMBERS_MAX peers, ERR_INVALID, ERR_NOMEM. */
MUST_CHECK enum err transport_peer(struct transport *transport, uint64_t id,
    const char *address, struct errmsg *why);
/* Forget a peer: close its connections both ways, dial no more. No down. */
void transport_drop(struct transport *transport, uint64_t id);
/* Close everything; sends under way end with RAFT_CANCELED. closed runs once,
 * later. */
void transport_stop(
    struct transport *transport, void (*closed)(void *arg), void *arg);
void transport_free(struct transport *transport); /* after closed */

/*
 * libraft's send, for message->server_id: never fails; cb runs once with 0,
 * RAFT_NOCONNECTION or (stop) RAFT_CANCELED, possibly at once; until then the
 * data of a snapshot must stay. Repairs from hazard 2 and shim defect 2 are the
 * caller's. One snapshot per peer is under way at a time: another for the same
 * index within 30 s is refused.
 */
void transport_send_raft(struct transport *transport, struct raft_io_send *req,
    const struct raft_message *message, raft_io_send_cb cb);
/* A frame of the owner's (FRAME_PING and up) to a peer, copied; bulk chooses
 * the second connection. ERR_CLOSED when it is not connected, ERR_BUSY above
 * the queue bound, ERR_LIMIT above FRAME_MAX. */
MUST_CHECK enum err transport_send(struct transport *transport, uint64_t id,
    bool bulk, enum frame_type type, const void *data, size_t size);
/*
 * Hazard 16: to every connected peer that was sent entries in this term on the
 * present connection, a real empty AppendEntries behind them, with the index
 * and term of the last entry sent and the leader's commit index. Not to a peer
 * that was sent less than commit, or has been told of commit already.
 */
void transport_push_commit(
    struct transport *transport, raft_term term, raft_index commit);

bool transport_connected(const struct transport *transport, uint64_t id);
/* Connected both ways, twice: a question gets there, large or small, and the
 * answer comes back. */
bool transport_mutual(const struct transport *transport, uint64_t id);
/* The address a peer is dialed at; "" if unknown. Borrowed. */
const char *transport_address(const struct transport *transport, uint64_t id);
/* Monotonic ms (uv_now) of the last frame heard from a peer; 0 = never. */
uint64_t transport_heard_ms(const struct transport *transport, uint64_t id);
/* Accepted connections closed before they were greeted: garbage, wrong first
 * byte, silence, refused hellos, too many at once. */
uint64_t transport_refused(const struct transport *transport);
/* New contexts for new connections; open ones stay (reload). */
void transport_set_tls(
    struct transport *transport, const struct transport_tls *tls);

#endif
