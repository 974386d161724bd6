#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/api/context.h"
#include "server/api/errand.h"
#include "server/api/handlers.h"
#include "server/api/jsonout.h"
#include "server/api/serverlist.h"

#define TEXT_MAX ((size_t)16 * 1024)

/* GET /v1/status/leader: contract 2.12. */
void
api_status_leader(const struct ask *ask, const struct http_request *request)
{
	struct buf json = buf_new(TEXT_MAX);
	struct node_status status;

	(void)request;
	node_status(ask->api->server.node, &status);
	jsonout_text(&json, NULL, status.leader_address);
	reply_json(ask, 200, NULL, &json);
}

/* GET /v1/status/peers: contract 2.12. */
void
api_status_peers(const struct ask *ask, const struct http_request *request)
{
	struct buf json = buf_new(TEXT_MAX);
	struct node_status status;

	(void)request;
	node_status(ask->api->server.node, &status);
	jsonout_open(&json, NULL, '[');
	for (unsigned i = 0; i < status.member_count; i++)
		jsonout_text(&json, NULL, status.members[i].address);
	jsonout_close(&json, '[');
	reply_json(ask, 200, NULL, &json);
}

static int
render_configuration(struct buf *out, const struct node_status *status)
{
	jsonout_open(out, NULL, '{');
	jsonout_open(out, "Servers", '[');
	for (unsigned i = 0; i < status->member_count; i++) {
		const struct node_member *m = &status->members[i];
		bool known = m->name[0] != '\0';

		jsonout_open(out, NULL, '{');
		jsonout_text(out, "ID", m->node_id);
		jsonout_text(out, "Node", known ? m->name : "(unknown)");
		jsonout_text(out, "Address", m->address);
		jsonout_bool(out, "Leader", m->leader);
		jsonout_bool(out, "Voter", m->voter);
		jsonout_text(out, "ProtocolVersion", known ? "3" : "unknown");
		jsonout_u64(out, "LastIndex", m->last_index);
		jsonout_close(out, '{');
	}
	jsonout_close(out, '[');
	jsonout_u64(out, "Index", status->configuration_index);
	jsonout_close(out, '{');
	return 200;
}

/* GET /v1/operator/raft/configuration: contract 2.8. */
void
api_raft_configuration(
    const struct ask *ask, const struct http_request *request)
{
	static const struct serverlist_kind kind = {render_configuration};

	(void)request;
	serverlist_read(ask, &kind);
}

/* Both parameters that may name a server; refused with an answer. */
static bool
take_name(const struct ask *ask, const struct http_request *request,
    const char *key, char out[static NODE_ADDRESS_MAX])
{
	struct errmsg why;

	if (query_text(request, key, out, NODE_ADDRESS_MAX, &why) == OK)
		return true;
	reply_error(ask, 400, why.text);
	return false;
}

/* What errand_run's arg says: was a target named? */
static const bool named = true;

static void
on_transferred(const struct ask *ask, struct node_call *call, const void *arg)
{
	struct errmsg why;
	struct buf json;

	if (call->status == ERR_NOTFOUND) {
		(void)err_set(&why, call->status,
		    "Failed to transfer Leader: %s", call->why.text);
		reply_error(ask, arg == &named ? 404 : 500, why.text);
		return;
	}
	if (call->status != OK) {
		reply_failure(ask, call->status, &call->why);
		return;
	}
	json = buf_new(TEXT_MAX);
	jsonout_open(&json, NULL, '{');
	jsonout_bool(&json, "Success", true);
	jsonout_close(&json, '{');
	reply_json(ask, 200, NULL, &json);
}

/* Whom to transfer to, as NODE_CALL_TRANSFER wants it; NULL: answered. */
static const struct node_member *
find_target(
    const struct ask *ask, const struct node_status *status, const char *id)
{
	const struct node_member *m = serverlist_by_id(status, id);
	struct errmsg why;

	if (m != NULL && !m->leader)
		return m;
	if (m != NULL) {
		reply_error(ask, 500, "cannot transfer leadership to itself");
		return NULL;
	}
	(void)err_set(&why, ERR_NOTFOUND,
	    "Failed to transfer Leader: cannot find peer %s", id);
	reply_error(ask, 404, why.text);
	return NULL;
}

/* POST /v1/operator/raft/transfer-leader: contract 2.10. */
void
api_transfer_leader(const struct ask *ask, const struct http_request *request)
{
	struct buf target = buf_new(32);
	const struct node_member *m;
	struct node_status status;
	char id[NODE_ADDRESS_MAX];
	unsigned others = 0;

	if (!take_name(ask, request, "id", id))
		return;
	node_status(ask->api->server.node, &status);
	if (id[0] != '\0') {
		m = find_target(ask, &status, id);
		if (m == NULL)
			return;
		buf_printf(&target, "%" PRIu64, m->id);
	}
	for (unsigned i = 0; i < status.member_count; i++) {
		if (status.members[i].voter && !status.members[i].leader)
			others++;
	}
	if (status.bootstrapped && others == 0) {
		reply_error(
		    ask, 500, "Failed to transfer Leader: no other voter");
		buf_free(&target);
		return;
	}
	errand_run(ask, NODE_CALL_TRANSFER, &target, on_transferred,
	    id[0] != '\0' ? &named : NULL);
}

static void
on_removed(const struct ask *ask, struct node_call *call, const void *arg)
{
	(void)arg;
	if (call->status == OK)
		reply_empty(ask, false);
	else
		reply_failure(ask, call->status, &call->why);
}

/* DELETE /v1/operator/raft/peer: contract 2.9. */
void
api_peer_delete(const struct ask *ask, const struct http_request *request)
{
	char id[NODE_ADDRESS_MAX], address[NODE_ADDRESS_MAX];
	const struct node_member *m;
	struct node_status status;
	struct errmsg why;
	struct buf raft_id;

	if (!take_name(ask, request, "id", id) ||
	    !take_name(ask, request, "address", address))
		return;
	if (id[0] == '\0' && address[0] == '\0') {
		reply_error(ask, 400,
		    "Must specify either ?id with the server's ID or ?address "
		    "with IP:port of peer to remove");
		return;
	}
	if (id[0] != '\0' && address[0] != '\0') {
		reply_error(
		    ask, 400, "Must specify only one of ?id or ?address");
		return;
	}
	node_status(ask->api->server.node, &status);
	m = id[0] != '\0' ? serverlist_by_id(&status, id)
			  : serverlist_by_address(&status, address);
	if (m == NULL) {
		(void)err_set(&why, ERR_NOTFOUND,
		    "%s \"%s\" was not found in the Raft configuration",
		    id[0] != '\0' ? "id" : "address",
		    id[0] != '\0' ? id : address);
		reply_error(ask, 500, why.text);
		return;
	}
	raft_id = buf_new(8);
	buf_u64(&raft_id, m->id);
	errand_run(ask, NODE_CALL_REMOVE, &raft_id, on_removed, NULL);
}
