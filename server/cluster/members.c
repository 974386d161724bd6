#include "server/cluster/members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fsm/command.h"
#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/cluster/membership.h"
#include "server/cluster/transport.h"
#include "server/config.h"
#include "server/log.h"
#include "server/version.h"

#define CAUGHT_UP_ENTRIES 1000 /* a standby this close may become a voter */
#define RETRY_MS          2000 /* after a step failed */

/* A proposal of ours; it ends by itself. */
struct record {
	struct node_proposal proposal;
	struct members *members;
};

struct members {
	struct env *env;
	struct proposals *proposals;
	const char *address; /* our own */
	struct promise first;
	unsigned known_count;
	struct hello known[NODE_MEMBERS_MAX];
	bool recording; /* one record proposal at a time */
	bool changing;
	uint64_t retry_ms; /* no step before */
	members_cb removed;
	void *removed_arg;
};

enum err
members_new(struct env *env, struct proposals *proposals, struct members **out,
    struct errmsg *why)
{
	struct members *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	m->env = env;
	m->proposals = proposals;
	*out = m;
	return OK;
}

void
members_free(struct members *m)
{
	free(m);
}

void
members_self(struct members *m, const char *address)
{
	m->address = address;
}

void
members_first(struct members *m, const struct promise *promise)
{
	m->first = *promise;
}

void
members_hello(struct members *m, const struct hello *hello)
{
	unsigned i;

	for (i = 0; i < m->known_count; i++) {
		if (m->known[i].id == hello->id)
			break;
	}
	if (i == NODE_MEMBERS_MAX) { /* forget somebody who is not here */
		for (i = 0; i < NODE_MEMBERS_MAX - 1; i++) {
			if (!transport_connected(
				m->env->transport, m->known[i].id))
				break;
		}
	} else if (i == m->known_count) {
		m->known_count++;
	}
	m->known[i] = *hello;
}

const struct hello *
members_known(const struct members *m, uint64_t id)
{
	for (unsigned i = 0; i < m->known_count; i++) {
		if (m->known[i].id == id)
			return &m->known[i];
	}
	return NULL;
}

static const struct raft_server *
configured(const struct members *m, uint64_t id)
{
	const struct raft_configuration *conf =
	    &consensus_raft(m->env->consensus)->configuration;

	for (unsigned i = 0; i < conf->n; i++) {
		if (conf->servers[i].id == id)
			return &conf->servers[i];
	}
	return NULL;
}

/* ---- records --------------------------------------------------------------
 */

static void
recorded(struct node_proposal *proposal)
{
	struct record *r = CONTAINER_OF(proposal, struct record, proposal);

	if (proposal->status != OK)
		log_event(LOG_WARN, "server",
		    "cluster record not written: reason=%s",
		    proposal->why.text);
	r->members->recording = false;
	free(r);
}

static void
propose(struct members *m, const struct command *command)
{
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	struct record *r = calloc(1, sizeof(*r));
	struct errmsg why;

	if (r == NULL || command_encode(command, &bytes, &why) != OK) {
		buf_free(&bytes);
		free(r);
		return; /* tried again at the next tick */
	}
	r->members = m;
	m->recording = true;
	if (proposals_enter(m->proposals, m->env->loop, &bytes, true,
		&r->proposal, recorded) != OK) {
		m->recording = false;
		buf_free(&bytes);
		free(r);
	}
}

static void
fill_own(const struct members *m, struct member *out)
{
	const struct identity *self = m->env->identity;

	out->node_id = span_of(self->node_id);
	out->name = span_of(m->env->config->node_name);
	out->address = span_of(m->address);
	out->version = span_of(CONCLAVE_VERSION);
}

static bool
same_record(const struct member *a, const struct member *b)
{
	return span_equal(a->node_id, b->node_id) &&
	    span_equal(a->name, b->name) &&
	    span_equal(a->address, b->address) &&
	    span_equal(a->version, b->version);
}

