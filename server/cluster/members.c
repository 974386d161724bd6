#include "server/cluster/members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fsm/cluster.h"
#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/cluster/membership.h"
#include "server/cluster/records.h"
#include "server/cluster/transport.h"
#include "server/log.h"

#define CAUGHT_UP_ENTRIES 1000 /* a standby this close may become a voter */
#define RETRY_MS          2000 /* after a step failed */
#define GONE_MS           3000 /* silence after which a server is gone */
#define TELL_MS           1000 /* between words to removed servers */

struct members {
	struct env *env;
	struct records *records;
	struct promise first;
	unsigned known_count;
	struct hello known[NODE_MEMBERS_MAX];
	uint64_t doubled;    /* whom we refuse for another's node id, */
	uint64_t doubled_ms; /* and when we say so */
	uint64_t told_ms;    /* when we told the removed ones */
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
	enum err rc;

	if (m == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	m->env = env;
	rc = records_new(env, proposals, &m->records, why);
	if (rc != OK) {
		free(m);
		return rc;
	}
	*out = m;
	return OK;
}

void
members_free(struct members *m)
{
	if (m == NULL)
		return;
	records_free(m->records);
	free(m);
}

void
members_self(struct members *m, const char *address)
{
	records_self(m->records, address);
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

/* Neither a member nor connected: of no use to anybody. */
static bool
is_stale(const struct members *m, uint64_t id)
{
	return !consensus_has(m->env->consensus, id) &&
	    !transport_connected(m->env->transport, id);
}

bool
members_make_room(struct members *m, uint64_t but)
{
	bool room = false;

	for (unsigned i = 0; i < m->known_count;) {
		if (m->known[i].id == but || !is_stale(m, m->known[i].id)) {
			i++;
			continue;
		}
		transport_drop(m->env->transport, m->known[i].id);
		m->known[i] = m->known[--m->known_count];
		room = true;
	}
	return room;
}

/*
 * A connection outlives what its hello said. Who is a member by now is no
 * newcomer when it is removed later.
 */
static void
note_members(struct members *m)
{
	const struct raft_configuration *conf =
	    &consensus_raft(m->env->consensus)->configuration_committed;

	for (unsigned i = 0; i < m->known_count; i++) {
		for (unsigned k = 0; k < conf->n; k++) {
			if (conf->servers[k].id == m->known[i].id)
				m->known[i].state = HELLO_MEMBER;
		}
	}
}

/* Our own configuration says so: we led when we were removed. */
static void
note_removal(struct members *m)
{
	const struct consensus *c = m->env->consensus;

	if (consensus_raft(m->env->consensus)->configuration.n > 0 &&
	    !consensus_has(c, m->env->identity->id) && consensus_leader(c) == 0)
		m->env->removed = true;
}

/* A removed server gets no entry any more, not even the one that removed it. */
static void
tell_removed(struct members *m, uint64_t now_ms)
{
	struct buf out = buf_new(8);

	if (!m->env->formed || now_ms - m->told_ms < TELL_MS)
		return;
	m->told_ms = now_ms;
	buf_u64(&out, consensus_term(m->env->consensus));
	for (unsigned i = 0; out.failed == OK && i < m->known_count; i++) {
		if (m->known[i].state == HELLO_MEMBER &&
		    !consensus_has(m->env->consensus, m->known[i].id))
			(void)!transport_send(m->env->transport, m->known[i].id,
			    false, FRAME_REMOVED, out.data, out.size);
	}
	buf_free(&out);
}

void
members_removed(struct members *m, const struct frame *frame)
{
	struct reader in = {frame->data, frame->size};
	uint64_t term;

	if (!read_u64(&in, &term) || term < consensus_term(m->env->consensus) ||
	    consensus_leader(m->env->consensus) != 0)
		return;
	if (!m->env->removed)
		log_event(LOG_ERROR, "raft",
		    "%s: to come back it must be empty (conclaved reset)",
		    err_text(ERR_REMOVED));
	m->env->removed = true;
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
	enum err rc;

	rc = membership_change(m->env->membership, what, id, changed, m, &why);
	if (rc != OK) {
		log_event(LOG_DEBUG, "raft", "membership: %s", why.text);
		if (rc != ERR_BUSY)
			m->retry_ms = 1; /* set to a time at the next tick */
		return;
	}
	m->changing = true;
	log_event(LOG_INFO, "raft", "%s: server=%016" PRIx64, words, id);
}

static bool
may_join(const struct members *m, const struct hello *hello)
{
	if (hello->state == HELLO_MEMBER ||
	    consensus_has(m->env->consensus, hello->id) ||
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

/* Does that member have this node id? What it says beats what is recorded. */
static bool
has_node_id(
    const struct members *m, struct txn *txn, uint64_t id, const char *node_id)
{
	const struct hello *hello = members_known(m, id);
	struct member row;
	struct errmsg why;

	if (id == m->env->identity->id)
		return strcmp(m->env->identity->node_id, node_id) == 0;
	if (hello != NULL)
		return strcmp(hello->node_id, node_id) == 0;
	return cluster_member(txn, id, &row, &why) == OK &&
	    span_equal(row.node_id, span_of(node_id));
}

/* The raft id under which this node is a member already, or 0. */
static uint64_t
former_id(const struct members *m, struct txn *txn, const struct hello *hello)
{
	const struct raft_configuration *conf =
	    &consensus_raft(m->env->consensus)->configuration;

	for (unsigned i = 0; i < conf->n; i++) {
		if (has_node_id(m, txn, conf->servers[i].id, hello->node_id))
			return conf->servers[i].id;
	}
	return 0;
}

/* Lives it still, as far as we can see? Then whoever has its node id too is a
 * copy, and not what became of it. */
static bool
is_alive(const struct members *m, uint64_t id, uint64_t now_ms)
{
	uint64_t heard = transport_heard_ms(m->env->transport, id);

	return id == m->env->identity->id ||
	    transport_connected(m->env->transport, id) ||
	    (heard != 0 && now_ms < heard + GONE_MS);
}

/* What became of a member that was here a moment ago comes in when that one has
 * been silent for a while; a copy is refused for good, and worth a line. */
static void
refuse_double(struct members *m, const struct hello *hello, uint64_t former,
    uint64_t now_ms)
{
	if (m->doubled != hello->id) {
		m->doubled = hello->id;
		m->doubled_ms = now_ms + 2 * GONE_MS;
	}
	if (now_ms < m->doubled_ms)
		return;
	m->doubled_ms = UINT64_MAX; /* said once */
	log_event(LOG_ERROR, "raft",
	    "not added, a living member has the same node id: "
	    "server=%016" PRIx64 " node_id=%s address=%s member=%016" PRIx64,
	    hello->id, hello->node_id, hello->address, former);
}

static bool
add_one(struct members *m, struct txn *txn, uint64_t now_ms)
{
	const struct hello *hello;
	uint64_t former;

	for (unsigned i = 0; i < m->known_count; i++) {
		hello = &m->known[i];
		if (!may_join(m, hello))
			continue;
		former = former_id(m, txn, hello);
		if (former != 0) {
			if (is_alive(m, former, now_ms)) {
				refuse_double(m, hello, former, now_ms);
				continue;
			}
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

	note_members(m);
	note_removal(m);
	if (m->retry_ms == 1)
		m->retry_ms = now_ms + RETRY_MS;
	if (!consensus_ready(m->env->consensus) || m->env->stopping ||
	    now_ms < m->retry_ms)
		return;
	if (txn_read(machine_db(consensus_machine(m->env->consensus)), &txn,
		&why) != OK)
		return;
	if (!m->changing && !promote_one(m))
		(void)add_one(m, txn, now_ms);
	records_tick(m->records, m, &m->first, txn, now_ms);
	txn_abort(txn);
	tell_removed(m, now_ms);
}

enum err
members_remove(struct members *m, uint64_t id, members_cb done, void *arg,
    struct errmsg *why)
{
	enum err rc;

	if (!consensus_has(m->env->consensus, id))
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
