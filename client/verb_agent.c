/* members, info, reload, leave: what an agent says and does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "client/flags.h"
#include "client/grid.h"
#include "client/indent.h"
#include "client/session.h"

#define CELL_SIZE 320 /* bytes */

/* -- members ------------------------------------------------------------- */

static const char *
status_name(enum conclave_member_status status)
{
	static const char *const names[] = {
	    [CONCLAVE_MEMBER_NONE] = "none",
	    [CONCLAVE_MEMBER_ALIVE] = "alive",
	    [CONCLAVE_MEMBER_LEAVING] = "leaving",
	    [CONCLAVE_MEMBER_LEFT] = "left",
	    [CONCLAVE_MEMBER_FAILED] = "failed",
	};

	return names[status];
}

static const char *
tag_or(const struct conclave_member *member, const char *name, const char *none)
{
	const char *value = conclave_member_tag(member, name);

	return value != NULL && value[0] != '\0' ? value : none;
}

static int
by_name(const void *a, const void *b)
{
	const struct conclave_member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Of a server the port that servers meet at: gossip's is only a shape. */
static void
put_address(const struct conclave_member *member, char out[static CELL_SIZE])
{
	bool bare_v6 = strchr(member->addr, ':') != NULL;
	const char *port = conclave_member_tag(member, "port");
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", member->port);
	(void)snprintf(out, CELL_SIZE, bare_v6 ? "[%s]:%s" : "%s:%s",
	    member->addr, port != NULL ? port : number);
}

static void
add_member(struct grid *grid, const struct conclave_member *member)
{
	char address[CELL_SIZE], protocol[16];
	bool server = strcmp(tag_or(member, "role", ""), "consul") == 0;
	const char *const cells[] = {member->name, address,
	    status_name(member->status), server ? "server" : "client",
	    tag_or(member, "build", "-"), protocol, tag_or(member, "dc", "-"),
	    tag_or(member, "ap", "default"),
	    tag_or(member, "segment", server ? "<all>" : "<default>")};

	put_address(member, address);
	(void)snprintf(protocol, sizeof(protocol), "%u", member->protocol);
	grid_add(grid, cells);
}

/* "build=0.1.0,dc=dc1"; the caller frees it. */
static char *
join_tags(const struct conclave_member *member)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < member->tag_count; i++) {
		(void)fprintf(out, "%s%s=%s", i == 0 ? "" : ",",
		    member->tags[i].name, member->tags[i].value);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void
add_detailed(struct grid *grid, const struct conclave_member *member)
{
	char address[CELL_SIZE];
	char *tags = join_tags(member);
	const char *const cells[] = {
	    member->name, address, status_name(member->status), tags};

	put_address(member, address);
	if (tags == NULL)
		grid->failed = true;
	else
		grid_add(grid, cells);
	free(tags);
}

static int
print_members(const struct cli *cli, const struct conclave_answer *answer)
{
	static const char *const headings[] = {"Node", "Address", "Status",
	    "Type", "Build", "Protocol", "DC", "Partition", "Segment"};
	static const char *const detailed[] = {
	    "Node", "Address", "Status", "Tags"};
	bool all = flags_on(cli, FLAG_DETAILED);
	struct conclave_members list;
	struct conclave_error error;
	struct grid grid;

	if (conclave_members_parse(
		answer->body, answer->body_size, &list, &error) != CONCLAVE_OK)
		return cli_fail("Error retrieving members: %s", error.text);
	if (list.count > 1)
		qsort(list.members, list.count, sizeof(*list.members), by_name);
	if (all)
		grid = grid_new(detailed, CLI_COUNT(detailed));
	else
		grid = grid_new(headings, CLI_COUNT(headings));
	for (size_t i = 0; i < list.count; i++) {
		if (all)
			add_detailed(&grid, &list.members[i]);
		else
			add_member(&grid, &list.members[i]);
	}
	conclave_members_free(&list);
	if (grid_print(&grid, stdout) != 0)
		return cli_fail("out of memory");
	return CLI_GOOD;
}

int
verb_members(struct cli *cli)
{
	struct conclave_request request = {.path = "/v1/agent/members",
	    .query = flags_on(cli, FLAG_WAN) ? "wan=1" : NULL};
	struct conclave_answer answer;
	struct conclave_error error;
	int rc = CLI_GOOD;

	if (session_call(cli, &request, &answer, &error) != CONCLAVE_OK)
		return cli_fail("Error retrieving members: %s", error.text);
	if (cli_json(cli))
		indent_print(
		    answer.body, answer.body_size, INDENT_BLANKS, stdout);
	else
		rc = print_members(cli, &answer);
	conclave_answer_free(&answer);
	return rc;
}

/* -- info ---------------------------------------------------------------- */

static int
by_key(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp((*x)->string, (*y)->string);
}

/* The members of an object by name, NULL behind the last; NULL: no memory. */
static const cJSON **
sorted(const cJSON *object)
{
	size_t size = (size_t)cJSON_GetArraySize(object), count = 0;
	const cJSON **list = calloc(size + 1, sizeof(*list));
	const cJSON *item;

	if (list == NULL)
		return NULL;
	cJSON_ArrayForEach(item, object) list[count++] = item;
	qsort(list, count, sizeof(*list), by_key);
	return list;
}

static bool
print_section(const cJSON *section)
{
	const cJSON **keys = sorted(section);

	if (keys == NULL)
		return false;
	(void)printf("%s:\n", section->string);
	for (size_t i = 0; keys[i] != NULL; i++) {
		(void)printf("\t%s = %s\n", keys[i]->string,
		    cJSON_IsString(keys[i]) ? keys[i]->valuestring : "");
	}
	free(keys);
	return true;
}

static int
print_stats(const struct conclave_answer *answer, bool as_json)
{
	cJSON *json = cJSON_Parse(answer->body);
	const cJSON *stats = cJSON_GetObjectItem(json, "Stats");
	const cJSON **sections = NULL;
	char *text = NULL;
	bool good = false;

	if (!cJSON_IsObject(stats)) {
		cJSON_Delete(json);
		return cli_fail("Error querying agent: no Stats in the answer");
	}
	if (as_json) {
		text = cJSON_PrintUnformatted(stats);
		good = text != NULL;
		if (good)
			indent_print(text, strlen(text), INDENT_BLANKS, stdout);
		cJSON_free(text);
	} else {
		sections = sorted(stats);
		good = sections != NULL;
		for (size_t i = 0; good && sections[i] != NULL; i++)
			good = print_section(sections[i]);
		free(sections);
	}
	cJSON_Delete(json);
	return good ? CLI_GOOD : cli_fail("out of memory");
}

int
verb_info(struct cli *cli)
{
	struct conclave_request request = {
	    .path = "/v1/agent/self", .first_only = true};
	struct conclave_answer answer;
	struct conclave_error error;
	int rc;

	if (session_call(cli, &request, &answer, &error) != CONCLAVE_OK)
		return cli_fail("Error querying agent: %s", error.text);
	rc = print_stats(&answer, cli_json(cli));
	conclave_answer_free(&answer);
	return rc;
}

/* -- reload, leave ------------------------------------------------------- */

/* A PUT that means the server named first, and no other in its place. */
static int
tell_agent(
    struct cli *cli, const char *path, const char *doing, const char *done)
{
	struct conclave_request request = {
	    .method = "PUT", .path = path, .first_only = true};
	struct conclave_answer answer;
	struct conclave_error error;

	if (session_call(cli, &request, &answer, &error) != CONCLAVE_OK)
		return cli_fail("Error %s: %s", doing, error.text);
	conclave_answer_free(&answer);
	(void)puts(done);
	return CLI_GOOD;
}

int
verb_reload(struct cli *cli)
{
	return tell_agent(cli, "/v1/agent/reload", "reloading",
	    "Configuration reload triggered");
}

int
verb_leave(struct cli *cli)
{
	return tell_agent(
	    cli, "/v1/agent/leave", "leaving", "Graceful leave complete");
}