/* Bring one record in line with what its server says of itself. */
static bool
record_one(struct members *m, struct txn *txn, uint64_t id)
{
	const struct hello *hello = members_known(m, id);
	struct command command = {.type = COMMAND_MEMBER_SET};
	struct member *wanted = &command.member_set, stored;
	struct errmsg why;

	wanted->id = id;
	if (id == m->env->identity->id) {
		fill_own(m, wanted);
	} else if (hello != NULL) {
		wanted->node_id = span_of(hello->node_id);
		wanted->name = span_of(hello->name);
		wanted->address = span_of(hello->address);
		wanted->version = span_of(hello->version);
	} else {
		return false;
	}
	if (cluster_member(txn, id, &stored, &why) == OK &&
	    same_record(wanted, &stored))
		return false;
	propose(m, &command);
	return true;
}

/* Keep the records true, one proposal at a time. */
static void
keep_records(struct members *m, struct txn *txn)
{
	const struct raft_configuration *conf =
	    &consensus_raft(m->env->consensus)->configuration;
	struct member rows[CLUSTER_MEMBERS_MAX];
	struct command command = {.type = COMMAND_MEMBER_DELETE};
	struct errmsg why;
	size_t count = 0;

	for (unsigned i = 0; i < conf->n; i++) {
		if (record_one(m, txn, conf->servers[i].id))
			return;
	}
	if (cluster_members(txn, rows, CLUSTER_MEMBERS_MAX, &count, &why) != OK)
		return;
	for (size_t i = 0; i < count; i++) {
		if (configured(m, rows[i].id) == NULL) {
			command.member_delete = rows[i].id;
			propose(m, &command);
			return;
		}
	}
}

/* All first servers vote: say so in the state, and the cluster is formed. */
static void
form(struct members *m)
{
	struct command command = {.type = COMMAND_CLUSTER_INIT};

	for (unsigned i = 0; i < m->first.count; i++) {
		if (!consensus_is_voter(m->env->consensus, m->first.ids[i]))
			return;
	}
	command.cluster_init.cluster_id = span_of(m->env->identity->cluster_id);
	command.cluster_init.datacenter = span_of(m->env->config->datacenter);
	propose(m, &command);
}

static void
set_quota(struct members *m)
{
	struct command command = {.type = COMMAND_CLUSTER_QUOTA};

	command.cluster_quota.bytes = m->env->config->state_quota;
	propose(m, &command);
}

/* ---- configuration ----------------------------------------------------------
 */

static void
changed(void *arg, enum err status)
{
	struct members *m = arg;
	members_cb done = m->removed;

	m->changing = false;
	if (status != OK) {
		log_event(LOG_WARN, "raft",
		    "membership change did not finish: reason=%s",
		    err_text(status));
		m->retry_ms = 1; /* set to a time at the next tick */
	}
	if (done != NULL) {
		m->removed = NULL;
		done(m->removed_arg, status);
	}
}

static void
change(struct members *m, enum membership_change what, uint64_t id,
    const char *words)
{
	struct errmsg why;

	if (membership_change(m->env->membership, what, id, changed, m, &why) !=
	    OK) {
		log_event(LOG_DEBUG, "raft", "membership: %s", why.text);
		return;
	}
	m->changing = true;
	log_event(LOG_INFO, "raft", "%s: server=%016" PRIx64, words, id);
}

static bool
may_join(const struct members *m, const struct hello *hello)
{
	if (hello->state == HELLO_MEMBER || configured(m, hello->id) != NULL ||
	    !transport_connected(m->env->transport, hello->id))
		return false;
	if (m->env->formed)
		return true;
	for (unsigned i = 0; i < m->first.count; i++) {
		if (m->first.ids[i] == hello->id)
			return true;
	}
	return false;
}

