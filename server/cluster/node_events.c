/*
 * Passes events between the parts of a node; decides nothing of its own. Turn
 * of the loop: raft and network callbacks -> machine commits -> proposals,
 * reads and calls move -> the new commit index is pushed to followers.
 */
#include <inttypes.h>
#include <string.h>

#include "fsm/cluster.h"
#include "server/cluster/calls.h"
#include "server/cluster/disk.h"
#include "server/cluster/doubt.h"
#include "server/cluster/formation.h"
#include "server/cluster/members.h"
#include "server/cluster/membership.h"
#include "server/cluster/node_impl.h"
#include "server/cluster/proposals.h"
#include "server/cluster/quorum.h"
#include "server/cluster/reads.h"
#include "server/cluster/statehash.h"
#include "server/cluster/watch.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/version.h"

#define CARE_MS 100 /* between looks at members, disk, deadlines */

/* ---- from consensus ------------------------------------------------------ */

static void
on_applied(void *arg, uint64_t index, const uint8_t hash[static DB_HASH_SIZE],
    const struct fsm_outcome *outcome)
{
	struct node *n = arg;

	proposals_applied(n->proposals, index, hash, outcome);
}

/* The cluster row says whether all first servers vote, and the quota. */
void
node_read_cluster(struct node *n)
{
	struct cluster cluster;
	struct txn *txn = NULL;
	struct errmsg why;

	if (txn_read(machine_db(consensus_machine(n->consensus)), &txn, &why) !=
	    OK)
		return;
	if (cluster_get(txn, &cluster, &why) == OK) {
		n->env.quota = cluster.quota;
		n->env.formed = true;
	}
	txn_abort(txn);
}

void
node_tell_role(struct node *n)
{
	bool ready =
	    consensus_ready(n->consensus) && n->env.formed && !n->env.stopping;
	uint64_t term = consensus_term(n->consensus);

	if (ready == n->ready)
		return;
	n->ready = ready;
	metrics_set(METRIC_RAFT_LEADER, ready ? 1 : 0);
	if (ready) /* leader tasks want the voters' clocks */
		quorum_pulse(n->quorum);
	for (unsigned i = 0; i < n->role_count; i++)
		n->roles[i].cb(n->roles[i].arg, ready, term);
}

static void
on_committed(void *arg, const struct topics *topics, uint64_t revision)
{
	struct node *n = arg;

	if (n->consensus == NULL)
		return; /* a snapshot loaded while opening */
	if (!n->env.formed || topics->all ||
	    topics_has(topics, topic_of(TABLE_MEMBER, NULL, 0)))
		node_read_cluster(n);
	for (unsigned i = 0; i < n->watch_count; i++)
		watch_publish(n->watches[i], topics, revision);
	for (unsigned i = 0; i < n->applied_count; i++)
		n->applied[i].cb(n->applied[i].arg, topics, revision);
	proposals_committed(n->proposals);
	node_tell_role(n);
}

static void
on_role(void *arg)
{
	struct node *n = arg;

	if (consensus_leader(n->consensus) != 0)
		n->env.removed = false;
	quorum_reset(n->quorum);
	proposals_role(n->proposals);
	reads_role(n->reads);
	if (n->ready && !consensus_ready(n->consensus))
		node_tell_role(n);
	n->pushed = 0;
	status_refresh(n->status, n->started);
	status_facts(n->status, n->started, &n->facts);
}

static void
on_dropped(void *arg, uint64_t index)
{
	struct node *n = arg;

	proposals_dropped(n->proposals, index);
}

static void
on_send(void *arg, struct raft_io_send *req, const struct raft_message *message,
    raft_io_send_cb cb)
{
	struct node *n = arg;

	transport_send_raft(n->transport, req, message, cb);
}

/*
 * Hazard 16: followers learn of a commit with the next AppendEntries. If one
 * is about to leave anyway no push is needed.
 */
static void
push_commit(struct node *n)
{
	uint64_t commit;

	if (!consensus_leading(n->consensus) || proposals_waiting(n->proposals))
		return;
	commit = raft_commit_index(consensus_raft(n->consensus));
	if (commit <= n->pushed)
		return;
	n->pushed = commit;
	transport_push_commit(
	    n->transport, consensus_term(n->consensus), commit);
}

