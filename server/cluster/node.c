/*
 * Puts the parts together and passes events between them; decides nothing of
 * its own but the order of start and stop. Turn of the loop: raft and network
 * callbacks -> machine commits -> proposals, reads and calls move -> the new
 * commit index is pushed to followers.
 */
#include "server/cluster/node.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "fsm/cluster.h"
#include "server/cluster/calls.h"
#include "server/cluster/consensus.h"
#include "server/cluster/disk.h"
#include "server/cluster/doubt.h"
#include "server/cluster/env.h"
#include "server/cluster/formation.h"
#include "server/cluster/identity.h"
#include "server/cluster/members.h"
#include "server/cluster/membership.h"
#include "server/cluster/operator.h"
#include "server/cluster/proposals.h"
#include "server/cluster/quorum.h"
#include "server/cluster/reads.h"
#include "server/cluster/statehash.h"
#include "server/cluster/status.h"
#include "server/cluster/transport.h"
#include "server/cluster/watch.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/net/address.h"
#include "server/net/tls.h"
#include "server/version.h"

#define TICK_MS     50
#define CARE_MS     100  /* members, deadlines */
#define HANDOVER_MS 1000 /* longest wait for a transfer at stop */
#define LOOPS_MAX   64
#define SUBSCRIBERS 4

struct node {
	struct env env;
	struct identity identity;
	int lock;
	struct consensus *consensus;
	struct transport *transport;
	struct transport_tls tls;
	char tls_name[NODE_NAME_MAX * 2 + 16];
	struct proposals *proposals;
	struct quorum *quorum;
	struct reads *reads;
	struct calls *calls;
	struct members *members;
	struct formation *formation;
	struct statehash *statehash;
	struct operator* operator;
	struct disk *disk;
	struct status *status;

	bool started; /* raft is */
	bool ready;   /* as last told to the role callbacks */
	uint64_t unmute_ms, pushed, care_ms;
	uv_timer_t timer;
	bool timer_open;

	struct watch *watches[LOOPS_MAX];
	unsigned watch_count;
	struct {
		node_role_cb cb;
		void *arg;
	} roles[SUBSCRIBERS];
	struct {
		node_applied_cb cb;
		void *arg;
	} applied[SUBSCRIBERS];
	unsigned role_count, applied_count;

	struct status_facts facts; /* for the headers of every answer */
	void (*closed)(void *arg);
	void *closed_arg;
	uint64_t handover_ms;
};

/* ---- from consensus ------------------------------------------------------ */

static void
on_applied(void *arg, uint64_t index, const uint8_t hash[static DB_HASH_SIZE],
    const struct fsm_outcome *outcome)
{
	struct node *n = arg;

	proposals_applied(n->proposals, index, hash, outcome);
}

/* The cluster row says whether all first servers vote, and the quota. */
static void
read_cluster(struct node *n)
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

static void
tell_role(struct node *n)
{
	bool ready =
	    consensus_ready(n->consensus) && n->env.formed && !n->env.stopping;
	uint64_t term = consensus_term(n->consensus);

	if (ready == n->ready)
		return;
	n->ready = ready;
	metrics_set(METRIC_RAFT_LEADER, ready ? 1 : 0);
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
		read_cluster(n);
	for (unsigned i = 0; i < n->watch_count; i++)
		watch_publish(n->watches[i], topics, revision);
	for (unsigned i = 0; i < n->applied_count; i++)
		n->applied[i].cb(n->applied[i].arg, topics, revision);
	proposals_committed(n->proposals);
	tell_role(n);
}

static void
on_role(void *arg)
{
	struct node *n = arg;

	quorum_reset(n->quorum);
	proposals_role(n->proposals);
	reads_role(n->reads);
	if (n->ready && !consensus_ready(n->consensus))
		tell_role(n);
	n->pushed = 0;
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

	tell_role(n);
	proposals_pump(n->proposals);
	reads_pump(n->reads);
	calls_pump(n->calls);
	push_commit(n);
}

