#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/api/context.h"
#include "server/api/errand.h"
#include "server/api/handlers.h"
#include "server/api/jsonout.h"
#include "server/api/member.h"
#include "server/api/stats.h"
#include "server/config.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/version.h"

#define TEXT_MAX ((size_t)1 << 20)
/* Builds are reproducible: the date is the one Consul gives when unset. */
#define BUILD_DATE       "1970-01-01T00:00:01Z"
#define REPLY_EXPOSITION "text/plain; version=0.0.4; charset=utf-8"

static const struct node_member *
self_of(const struct node_status *status)
{
	for (unsigned i = 0; i < status->member_count; i++) {
		if (status->members[i].self)
			return &status->members[i];
	}
	return NULL;
}

/* Also before this server is a member of anything. */
static void
put_self(struct buf *out, const struct config *config,
    const struct node_status *status)
{
	const struct node_member *known = self_of(status);
	struct node_member self = {.self = true, .version = CONCLAVE_VERSION};

	if (known != NULL)
		self = *known;
	if (known == NULL || known->name[0] == '\0') {
		memcpy(self.node_id, status->node_id, sizeof(self.node_id));
		memcpy(self.address, status->address, sizeof(self.address));
		(void)snprintf(
		    self.name, sizeof(self.name), "%s", config->node_name);
	}
	member_put(out, "Member", config, &self, false);
}

/* GET /v1/agent/self: contract 2.14. */
void
api_agent_self(const struct ask *ask, const struct http_request *request)
{
	const struct config *config = ask->api->server.config;
	struct buf json = buf_new(TEXT_MAX);
	struct node_status status;

	(void)request;
	node_status(ask->api->server.node, &status);
	jsonout_open(&json, NULL, '{');
	jsonout_open(&json, "Config", '{');
	jsonout_text(&json, "Datacenter", config->datacenter);
	jsonout_text(&json, "PrimaryDatacenter", config->datacenter);
	jsonout_text(&json, "NodeName", config->node_name);
	jsonout_text(&json, "NodeID", status.node_id);
	jsonout_text(&json, "Revision", "");
	jsonout_bool(&json, "Server", true);
	jsonout_text(&json, "Version", CONCLAVE_VERSION);
	jsonout_text(&json, "BuildDate", BUILD_DATE);
	jsonout_close(&json, '{');
	jsonout_key(&json, "DebugConfig");
	config_json(config, &json);
	jsonout_key(&json, "Coord");
	buf_puts(&json, "null");
	put_self(&json, config, &status);
	stats_put(&json, ask->api, &status);
	jsonout_open(&json, "Meta", '{');
	jsonout_close(&json, '{');
	jsonout_close(&json, '{');
	reply_json(ask, 200, NULL, &json);
}

/* What a member list may be narrowed by; refused with an answer. */
static bool
take_pool(const struct ask *ask, const struct http_request *request, bool *wan,
    bool *none)
{
	char value[QUERY_VALUE_MAX];
	bool good;

	good = query_text(request, "filter", value, sizeof(value), NULL) == OK;
	if (!good || value[0] != '\0') {
		reply_error(ask, 400, "filter expressions are not supported");
		return false;
	}
	good = query_text(request, "wan", value, sizeof(value), NULL) == OK;
	*wan = !good || value[0] != '\0';
	good = query_text(request, "segment", value, sizeof(value), NULL) == OK;
	/* There are no segments: any name but "all" finds nobody. */
	*none = !good || (value[0] != '\0' && strcmp(value, "_all") != 0);
	if (*wan && *none) {
		reply_error(ask, 400, "Cannot provide a segment with wan=true");
		return false;
	}
	return true;
}

/* GET /v1/agent/members: contract 2.15. */
void
api_agent_members(const struct ask *ask, const struct http_request *request)
{
	const struct config *config = ask->api->server.config;
	struct node_status status;
	struct buf json;
	bool wan, none;

	if (!take_pool(ask, request, &wan, &none))
		return;
	node_status(ask->api->server.node, &status);
	json = buf_new(TEXT_MAX);
	jsonout_open(&json, NULL, '[');
	for (unsigned i = 0; i < status.member_count && !none; i++)
		member_put(&json, NULL, config, &status.members[i], wan);
	jsonout_close(&json, '[');
	reply_json(ask, 200, NULL, &json);
}

