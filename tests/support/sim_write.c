#include "tests/support/sim.h"

#include <inttypes.h>
#include <stdio.h>

#include "fsm/command.h"
#include "fsm/entry.h"
#include "storage/txn.h"
#include "tests/support/sim_impl.h"
#include "tests/support/test.h"

struct proposal {
	struct raft_apply apply;
	struct sim_server *server;
	uint64_t id;
};

/* -- writes --------------------------------------------------------------- */

static void
scope_of(uint64_t id, char out[32])
{
	snprintf(out, 32, "write-%" PRIu64, id);
}

static void
on_applied(struct raft_apply *req, int status, void *result)
{
	struct proposal *proposal = CONTAINER_OF(req, struct proposal, apply);
	struct sim_server *server = proposal->server;

	(void)result;
	if (status == 0 && !server->refusals[req->index % SIM_OUTCOMES])
		server->sim->acknowledged[proposal->id] = true;
	free(proposal);
}

/* One entry with one command, as the node packs it. */
static void
pack(struct sim_server *server, uint64_t id, struct buf *entry,
    uint8_t hash[static DB_HASH_SIZE])
{
	struct command command = {.type = COMMAND_TLSCONF_SET};
	const struct request_id request = {0};
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	struct errmsg why;
	char scope[32];

	scope_of(id, scope);
	command.tlsconf_set.scope = span_of(scope);
	command.tlsconf_set.document = span_of("{}");
	assert_int_equal(command_encode(&command, &bytes, &why), OK);
	entry_begin(entry, raft_last_index(server->raft) + 1,
	    raft_current_term(server->raft), server->tail);
	entry_add(entry, &request, bytes.data, bytes.size);
	assert_int_equal(entry_end(entry, 1, hash, &why), OK);
	buf_free(&bytes);
}

enum err
sim_propose(struct sim *sim, unsigned number, uint64_t *id)
{
	struct sim_server *server = &sim->servers[number];
	struct buf entry = buf_new(ENTRY_SIZE_MAX);
	uint8_t hash[DB_HASH_SIZE];
	struct proposal *proposal;
	struct raft_buffer buf;
	int rv;

	if (!server->ready)
		return ERR_BADSTATE;
	*id = sim->proposed++;
	assert_true(*id < SIM_PROPOSALS);
	pack(server, *id, &entry, hash);
	buf.len = entry.size;
	buf.base = raft_malloc(buf.len);
	proposal = calloc(1, sizeof(*proposal));
	assert_non_null(buf.base);
	assert_non_null(proposal);
	memcpy(buf.base, entry.data, entry.size);
	buf_free(&entry);
	proposal->server = server;
	proposal->id = *id;
	rv = raft_apply(server->raft, &proposal->apply, &buf, 1, on_applied);
	if (rv == 0) {
		memcpy(server->tail, hash, DB_HASH_SIZE);
		return OK;
	}
	assert_true(rv == RAFT_NOTLEADER || rv == RAFT_NOSPACE);
	raft_free(buf.base);
	free(proposal);
	return rv == RAFT_NOTLEADER ? ERR_NOTLEADER : ERR_FULL;
}

bool
sim_acknowledged(const struct sim *sim, uint64_t id)
{
	return sim->acknowledged[id];
}

unsigned
sim_acknowledged_count(const struct sim *sim)
{
	unsigned count = 0;

	for (uint64_t id = 0; id < sim->proposed; id++)
		count += sim->acknowledged[id];
	return count;
}

bool
sim_has(struct sim *sim, unsigned server, uint64_t id)
{
	struct tlsconf conf;
	struct errmsg why;
	struct txn *txn;
	uint64_t index;
	char scope[32];
	enum err rc;

	scope_of(id, scope);
	assert_int_equal(txn_read(sim->servers[server].db, &txn, &why), OK);
	rc = tlsconf_get(txn, span_of(scope), &conf, &index, &why);
	txn_abort(txn);
	assert_true(rc == OK || rc == ERR_NOTFOUND);
	return rc == OK;
}

/* -- membership ----------------------------------------------------------- */

static void
on_changed(struct raft_change *req, int status)
{
	(void)status;
	free(req);
}

/* The one function through which membership changes. */
static enum err
change(struct sim *sim, unsigned by, unsigned server, bool remove)
{
	struct raft *raft = sim->servers[by].raft;
	struct raft_change *req;
	raft_id id = server + 1;
	int rv;

	if (!sim->servers[by].ready)
		return ERR_BADSTATE;
	req = calloc(1, sizeof(*req));
	assert_non_null(req);
	if (remove)
		rv = raft_remove(raft, req, id, on_changed);
	else
		rv = raft_assign(raft, req, id, RAFT_VOTER, on_changed);
	if (rv == 0)
		return OK;
	free(req);
	return ERR_BUSY;
}

enum err
sim_assign_voter(struct sim *sim, unsigned by, unsigned server)
{
	return change(sim, by, server, false);
}

enum err
sim_remove(struct sim *sim, unsigned by, unsigned server)
{
	return change(sim, by, server, true);
}

static void
on_transferred(struct raft_transfer *req)
{
	free(req);
}

enum err
sim_transfer(struct sim *sim, unsigned by)
{
	struct raft_transfer *req;

	if (!sim->servers[by].ready)
		return ERR_BADSTATE;
	req = calloc(1, sizeof(*req));
	assert_non_null(req);
	if (raft_transfer(sim->servers[by].raft, req, 0, on_transferred) == 0)
		return OK;
	free(req);
	return ERR_BUSY;
}

/* -- looking -------------------------------------------------------------- */

unsigned
sim_refused(const struct sim *sim, unsigned server)
{
	return sim->servers[server].refused;
}

unsigned
sim_ahead(const struct sim *sim, unsigned server)
{
	return sim->servers[server].ahead;
}

void
sim_state_hash(
    struct sim *sim, unsigned server, uint8_t hash[static DB_HASH_SIZE])
{
	struct db_meta meta;

	db_meta(sim->servers[server].db, &meta);
	db_state_hash(&meta, hash);
}

void
sim_assert_equal(struct sim *sim)
{
	struct db_meta first, meta;

	db_meta(sim->servers[0].db, &first);
	for (unsigned i = 0; i < sim->options.servers; i++) {
		struct errmsg why;
		struct txn *txn;
		bool sums;

		db_meta(sim->servers[i].db, &meta);
		assert_memory_equal(&meta, &first, sizeof(meta));
		assert_int_equal(sim_refused(sim, i), sim_refused(sim, 0));
		assert_int_equal(txn_read(sim->servers[i].db, &txn, &why), OK);
		assert_int_equal(txn_verify(txn, &sums), OK);
		assert_true(sums);
		txn_abort(txn);
	}
}

void
sim_assert_kept(struct sim *sim)
{
	for (uint64_t id = 0; id < sim->proposed; id++) {
		if (!sim_acknowledged(sim, id))
			continue;
		for (unsigned i = 0; i < sim->options.servers; i++)
			assert_true(sim_has(sim, i, id));
	}
}
