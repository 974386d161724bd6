/* connect ca get-config, set-config; ca roots. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "client/flags.h"
#include "client/grid.h"
#include "client/indent.h"
#include "client/progress.h"
#include "client/session.h"

#define ID_SHORT 23 /* bytes: eight of the twenty, with their colons */

int
verb_ca_get_config(struct cli *cli)
{
	struct conclave_request request = {
	    .path = "/v1/connect/ca/configuration"};
	struct conclave_answer answer;
	struct conclave_error error;

	if (session_call(cli, &request, &answer, &error) != CONCLAVE_OK)
		return cli_fail(
		    "Error querying CA configuration: %s", error.text);
	indent_print(answer.body, answer.body_size, INDENT_TAB, stdout);
	conclave_answer_free(&answer);
	return CLI_GOOD;
}

/* A field that is not known is a typing error, and would be lost. */
static int
check_fields(const char *text)
{
	static const char *const known[] = {"Provider", "Config", "State",
	    "ForceWithoutCrossSigning", "force_without_cross_signing",
	    "CreateIndex", "ModifyIndex"};
	cJSON *json = cJSON_ParseWithOpts(text, NULL, true);
	const cJSON *item;
	int rc = CLI_GOOD;

	if (!cJSON_IsObject(json)) {
		cJSON_Delete(json);
		return cli_fail(
		    "Error parsing config file: this is no JSON object");
	}
	cJSON_ArrayForEach(item, json)
	{
		size_t i = 0;

		while (i < CLI_COUNT(known) &&
		    strcasecmp(item->string, known[i]) != 0)
			i++;
		if (i == CLI_COUNT(known)) {
			rc = cli_fail("Error parsing config file: unknown "
				      "field \"%s\"",
			    item->string);
			break;
		}
	}
	cJSON_Delete(json);
	return rc;
}

static int
set_config(struct cli *cli, const char *text)
{
	struct conclave_ca_config config;
	struct conclave_error error;
	struct progress *progress;
	enum conclave_err rc;

	if (conclave_ca_config_parse(text, strlen(text), &config, &error) !=
	    CONCLAVE_OK)
		return cli_fail("Error parsing config file: %s", error.text);
	/* The flag wins, even with false: contract 6.4. */
	config.force_without_cross_signing = flags_on(cli, FLAG_FORCE);
	progress = progress_begin(cli->server_list);
	rc = conclave_ca_config_set(cli->client, &config, &error);
	progress_end(progress);
	conclave_ca_config_free(&config);
	if (rc != CONCLAVE_OK)
		return cli_fail(
		    "Error setting CA configuration: %s", error.text);
	(void)puts("Configuration updated!");
	return CLI_GOOD;
}

int
verb_ca_set_config(struct cli *cli)
{
	const char *path = cli->values[FLAG_CONFIG_FILE];
	char *text;
	int rc;

	if (path == NULL)
		return cli_fail("The -config-file flag is required");
	text = session_file(path);
	if (text == NULL)
		return cli_fail(
		    "Error reading config file: %s: %s", path, strerror(errno));
	rc = check_fields(text);
	if (rc == CLI_GOOD)
		rc = set_config(cli, text);
	session_drop(text);
	return rc;
}

/* -- roots --------------------------------------------------------------- */

static int
print_roots(const struct cli *cli, const struct conclave_answer *answer)
{
	static const char *const headings[] = {
	    "ID", "Name", "Active", "Not After", "Key"};
	struct grid grid = grid_new(headings, CLI_COUNT(headings));
	struct conclave_roots roots = {.count = 0};
	struct conclave_error error;

	if (cli_json(cli)) {
		indent_print(
		    answer->body, answer->body_size, INDENT_BLANKS, stdout);
	} else if (conclave_roots_parse(answer->body, answer->body_size, &roots,
		       &error) != CONCLAVE_OK) {
		grid_free(&grid);
		return cli_fail("Error querying CA roots: %s", error.text);
	}
	for (size_t i = 0; i < roots.count; i++) {
		const struct conclave_root *root = &roots.roots[i];
		char id[ID_SHORT + 1], key[64];
		const char *const cells[] = {id, root->name,
		    root->active ? "true" : "false", root->not_after, key};

		(void)snprintf(id, sizeof(id), "%s", root->id);
		(void)snprintf(key, sizeof(key), "%s %u",
		    root->private_key_type, root->private_key_bits);
		grid_add(&grid, cells);
	}
	conclave_roots_free(&roots);
	if (cli_json(cli))
		grid_free(&grid);
	else if (grid_print(&grid, stdout) != 0)
		return cli_fail("out of memory");
	return CLI_GOOD;
}

struct roots_watch {
	const struct cli *cli;
	int rc;
};

static bool
on_roots(void *arg, const struct conclave_event *event)
{
	struct roots_watch *watch = arg;

	if (event->error != NULL) {
		(void)cli_fail("Error querying CA roots: %s (next try in %u "
			       "ms)",
		    event->error->text, event->retry_ms);
		return event->error->code != CONCLAVE_DENIED &&
		    event->error->code != CONCLAVE_INVALID;
	}
	if (!cli_json(watch->cli))
		(void)printf("Index %" PRIu64 ":\n", event->answer->index);
	watch->rc = print_roots(watch->cli, event->answer);
	if (!cli_json(watch->cli))
		(void)putchar('\n');
	if (fflush(stdout) != 0)
		watch->rc = CLI_ERROR; /* main says so */
	return watch->rc == CLI_GOOD;
}

static int
watch_roots(struct cli *cli)
{
	struct conclave_watch_options options = {
	    .path = CONCLAVE_PATH_ROOTS, .mode = session_mode(cli)};
	/* It ends by a signal, or by an error that will not go away. */
	struct roots_watch state = {.cli = cli, .rc = CLI_ERROR};
	struct conclave_watch *watch = NULL;
	struct conclave_error error;

	if (conclave_watch_new(cli->client, &options, on_roots, &state, &watch,
		&error) != CONCLAVE_OK ||
	    conclave_watch_run(watch, &error) != CONCLAVE_OK)
		(void)cli_fail("Error querying CA roots: %s", error.text);
	conclave_watch_free(watch);
	return CLI_ERROR;
}

int
verb_ca_roots(struct cli *cli)
{
	struct conclave_request request = {
	    .path = CONCLAVE_PATH_ROOTS, .mode = session_mode(cli)};
	struct conclave_answer answer;
	struct conclave_error error;
	int rc;

	if (flags_on(cli, FLAG_WATCH))
		return watch_roots(cli);
	if (session_call(cli, &request, &answer, &error) != CONCLAVE_OK)
		return cli_fail("Error querying CA roots: %s", error.text);
	rc = print_roots(cli, &answer);
	conclave_answer_free(&answer);
	return rc;
}