/* The raft id under which this node was a member before, or 0. */
static uint64_t
former_id(struct txn *txn, const struct hello *hello)
{
	struct member rows[CLUSTER_MEMBERS_MAX];
	struct errmsg why;
	size_t count = 0;

	if (cluster_members(txn, rows, CLUSTER_MEMBERS_MAX, &count, &why) != OK)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (rows[i].id != hello->id &&
		    span_equal(rows[i].node_id, span_of(hello->node_id)))
			return rows[i].id;
	}
	return 0;
}

static bool
add_one(struct members *m, struct txn *txn)
{
	const struct hello *hello;
	uint64_t former;

	for (unsigned i = 0; i < m->known_count; i++) {
		hello = &m->known[i];
		if (!may_join(m, hello))
			continue;
		former = former_id(txn, hello);
		if (former != 0 && configured(m, former) != NULL) {
			change(m, MEMBERSHIP_REMOVE, former,
			    "removing the former id of a renewed server");
			return true;
		}
		/* An empty server learns whose it will be before raft speaks
		 * to it. */
		if (transport_send(m->env->transport, hello->id, false,
			FRAME_JOIN, m->env->identity->cluster_id,
			strlen(m->env->identity->cluster_id)) != OK)
			continue;
		change(m, MEMBERSHIP_ADD, hello->id, "adding a server");
		return true;
	}
	return false;
}

static bool
caught_up(const struct members *m, uint64_t id)
{
	struct raft *raft = consensus_raft(m->env->consensus);
	raft_index match;

	return raft_match_index(raft, id, &match) == 0 &&
	    match + CAUGHT_UP_ENTRIES >= raft_last_index(raft);
}

static bool
promote_one(struct members *m)
{
	const struct raft_configuration *conf =
	    &consensus_raft(m->env->consensus)->configuration;
	uint64_t id;

	for (unsigned i = 0; i < conf->n; i++) {
		id = conf->servers[i].id;
		if (conf->servers[i].role == RAFT_VOTER ||
		    !transport_connected(m->env->transport, id))
			continue;
		if (conf->servers[i].role == RAFT_SPARE) {
			change(m, MEMBERSHIP_STANDBY, id, "server is standby");
			return true;
		}
		if (consensus_voters(m->env->consensus) < MEMBERS_VOTERS_MAX &&
		    caught_up(m, id)) {
			change(m, MEMBERSHIP_VOTER, id, "promoting to voter");
			return true;
		}
	}
	return false;
}

void
members_tick(struct members *m, uint64_t now_ms)
{
	struct txn *txn = NULL;
	struct errmsg why;

	if (m->retry_ms == 1)
		m->retry_ms = now_ms + RETRY_MS;
	if (!consensus_ready(m->env->consensus) || m->env->stopping ||
	    now_ms < m->retry_ms)
		return;
	if (txn_read(machine_db(consensus_machine(m->env->consensus)), &txn,
		&why) != OK)
		return;
	if (!m->changing && !promote_one(m))
		(void)add_one(m, txn);
	if (!m->recording && !m->env->formed)
		form(m);
	if (!m->recording && m->env->formed &&
	    m->env->quota != m->env->config->state_quota)
		set_quota(m);
	if (!m->recording && m->env->formed)
		keep_records(m, txn);
	txn_abort(txn);
}

enum err
members_remove(struct members *m, uint64_t id, members_cb done, void *arg,
    struct errmsg *why)
{
	enum err rc;

	if (configured(m, id) == NULL)
		return err_set(why, ERR_NOTFOUND,
		    "id \"%016" PRIx64
		    "\" was not found in the Raft configuration",
		    id);
	if (id == m->env->identity->id)
		return err_set(why, ERR_BADSTATE,
		    "the leader cannot remove itself: transfer leadership "
		    "first");
	if (m->changing)
		return err_set(
		    why, ERR_BUSY, "another membership change is under way");
	rc = membership_change(
	    m->env->membership, MEMBERSHIP_REMOVE, id, changed, m, why);
	if (rc != OK)
		return rc;
	m->changing = true;
	m->removed = done;
	m->removed_arg = arg;
	log_event(LOG_WARN, "raft", "removing server=%016" PRIx64, id);
	return OK;
}
