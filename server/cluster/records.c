#include "server/cluster/records.h"

#include <stdlib.h>

#include "fsm/command.h"
#include "server/cluster/consensus.h"
#include "server/cluster/identity.h"
#include "server/config.h"
#include "server/duration.h"
#include "server/log.h"
#include "server/version.h"

#define RETRY_MS 2000 /* after one was not written */

/* A proposal of ours; it ends by itself. */
struct record {
	struct node_proposal proposal;
	struct records *records;
};

struct records {
	struct env *env;
	struct proposals *proposals;
	const char *address; /* our own */
	bool writing;        /* one proposal at a time */
	uint64_t retry_ms;   /* none before */
};

enum err
records_new(struct env *env, struct proposals *proposals, struct records **out,
    struct errmsg *why)
{
	struct records *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	r->env = env;
	r->proposals = proposals;
	*out = r;
	return OK;
}

void
records_free(struct records *r)
{
	free(r);
}

void
records_self(struct records *r, const char *address)
{
	r->address = address;
}

static void
written(struct node_proposal *proposal)
{
	struct record *record = CONTAINER_OF(proposal, struct record, proposal);
	struct records *r = record->records;
	const char *reason = NULL;

	if (proposal->status != OK)
		reason = proposal->why.text;
	else if (proposal->result.code != OK)
		reason = proposal->result.why;
	if (reason != NULL && !r->env->stopping) {
		log_event(LOG_WARN, "server",
		    "cluster record not written: reason=%s", reason);
		r->retry_ms = time_mono_ms() + RETRY_MS;
	}
	r->writing = false;
	free(record);
}

static void
propose(struct records *r, const struct command *command)
{
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	struct record *record = calloc(1, sizeof(*record));
	struct errmsg why;

	if (record == NULL || command_encode(command, &bytes, &why) != OK) {
		buf_free(&bytes);
		free(record);
		return; /* tried again at the next tick */
	}
	record->records = r;
	r->writing = true;
	if (proposals_enter(r->proposals, r->env->loop, &bytes, true,
		&record->proposal, written) != OK) {
		r->writing = false;
		buf_free(&bytes);
		free(record);
	}
}

static void
fill_own(const struct records *r, struct member *out)
{
	out->node_id = span_of(r->env->identity->node_id);
	out->name = span_of(r->env->config->node_name);
	out->address = span_of(r->address);
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
record_one(struct records *r, const struct members *members, struct txn *txn,
    uint64_t id)
{
	const struct hello *hello = members_known(members, id);
	struct command command = {.type = COMMAND_MEMBER_SET};
	struct member *wanted = &command.member_set, stored;
	struct errmsg why;

	wanted->id = id;
	if (id == r->env->identity->id) {
		fill_own(r, wanted);
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
	propose(r, &command);
	return true;
}

/* Those that are gone first: they make room for those that came. */
static void
keep(struct records *r, const struct members *members, struct txn *txn)
{
	const struct raft_configuration *conf =
	    &consensus_raft(r->env->consensus)->configuration;
	struct member rows[CLUSTER_MEMBERS_MAX];
	struct command command = {.type = COMMAND_MEMBER_DELETE};
	struct errmsg why;
	size_t count = 0;

	if (cluster_members(txn, rows, CLUSTER_MEMBERS_MAX, &count, &why) != OK)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!consensus_has(r->env->consensus, rows[i].id)) {
			command.member_delete = rows[i].id;
			propose(r, &command);
			return;
		}
	}
	for (unsigned i = 0; i < conf->n; i++) {
		if (record_one(r, members, txn, conf->servers[i].id))
			return;
	}
}

/* All first servers vote: say so in the state, and the cluster is formed. */
static void
form(struct records *r, const struct promise *first)
{
	struct command command = {.type = COMMAND_CLUSTER_INIT};

	for (unsigned i = 0; i < first->count; i++) {
		if (!consensus_is_voter(r->env->consensus, first->ids[i]))
			return;
	}
	if (first->count == 0)
		return; /* somebody who knows them leads soon */
	command.cluster_init.cluster_id = span_of(r->env->identity->cluster_id);
	command.cluster_init.datacenter = span_of(r->env->config->datacenter);
	propose(r, &command);
}

static void
set_quota(struct records *r)
{
	struct command command = {.type = COMMAND_CLUSTER_QUOTA};

	command.cluster_quota.bytes = r->env->config->state_quota;
	propose(r, &command);
}

void
records_tick(struct records *r, const struct members *members,
    const struct promise *first, struct txn *txn, uint64_t now_ms)
{
	if (r->writing || now_ms < r->retry_ms)
		return;
	if (!r->env->formed)
		form(r, first);
	else if (r->env->quota != r->env->config->state_quota)
		set_quota(r);
	else
		keep(r, members, txn);
}
