#include "client/flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#define NAME_SIZE 64 /* bytes of a flag's or variable's name, with NUL */

const struct flag_info flag_table[FLAG_COUNT] = {
    [FLAG_HTTP_ADDR] = {"http-addr", "ADDR", "HTTP_ADDR", ',',
	"Servers: host:port, http://, https:// or unix://, by commas"},
    [FLAG_TOKEN] = {"token", "TOKEN", "HTTP_TOKEN", '\0', "Access token"},
    [FLAG_TOKEN_FILE] = {"token-file", "FILE", "HTTP_TOKEN_FILE", '\0',
	"File that holds the access token"},
    [FLAG_CA_FILE] = {"ca-file", "FILE", "CACERT", '\0',
	"CA certificates (PEM) that servers are checked with"},
    [FLAG_CA_PATH] = {"ca-path", "DIR", "CAPATH", '\0',
	"Directory of such certificates, prepared by c_rehash"},
    [FLAG_CLIENT_CERT] = {"client-cert", "FILE", "CLIENT_CERT", '\0',
	"Own certificate (PEM)"},
    [FLAG_CLIENT_KEY] = {"client-key", "FILE", "CLIENT_KEY", '\0',
	"Key of that certificate (PEM)"},
    [FLAG_TLS_SERVER_NAME] = {"tls-server-name", "NAME", "TLS_SERVER_NAME",
	'\0', "Name the server's certificate must have"},
    [FLAG_DATACENTER] = {"datacenter", "NAME", NULL, '\0',
	"Datacenter to ask; default: the server's own"},
    [FLAG_STALE] = {"stale", NULL, NULL, '\0',
	"Take what the server has; works without a leader"},
    [FLAG_FORMAT] = {"format", "FORMAT", NULL, '\0', "table (default) or json"},
    [FLAG_DETAILED] = {"detailed", NULL, NULL, '\0', "Show all tags"},
    [FLAG_WAN] = {"wan", NULL, NULL, '\0',
	"Servers of all datacenters, named node.datacenter"},
    [FLAG_CONFIG_FILE] = {"config-file", "FILE", NULL, '\0',
	"JSON file with the new configuration; - is standard input"},
    [FLAG_FORCE] = {"force-without-cross-signing", NULL, NULL, '\0',
	"Rotate also where the old root cannot sign the new one"},
    [FLAG_WATCH] = {"watch", NULL, NULL, '\0',
	"Go on, and print again after each change"},
    [FLAG_ID] = {"id", "ID", NULL, '\0', "Id of the server"},
    [FLAG_ADDRESS] = {"address", "ADDR", NULL, '\0',
	"host:port of the server, as list-peers prints it"},
    [FLAG_TYPE] = {"type", "TYPE", NULL, '\0', "What to watch: connect_roots"},
    [FLAG_SHELL] = {"shell", NULL, NULL, '\0',
	"Run the handler by /bin/sh; default true"},
    [FLAG_HANDLER_URL] = {"handler-url", "URL", NULL, '\0',
	"Send the JSON there instead of to a program"},
    [FLAG_HANDLER_METHOD] = {"handler-method", "METHOD", NULL, '\0',
	"Method of that request; default POST"},
    [FLAG_HANDLER_HEADER] = {"handler-header", "NAME:VALUE", NULL, '\n',
	"Header of that request; may be given again"},
    [FLAG_HANDLER_TIMEOUT] = {"handler-timeout", "SECONDS", NULL, '\0',
	"Time for that request; default 10"},
    [FLAG_HANDLER_NO_VERIFY] = {"handler-tls-skip-verify", NULL, NULL, '\0',
	"Do not check the certificate of that URL"},
    [FLAG_CAS] = {"cas", "INDEX", NULL, '\0',
	"Only if its ModifyIndex is this; 0: only if there is none"},
    [FLAG_FILE] = {"file", "FILE", NULL, '\0',
	"JSON file with the document; - is standard input"},
};

const char *
flags_env(const char *name)
{
	static const char *const prefixes[] = {"CONCLAVE_", "CONSUL_"};
	char full[NAME_SIZE];

	for (size_t i = 0; i < CLI_COUNT(prefixes); i++) {
		const char *value;

		(void)snprintf(full, sizeof(full), "%s%s", prefixes[i], name);
		value = getenv(full);
		if (value != NULL && value[0] != '\0')
			return value;
	}
	return NULL;
}

bool
flags_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"1", "t", "true", "yes", "on"};
	static const char *const no[] = {"0", "f", "false", "no", "off"};

	for (size_t i = 0; i < CLI_COUNT(yes); i++) {
		*out = strcasecmp(text, yes[i]) == 0;
		if (*out || strcasecmp(text, no[i]) == 0)
			return true;
	}
	return false;
}

const char *
flags_value(const struct cli *cli, enum flag flag)
{
	if (cli->values[flag] != NULL)
		return cli->values[flag];
	if (flag_table[flag].env == NULL)
		return NULL;
	return flags_env(flag_table[flag].env);
}

bool
flags_on(const struct cli *cli, enum flag flag)
{
	bool on = false;

	return cli->values[flag] != NULL &&
	    flags_bool(cli->values[flag], &on) && on;
}

void
flags_free(struct cli *cli)
{
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (cli->values[i] != NULL)
			OPENSSL_cleanse(cli->values[i], strlen(cli->values[i]));
		free(cli->values[i]);
		cli->values[i] = NULL;
	}
}