static struct http_slice
trim(const char *data, size_t size)
{
	while (size > 0 && (*data == ' ' || *data == '\t')) {
		data++;
		size--;
	}
	while (size > 0 && (data[size - 1] == ' ' || data[size - 1] == '\t'))
		size--;
	return (struct http_slice){data, size};
}

static bool
equals(struct http_slice a, const char *text)
{
	return a.size == strlen(text) && strncasecmp(a.data, text, a.size) == 0;
}

/* Up to the separator or the end; *all goes on behind it. */
static struct http_slice
next_part(struct http_slice *all, char separator)
{
	const char *stop = memchr(all->data, separator, all->size);
	size_t size = stop == NULL ? all->size : (size_t)(stop - all->data);
	struct http_slice part = trim(all->data, size);
	size_t used = stop == NULL ? size : size + 1;

	all->data += used;
	all->size -= used;
	return part;
}

/* Contract 2.17: who asks for Prometheus' text. */
static bool
wants_exposition(const struct http_request *request)
{
	struct http_slice accept = http_header(request, "Accept");
	char format[32];

	if (query_text(request, "format", format, sizeof(format), NULL) == OK &&
	    strcmp(format, "prometheus") == 0)
		return true;
	while (accept.size > 0) {
		struct http_slice item = next_part(&accept, ',');
		struct http_slice type = next_part(&item, ';');

		if (equals(type, "application/openmetrics-text"))
			return true;
		if (equals(type, "text/plain") && item.size > 0 &&
		    equals(next_part(&item, ';'), "version=0.4.0"))
			return true;
	}
	return false;
}

/* GET /v1/agent/metrics: contract 2.17. */
void
api_agent_metrics(const struct ask *ask, const struct http_request *request)
{
	struct buf text = buf_new(TEXT_MAX);

	if (wants_exposition(request)) {
		metrics_prometheus(&text);
		reply_text(ask, 200, NULL, REPLY_EXPOSITION, &text);
	} else {
		metrics_json(&text);
		reply_json(ask, 200, NULL, &text);
	}
}

/* GET /v1/agent/version: contract 1.2. */
void
api_agent_version(const struct ask *ask, const struct http_request *request)
{
	struct buf json = buf_new(TEXT_MAX);

	(void)request;
	jsonout_open(&json, NULL, '{');
	jsonout_text(&json, "SHA", "");
	jsonout_text(&json, "BuildDate", BUILD_DATE);
	jsonout_text(&json, "HumanVersion", CONCLAVE_VERSION);
	jsonout_text(&json, "FIPS", "");
	jsonout_close(&json, '{');
	reply_json(ask, 200, NULL, &json);
}

/* PUT /v1/agent/reload: contract 2.16. */
void
api_agent_reload(const struct ask *ask, const struct http_request *request)
{
	const struct api_server *server = &ask->api->server;
	struct errmsg why = {.text = ""};
	enum err rc = server->reload(server->arg, &why);

	(void)request;
	if (rc == OK)
		reply_empty(ask, false);
	else
		reply_failure(ask, rc, &why);
}

static void
on_left(const struct ask *ask, struct node_call *call, const void *arg)
{
	const struct api_server *server = &ask->api->server;

	(void)arg;
	if (call->status != OK) {
		reply_failure(ask, call->status, &call->why);
		return;
	}
	reply_empty(ask, false);
	server->leave(server->arg);
}

/* PUT /v1/agent/leave: contract 2.16. */
void
api_agent_leave(const struct ask *ask, const struct http_request *request)
{
	const struct api_server *server = &ask->api->server;
	struct node_status status;
	struct buf raft_id;

	(void)request;
	node_status(server->node, &status);
	log_event(LOG_INFO, "http", "asked to leave: members=%u",
	    status.member_count);
	if (status.member_count <= 1) { /* nobody to take leave of */
		reply_empty(ask, false);
		server->leave(server->arg);
		return;
	}
	raft_id = buf_new(8);
	buf_u64(&raft_id, status.id);
	errand_run(ask, NODE_CALL_LEAVE, &raft_id, on_left, NULL);
}
