/* watch -type connect_roots: a handler after each change. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/flags.h"
#include "client/handler.h"
#include "client/session.h"

#define TIMEOUT_DEFAULT_S 10
#define TIMEOUT_MAX_S     3600

static const struct kind {
	const char *name, *path;
} kinds[] = {
    {"connect_roots", CONCLAVE_PATH_AGENT_ROOTS},
};

static const struct kind *
find_kind(const char *name)
{
	for (size_t i = 0; i < CLI_COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* Seconds, "10" or "10s". */
static bool
take_timeout(const char *text, unsigned *out)
{
	uint64_t seconds = 0;
	char digits[16];
	size_t size = strlen(text);

	if (size > 0 && text[size - 1] == 's')
		size--;
	if (size >= sizeof(digits))
		return false;
	memcpy(digits, text, size);
	digits[size] = '\0';
	if (!cli_u64(digits, &seconds) || seconds < 1 ||
	    seconds > TIMEOUT_MAX_S)
		return false;
	*out = (unsigned)seconds;
	return true;
}

static int
take_handler(const struct cli *cli, struct handler *out)
{
	const char *timeout = cli->values[FLAG_HANDLER_TIMEOUT];
	const char *method = cli->values[FLAG_HANDLER_METHOD];

	*out = (struct handler){.args = cli->arg_count > 0 ? cli->args : NULL,
	    .shell =
		cli->values[FLAG_SHELL] == NULL || flags_on(cli, FLAG_SHELL),
	    .url = cli->values[FLAG_HANDLER_URL],
	    .method = method != NULL ? method : "POST",
	    .headers = cli->values[FLAG_HANDLER_HEADER],
	    .timeout_s = TIMEOUT_DEFAULT_S,
	    .no_verify = flags_on(cli, FLAG_HANDLER_NO_VERIFY)};
	if (out->url != NULL && out->args != NULL)
		return cli_fail("Only one handler: a program or -handler-url");
	if (timeout != NULL && !take_timeout(timeout, &out->timeout_s))
		return cli_fail("-handler-timeout is 1 to %d seconds, not "
				"\"%s\"",
		    TIMEOUT_MAX_S, timeout);
	return CLI_GOOD;
}

struct state {
	struct handler handler;
	bool failed;
};

static bool
on_change(void *arg, const struct conclave_event *event)
{
	struct state *state = arg;

	if (event->error != NULL) {
		enum conclave_err code = event->error->code;

		(void)cli_fail("Error watching: %s (next try in %u ms)",
		    event->error->text, event->retry_ms);
		state->failed =
		    code == CONCLAVE_DENIED || code == CONCLAVE_INVALID;
		return !state->failed;
	}
	state->failed =
	    handler_run(&state->handler, event->answer->body,
		event->answer->body_size, event->answer->index) != 0;
	return !state->failed;
}

int
verb_watch(struct cli *cli)
{
	const char *type = cli->values[FLAG_TYPE];
	struct conclave_watch_options options = {.mode = session_mode(cli)};
	struct conclave_watch *watch = NULL;
	struct conclave_error error;
	struct state state = {.failed = false};
	const struct kind *kind;
	int rc;

	if (type == NULL)
		return cli_fail("Watch type must be specified");
	kind = find_kind(type);
	if (kind == NULL)
		return cli_fail("Unsupported watch type: %s", type);
	rc = take_handler(cli, &state.handler);
	if (rc != CLI_GOOD)
		return rc;
	options.path = kind->path;
	(void)signal(SIGPIPE, SIG_IGN); /* of handlers that do not read */
	if (conclave_watch_new(cli->client, &options, on_change, &state, &watch,
		&error) != CONCLAVE_OK ||
	    conclave_watch_run(watch, &error) != CONCLAVE_OK)
		(void)cli_fail("Error watching: %s", error.text);
	conclave_watch_free(watch);
	return CLI_ERROR;
}
