/* tls config get, set, list, delete. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "client/flags.h"
#include "client/grid.h"
#include "client/indent.h"
#include "client/session.h"

/* The value of -cas, if it is given and good. */
static int
take_cas(const struct cli *cli, uint64_t *cas)
{
	const char *text = cli->values[FLAG_CAS];

	*cas = CONCLAVE_CAS_ANY;
	if (text == NULL)
		return CLI_GOOD;
	if (!cli_u64(text, cas) || *cas == CONCLAVE_CAS_ANY)
		return cli_fail("-cas is an index, not \"%s\"", text);
	return CLI_GOOD;
}

int
verb_tls_get(struct cli *cli)
{
	struct conclave_request request = {.mode = session_mode(cli)};
	char *scope = conclave_escape(cli->args[0]), *path = NULL;
	struct conclave_answer answer;
	struct conclave_error error;
	int rc = CLI_GOOD;

	if (scope == NULL || asprintf(&path, "/v1/tls/config/%s", scope) < 0) {
		free(scope);
		return cli_fail("out of memory");
	}
	request.path = path;
	if (session_call(cli, &request, &answer, &error) == CONCLAVE_OK) {
		indent_print(
		    answer.body, answer.body_size, INDENT_BLANKS, stdout);
		conclave_answer_free(&answer);
	} else {
		rc =
		    cli_fail("Error reading TLS configuration: %s", error.text);
	}
	free(path);
	free(scope);
	return rc;
}

int
verb_tls_set(struct cli *cli)
{
	const char *path = cli->values[FLAG_FILE], *scope = cli->args[0];
	struct conclave_error error;
	uint64_t cas, index = 0;
	char *text;
	int rc;

	if (path == NULL)
		return cli_fail("The -file flag is required");
	rc = take_cas(cli, &cas);
	if (rc != CLI_GOOD)
		return rc;
	text = session_file(path);
	if (text == NULL)
		return cli_fail(
		    "Error reading file: %s: %s", path, strerror(errno));
	if (conclave_tls_config_put(
		cli->client, scope, text, cas, &index, &error) == CONCLAVE_OK)
		(void)printf("Stored TLS configuration \"%s\" at index %" PRIu64
			     "\n",
		    scope, index);
	else
		rc =
		    cli_fail("Error storing TLS configuration: %s", error.text);
	session_drop(text);
	return rc;
}

int
verb_tls_delete(struct cli *cli)
{
	struct conclave_error error;
	uint64_t cas;
	int rc = take_cas(cli, &cas);

	if (rc != CLI_GOOD)
		return rc;
	if (conclave_tls_config_delete(
		cli->client, cli->args[0], cas, &error) != CONCLAVE_OK)
		return cli_fail(
		    "Error deleting TLS configuration: %s", error.text);
	(void)printf("Deleted TLS configuration \"%s\"\n", cli->args[0]);
	return CLI_GOOD;
}

/* -- list ---------------------------------------------------------------- */

/* "tls_min_version,curves": what a document sets; the caller frees it. */
static char *
join_settings(const cJSON *document)
{
	static const char *const not [] = {
	    "scope", "CreateIndex", "ModifyIndex"};
	const cJSON *item;
	char *text = NULL;
	size_t size;
	bool first = true;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	cJSON_ArrayForEach(item, document)
	{
		size_t i = 0;

		while (
		    i < CLI_COUNT(not ) && strcmp(item->string, not [i]) != 0)
			i++;
		if (i < CLI_COUNT(not ))
			continue;
		(void)fprintf(out, "%s%s", first ? "" : ",", item->string);
		first = false;
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void
put_index(const cJSON *document, const char *name, char *out, size_t size)
{
	const cJSON *item = cJSON_GetObjectItem(document, name);

	(void)snprintf(
	    out, size, "%.0f", cJSON_IsNumber(item) ? item->valuedouble : 0);
}

static void
add_document(struct grid *grid, const cJSON *document)
{
	const cJSON *scope = cJSON_GetObjectItem(document, "scope");
	char created[32], modified[32];
	char *settings = join_settings(document);
	const char *const cells[] = {
	    cJSON_IsString(scope) ? scope->valuestring : "", created, modified,
	    settings};

	put_index(document, "CreateIndex", created, sizeof(created));
	put_index(document, "ModifyIndex", modified, sizeof(modified));
	if (settings == NULL)
		grid->failed = true;
	else
		grid_add(grid, cells);
	free(settings);
}

static int
print_list(const struct conclave_answer *answer)
{
	static const char *const headings[] = {
	    "Scope", "Create Index", "Modify Index", "Settings"};
	cJSON *json = cJSON_Parse(answer->body);
	const cJSON *item;
	struct grid grid;

	if (!cJSON_IsArray(json)) {
		cJSON_Delete(json);
		return cli_fail("Error listing TLS configurations: the answer "
				"is no list");
	}
	grid = grid_new(headings, CLI_COUNT(headings));
	cJSON_ArrayForEach(item, json) add_document(&grid, item);
	cJSON_Delete(json);
	if (grid_print(&grid, stdout) != 0)
		return cli_fail("out of memory");
	return CLI_GOOD;
}

int
verb_tls_list(struct cli *cli)
{
	struct conclave_request request = {
	    .path = "/v1/tls/config", .mode = session_mode(cli)};
	struct conclave_answer answer;
	struct conclave_error error;
	int rc = CLI_GOOD;

	if (session_call(cli, &request, &answer, &error) != CONCLAVE_OK)
		return cli_fail(
		    "Error listing TLS configurations: %s", error.text);
	if (cli_json(cli))
		indent_print(
		    answer.body, answer.body_size, INDENT_BLANKS, stdout);
	else
		rc = print_list(&answer);
	conclave_answer_free(&answer);
	return rc;
}
