#include "client/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "client/flags.h"
#include "client/progress.h"

#define FILE_MAX  ((size_t)8 << 20) /* bytes */
#define FILE_STEP ((size_t)64 << 10)

/* -- files --------------------------------------------------------------- */

void
session_drop(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

/* One more step of room; what leaves is wiped. */
static char *
enlarge(char *old, size_t size, size_t *room)
{
	char *text = malloc(*room + FILE_STEP + 1);

	if (text != NULL && size > 0)
		memcpy(text, old, size);
	if (old != NULL)
		OPENSSL_cleanse(old, size);
	free(old);
	*room += FILE_STEP;
	return text;
}

static char *
read_all(int fd)
{
	size_t size = 0, room = 0;
	char *text = NULL;
	ssize_t got = 1;

	while (got != 0) {
		if (size == room) {
			text = enlarge(text, size, &room);
			if (text == NULL)
				return NULL;
		}
		got = read(fd, text + size, room - size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || size + (size_t)got > FILE_MAX) {
			int saved = got < 0 ? errno : EFBIG;

			OPENSSL_cleanse(text, size);
			free(text);
			errno = saved;
			return NULL;
		}
		size += (size_t)got;
	}
	text[size] = '\0';
	if (strlen(text) == size)
		return text;
	OPENSSL_cleanse(text, size);
	free(text);
	errno = EILSEQ;
	return NULL;
}

char *
session_file(const char *path)
{
	char *text;
	int fd, saved;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	text = read_all(fd);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return text;
}

/* -- options ------------------------------------------------------------- */

/* The list cut at its commas; blanks around an address do not count. */
static size_t
split(char *list, const char *out[static CONCLAVE_SERVERS_MAX])
{
	size_t count = 0;
	char *at = list;

	while (at != NULL && count < CONCLAVE_SERVERS_MAX) {
		char *comma = strchr(at, ',');
		size_t size;

		if (comma != NULL)
			*comma = '\0';
		at += strspn(at, " \t");
		size = strcspn(at, " \t");
		at[size] = '\0';
		if (size > 0)
			out[count++] = at;
		at = comma == NULL ? NULL : comma + 1;
	}
	return count;
}

/* The token, from its file if need be: *out is to be dropped. */
static int
find_token(const struct cli *cli, char **out)
{
	const char *file = flags_value(cli, FLAG_TOKEN_FILE);
	const char *token = flags_value(cli, FLAG_TOKEN);
	size_t size;

	/* A flag goes before the environment, whichever of the two it is. */
	if (cli->values[FLAG_TOKEN_FILE] == NULL && token != NULL)
		file = NULL;
	if (cli->values[FLAG_TOKEN] != NULL)
		file = NULL;
	if (file == NULL) {
		*out = token == NULL ? NULL : strdup(token);
		return CLI_GOOD;
	}
	*out = session_file(file);
	if (*out == NULL)
		return cli_fail(
		    "Error reading token file: %s: %s", file, strerror(errno));
	size = strlen(*out);
	while (size > 0 && strchr(" \t\r\n", (*out)[size - 1]) != NULL)
		(*out)[--size] = '\0';
	return CLI_GOOD;
}

static int
find_tls(struct conclave_options *options)
{
	static const char *const names[] = {"HTTP_SSL", "HTTP_SSL_VERIFY"};
	bool on[2] = {false, true};

	for (size_t i = 0; i < CLI_COUNT(names); i++) {
		const char *text = flags_env(names[i]);

		if (text != NULL && !flags_bool(text, &on[i]))
			return cli_fail(
			    "%s is true or false, not \"%s\"", names[i], text);
	}
	options->tls = on[0];
	options->tls_no_verify = !on[1];
	return CLI_GOOD;
}

int
session_open(struct cli *cli)
{
	const char *list = flags_value(cli, FLAG_HTTP_ADDR);
	const char *servers[CONCLAVE_SERVERS_MAX];
	struct conclave_options options = {
	    .servers = servers,
	    .datacenter = flags_value(cli, FLAG_DATACENTER),
	    .ca_file = flags_value(cli, FLAG_CA_FILE),
	    .ca_path = flags_value(cli, FLAG_CA_PATH),
	    .client_cert = flags_value(cli, FLAG_CLIENT_CERT),
	    .client_key = flags_value(cli, FLAG_CLIENT_KEY),
	    .tls_server_name = flags_value(cli, FLAG_TLS_SERVER_NAME),
	};
	struct conclave_error error;
	char *token = NULL, *cut;
	int rc;

	if (list == NULL)
		list = "127.0.0.1:8500";
	cli->server_list = strdup(list);
	cut = strdup(list);
	if (cli->server_list == NULL || cut == NULL) {
		free(cut);
		return cli_fail("out of memory");
	}
	options.server_count = split(cut, servers);
	rc = find_tls(&options);
	if (rc == CLI_GOOD)
		rc = find_token(cli, &token);
	options.token = token;
	if (rc == CLI_GOOD &&
	    conclave_new(&options, &cli->client, &error) != CONCLAVE_OK)
		rc = cli_fail("Error connecting: %s", error.text);
	session_drop(token);
	free(cut);
	return rc;
}

void
session_close(struct cli *cli)
{
	conclave_free(cli->client);
	free(cli->server_list);
	cli->client = NULL;
	cli->server_list = NULL;
}

enum conclave_mode
session_mode(const struct cli *cli)
{
	return flags_on(cli, FLAG_STALE) ? CONCLAVE_STALE : CONCLAVE_DEFAULT;
}

/* -- calls --------------------------------------------------------------- */

enum conclave_err
session_call(struct cli *cli, const struct conclave_request *request,
    struct conclave_answer *answer, struct conclave_error *error)
{
	struct progress *progress = progress_begin(cli->server_list);
	enum conclave_err rc =
	    conclave_call(cli->client, request, answer, error);

	progress_end(progress);
	if (rc != CONCLAVE_OK)
		return rc;
	rc = conclave_answer_check(answer, error);
	if (rc != CONCLAVE_OK)
		conclave_answer_free(answer);
	return rc;
}