static const struct consensus_events consensus_events = {
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

	if (n->started &&
	    doubt_forgot(theirs->acked_term, theirs->acked_index,
		consensus_term(n->consensus),
		raft_last_index(consensus_raft(n->consensus))))
		forgot(n, theirs);
	rc = transport_peer(n->transport, theirs->id, theirs->address, why);
	if (rc != OK)
		return rc;
	for (unsigned i = 0; i < theirs->known_count; i++) {
		if (theirs->known[i].id != n->identity.id)
			(void)!transport_discover(
			    n->transport, theirs->known[i].address, NULL);
	}
	members_hello(n->members, theirs);
	formation_hello(n->formation, theirs);
	return OK;
}

static void
on_message(void *arg, struct raft_message *message)
{
	struct node *n = arg;

	consensus_deliver(n->consensus, message);
}

static void
on_frame(void *arg, uint64_t from, const struct frame *frame)
{
	struct node *n = arg;

	switch ((int)frame->type) {
	case FRAME_PROMISE:
	case FRAME_PROMISED:
	case FRAME_JOIN:
		formation_frame(n->formation, from, frame);
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
	default:
		break;
	}
}

static void
on_up(void *arg, uint64_t peer)
{
	(void)arg;
	log_event(LOG_DEBUG, "rpc", "connected: server=%016" PRIx64, peer);
}

static void
on_down(void *arg, uint64_t peer)
{
	struct node *n = arg;

	log_event(
	    LOG_DEBUG, "rpc", "connection lost: server=%016" PRIx64, peer);
	proposals_peer_down(n->proposals, peer);
	calls_peer_down(n->calls, peer);
}

static const struct transport_events transport_events = {.introduce = introduce,
    .greeted = greeted,
    .message = on_message,
    .frame = on_frame,
    .up = on_up,
    .down = on_down};

static void
on_round(void *arg, uint64_t round, bool proved)
{
	struct node *n = arg;

	reads_round_done(n->reads, round, proved);
}

static void
on_rotten(void *arg, uint64_t index)
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

static void
on_timer(uv_timer_t *timer)
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

/* ---- open ------------------------------------------------------------------
 */

static enum err
own_address(
    const struct config *config, char *out, size_t size, struct errmsg *why)
{
	struct address address;
	enum err rc;

	rc = address_parse(
	    config->advertise != NULL ? config->advertise : config->bind,
	    (uint16_t)config->port_server, &address, why);
	if (rc != OK)
		return rc;
	if (address_is_any(&address))
		return err_set(why, ERR_INVALID,
		    "bind_addr %s listens everywhere: advertise_addr must say "
		    "where others find this server",
		    config->bind);
	address_text(&address, out, size);
	return OK;
}

/* Contexts for both roles from the files of tls.internal_rpc; name is the text
 * peers must carry, kept by the caller. */
static enum err
make_tls(const struct config *config, char *name, size_t name_size,
    struct transport_tls *out, struct errmsg *why)
{
	const struct config_tls *t = &config->tls_internal_rpc;
	const struct tls_files files = {.ca_file = t->ca_file,
	    .ca_path = t->ca_path,
	    .cert_file = t->cert_file,
	    .key_file = t->key_file,
	    .min_version = t->min_version,
	    .cipher_suites = t->cipher_suites};
	enum err rc = OK;

	*out = (struct transport_tls){.plain_allowed = !t->verify_incoming};
	if (t->verify_server_hostname) {
		(void)snprintf(name, name_size, "server.%s.%s",
		    config->datacenter, config->domain);
		out->name = name;
	}
	if (t->cert_file != NULL)
		rc = tls_context_new(
		    &files, true, t->verify_incoming, NULL, &out->accept, why);
	if (rc == OK && t->verify_outgoing)
		rc =
		    tls_context_new(&files, false, true, NULL, &out->dial, why);
	return rc;
}

struct tls_reload {
	struct loop_task task;
	struct node *node;
	struct transport_tls tls;
};

static void
change_tls(struct loop_task *task)
{
	struct tls_reload *r = CONTAINER_OF(task, struct tls_reload, task);
	struct node *n = r->node;

	tls_context_unref(n->tls.accept);
	tls_context_unref(n->tls.dial);
	n->tls.accept = r->tls.accept;
	n->tls.dial = r->tls.dial;
	if (!n->env.stopping)
		transport_set_tls(n->transport, &n->tls);
	free(r);
}

