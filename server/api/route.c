#include "server/api/route.h"

#include <string.h>

#include "server/api/handlers.h"

#define PATH(p)   p, sizeof(p) - 1
#define GET       HTTP_GET_, "GET"
#define PUT       HTTP_PUT_, "PUT"
#define POST      HTTP_POST_, "POST"
#define DELETE    HTTP_DELETE_, "DELETE"
#define READ      (ROUTE_DC | ROUTE_MODES)
#define WATCHABLE (READ | ROUTE_WAIT | ROUTE_BLOCKS | ROUTE_PUBLIC)

/* The hottest first: a look-up walks it. */
const struct route route_table[] = {
    {PATH("/v1/connect/ca/roots"), GET, api_roots_get,
	WATCHABLE | ROUTE_CONNECT, ""},
    {PATH("/v1/agent/connect/ca/roots"), GET, api_agent_roots_get,
	WATCHABLE | ROUTE_CONNECT, ""},
    {PATH("/v1/tls/config/"), GET, api_tlsconf_get, WATCHABLE | ROUTE_PREFIX,
	"operator:read"},
    {PATH("/v1/tls/config/"), PUT, api_tlsconf_put, ROUTE_DC | ROUTE_PREFIX,
	"operator:write"},
    {PATH("/v1/tls/config/"), DELETE, api_tlsconf_delete,
	ROUTE_DC | ROUTE_PREFIX, "operator:write"},
    {PATH("/v1/tls/config"), GET, api_tlsconf_list, WATCHABLE, "operator:read"},
    {PATH("/v1/connect/ca/configuration"), GET, api_ca_config_get,
	READ | ROUTE_WAIT | ROUTE_CONNECT, "operator:write"},
    {PATH("/v1/connect/ca/configuration"), PUT, api_ca_config_put,
	ROUTE_DC | ROUTE_CONNECT, "operator:write"},
    {PATH("/v1/status/leader"), GET, api_status_leader, ROUTE_DC, ""},
    {PATH("/v1/status/peers"), GET, api_status_peers, ROUTE_DC, ""},
    {PATH("/v1/operator/raft/configuration"), GET, api_raft_configuration, READ,
	"operator:read"},
    {PATH("/v1/operator/raft/transfer-leader"), POST, api_transfer_leader,
	ROUTE_DC, "operator:write"},
    {PATH("/v1/operator/raft/peer"), DELETE, api_peer_delete, ROUTE_DC,
	"operator:write"},
    {PATH("/v1/operator/autopilot/health"), GET, api_autopilot_health, READ,
	"operator:read"},
    {PATH("/v1/operator/autopilot/state"), GET, api_autopilot_state, READ,
	"operator:read"},
    {PATH("/v1/agent/self"), GET, api_agent_self, 0, "agent:read"},
    {PATH("/v1/agent/members"), GET, api_agent_members, 0, "node:read"},
    {PATH("/v1/agent/metrics"), GET, api_agent_metrics, 0, "agent:read"},
    {PATH("/v1/agent/version"), GET, api_agent_version, 0, "agent:read"},
    {PATH("/v1/agent/reload"), PUT, api_agent_reload, 0, "agent:write"},
    {PATH("/v1/agent/leave"), PUT, api_agent_leave, 0, "agent:write"},
};

const size_t route_count = ARRAY_SIZE(route_table);

static bool
matches(const struct route *route, struct http_slice path)
{
	if (route->flags & ROUTE_PREFIX)
		return path.size >= route->path_size &&
		    memcmp(path.data, route->path, route->path_size) == 0;
	return path.size == route->path_size &&
	    memcmp(path.data, route->path, path.size) == 0;
}

const struct route *
route_find(struct http_slice path, struct http_slice *rest)
{
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];

		if (!matches(route, path))
			continue;
		rest->data = path.data + route->path_size;
		rest->size = path.size - route->path_size;
		return route;
	}
	return NULL;
}

static bool
same_path(const struct route *a, const struct route *b)
{
	return b < route_table + route_count && a->path_size == b->path_size &&
	    memcmp(a->path, b->path, a->path_size) == 0;
}

const struct route *
route_method(const struct route *first, enum http_method method)
{
	for (const struct route *r = first; same_path(first, r); r++) {
		if (r->method == method)
			return r;
	}
	return NULL;
}

void
route_allow(const struct route *first, struct buf *out)
{
	buf_puts(out, "OPTIONS");
	for (const struct route *r = first; same_path(first, r); r++) {
		buf_puts(out, ",");
		buf_puts(out, r->method_name);
	}
}
