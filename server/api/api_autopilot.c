#include "server/api/handlers.h"
#include "server/api/jsonout.h"
#include "server/api/serverlist.h"
#include "server/duration.h"

#define NS_PER_MS 1000000

/* What both answers begin with; contract 2.11 gives the rule. */
struct health {
	unsigned voters, healthy_voters, tolerance;
	bool all;
};

static struct health
judge(const struct node_status *status)
{
	struct health h = {.all = status->member_count > 0};
	unsigned quorum;

	for (unsigned i = 0; i < status->member_count; i++) {
		const struct node_member *m = &status->members[i];

		if (m->voter)
			h.voters++;
		if (m->voter && m->healthy)
			h.healthy_voters++;
		if (!m->healthy)
			h.all = false;
	}
	quorum = h.voters / 2 + 1;
	if (h.healthy_voters > quorum)
		h.tolerance = h.healthy_voters - quorum;
	return h;
}

static void
put_contact(struct buf *out, const struct node_member *m)
{
	char text[DURATION_TEXT];

	duration_format((int64_t)m->last_contact_ms * NS_PER_MS, text);
	jsonout_text(out, "LastContact", text);
	jsonout_u64(out, "LastTerm", m->last_term);
	jsonout_u64(out, "LastIndex", m->last_index);
	jsonout_bool(out, "Healthy", m->healthy);
}

static int
render_health(struct buf *out, const struct node_status *status)
{
	struct health h = judge(status);

	jsonout_open(out, NULL, '{');
	jsonout_bool(out, "Healthy", h.all);
	jsonout_u64(out, "FailureTolerance", h.tolerance);
	jsonout_open(out, "Servers", '[');
	for (unsigned i = 0; i < status->member_count; i++) {
		const struct node_member *m = &status->members[i];

		jsonout_open(out, NULL, '{');
		jsonout_text(out, "ID", m->node_id);
		jsonout_text(out, "Name", m->name);
		jsonout_text(out, "Address", m->address);
		jsonout_text(
		    out, "SerfStatus", m->connected ? "alive" : "failed");
		jsonout_text(out, "Version", m->version);
		jsonout_bool(out, "Leader", m->leader);
		put_contact(out, m);
		jsonout_bool(out, "Voter", m->voter);
		jsonout_time(out, "StableSince", m->stable_since);
		jsonout_close(out, '{');
	}
	jsonout_close(out, '[');
	jsonout_close(out, '{');
	return h.all ? 200 : 429;
}

static const char *
role_of(const struct node_member *m)
{
	if (m->leader)
		return "leader";
	return m->voter ? "voter" : "non-voter";
}

static int
render_state(struct buf *out, const struct node_status *status)
{
	struct health h = judge(status);
	const char *leader = "";

	for (unsigned i = 0; i < status->member_count; i++) {
		if (status->members[i].leader)
			leader = status->members[i].node_id;
	}
	jsonout_open(out, NULL, '{');
	jsonout_bool(out, "Healthy", h.all);
	jsonout_u64(out, "FailureTolerance", h.tolerance);
	jsonout_u64(out, "OptimisticFailureTolerance", 0);
	jsonout_text(out, "Leader", leader);
	jsonout_open(out, "Voters", '[');
	for (unsigned i = 0; i < status->member_count; i++) {
		if (status->members[i].voter)
			jsonout_text(out, NULL, status->members[i].node_id);
	}
	jsonout_close(out, '[');
	jsonout_open(out, "Servers", '{');
	for (unsigned i = 0; i < status->member_count; i++) {
		const struct node_member *m = &status->members[i];

		jsonout_open(out, m->node_id, '{');
		jsonout_text(out, "ID", m->node_id);
		jsonout_text(out, "Name", m->name);
		jsonout_text(out, "Address", m->address);
		jsonout_text(
		    out, "NodeStatus", m->connected ? "alive" : "failed");
		jsonout_text(out, "Version", m->version);
		put_contact(out, m);
		jsonout_time(out, "StableSince", m->stable_since);
		jsonout_bool(out, "ReadReplica", false);
		jsonout_text(out, "Status", role_of(m));
		jsonout_open(out, "Meta", '{');
		jsonout_close(out, '{');
		jsonout_text(out, "NodeType", "voter");
		jsonout_close(out, '{');
	}
	jsonout_close(out, '{');
	jsonout_close(out, '{');
	return 200;
}

/* GET /v1/operator/autopilot/health: contract 2.11. */
void
api_autopilot_health(const struct ask *ask, const struct http_request *request)
{
	static const struct serverlist_kind kind = {render_health};

	(void)request;
	serverlist_read(ask, &kind);
}

/* GET /v1/operator/autopilot/state: contract 2.11. */
void
api_autopilot_state(const struct ask *ask, const struct http_request *request)
{
	static const struct serverlist_kind kind = {render_state};

	(void)request;
	serverlist_read(ask, &kind);
}
