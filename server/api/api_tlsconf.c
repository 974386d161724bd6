#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fsm/command.h"
#include "server/api/blocking.h"
#include "server/api/context.h"
#include "server/api/handlers.h"
#include "server/api/jsonout.h"
#include "server/api/tlsdoc.h"

#define REPLY_MAX 128 /* bytes of a PUT's answer */

static_assert(
    TLSCONF_SCOPE_MAX <= BLOCKING_OBJECT_MAX, "a parked read holds its scope");

/* -- reads --------------------------------------------------------------- */

static uint64_t
scope_topic(struct span scope)
{
	return topic_of(TABLE_TLSCONF, scope.data, scope.size);
}

static uint64_t
table_topic(struct span object)
{
	(void)object;
	return topic_of(TABLE_TLSCONF, NULL, 0);
}

static enum err
render_one(struct txn *txn, struct span scope, struct view_text *out,
    struct errmsg *why)
{
	struct tlsconf conf;
	enum err rc = tlsconf_get(txn, scope, &conf, &out->index, why);

	if (rc == ERR_NOTFOUND) {
		buf_printf(&out->text, "no TLS configuration \"%.*s\"",
		    (int)scope.size, scope.data);
		return rc;
	}
	if (rc != OK)
		return rc;
	tlsdoc_put(&out->text, &conf, false);
	out->index = conf.modify_index;
	return OK;
}

static bool
put_item(void *arg, const struct tlsconf *conf)
{
	struct buf *out = arg;

	tlsdoc_put(out, conf, true);
	return out->failed == OK;
}

static enum err
render_list(struct txn *txn, struct span object, struct view_text *out,
    struct errmsg *why)
{
	enum err rc;

	(void)object;
	buf_u8(&out->text, '[');
	rc = tlsconf_list(txn, put_item, &out->text, &out->index, why);
	buf_u8(&out->text, ']');
	return rc;
}

static const struct view_kind one = {render_one, scope_topic, REPLY_JSON, 0};
static const struct view_kind list = {render_list, table_topic, REPLY_JSON, 0};

/* The scope behind the prefix; refused with an answer if it is none. */
static bool
take_scope(const struct ask *ask, char out[static TLSCONF_SCOPE_MAX + 1],
    struct span *scope)
{
	if (http_unescape(ask->rest, false, out, TLSCONF_SCOPE_MAX + 1)) {
		*scope = span_of(out);
		if (tlsconf_scope_valid(*scope))
			return true;
	}
	reply_error(ask, 400, "the scope must be 1 to 64 bytes of a-z 0-9 _ -");
	return false;
}

/* GET /v1/tls/config/:scope: contract 1.13, 8.3. */
void
api_tlsconf_get(const struct ask *ask, const struct http_request *request)
{
	char text[TLSCONF_SCOPE_MAX + 1];
	struct span scope;

	(void)request;
	if (take_scope(ask, text, &scope))
		blocking_read(ask, &one, scope);
}

/* GET /v1/tls/config: every document, by scope: contract 1.13. */
void
api_tlsconf_list(const struct ask *ask, const struct http_request *request)
{
	(void)request;
	blocking_read(ask, &list, (struct span){NULL, 0});
}

/* -- writes -------------------------------------------------------------- */

struct change {
	struct node_proposal proposal;
	struct ask ask;
	bool is_delete, gone;
};

static void
on_gone(struct conn *conn, void *arg)
{
	struct change *change = arg;

	(void)conn;
	change->gone = true;
}