static void
on_turn(void *arg)
{
	struct node *n = arg;

	if (!n->env.formed) /* the first steps follow each other at once */
		members_tick(n->members, time_mono_ms());
	node_tell_role(n);
	membership_turn(n->env.membership);
	proposals_pump(n->proposals);
	reads_pump(n->reads);
	calls_pump(n->calls);
	push_commit(n);
}

const struct consensus_events node_consensus_events = {
    .machine = {.applied = on_applied, .committed = on_committed},
    .role = on_role,
    .turn = on_turn,
    .dropped = on_dropped,
    .send = on_send};

/* ---- from the transport -----------------------------------------------------
 */

static void
introduce(void *arg, uint64_t peer, struct hello *ours)
{
	struct node *n = arg;
	const struct identity *self = &n->identity;
	raft_index match = 0;

	memset(ours, 0, sizeof(*ours));
	ours->wire = CONCLAVE_WIRE;
	ours->state = formation_state(n->formation);
	ours->expect = n->env.config->bootstrap_expect;
	ours->id = self->id;
	ours->start = self->start;
	ours->instance = self->instance;
	/* What the peer acknowledged to us as stored, while we led. */
	if (peer != 0 && n->started && consensus_leading(n->consensus) &&
	    raft_match_index(consensus_raft(n->consensus), peer, &match) == 0) {
		ours->acked_id = peer;
		ours->acked_term = consensus_term(n->consensus);
		ours->acked_index = match;
	}
	status_introduce(n->status, ours);
}

/*
 * A peer remembers that we acknowledged more than we have (hazard 4): what we
 * promised to the quorum is gone. Neither vote nor stand, and say it; the next
 * start finds the mark and comes back as a fresh non-voter.
 */
static void
forgot(struct node *n, const struct hello *theirs)
{
	struct errmsg why;

	consensus_mute(n->consensus, true);
	n->unmute_ms = UINT64_MAX;
	(void)err_set(&why, OK,
	    "server %s remembers log index %" PRIu64 " of term %" PRIu64
	    " as stored here, but it is gone: this server lost part of its log",
	    theirs->name, theirs->acked_index, theirs->acked_term);
	log_event(LOG_ERROR, "raft", "%s", why.text);
	if (doubt_mark(n->identity.dir, why.text, &why) != OK)
		log_event(LOG_ERROR, "raft", "%s", why.text);
	err_die("conclaved: %s; it comes back as a fresh member at the next "
		"start",
	    why.text);
}

static enum err
greeted(void *arg, const struct hello *theirs, struct errmsg *why)
{
	struct node *n = arg;
	enum err rc;

	if (n->env.stopping)
		return err_set(why, ERR_CLOSED, "this server is stopping");
	if (n->started && theirs->acked_id == n->identity.id &&
	    doubt_forgot(theirs->acked_term, theirs->acked_index,
		consensus_term(n->consensus),
		raft_last_index(consensus_raft(n->consensus))))
		forgot(n, theirs);
	rc = transport_peer(n->transport, theirs->id, theirs->address, why);
	if (rc == ERR_LIMIT && n->started &&
	    members_make_room(n->members, theirs->id))
		rc = transport_peer(
		    n->transport, theirs->id, theirs->address, why);
	if (rc != OK)
		return rc;
	for (unsigned i = 0; i < theirs->known_count; i++) {
		if (theirs->known[i].id != n->identity.id)
			(void)!transport_discover(
			    n->transport, theirs->known[i].address, NULL);
	}
	members_hello(n->members, theirs);
	formation_hello(n->formation, theirs);
	formation_tick(n->formation, time_mono_ms());
	return OK;
}

static void
on_message(void *arg, struct raft_message *message)
{
	struct node *n = arg;

	consensus_deliver(n->consensus, message); /* takes none once closed */
}

