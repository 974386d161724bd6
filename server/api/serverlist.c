#include "server/api/serverlist.h"

#include <string.h>

#include "server/api/context.h"
#include "server/api/errand.h"

#define TEXT_MAX ((size_t)256 * 1024)

static void
answer(const struct ask *ask, const struct serverlist_kind *kind,
    const struct node_status *status)
{
	struct buf json = buf_new(TEXT_MAX);
	int code = kind->render(&json, status);

	reply_json(ask, code, NULL, &json);
}

static void
on_servers(const struct ask *ask, struct node_call *call, const void *arg)
{
	const struct serverlist_kind *kind = arg;
	struct reader in = {call->reply.data, call->reply.size};
	struct node_status status;
	struct errmsg why;

	if (call->status != OK) {
		reply_failure(ask, call->status, &call->why);
	} else if (!node_servers_decode(&in, &status)) {
		(void)err_set(&why, ERR_PROTOCOL,
		    "the leader's list of servers cannot be read");
		reply_failure(ask, ERR_PROTOCOL, &why);
	} else {
		answer(ask, kind, &status);
	}
}

void
serverlist_read(const struct ask *ask, const struct serverlist_kind *kind)
{
	struct buf nothing = buf_new(0);
	struct node_status status;

	if (ask->query.mode == READ_STALE) {
		node_status(ask->api->server.node, &status);
		answer(ask, kind, &status);
	} else {
		errand_run(ask, NODE_CALL_SERVERS, &nothing, on_servers, kind);
	}
}

const struct node_member *
serverlist_by_id(const struct node_status *status, const char *id)
{
	for (unsigned i = 0; i < status->member_count && id[0] != '\0'; i++) {
		if (strcasecmp(status->members[i].node_id, id) == 0)
			return &status->members[i];
	}
	return NULL;
}

const struct node_member *
serverlist_by_address(const struct node_status *status, const char *address)
{
	for (unsigned i = 0; i < status->member_count; i++) {
		if (strcmp(status->members[i].address, address) == 0)
			return &status->members[i];
	}
	return NULL;
}