static void
answer_change(const struct change *change)
{
	const struct fsm_result *result = &change->proposal.result;
	const struct ask *ask = &change->ask;
	struct reply_head head;
	struct buf json;

	if (result->code == ERR_CONFLICT) {
		reply_error(ask, 409, result->why);
		return;
	}
	if (result->code != OK) {
		struct errmsg why;

		(void)err_set(&why, result->code, "%s", result->why);
		reply_failure(ask, result->code, &why);
		return;
	}
	if (change->is_delete) {
		reply_empty(ask, change->proposal.behind);
		return;
	}
	reply_head(&head);
	if (change->proposal.behind)
		reply_line(&head, "X-Conclave-Behind", "true");
	json = buf_new(REPLY_MAX);
	jsonout_open(&json, NULL, '{');
	jsonout_u64(&json, "CreateIndex", result->create_index);
	jsonout_u64(&json, "ModifyIndex", result->modify_index);
	jsonout_close(&json, '{');
	reply_json(ask, 200, &head, &json);
}

static void
on_proposed(struct node_proposal *proposal)
{
	struct change *change = CONTAINER_OF(proposal, struct change, proposal);
	struct api *api = change->ask.api;

	if (!change->gone) {
		if (proposal->status == OK)
			answer_change(change);
		else
			reply_failure(
			    &change->ask, proposal->status, &proposal->why);
	}
	free(change);
	api_release(api);
}

static void
propose(const struct ask *ask, const struct command *command)
{
	struct change *change = calloc(1, sizeof(*change));
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	struct errmsg why = {.text = ""};
	enum err rc = ERR_NOMEM;

	if (change != NULL)
		rc = command_encode(command, &bytes, &why);
	if (rc == OK) {
		change->ask = *ask;
		change->is_delete = command->type == COMMAND_TLSCONF_DELETE;
		rc = node_propose(ask->api->server.node, ask->api->loop, &bytes,
		    &change->proposal, on_proposed);
	}
	if (rc != OK) {
		buf_free(&bytes);
		free(change);
		reply_failure(ask, rc, &why);
		return;
	}
	conn_on_gone(ask->conn, on_gone, change);
	api_hold(ask->api);
}

/* ?cas=N; refused with an answer if N is no number. */
static bool
take_cas(const struct ask *ask, const struct http_request *request,
    bool *has_cas, uint64_t *cas)
{
	struct http_slice raw;
	char text[24];

	*has_cas = http_query(request, "cas", &raw);
	*cas = 0;
	if (!*has_cas ||
	    (http_unescape(raw, true, text, sizeof(text)) &&
		query_u64(text, cas)))
		return true;
	reply_error(ask, 400, "cas must be an unsigned number below 2^64");
	return false;
}

/* PUT /v1/tls/config/:scope: contract 1.13, 8.3. */
void
api_tlsconf_put(const struct ask *ask, const struct http_request *request)
{
	struct command command = {.type = COMMAND_TLSCONF_SET};
	struct buf document = buf_new(TLSCONF_DOCUMENT_MAX);
	char text[TLSCONF_SCOPE_MAX + 1];
	struct errmsg why;
	enum err rc;

	if (!take_scope(ask, text, &command.tlsconf_set.scope) ||
	    !take_cas(ask, request, &command.tlsconf_set.has_cas,
		&command.tlsconf_set.cas))
		return;
	rc = tlsdoc_decode(request->body, &document, &why);
	if (rc == OK) {
		command.tlsconf_set.document.data = (const char *)document.data;
		command.tlsconf_set.document.size = document.size;
		propose(ask, &command);
	} else if (rc == ERR_NOMEM) {
		reply_failure(ask, rc, &why);
	} else {
		reply_error(ask, 400, why.text);
	}
	buf_free(&document);
}

/* DELETE /v1/tls/config/:scope: contract 1.13. */
void
api_tlsconf_delete(const struct ask *ask, const struct http_request *request)
{
	struct command command = {.type = COMMAND_TLSCONF_DELETE};
	char text[TLSCONF_SCOPE_MAX + 1];

	if (take_scope(ask, text, &command.tlsconf_delete.scope) &&
	    take_cas(ask, request, &command.tlsconf_delete.has_cas,
		&command.tlsconf_delete.cas))
		propose(ask, &command);
}
