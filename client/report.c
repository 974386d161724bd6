#include "client/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli.h"
#include "client/grid.h"
#include "client/indent.h"

#define DAY_S     86400
#define LINE_SIZE 320

void
report_free(struct report *report)
{
	cJSON_Delete(report->self);
	cJSON_Delete(report->health);
	free(report->leader);
	conclave_roots_free(&report->roots);
}

/* A text some objects deep, or "". names end in NULL. */
static const char *
text_at(const cJSON *json, const char *const *names)
{
	for (; *names != NULL; names++)
		json = cJSON_GetObjectItem(json, *names);
	return cJSON_IsString(json) ? json->valuestring : "";
}

static const char *
stat_of(const struct report *report, const char *section, const char *key)
{
	const char *const names[] = {"Stats", section, key, NULL};

	return text_at(report->self, names);
}

static const char *
text_of(const cJSON *object, const char *name)
{
	const char *const names[] = {name, NULL};

	return text_at(object, names);
}

static double
number_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool
is_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItem(object, name));
}

/* Whole days until a time of RFC 3339, rounded down; false: it is none. */
static bool
days_until(const char *text, time_t now, long *out)
{
	struct tm at = {.tm_year = 0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &at);
	long left;

	if (end == NULL)
		return false;
	left = (long)(timegm(&at) - now);
	*out = left / DAY_S - (left % DAY_S < 0);
	return true;
}

static const struct conclave_root *
active_root(const struct report *report)
{
	for (size_t i = 0; i < report->roots.count; i++) {
		if (report->roots.roots[i].active)
			return &report->roots.roots[i];
	}
	return NULL;
}

/* -- judging ------------------------------------------------------------- */

