/* operator raft list-peers, transfer-leader, remove-peer. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/flags.h"
#include "client/grid.h"
#include "client/indent.h"
#include "client/session.h"

static uint64_t
leader_index(const struct conclave_raft *raft)
{
	for (size_t i = 0; i < raft->count; i++) {
		if (raft->servers[i].leader)
			return raft->servers[i].last_index;
	}
	return 0;
}

static void
put_trail(const struct conclave_raft_server *server, uint64_t leads, char *out,
    size_t size)
{
	uint64_t lag =
	    leads > server->last_index ? leads - server->last_index : 0;

	if (server->leader || leads == 0 || server->last_index == 0)
		(void)snprintf(out, size, "-");
	else
		(void)snprintf(out, size, "%" PRIu64 " commit%s", lag,
		    lag == 1 ? "" : "s");
}

static int
print_peers(const struct conclave_answer *answer)
{
	static const char *const headings[] = {"Node", "ID", "Address", "State",
	    "Voter", "RaftProtocol", "Commit Index", "Trails Leader By"};
	struct conclave_raft raft;
	struct conclave_error error;
	struct grid grid;
	uint64_t leads;

	if (conclave_raft_parse(
		answer->body, answer->body_size, &raft, &error) != CONCLAVE_OK)
		return cli_fail("Error getting peers: %s", error.text);
	leads = leader_index(&raft);
	grid = grid_new(headings, CLI_COUNT(headings));
	for (size_t i = 0; i < raft.count; i++) {
		const struct conclave_raft_server *server = &raft.servers[i];
		char index[24], trail[40];
		const char *const cells[] = {server->node, server->id,
		    server->address, server->leader ? "leader" : "follower",
		    server->voter ? "true" : "false",
		    server->protocol_version[0] == '\0'
			? "<=1"
			: server->protocol_version,
		    index, trail};

		(void)snprintf(
		    index, sizeof(index), "%" PRIu64, server->last_index);
		put_trail(server, leads, trail, sizeof(trail));
		grid_add(&grid, cells);
	}
	conclave_raft_free(&raft);
	if (grid_print(&grid, stdout) != 0)
		return cli_fail("out of memory");
	return CLI_GOOD;
}

int
verb_raft_list(struct cli *cli)
{
	struct conclave_request request = {
	    .path = "/v1/operator/raft/configuration",
	    .mode = session_mode(cli)};
	struct conclave_answer answer;
	struct conclave_error error;
	int rc = CLI_GOOD;

	if (session_call(cli, &request, &answer, &error) != CONCLAVE_OK)
		return cli_fail("Error getting peers: %s", error.text);
	if (cli_json(cli))
		indent_print(
		    answer.body, answer.body_size, INDENT_BLANKS, stdout);
	else
		rc = print_peers(&answer);
	conclave_answer_free(&answer);
	return rc;
}

int
verb_raft_transfer(struct cli *cli)
{
	struct conclave_error error;

	if (conclave_raft_transfer(cli->client, cli->values[FLAG_ID], &error) !=
	    CONCLAVE_OK)
		return cli_fail(
		    "Error transferring leadership: %s", error.text);
	(void)puts("Success");
	return CLI_GOOD;
}

int
verb_raft_remove(struct cli *cli)
{
	const char *id = cli->values[FLAG_ID];
	const char *address = cli->values[FLAG_ADDRESS];
	struct conclave_error error;

	if (conclave_raft_remove(cli->client, id, address, &error) !=
	    CONCLAVE_OK)
		return cli_fail("Error removing peer: %s", error.text);
	(void)printf("Removed peer with %s \"%s\"\n",
	    id != NULL ? "id" : "address", id != NULL ? id : address);
	return CLI_GOOD;
}
