#include "server/cluster/status.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsm/cluster.h"
#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/cluster/transport.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/metrics.h"
#include "server/net/address.h"
#include "server/version.h"
#include "storage/txn.h"

#define CONTACT_MS 200  /* longest silence of a healthy server */
#define TRAIL_MAX  250  /* longest lag of a healthy server, entries */
#define HEARD_MS   3000 /* a peer heard from within this is connected */

struct status {
	struct env *env;
	char address[NODE_ADDRESS_MAX];
	const struct quorum *quorum;
	const struct members *members;
	const struct formation *formation;
	/* since when each member is healthy, by raft id; leader */
	struct {
		uint64_t id;
		int64_t since;
	} stable[NODE_MEMBERS_MAX];
	struct node_status draft; /* consensus loop's own */
	pthread_mutex_t lock;
	struct node_status shared; /* under lock */
};

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

enum err
status_new(struct env *env, struct status **out, struct errmsg *why)
{
	struct status *s = calloc(1, sizeof(*s));
	enum err rc;

	if (s == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	rc = own_address(env->config, s->address, sizeof(s->address), why);
	if (rc != OK) {
		free(s);
		return rc;
	}
	s->env = env;
	(void)pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return OK;
}

void
status_free(struct status *s)
{
	if (s == NULL)
		return;
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

void
status_use(struct status *s, const struct quorum *quorum,
    const struct members *members, const struct formation *formation)
{
	s->quorum = quorum;
	s->members = members;
	s->formation = formation;
}

const char *
status_address(const struct status *s)
{
	return s->address;
}

static void
copy_span(char *out, size_t size, struct span span)
{
	(void)snprintf(out, size, "%.*s", (int)span.size, span.data);
}

/* Names and addresses: what the server says now beats what is recorded. */
static void
describe(const struct status *s, struct txn *txn, struct node_member *m)
{
	const struct hello *hello = members_known(s->members, m->id);
	const struct identity *self = s->env->identity;
	struct member row;
	struct errmsg why;

	if (m->self) {
		(void)snprintf(
		    m->node_id, sizeof(m->node_id), "%s", self->node_id);
		(void)snprintf(
		    m->name, sizeof(m->name), "%s", s->env->config->node_name);
		(void)snprintf(
		    m->address, sizeof(m->address), "%s", s->address);
		(void)snprintf(
		    m->version, sizeof(m->version), "%s", CONCLAVE_VERSION);
	} else if (hello != NULL) {
		(void)snprintf(
		    m->node_id, sizeof(m->node_id), "%s", hello->node_id);
		(void)snprintf(m->name, sizeof(m->name), "%s", hello->name);
		(void)snprintf(
		    m->address, sizeof(m->address), "%s", hello->address);
		(void)snprintf(
		    m->version, sizeof(m->version), "%s", hello->version);
	} else if (txn != NULL &&
	    cluster_member(txn, m->id, &row, &why) == OK) {
		copy_span(m->node_id, sizeof(m->node_id), row.node_id);
		copy_span(m->name, sizeof(m->name), row.name);
		copy_span(m->address, sizeof(m->address), row.address);
		copy_span(m->version, sizeof(m->version), row.version);
	}
}

static int64_t
stable_since(struct status *s, const struct node_member *m)
{
	size_t at = NODE_MEMBERS_MAX;

	for (size_t i = 0; i < NODE_MEMBERS_MAX; i++) {
		if (s->stable[i].id == m->id) {
			at = i;
			break;
		}
		if (s->stable[i].id == 0 && at == NODE_MEMBERS_MAX)
			at = i;
	}
	if (at == NODE_MEMBERS_MAX)
		return time_wall_ms() / 1000;
	s->stable[at].id = m->id;
	if (!m->healthy)
		s->stable[at].since = 0;
	else if (s->stable[at].since == 0)
		s->stable[at].since = time_wall_ms() / 1000;
	return s->stable[at].since;
}

/* What only the leader can say: contact, log position, health. */
static void
measure(struct status *s, struct node_member *m, uint64_t now_ms)
{
	const struct quorum_facts *facts = quorum_facts(s->quorum, m->id);
	uint64_t heard = transport_heard_ms(s->env->transport, m->id);
	struct raft *raft = consensus_raft(s->env->consensus);
	raft_index match = 0;

	if (m->self) {
		m->last_index = raft_last_index(raft);
		m->last_term = s->draft.term;
		m->healthy = true;
	} else {
		m->last_contact_ms = heard == 0 ? 0 : now_ms - heard;
		if (raft_match_index(raft, m->id, &match) == 0)
			m->last_index = match;
		if (facts != NULL)
			m->last_term = facts->last_term;
		m->healthy = m->connected && heard != 0 &&
		    m->last_contact_ms <= CONTACT_MS &&
		    m->last_term == s->draft.term &&
		    match + TRAIL_MAX >= raft_last_index(raft);
	}
	m->stable_since = stable_since(s, m);
}

static void
fill_members(struct status *s, uint64_t now_ms)
{
	const struct raft_configuration *conf =
	    &consensus_raft(s->env->consensus)->configuration;
	struct node_status *d = &s->draft;
	struct txn *txn = NULL;
	struct node_member *m;
	struct errmsg why;
	uint64_t heard;

	if (txn_read(machine_db(consensus_machine(s->env->consensus)), &txn,
		&why) != OK)
		txn = NULL;
	for (unsigned i = 0; i < conf->n && i < NODE_MEMBERS_MAX; i++) {
		m = &d->members[d->member_count++];
		m->id = conf->servers[i].id;
		m->voter = conf->servers[i].role == RAFT_VOTER;
		m->self = m->id == d->id;
		m->leader = m->id == d->leader_id && d->leader_id != 0;
		heard = transport_heard_ms(s->env->transport, m->id);
		m->connected =
		    m->self || (heard != 0 && now_ms - heard < HEARD_MS);
		describe(s, txn, m);
		if (m->leader)
			(void)snprintf(d->leader_address,
			    sizeof(d->leader_address), "%s", m->address);
		if (d->role == NODE_LEADER)
			measure(s, m, now_ms);
	}
	txn_abort(txn);
}

static enum node_role
role_of(const struct status *s)
{
	struct raft *raft = consensus_raft(s->env->consensus);

	if (raft->configuration.n == 0)
		return NODE_ALONE;
	if (s->env->removed)
		return NODE_REMOVED;
	switch (raft_state(raft)) {
	case RAFT_LEADER:
		return NODE_LEADER;
	case RAFT_CANDIDATE:
		return NODE_CANDIDATE;
	case RAFT_UNAVAILABLE:
	case RAFT_FOLLOWER:
		break;
	}
	if (raft_role(raft) < 0)
		return NODE_REMOVED;
	return raft_role(raft) == RAFT_VOTER ? NODE_FOLLOWER : NODE_STANDBY;
}

static void
fill_raft(struct status *s, uint64_t now_ms)
{
	struct raft *raft = consensus_raft(s->env->consensus);
	struct machine *machine = consensus_machine(s->env->consensus);
	struct node_status *d = &s->draft;
	uint64_t heard;

	d->role = role_of(s);
	d->bootstrapped = raft->configuration.n > 0;
	d->ready = consensus_ready(s->env->consensus) && s->env->formed;
	d->leader_id = consensus_leader(s->env->consensus);
	d->leader_known = d->leader_id != 0;
	d->term = consensus_term(s->env->consensus);
	d->commit_index = raft_commit_index(raft);
	d->applied_index = machine_visible(machine);
	d->last_index = raft_last_index(raft);
	d->configuration_index = raft->configuration_uncommitted_index != 0
	    ? raft->configuration_uncommitted_index
	    : raft->configuration_committed_index;
	d->snapshot_index = raft->trail.snapshot.index;
	d->revision = machine_revision(machine);
	heard = d->leader_id == 0
	    ? 0
	    : transport_heard_ms(s->env->transport, d->leader_id);
	if (d->role != NODE_LEADER && heard != 0)
		d->last_contact_ms = now_ms - heard;
	metrics_set(METRIC_RAFT_TERM, (double)d->term);
	metrics_set(METRIC_RAFT_LAST_INDEX, (double)d->last_index);
	metrics_set(METRIC_RAFT_COMMIT_INDEX, (double)d->commit_index);
	metrics_set(METRIC_RAFT_APPLIED_INDEX, (double)d->applied_index);
	metrics_set(METRIC_RAFT_CAPACITY, (double)raft->io->capacity);
	metrics_set(METRIC_STATE_REVISION, (double)d->revision);
	metrics_set(METRIC_STATE_BYTES, (double)db_used(machine_db(machine)));
	fill_members(s, now_ms);
}

static const char *
words(const struct status *s, bool started)
{
	const struct node_status *d = &s->draft;

	if (!started)
		return formation_words(s->formation);
	if (d->role == NODE_REMOVED)
		return "removed from the cluster";
	if (!d->bootstrapped)
		return "waiting to be added by the leader";
	if (!d->leader_known)
		return "no cluster leader";
	if (!s->env->formed)
		return "waiting until all first servers vote";
	return "ok";
}

void
status_refresh(struct status *s, bool started)
{
	struct node_status *d = &s->draft;

	memset(d, 0, sizeof(*d));
	d->id = s->env->identity->id;
	(void)snprintf(
	    d->node_id, sizeof(d->node_id), "%s", s->env->identity->node_id);
	(void)snprintf(d->cluster_id, sizeof(d->cluster_id), "%s",
	    s->env->identity->cluster_id);
	(void)snprintf(d->address, sizeof(d->address), "%s", s->address);
	if (started)
		fill_raft(s, time_mono_ms());
	(void)snprintf(d->state, sizeof(d->state), "%s", words(s, started));
	(void)pthread_mutex_lock(&s->lock);
	s->shared = *d;
	(void)pthread_mutex_unlock(&s->lock);
}

void
status_facts(struct status *s, bool started, struct status_facts *facts)
{
	uint64_t leader = started ? consensus_leader(s->env->consensus) : 0;
	bool knew =
	    atomic_load_explicit(&facts->leader_known, memory_order_relaxed);
	uint64_t heard =
	    atomic_load_explicit(&facts->heard_ms, memory_order_relaxed);

	/* With nobody leading it grows on, from the last one that did. */
	if (leader == s->env->identity->id)
		heard = 0;
	else if (leader != 0)
		heard = transport_heard_ms(s->env->transport, leader);
	else if (knew && heard == 0)
		heard = time_mono_ms();
	atomic_store_explicit(
	    &facts->leader_known, leader != 0, memory_order_relaxed);
	atomic_store_explicit(&facts->heard_ms, heard, memory_order_relaxed);
}

void
status_introduce(const struct status *s, struct hello *ours)
{
	const struct node_status *d = &s->draft;
	const struct config *config = s->env->config;
	struct hello_known *known;

	(void)snprintf(ours->cluster_id, sizeof(ours->cluster_id), "%s",
	    s->env->identity->cluster_id);
	(void)snprintf(ours->node_id, sizeof(ours->node_id), "%s",
	    s->env->identity->node_id);
	(void)snprintf(ours->name, sizeof(ours->name), "%s", config->node_name);
	(void)snprintf(ours->datacenter, sizeof(ours->datacenter), "%s",
	    config->datacenter);
	(void)snprintf(ours->address, sizeof(ours->address), "%s", s->address);
	(void)snprintf(
	    ours->version, sizeof(ours->version), "%s", CONCLAVE_VERSION);
	for (unsigned i = 0;
	     i < d->member_count && ours->known_count < HELLO_KNOWN_MAX; i++) {
		if (d->members[i].self || d->members[i].address[0] == '\0')
			continue;
		known = &ours->known[ours->known_count++];
		known->id = d->members[i].id;
		(void)snprintf(known->address, sizeof(known->address), "%s",
		    d->members[i].address);
	}
}

void
status_copy(struct status *s, struct node_status *out)
{
	(void)pthread_mutex_lock(&s->lock);
	*out = s->shared;
	(void)pthread_mutex_unlock(&s->lock);
}
