/* status: leader, servers and CA on one screen. */
#include <stdlib.h>
#include <string.h>

#include "client/progress.h"
#include "client/report.h"
#include "client/session.h"

/* Health is answered with 429 when it is bad: no error here. */
static enum conclave_err
get_health(struct cli *cli, enum conclave_mode mode,
    struct conclave_answer *answer, struct conclave_error *error)
{
	struct conclave_request request = {
	    .path = "/v1/operator/autopilot/health", .mode = mode};
	struct progress *progress = progress_begin(cli->server_list);
	enum conclave_err rc =
	    conclave_call(cli->client, &request, answer, error);

	progress_end(progress);
	if (rc != CONCLAVE_OK)
		return rc;
	if (answer->status == 429 && answer->body[0] == '{')
		return CONCLAVE_OK;
	rc = conclave_answer_check(answer, error);
	if (rc != CONCLAVE_OK)
		conclave_answer_free(answer);
	return rc;
}

/* The body as JSON, and the answer freed. NULL: it is none. */
static cJSON *
take_json(struct conclave_answer *answer)
{
	cJSON *json = cJSON_ParseWithOpts(answer->body, NULL, true);

	conclave_answer_free(answer);
	return json;
}

static enum conclave_err
get_json(struct cli *cli, const char *path, cJSON **out,
    struct conclave_error *error)
{
	struct conclave_request request = {.path = path};
	struct conclave_answer answer;
	enum conclave_err rc = session_call(cli, &request, &answer, error);

	if (rc == CONCLAVE_OK)
		*out = take_json(&answer);
	return rc;
}

static enum conclave_err
get_roots(struct cli *cli, enum conclave_mode mode, struct conclave_roots *out,
    struct conclave_error *error)
{
	struct conclave_request request = {
	    .path = CONCLAVE_PATH_ROOTS, .mode = mode};
	struct conclave_answer answer;
	enum conclave_err rc = session_call(cli, &request, &answer, error);

	if (rc != CONCLAVE_OK)
		return rc;
	rc = conclave_roots_parse(answer.body, answer.body_size, out, error);
	conclave_answer_free(&answer);
	return rc;
}

/* All four answers; without a leader what this server has must do. */
static enum conclave_err
gather(struct cli *cli, struct report *report, struct conclave_error *error)
{
	enum conclave_mode mode = CONCLAVE_DEFAULT;
	struct conclave_answer answer;
	cJSON *leader = NULL;
	enum conclave_err rc;

	rc = get_json(cli, "/v1/agent/self", &report->self, error);
	if (rc == CONCLAVE_OK)
		rc = get_json(cli, "/v1/status/leader", &leader, error);
	if (rc != CONCLAVE_OK)
		return rc;
	report->leader =
	    strdup(cJSON_IsString(leader) ? leader->valuestring : "");
	cJSON_Delete(leader);
	if (report->leader == NULL)
		return CONCLAVE_NOMEM;
	if (report->leader[0] == '\0')
		mode = CONCLAVE_STALE;
	rc = get_health(cli, mode, &answer, error);
	if (rc != CONCLAVE_OK)
		return rc;
	report->health = take_json(&answer);
	return get_roots(cli, mode, &report->roots, error);
}

int
verb_status(struct cli *cli)
{
	struct report *report = calloc(1, sizeof(*report));
	struct conclave_error error = {.text = "out of memory"};
	time_t now = time(NULL);
	int rc = CLI_GOOD;
	bool shown;

	if (report == NULL)
		return cli_fail("out of memory");
	if (gather(cli, report, &error) != CONCLAVE_OK) {
		rc = cli_fail("Error querying status: %s", error.text);
		goto out;
	}
	report_judge(report, now);
	if (report->problem_count > 0)
		rc = CLI_UNHEALTHY;
	shown = cli_json(cli) ? report_print_json(report)
			      : report_print_table(report, now);
	if (!shown)
		rc = cli_fail("out of memory");
out:
	report_free(report);
	free(report);
	return rc;
}