static void
on_frame(void *arg, uint64_t from, const struct frame *frame)
{
	struct node *n = arg;

	/* libraft may be gone already, and must not be started any more. */
	if (n->env.stopping)
		return;
	switch ((int)frame->type) {
	case FRAME_PROMISE:
	case FRAME_PROMISED:
	case FRAME_JOIN:
		formation_frame(n->formation, from, frame);
		formation_tick(n->formation, time_mono_ms());
		return;
	default:
		break;
	}
	if (!n->started)
		return;
	switch ((int)frame->type) {
	case FRAME_PING:
	case FRAME_PONG:
		quorum_frame(n->quorum, from, frame);
		break;
	case FRAME_PROPOSE:
	case FRAME_PROPOSE_RESULT:
		proposals_frame(n->proposals, from, frame);
		break;
	case FRAME_CALL:
	case FRAME_CALL_RESULT:
		calls_frame(n->calls, from, frame);
		break;
	case FRAME_BARRIER:
	case FRAME_BARRIER_RESULT:
		reads_frame(n->reads, from, frame);
		break;
	case FRAME_STATE_HASH:
		statehash_frame(n->statehash, from, frame);
		break;
	case FRAME_REMOVED:
		members_removed(n->members, frame);
		break;
	default:
		break;
	}
}

static void
on_up(void *arg, uint64_t peer)
{
	struct node *n = arg;

	log_event(LOG_DEBUG, "rpc", "connected: server=%016" PRIx64, peer);
	if (n->started && peer == consensus_leader(n->consensus))
		consensus_calm(n->consensus);
}

static void
on_down(void *arg, uint64_t peer)
{
	struct node *n = arg;

	log_event(
	    LOG_DEBUG, "rpc", "connection lost: server=%016" PRIx64, peer);
	if (n->started && peer == consensus_leader(n->consensus))
		consensus_hurry(n->consensus);
	reads_peer_down(n->reads, peer);
	proposals_peer_down(n->proposals, peer);
	calls_peer_down(n->calls, peer);
}

/* What was asked over our own connection is answered over the other's. */
static void
on_deaf(void *arg, uint64_t peer)
{
	struct node *n = arg;

	reads_peer_down(n->reads, peer);
	proposals_peer_down(n->proposals, peer);
	calls_peer_down(n->calls, peer);
}

const struct transport_events node_transport_events = {.introduce = introduce,
    .greeted = greeted,
    .message = on_message,
    .frame = on_frame,
    .up = on_up,
    .down = on_down,
    .deaf = on_deaf};

void
node_on_round(void *arg, uint64_t round, bool proved)
{
	struct node *n = arg;

	reads_round_done(n->reads, round, proved);
}

void
node_on_rotten(void *arg, uint64_t index)
{
	struct node *n = arg;
	struct errmsg why;

	(void)err_set(&why, OK,
	    "at log index %" PRIu64
	    " a majority of the voters agrees on another state than ours",
	    index);
	log_event(LOG_ERROR, "raft", "%s", why.text);
	if (doubt_mark(n->identity.dir, why.text, &why) != OK)
		log_event(LOG_ERROR, "raft", "%s", why.text);
	err_die("conclaved: the state of this server is damaged; it is rebuilt "
		"at the next start");
}

/* ---- time ---------------------------------------------------------------- */

static void
remember_member(struct node *n)
{
	struct errmsg why;

	if (n->identity.bootstrapped ||
	    consensus_raft(n->consensus)->configuration.n == 0)
		return;
	n->identity.bootstrapped = true;
	if (identity_store(&n->identity, &why) != OK)
		err_die("conclaved: %s", why.text);
}

static void
care(struct node *n, uint64_t now_ms)
{
	n->care_ms = now_ms;
	formation_tick(n->formation, now_ms);
	disk_look(n->disk);
	n->env.low_disk = disk_low(n->disk);
	if (n->started) {
		if (consensus_leading(n->consensus))
			n->env.low_disk =
			    n->env.low_disk || quorum_low_disk(n->quorum);
		remember_member(n);
		consensus_tick(n->consensus, now_ms);
		proposals_tick(n->proposals, now_ms);
		reads_tick(n->reads, now_ms);
		calls_tick(n->calls, now_ms);
		members_tick(n->members, now_ms);
		statehash_tick(n->statehash, now_ms);
	}
	status_refresh(n->status, n->started);
}

void
node_on_timer(uv_timer_t *timer)
{
	struct node *n = timer->data;
	uint64_t now_ms = time_mono_ms();

	if (n->unmute_ms != 0 && now_ms >= n->unmute_ms) {
		n->unmute_ms = 0;
		consensus_mute(n->consensus, false);
	}
	if (n->started)
		quorum_tick(n->quorum, now_ms);
	if (now_ms - n->care_ms >= CARE_MS)
		care(n, now_ms);
	status_facts(n->status, n->started, &n->facts);
}
