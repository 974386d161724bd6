#include "client/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/flags.h"
#include "client/session.h"

#define ANY  UINT32_MAX
#define READ (FLAGS_CLIENT | BIT(FLAG_STALE))
#define FORM BIT(FLAG_FORMAT)

const struct verb cli_verbs[] = {
    {"members", "", "Members of the cluster",
	FLAGS_CLIENT | FORM | BIT(FLAG_DETAILED) | BIT(FLAG_WAN), verb_members,
	0, 0, false},
    {"status", "", "Leader, servers and CA on one screen; exit 2 if unhealthy",
	FLAGS_CLIENT | FORM, verb_status, 0, 0, false},
    {"info", "", "What one server says of itself", FLAGS_CLIENT | FORM,
	verb_info, 0, 0, false},
    {"ca roots", "", "Root certificates that clients must trust",
	READ | FORM | BIT(FLAG_WATCH), verb_ca_roots, 0, 0, false},
    {"connect ca get-config", "", "Configuration of the CA", FLAGS_CLIENT,
	verb_ca_get_config, 0, 0, false},
    {"connect ca set-config", "",
	"Change it; another key or provider rotates the root",
	FLAGS_CLIENT | BIT(FLAG_CONFIG_FILE) | BIT(FLAG_FORCE),
	verb_ca_set_config, 0, 0, false},
    {"tls config get", "SCOPE", "TLS configuration of a scope", READ,
	verb_tls_get, 1, 1, false},
    {"tls config set", "SCOPE", "Store one",
	FLAGS_CLIENT | BIT(FLAG_FILE) | BIT(FLAG_CAS), verb_tls_set, 1, 1,
	false},
    {"tls config list", "", "All scopes", READ | FORM, verb_tls_list, 0, 0,
	false},
    {"tls config delete", "SCOPE", "Remove one", FLAGS_CLIENT | BIT(FLAG_CAS),
	verb_tls_delete, 1, 1, false},
    {"operator raft list-peers", "", "Servers as Raft knows them", READ | FORM,
	verb_raft_list, 0, 0, false},
    {"operator raft transfer-leader", "", "Hand leadership to another voter",
	FLAGS_CLIENT | BIT(FLAG_ID), verb_raft_transfer, 0, 0, false},
    {"operator raft remove-peer", "", "Take a lost server out of the cluster",
	FLAGS_CLIENT | BIT(FLAG_ID) | BIT(FLAG_ADDRESS), verb_raft_remove, 0, 0,
	false},
    {"watch", "[HANDLER [ARG...]]", "Run a handler after each change",
	READ | BIT(FLAG_TYPE) | BIT(FLAG_SHELL) | BIT(FLAG_HANDLER_URL) |
	    BIT(FLAG_HANDLER_METHOD) | BIT(FLAG_HANDLER_HEADER) |
	    BIT(FLAG_HANDLER_TIMEOUT) | BIT(FLAG_HANDLER_NO_VERIFY),
	verb_watch, 0, ANY, true},
    {"reload", "", "Have one server read its configuration again", FLAGS_CLIENT,
	verb_reload, 0, 0, false},
    {"leave", "", "Have one server leave the cluster and stop", FLAGS_CLIENT,
	verb_leave, 0, 0, false},
    {"validate", "PATH...", "Check configuration files or directories", 0,
	verb_validate, 1, ANY, false},
    {"version", "", "Version of this program", 0, verb_version, 0, 0, false},
    {"help", "[COMMAND]", "This text, or that of one command", 0, verb_help, 0,
	ANY, true},
};

const size_t cli_verb_count = CLI_COUNT(cli_verbs);

/* How many of the words the verb's own words are; 0: it is not this one. */
static size_t
match(const struct verb *verb, char *const *words, size_t count)
{
	const char *at = verb->words;
	size_t used = 0;

	while (*at != '\0') {
		size_t size = strcspn(at, " ");

		if (used == count || strlen(words[used]) != size ||
		    memcmp(words[used], at, size) != 0)
			return 0;
		used++;
		at += size;
		at += *at == ' ';
	}
	return used;
}

const struct verb *
cli_find(char *const *words, size_t count, size_t *used)
{
	for (size_t i = 0; i < cli_verb_count; i++) {
		*used = match(&cli_verbs[i], words, count);
		if (*used > 0)
			return &cli_verbs[i];
	}
	return NULL;
}

int
cli_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return CLI_ERROR;
}

bool
cli_json(const struct cli *cli)
{
	const char *format = cli->values[FLAG_FORMAT];

	return format != NULL && strcmp(format, "json") == 0;
}

bool
cli_u64(const char *text, uint64_t *out)
{
	uint64_t value = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' ||
		    value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

static int
run(struct cli *cli)
{
	const char *format = cli->values[FLAG_FORMAT];
	int rc;

	if (format != NULL && strcmp(format, "json") != 0 &&
	    strcmp(format, "table") != 0)
		return cli_fail("-format is table or json, not \"%s\"", format);
	if ((cli->verb->flags & BIT(FLAG_HTTP_ADDR)) != 0) {
		rc = session_open(cli);
		if (rc != CLI_GOOD)
			return rc;
	}
	return cli->verb->run(cli);
}

int
main(int argc, char **argv)
{
	struct cli cli = {.verb = NULL};
	int rc = CLI_ERROR;

	switch (flags_read(&cli, argc, argv)) {
	case FLAGS_RUN:
		rc = run(&cli);
		break;
	case FLAGS_HELP:
		rc = verb_help(&cli);
		if (argc < 2)
			rc = CLI_ERROR; /* nothing was asked */
		break;
	case FLAGS_VERSION:
		rc = verb_version(&cli);
		break;
	case FLAGS_WRONG:
		break;
	}
	session_close(&cli);
	flags_free(&cli);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)cli_fail("cannot write to standard output");
		rc = CLI_ERROR;
	}
	return rc;
}