/* -- reading argv -------------------------------------------------------- */

struct reading {
	struct cli *cli;
	char **argv;
	int argc, at;
	size_t words; /* moved to the front of argv, from 1 on */
	bool literal; /* no flags from here on */
};

static bool
find_flag(const char *name, size_t size, enum flag *out)
{
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (strlen(flag_table[i].name) == size &&
		    memcmp(flag_table[i].name, name, size) == 0) {
			*out = (enum flag)i;
			return true;
		}
	}
	return false;
}

static enum flags_result
store(struct cli *cli, enum flag flag, const char *value)
{
	const struct flag_info *info = &flag_table[flag];
	char *old = cli->values[flag], *text = NULL;
	bool on;

	if (info->value == NULL && !flags_bool(value, &on)) {
		(void)cli_fail(
		    "-%s is true or false, not \"%s\"", info->name, value);
		return FLAGS_WRONG;
	}
	if (old != NULL && info->join != '\0') {
		if (asprintf(&text, "%s%c%s", old, info->join, value) < 0)
			text = NULL;
	} else {
		text = strdup(value);
	}
	if (text == NULL) {
		(void)cli_fail("out of memory");
		return FLAGS_WRONG;
	}
	free(old);
	cli->values[flag] = text;
	return FLAGS_RUN;
}

/* One flag, with its value if that is the next of argv. */
static enum flags_result
take_flag(struct reading *in)
{
	char *text = in->argv[in->at] + 1, *value;
	enum flags_result rc;
	enum flag flag;
	size_t size;

	if (*text == '-')
		text++;
	size = strcspn(text, "=");
	value = text[size] == '=' ? text + size + 1 : NULL;
	if (strcmp(text, "h") == 0 || strcmp(text, "help") == 0)
		return FLAGS_HELP;
	if (strcmp(text, "version") == 0)
		return FLAGS_VERSION;
	if (!find_flag(text, size, &flag)) {
		(void)cli_fail("flag provided but not defined: -%.*s (see "
			       "conclave help)",
		    (int)size, text);
		return FLAGS_WRONG;
	}
	if (value == NULL && flag_table[flag].value == NULL)
		return store(in->cli, flag, "true");
	if (value == NULL) {
		if (in->at + 1 >= in->argc) {
			(void)cli_fail("flag needs an argument: -%s",
			    flag_table[flag].name);
			return FLAGS_WRONG;
		}
		value = in->argv[++in->at];
	}
	rc = store(in->cli, flag, value);
	/* Keep it out of ps as soon as we can. */
	if (flag == FLAG_TOKEN)
		OPENSSL_cleanse(value, strlen(value));
	return rc;
}

/* A word of the verb, or one of its arguments. */
static void
take_word(struct reading *in)
{
	const struct verb *verb;
	size_t used = 0;

	in->argv[1 + in->words++] = in->argv[in->at];
	verb = cli_find(in->argv + 1, in->words, &used);
	if (verb != NULL && verb->greedy && in->words > used)
		in->literal = true;
}

static enum flags_result
check_flags(const struct cli *cli)
{
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (cli->values[i] != NULL &&
		    (cli->verb->flags & BIT(i)) == 0) {
			(void)cli_fail("\"%s\" has no flag -%s (see conclave "
				       "help %s)",
			    cli->verb->words, flag_table[i].name,
			    cli->verb->words);
			return FLAGS_WRONG;
		}
	}
	return FLAGS_RUN;
}

static enum flags_result
check_words(struct cli *cli, char **words, size_t count)
{
	size_t used = 0;

	cli->verb = cli_find(words, count, &used);
	if (cli->verb == NULL) {
		if (count == 0)
			return FLAGS_HELP;
		(void)cli_fail(
		    "no command \"%s\" (see conclave help)", words[0]);
		return FLAGS_WRONG;
	}
	cli->args = words + used;
	cli->arg_count = count - used;
	if (cli->arg_count < cli->verb->args_min) {
		(void)cli_fail("Missing %s argument", cli->verb->args);
		return FLAGS_WRONG;
	}
	if (cli->arg_count > cli->verb->args_max) {
		(void)cli_fail("Too many arguments (expected %u, got %zu)",
		    cli->verb->args_max, cli->arg_count);
		return FLAGS_WRONG;
	}
	return check_flags(cli);
}

enum flags_result
flags_read(struct cli *cli, int argc, char **argv)
{
	struct reading in = {.cli = cli, .argv = argv, .argc = argc, .at = 1};
	enum flags_result rc, wanted = FLAGS_RUN;
	size_t used;

	for (; in.at < argc; in.at++) {
		const char *text = argv[in.at];

		if (in.literal || text[0] != '-' || text[1] == '\0') {
			take_word(&in);
			continue;
		}
		if (strcmp(text, "--") == 0) {
			in.literal = true;
			continue;
		}
		rc = take_flag(&in);
		if (rc == FLAGS_WRONG)
			return rc;
		if (rc != FLAGS_RUN)
			wanted = rc;
	}
	argv[1 + in.words] = NULL;
	if (wanted != FLAGS_RUN) {
		cli->verb = cli_find(argv + 1, in.words, &used);
		return wanted;
	}
	return check_words(cli, argv + 1, in.words);
}