static void complain(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
complain(struct report *report, const char *format, ...)
{
	va_list args;

	if (report->problem_count == REPORT_PROBLEMS_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(report->problems[report->problem_count++],
	    REPORT_PROBLEM_SIZE, format, args);
	va_end(args);
}

static void
judge_ca(struct report *report, time_t now)
{
	const struct conclave_root *root = active_root(report);
	const char *fault = stat_of(report, "conclave", "ca_fault");
	long days;

	if (root == NULL)
		complain(report, "the CA has no active root");
	else if (!days_until(root->not_after, now, &days))
		complain(report, "the active root has no end: \"%s\"",
		    root->not_after);
	else if (days < 0)
		complain(
		    report, "the active root has expired: %s", root->not_after);
	else if (days < REPORT_EXPIRY_DAYS)
		complain(report, "the active root expires in %ld days", days);
	if (fault[0] != '\0')
		complain(report, "CA: %s", fault);
}

/* Without a leader nobody judges: only what is seen to be gone counts. */
static bool
is_bad(const struct report *report, const cJSON *server)
{
	if (report->leader[0] == '\0')
		return strcmp(text_of(server, "SerfStatus"), "failed") == 0;
	return !is_true(server, "Healthy");
}

void
report_judge(struct report *report, time_t now)
{
	const cJSON *servers = cJSON_GetObjectItem(report->health, "Servers");
	const cJSON *server;

	if (report->leader[0] == '\0')
		complain(report, "no leader is known");
	cJSON_ArrayForEach(server, servers)
	{
		if (!is_bad(report, server))
			continue;
		complain(report,
		    "server %s is not healthy (%s, last contact %s)",
		    text_of(server, "Name"), text_of(server, "SerfStatus"),
		    text_of(server, "LastContact"));
	}
	if (report->problem_count == 0 && !is_true(report->health, "Healthy"))
		complain(report, "the servers are not healthy");
	judge_ca(report, now);
}

/* -- showing ------------------------------------------------------------- */

static void
add_line(struct grid *grid, const char *name, const char *value)
{
	const char *const cells[] = {name, value};

	grid_add(grid, cells);
}

static void
add_leader(struct grid *grid, const struct report *report)
{
	const cJSON *servers = cJSON_GetObjectItem(report->health, "Servers");
	const cJSON *server;
	char line[LINE_SIZE];
	const char *name = "";

	cJSON_ArrayForEach(server, servers)
	{
		if (is_true(server, "Leader"))
			name = text_of(server, "Name");
	}
	if (report->leader[0] == '\0')
		(void)snprintf(line, sizeof(line), "none");
	else
		(void)snprintf(
		    line, sizeof(line), "%s (%s)", name, report->leader);
	add_line(grid, "Leader", line);
}

static void
add_servers_line(struct grid *grid, const struct report *report)
{
	const cJSON *servers = cJSON_GetObjectItem(report->health, "Servers");
	const cJSON *server;
	char line[LINE_SIZE];
	unsigned voters = 0, healthy = 0;

	cJSON_ArrayForEach(server, servers)
	{
		voters += is_true(server, "Voter");
		healthy += is_true(server, "Healthy");
	}
	(void)snprintf(line, sizeof(line),
	    "%d, %u healthy, %u vote, %.0f may fail",
	    cJSON_GetArraySize(servers), healthy, voters,
	    number_of(report->health, "FailureTolerance"));
	add_line(grid, "Servers", line);
}

static void
add_ca(struct grid *grid, const struct report *report, time_t now)
{
	const struct conclave_root *root = active_root(report);
	char line[LINE_SIZE];
	long days = 0;

	add_line(grid, "Trust domain", report->roots.trust_domain);
	(void)snprintf(line, sizeof(line), "%zu, %s", report->roots.count,
	    root != NULL ? "one of them active" : "none active");
	add_line(grid, "Roots", line);
	if (root == NULL)
		return;
	(void)days_until(root->not_after, now, &days);
	(void)snprintf(line, sizeof(line), "%.23s, %s %u, until %s (%ld days)",
	    root->id, root->private_key_type, root->private_key_bits,
	    root->not_after, days);
	add_line(grid, "Active root", line);
}

static bool
print_servers(const struct report *report)
{
	static const char *const headings[] = {"Node", "Address", "State",
	    "Voter", "Healthy", "Last Contact", "Last Index"};
	const cJSON *servers = cJSON_GetObjectItem(report->health, "Servers");
	struct grid grid = grid_new(headings, CLI_COUNT(headings));
	const cJSON *server;

	cJSON_ArrayForEach(server, servers)
	{
		char index[32];
		const char *const cells[] = {text_of(server, "Name"),
		    text_of(server, "Address"),
		    is_true(server, "Leader") ? "leader" : "follower",
		    is_true(server, "Voter") ? "true" : "false",
		    is_true(server, "Healthy") ? "true" : "false",
		    text_of(server, "LastContact"), index};

		(void)snprintf(index, sizeof(index), "%.0f",
		    number_of(server, "LastIndex"));
		grid_add(&grid, cells);
	}
	return grid_print(&grid, stdout) == 0;
}

bool
report_print_table(const struct report *report, time_t now)
{
	bool healthy = report->problem_count == 0;
	const char *const first[] = {
	    "Cluster", healthy ? "healthy" : "NOT HEALTHY"};
	struct grid grid = grid_new(first, CLI_COUNT(first));

	for (size_t i = 0; i < report->problem_count; i++)
		add_line(&grid, "", report->problems[i]);
	add_leader(&grid, report);
	add_line(&grid, "Term", stat_of(report, "raft", "term"));
	add_servers_line(&grid, report);
	add_ca(&grid, report, now);
	if (grid_print(&grid, stdout) != 0)
		return false;
	(void)putchar('\n');
	return print_servers(report);
}

static bool
fill_json(cJSON *out, const struct report *report)
{
	cJSON *problems = cJSON_AddArrayToObject(out, "Problems");
	cJSON *servers = cJSON_Duplicate(
	    cJSON_GetObjectItem(report->health, "Servers"), true);
	bool good = problems != NULL && servers != NULL;

	for (size_t i = 0; i < report->problem_count && good; i++) {
		cJSON *text = cJSON_CreateString(report->problems[i]);

		good = cJSON_AddItemToArray(problems, text);
	}
	good = good &&
	    cJSON_AddBoolToObject(out, "Healthy", report->problem_count == 0) &&
	    cJSON_AddStringToObject(out, "Leader", report->leader) &&
	    cJSON_AddStringToObject(
		out, "Term", stat_of(report, "raft", "term")) &&
	    cJSON_AddNumberToObject(out, "FailureTolerance",
		number_of(report->health, "FailureTolerance")) &&
	    cJSON_AddStringToObject(
		out, "TrustDomain", report->roots.trust_domain) &&
	    cJSON_AddStringToObject(
		out, "ActiveRootID", report->roots.active_root_id) &&
	    cJSON_AddNumberToObject(out, "Roots", (double)report->roots.count);
	if (good)
		good = cJSON_AddItemToObject(out, "Servers", servers);
	else
		cJSON_Delete(servers);
	return good;
}

bool
report_print_json(const struct report *report)
{
	cJSON *out = cJSON_CreateObject();
	char *text = NULL;

	if (out != NULL && fill_json(out, report))
		text = cJSON_PrintUnformatted(out);
	if (text != NULL)
		indent_print(text, strlen(text), INDENT_BLANKS, stdout);
	cJSON_Delete(out);
	cJSON_free(text);
	return text != NULL;
}