enum err
node_reload(struct node *n, const struct config *next, struct errmsg *why)
{
	struct tls_reload *r = calloc(1, sizeof(*r));
	char name[NODE_NAME_MAX * 2 + 16];
	enum err rc;

	if (r == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	rc = make_tls(next, name, sizeof(name), &r->tls, why);
	if (rc == OK &&
	    ((r->tls.accept == NULL) != (n->tls.accept == NULL) ||
		(r->tls.dial == NULL) != (n->tls.dial == NULL)))
		rc = err_set(why, ERR_INVALID,
		    "tls.internal_rpc: switching TLS between servers on or off "
		    "needs a restart");
	if (rc != OK) {
		tls_context_unref(r->tls.accept);
		tls_context_unref(r->tls.dial);
		free(r);
		return rc;
	}
	r->node = n;
	r->task.run = change_tls;
	loop_post(n->env.loop, &r->task);
	return OK;
}

/* Can anybody refill this server? */
static bool
is_alone(const struct node *n)
{
	return n->env.config->retry_join_count == 0 &&
	    n->env.config->bootstrap_expect <= 1;
}

static enum err
open_consensus(struct node *n, struct errmsg *why)
{
	struct errmsg doubt;
	uint64_t old;
	enum err rc;

	rc = doubt_marked(n->identity.dir, &doubt);
	if (rc != OK) {
		rc = consensus_open(n->env.config, &n->identity, n->env.loop,
		    n->env.worker, &consensus_events, n, &n->consensus, &doubt);
		if (rc == OK || rc != ERR_CORRUPT) {
			*why = doubt;
			return rc;
		}
	}
	if (is_alone(n))
		return err_set(why, ERR_CORRUPT,
		    "%s. This server is alone, so nobody can refill it, and "
		    "nothing was changed. `conclaved examine -data-dir %s` "
		    "explains the options",
		    doubt.text, n->identity.dir);
	log_event(LOG_ERROR, "raft",
	    "%s. Coming back as a fresh member, to be refilled", doubt.text);
	rc = identity_renew(&n->identity, &old, why);
	if (rc != OK)
		return rc;
	doubt_clear(n->identity.dir);
	log_event(LOG_WARN, "raft",
	    "old log and state set aside: old_id=%016" PRIx64
	    " new_id=%016" PRIx64,
	    old, n->identity.id);
	return consensus_open(n->env.config, &n->identity, n->env.loop,
	    n->env.worker, &consensus_events, n, &n->consensus, why);
}

static void start_raft(void *arg, bool bootstrap);

static enum err
open_parts(struct node *n, struct errmsg *why)
{
	struct env *env = &n->env;
	char address[NODE_ADDRESS_MAX];
	enum err rc;

	rc = own_address(env->config, address, sizeof(address), why);
	if (rc == OK)
		rc = membership_new(n->consensus, &env->membership, why);
	if (rc == OK)
		rc = status_new(env, address, &n->status, why);
	if (rc == OK)
		rc = proposals_new(env, &n->proposals, why);
	if (rc == OK)
		rc = reads_new(env, &n->reads, why);
	if (rc == OK)
		rc = calls_new(env, &n->calls, why);
	if (rc == OK)
		rc = quorum_new(env, on_round, n, &n->quorum, why);
	if (rc == OK)
		rc = members_new(env, n->proposals, &n->members, why);
	if (rc == OK)
		rc = formation_new(
		    env, n->members, start_raft, n, &n->formation, why);
	if (rc == OK)
		rc = statehash_new(env, on_rotten, n, &n->statehash, why);
	if (rc == OK)
		rc = operator_new(
		    env, n->calls, n->members, n->status, &n->operator, why);
	if (rc == OK)
		rc = disk_new(env->loop, n->identity.dir, &n->disk, why);
	if (rc != OK)
		return rc;
	reads_use_quorum(n->reads, n->quorum);
	status_use(n->status, n->quorum, n->members, n->formation);
	members_self(n->members, status_address(n->status));
	return OK;
}

enum err
node_open(const struct config *config, struct loop *loop, struct worker *worker,
    struct node **out, struct errmsg *why)
{
	struct node *n = calloc(1, sizeof(*n));
	enum err rc;

	if (n == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	n->lock = -1;
	n->env = (struct env){.config = config,
	    .loop = loop,
	    .worker = worker,
	    .identity = &n->identity,
	    .quota = config->state_quota};
	rc = identity_open(config->data_dir, &n->identity, &n->lock, why);
	if (rc == OK)
		rc = open_consensus(n, why);
	if (rc == OK) {
		n->env.consensus = n->consensus;
		rc = open_parts(n, why);
	}
	if (rc == OK)
		rc = make_tls(
		    config, n->tls_name, sizeof(n->tls_name), &n->tls, why);
	if (rc == OK)
		rc = transport_new(
		    loop, &n->tls, &transport_events, n, &n->transport, why);
	if (rc != OK) {
		/* The process ends on this; nothing runs that could mind. */
		node_free(n);
		return rc;
	}
	n->env.transport = n->transport;
	read_cluster(n);
	*out = n;
	return OK;
}

/* ---- start -----------------------------------------------------------------
 */

static void
start_raft(void *arg, bool bootstrap)
{
	struct node *n = arg;
	struct raft *raft = consensus_raft(n->consensus);
	struct errmsg why = {""}, ignored;
	enum err rc = OK;

	if (bootstrap) {
		rc = consensus_bootstrap(n->consensus, &why);
		n->identity.bootstrapped = true;
		if (rc == OK)
			rc = identity_store(&n->identity, &why);
	}
	if (rc == OK)
		rc = consensus_start(n->consensus, &why);
	if (rc == ERR_CORRUPT)
		(void)!doubt_mark(n->identity.dir, why.text, &ignored);
	if (rc != OK) {
		log_event(LOG_ERROR, "raft", "not started: %s", why.text);
		err_die("conclaved: %s", why.text);
	}
	n->started = true;
	/* Others may remember more of our log than we do: ask first. */
	if (raft->configuration.n > 1) {
		consensus_mute(n->consensus, true);
		n->unmute_ms = time_mono_ms() + n->env.config->election_ms;
	}
}

/* Dial the members we know and the addresses we were given. */
static enum err
dial_all(struct node *n, struct errmsg *why)
{
	const struct config *config = n->env.config;
	struct member rows[CLUSTER_MEMBERS_MAX];
	char text[NODE_ADDRESS_MAX];
	struct txn *txn = NULL;
	size_t count = 0;
	enum err rc;

	rc = txn_read(node_db(n), &txn, why);
	if (rc != OK)
		return rc;
	rc = cluster_members(txn, rows, CLUSTER_MEMBERS_MAX, &count, why);
	for (size_t i = 0; rc == OK && i < count; i++) {
		if (rows[i].id == n->identity.id)
			continue;
		(void)snprintf(text, sizeof(text), "%.*s",
		    (int)rows[i].address.size, rows[i].address.data);
		rc = transport_peer(n->transport, rows[i].id, text, why);
	}
	txn_abort(txn);
	for (unsigned i = 0; rc == OK && i < config->retry_join_count; i++)
		rc = transport_discover(
		    n->transport, config->retry_join[i], why);
	return rc;
}

enum err
node_start(struct node *n, struct errmsg *why)
{
	struct address address;
	char text[ADDRESS_TEXT_MAX];
	enum err rc;

	rc = address_parse(n->env.config->bind,
	    (uint16_t)n->env.config->port_server, &address, why);
	if (rc != OK)
		return rc;
	address_text(&address, text, sizeof(text));
	rc = transport_listen(n->transport, text, why);
	if (rc == OK)
		rc = dial_all(n, why);
	if (rc != OK)
		return rc;
	if (uv_timer_init(loop_uv(n->env.loop), &n->timer) != 0)
		return err_set(why, ERR_IO, "libuv timer");
	n->timer.data = n;
	n->timer_open = true;
	(void)uv_timer_start(&n->timer, on_timer, 0, TICK_MS);
	status_refresh(n->status, n->started);
	return OK;
}

/* ---- stop -------------------------------------------------------------------
 */

static void
timer_closed(uv_handle_t *handle)
{
	struct node *n = handle->data;

	n->timer_open = false;
	n->closed(n->closed_arg);
}

static void
transport_closed(void *arg)
{
	struct node *n = arg;

	disk_close(n->disk);
	n->disk = NULL;
	uv_close((uv_handle_t *)&n->timer, timer_closed);
}

static void
consensus_closed(void *arg)
{
	struct node *n = arg;

	transport_stop(n->transport, transport_closed, n);
}

static void
stop_parts(struct node *n)
{
	n->env.stopping = true;
	(void)uv_timer_stop(&n->timer);
	tell_role(n);
	proposals_stop(n->proposals);
	reads_stop(n->reads);
	calls_stop(n->calls);
	consensus_stop(n->consensus, consensus_closed, n);
}

/* Wait until somebody else leads, at most HANDOVER_MS. */
static void
on_handover(uv_timer_t *timer)
{
	struct node *n = timer->data;

	if (consensus_leading(n->consensus) && time_mono_ms() < n->handover_ms)
		return;
	stop_parts(n);
}

static void
handed_over(void *arg)
{
	(void)arg; /* on_handover looks */
}

void
node_stop(struct node *n, void (*closed)(void *arg), void *arg)
{
	struct errmsg why;

	assert(n->timer_open && n->closed == NULL);
	n->closed = closed;
	n->closed_arg = arg;
	if (n->started && consensus_leading(n->consensus) &&
	    membership_transfer(n->env.membership, 0, handed_over, n, &why) ==
		OK) {
		log_event(LOG_INFO, "raft", "handing leadership on");
		n->handover_ms = time_mono_ms() + HANDOVER_MS;
		(void)uv_timer_start(&n->timer, on_handover, 10, 10);
		return;
	}
	stop_parts(n);
}

void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	transport_free(n->transport);
	consensus_free(n->consensus);
	membership_free(n->env.membership);
	tls_context_unref(n->tls.accept);
	tls_context_unref(n->tls.dial);
	disk_close(n->disk);
	operator_free(n->operator);
	statehash_free(n->statehash);
	formation_free(n->formation);
	members_free(n->members);
	quorum_free(n->quorum);
	calls_free(n->calls);
	reads_free(n->reads);
	proposals_free(n->proposals);
	status_free(n->status);
	identity_free(&n->identity);
	if (n->lock >= 0)
		(void)close(n->lock);
	free(n);
}

/* ---- the public face
 * ---------------------------------------------------------- */

struct db *
node_db(struct node *n)
{
	return machine_db(consensus_machine(n->consensus));
}

enum err
node_propose(struct node *n, struct loop *home, struct buf *command,
    struct node_proposal *proposal, node_propose_cb cb)
{
	return proposals_enter(
	    n->proposals, home, command, false, proposal, cb);
}

void
node_read_barrier(struct node *n, struct loop *home,
    struct node_barrier *barrier, node_barrier_cb cb)
{
	reads_enter(n->reads, home, barrier, cb);
}

void
node_call(struct node *n, struct loop *home, enum node_call_kind kind,
    struct buf *request, uint64_t timeout_ms, struct node_call *call,
    node_call_cb cb)
{
	calls_enter(n->calls, home, kind, request, timeout_ms, call, cb);
}

void
node_serve(
    struct node *n, enum node_call_kind kind, node_serve_cb cb, void *arg)
{
	calls_serve(n->calls, kind, cb, arg);
}

void
node_on_role(struct node *n, node_role_cb cb, void *arg)
{
	assert(n->role_count < SUBSCRIBERS);
	n->roles[n->role_count].cb = cb;
	n->roles[n->role_count++].arg = arg;
}

void
node_on_applied(struct node *n, node_applied_cb cb, void *arg)
{
	assert(n->applied_count < SUBSCRIBERS);
	n->applied[n->applied_count].cb = cb;
	n->applied[n->applied_count++].arg = arg;
}

enum err
node_add_watch(struct node *n, struct watch *watch)
{
	if (n->watch_count == LOOPS_MAX)
		return ERR_LIMIT;
	n->watches[n->watch_count++] = watch;
	return OK;
}

int64_t
node_cluster_time(struct node *n, bool *sure)
{
	return quorum_time_ms(n->quorum, sure) / 1000;
}

void
node_status(struct node *n, struct node_status *out)
{
	status_copy(n->status, out);
}

bool
node_leader_known(struct node *n)
{
	return atomic_load_explicit(
	    &n->facts.leader_known, memory_order_relaxed);
}

uint64_t
node_last_contact_ms(struct node *n)
{
	uint64_t heard =
	    atomic_load_explicit(&n->facts.heard_ms, memory_order_relaxed);
	uint64_t now = time_mono_ms();

	return heard == 0 || now < heard ? 0 : now - heard;
}
