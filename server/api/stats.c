#include "server/api/stats.h"

#include "server/api/cache.h"
#include "server/api/context.h"
#include "server/api/jsonout.h"
#include "server/ca/manager.h"
#include "server/duration.h"
#include "server/version.h"

#define NS_PER_MS 1000000

/* In raft's words, which clients compare with. */
static const char *
raft_state(enum node_role role)
{
	if (role == NODE_LEADER)
		return "Leader";
	if (role == NODE_CANDIDATE)
		return "Candidate";
	return role == NODE_REMOVED ? "Shutdown" : "Follower";
}

static const char *
role_name(enum node_role role)
{
	static const char *const names[] = {[NODE_ALONE] = "alone",
	    [NODE_FOLLOWER] = "follower",
	    [NODE_CANDIDATE] = "candidate",
	    [NODE_LEADER] = "leader",
	    [NODE_STANDBY] = "standby",
	    [NODE_REMOVED] = "removed"};

	return names[role];
}

static void
put_raft(struct buf *out, const struct node_status *status)
{
	char contact[DURATION_TEXT];
	unsigned peers = 0;

	for (unsigned i = 0; i < status->member_count; i++) {
		if (status->members[i].voter && !status->members[i].self)
			peers++;
	}
	duration_format((int64_t)status->last_contact_ms * NS_PER_MS, contact);
	jsonout_open(out, "raft", '{');
	jsonout_count(out, "applied_index", status->applied_index);
	jsonout_count(out, "commit_index", status->commit_index);
	jsonout_text(out, "last_contact",
	    status->role == NODE_LEADER ? "0"
		: status->leader_known  ? contact
					: "never");
	jsonout_count(out, "last_log_index", status->last_index);
	jsonout_count(out, "last_snapshot_index", status->snapshot_index);
	jsonout_count(
	    out, "latest_configuration_index", status->configuration_index);
	jsonout_count(out, "num_peers", peers);
	jsonout_text(out, "protocol_version", "3");
	jsonout_text(out, "state", raft_state(status->role));
	jsonout_count(out, "term", status->term);
	jsonout_close(out, '{');
}

static void
put_conclave(struct buf *out, struct api *api, const struct node_status *status)
{
	struct errmsg fault = {.text = ""};
	char ca[32] = "";

	manager_state(api->server.manager, ca, sizeof(ca), &fault);
	jsonout_open(out, "conclave", '{');
	jsonout_text(out, "ca_fault", fault.text);
	jsonout_text(out, "ca_state", ca);
	jsonout_text(out, "cluster_id", status->cluster_id);
	jsonout_count(out, "loop_answers_cached", cache_count(api->cache));
	jsonout_count(out, "loop_reads_parked", watch_count(api->watch));
	jsonout_count(out, "raft_id", status->id);
	jsonout_count(out, "revision", status->revision);
	jsonout_text(out, "role", role_name(status->role));
	jsonout_text(out, "state", status->state);
	jsonout_close(out, '{');
}

void
stats_put(struct buf *out, struct api *api, const struct node_status *status)
{
	bool leads = status->role == NODE_LEADER;

	jsonout_open(out, "Stats", '{');
	jsonout_open(out, "build", '{');
	jsonout_text(out, "prerelease", "");
	jsonout_text(out, "revision", "");
	jsonout_text(out, "version", CONCLAVE_VERSION);
	jsonout_close(out, '{');
	put_conclave(out, api, status);
	jsonout_open(out, "consul", '{');
	jsonout_text(out, "bootstrap", status->bootstrapped ? "true" : "false");
	jsonout_text(out, "known_datacenters", "1");
	jsonout_text(out, "leader", leads ? "true" : "false");
	jsonout_text(out, "leader_addr", status->leader_address);
	jsonout_text(out, "server", "true");
	jsonout_close(out, '{');
	put_raft(out, status);
	jsonout_close(out, '{');
}
