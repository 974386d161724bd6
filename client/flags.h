/*
 * flags - the flags of the command line, with their environment.
 */
#ifndef CLIENT_FLAGS_H
#define CLIENT_FLAGS_H

#include <stdbool.h>

#include "client/cli.h"

struct flag_info {
	const char *name;
	const char *value; /* what it is shown with; NULL: on or off */
	const char *env;   /* CONCLAVE_ and CONSUL_ before it, or NULL */
	char join;         /* put between repeats; NUL: the last wins */
	const char *help;
};

extern const struct flag_info flag_table[FLAG_COUNT];

enum flags_result { FLAGS_RUN, FLAGS_HELP, FLAGS_VERSION, FLAGS_WRONG };

/*
 * Read argv into cli: the verb, flags wherever they stand, words. FLAGS_HELP:
 * of cli->verb, or of all if that is NULL. FLAGS_WRONG has said why.
 */
enum flags_result flags_read(struct cli *cli, int argc, char **argv);
void flags_free(struct cli *cli);

/* A flag's value, else its environment's, else NULL. */
const char *flags_value(const struct cli *cli, enum flag flag);
bool flags_on(const struct cli *cli, enum flag flag);

/* "1", "true", "on" and so on; false: neither these nor their opposites. */
bool flags_bool(const char *text, bool *out);

/* CONCLAVE_<name>, else CONSUL_<name>, else NULL. Empty is unset. */
const char *flags_env(const char *name);

#endif
