/*
 * configflag - command line flags: "-x v", "-x=v", "--x", "-dev=false".
 */
#ifndef SERVER_CONFIGFLAG_H
#define SERVER_CONFIGFLAG_H

#include <stddef.h>

#include "server/configtable.h"
#include "storage/err.h"

struct configflag {
	const struct config_option *option;
	const char *value; /* borrowed from argv; "true" of a bare bool */
};

/*
 * Take argv apart, argv[0] being the program. flags: room for argc of them, in
 * the order given. -help and -version end it at once. ERR_INVALID.
 */
MUST_CHECK enum err configflag_parse(int argc, char **argv,
    struct configflag *flags, size_t *count, enum config_action *action,
    struct errmsg *why);

/* Put them into the draft; a list given by flags replaces that of files. */
MUST_CHECK enum err configflag_apply(struct config_draft *draft,
    const struct configflag *flags, size_t count, struct errmsg *why);

#endif
