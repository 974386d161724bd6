/*
 * Puts the parts of a node together and starts them. What passes between them
 * is in node_events.c, their end in node_stop.c.
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
#include "server/cluster/node_impl.h"
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

#define TICK_MS 50

/* ---- open ------------------------------------------------------------------
 */

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
		    n->env.worker, &node_consensus_events, n, &n->consensus,
		    &doubt);
		if (rc != ERR_CORRUPT) {
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
	    n->env.worker, &node_consensus_events, n, &n->consensus, why);
}

struct tls_reload {
	struct loop_task task;
	struct node *node;
	struct rpctls tls;
};

static void
change_tls(struct loop_task *task)
{
	struct tls_reload *r = CONTAINER_OF(task, struct tls_reload, task);
	struct node *n = r->node;

	if (!n->env.stopping)
		transport_set_tls(n->transport, &r->tls.transport);
	rpctls_close(&r->tls); /* the transport has its own references */
	free(r);
}

enum err
node_reload(struct node *n, const struct config *next, struct errmsg *why)
{
	struct tls_reload *r = calloc(1, sizeof(*r));
	enum err rc;

	if (r == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	rc = rpctls_make(next, &r->tls, why);
	if (rc == OK)
		rc = rpctls_same_shape(&n->tls, &r->tls, why);
	if (rc != OK) {
		rpctls_close(&r->tls);
		free(r);
		return rc;
	}
	r->node = n;
	r->task.run = change_tls;
	loop_post(n->env.loop, &r->task);
	return OK;
}

static void start_raft(void *arg, bool bootstrap);

static enum err
open_parts(struct node *n, struct errmsg *why)
{
	struct env *env = &n->env;
	enum err rc;

	rc = membership_new(n->consensus, &env->membership, why);
	if (rc == OK)
		rc = status_new(env, &n->status, why);
	if (rc == OK)
		rc = proposals_new(env, &n->proposals, why);
	if (rc == OK)
		rc = reads_new(env, &n->reads, why);
	if (rc == OK)
		rc = calls_new(env, &n->calls, why);
	if (rc == OK)
		rc = quorum_new(env, node_on_round, n, &n->quorum, why);
	if (rc == OK)
		rc = members_new(env, n->proposals, &n->members, why);
	if (rc == OK)
		rc = formation_new(
		    env, n->members, start_raft, n, &n->formation, why);
	if (rc == OK)
		rc = statehash_new(env, node_on_rotten, n, &n->statehash, why);
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
		rc = rpctls_make(config, &n->tls, why);
	if (rc == OK)
		rc = transport_new(loop, &n->tls.transport,
		    &node_transport_events, n, &n->transport, why);
	if (rc != OK) {
		node_free(n);
		return rc;
	}
	n->env.transport = n->transport;
	node_read_cluster(n);
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
		if (rc == ERR_EXISTS)
			rc = OK;
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
	(void)uv_timer_start(&n->timer, node_on_timer, 0, TICK_MS);
	status_refresh(n->status, n->started);
	return OK;
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
	assert(n->role_count < NODE_SUBSCRIBERS);
	n->roles[n->role_count].cb = cb;
	n->roles[n->role_count++].arg = arg;
}

void
node_on_applied(struct node *n, node_applied_cb cb, void *arg)
{
	assert(n->applied_count < NODE_SUBSCRIBERS);
	n->applied[n->applied_count].cb = cb;
	n->applied[n->applied_count++].arg = arg;
}

enum err
node_add_watch(struct node *n, struct watch *watch)
{
	if (n->watch_count == NODE_LOOPS_MAX)
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
