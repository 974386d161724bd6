/*
 * cli - one run of the command line: its verb, its flags, its client.
 *
 * Verbs are one table in conclave.c, flags one table in flags.c; help and
 * completion are made of the two. A verb returns the exit status.
 */
#ifndef CLIENT_CLI_H
#define CLIENT_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/conclave.h"

#define CLI_COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum cli_exit {
	CLI_GOOD = 0,
	CLI_ERROR = 1,
	CLI_UNHEALTHY = 2, /* the answer came, and it is bad news */
};

enum flag {
	FLAG_HTTP_ADDR,
	FLAG_TOKEN,
	FLAG_TOKEN_FILE,
	FLAG_CA_FILE,
	FLAG_CA_PATH,
	FLAG_CLIENT_CERT,
	FLAG_CLIENT_KEY,
	FLAG_TLS_SERVER_NAME,
	FLAG_DATACENTER,
	FLAG_STALE,
	FLAG_FORMAT,
	FLAG_DETAILED,
	FLAG_WAN,
	FLAG_CONFIG_FILE,
	FLAG_FORCE,
	FLAG_WATCH,
	FLAG_ID,
	FLAG_ADDRESS,
	FLAG_TYPE,
	FLAG_SHELL,
	FLAG_HANDLER_URL,
	FLAG_HANDLER_METHOD,
	FLAG_HANDLER_HEADER,
	FLAG_HANDLER_TIMEOUT,
	FLAG_HANDLER_NO_VERIFY,
	FLAG_CAS,
	FLAG_FILE,
	FLAG_COUNT,
};

#define BIT(flag) (UINT64_C(1) << (flag))
/* What every verb that talks to a server takes. */
#define FLAGS_CLIENT                                                           \
	(BIT(FLAG_HTTP_ADDR) | BIT(FLAG_TOKEN) | BIT(FLAG_TOKEN_FILE) |        \
	    BIT(FLAG_CA_FILE) | BIT(FLAG_CA_PATH) | BIT(FLAG_CLIENT_CERT) |    \
	    BIT(FLAG_CLIENT_KEY) | BIT(FLAG_TLS_SERVER_NAME) |                 \
	    BIT(FLAG_DATACENTER))

struct cli;

struct verb {
	const char *words; /* "operator raft list-peers" */
	const char *args;  /* "SCOPE", or "" */
	const char *help;  /* one line */
	uint64_t flags;    /* BITs */
	int (*run)(struct cli *cli);
	/* Words that the verb takes behind its own; what follows the first of
	 * a greedy one is not searched for flags. */
	unsigned args_min, args_max;
	bool greedy;
};

struct cli {
	const struct verb *verb;
	char *values[FLAG_COUNT]; /* owned; NULL: not given */
	char **args;              /* borrowed from argv, NULL behind the last */
	size_t arg_count;
	struct conclave *client; /* after session_open */
	char *server_list;       /* for the progress line */
};

/* The table. */
extern const struct verb cli_verbs[];
extern const size_t cli_verb_count;

/* The verb that the words begin with, and how many words it has; NULL. */
const struct verb *cli_find(char *const *words, size_t count, size_t *used);

/* "conclave: ..." and a newline on standard error; returns CLI_ERROR. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True if -format=json was given; false for a table. */
bool cli_json(const struct cli *cli);

/* A number that fills the text. */
bool cli_u64(const char *text, uint64_t *out);

/* The verbs, by file. */
int verb_ca_get_config(struct cli *cli);
int verb_ca_set_config(struct cli *cli);
int verb_ca_roots(struct cli *cli);
int verb_members(struct cli *cli);
int verb_info(struct cli *cli);
int verb_reload(struct cli *cli);
int verb_leave(struct cli *cli);
int verb_raft_list(struct cli *cli);
int verb_raft_transfer(struct cli *cli);
int verb_raft_remove(struct cli *cli);
int verb_status(struct cli *cli);
int verb_watch(struct cli *cli);
int verb_tls_get(struct cli *cli);
int verb_tls_set(struct cli *cli);
int verb_tls_list(struct cli *cli);
int verb_tls_delete(struct cli *cli);
int verb_validate(struct cli *cli);
int verb_help(struct cli *cli);
int verb_version(struct cli *cli);

#endif
