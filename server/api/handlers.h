/*
 * handlers - what the route table points to, one function per method and path.
 *
 * Each answers its request exactly once, at once or later, by the functions of
 * reply.h. request is good during the call only. Client loop.
 */
#ifndef SERVER_API_HANDLERS_H
#define SERVER_API_HANDLERS_H

#include "server/api/reply.h"
#include "server/net/http.h"

#define API_HANDLER(name)                                                      \
	void name(const struct ask *ask, const struct http_request *request)

/* api_authority.c: contract 2.1, 2.4, 2.2 */
API_HANDLER(api_roots_get);
API_HANDLER(api_agent_roots_get);
API_HANDLER(api_ca_config_get);
/* api_caconfig.c: contract 2.3 */
API_HANDLER(api_ca_config_put);
/* api_tlsconf.c: contract 1.13, 8.3 */
API_HANDLER(api_tlsconf_get);
API_HANDLER(api_tlsconf_put);
API_HANDLER(api_tlsconf_delete);
API_HANDLER(api_tlsconf_list);
/* api_cluster.c: contract 2.8 to 2.10, 2.12 */
API_HANDLER(api_status_leader);
API_HANDLER(api_status_peers);
API_HANDLER(api_raft_configuration);
API_HANDLER(api_transfer_leader);
API_HANDLER(api_peer_delete);
/* api_autopilot.c: contract 2.11 */
API_HANDLER(api_autopilot_health);
API_HANDLER(api_autopilot_state);
/* api_agent.c: contract 2.14 to 2.17 */
API_HANDLER(api_agent_self);
API_HANDLER(api_agent_members);
API_HANDLER(api_agent_metrics);
API_HANDLER(api_agent_version);
API_HANDLER(api_agent_reload);
API_HANDLER(api_agent_leave);

#endif
