/*
 * configtable - the one table of options, and the draft they are read into.
 *
 * A draft is a struct config plus what only matters while it is made: which
 * options were given, and values that others fall back to. Main thread.
 */
#ifndef SERVER_CONFIGTABLE_H
#define SERVER_CONFIGTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/config.h"
#include "storage/err.h"

#define CONFIG_OPTIONS_MAX 96

enum config_type {
	CONFIG_BOOL,    /* bool */
	CONFIG_TRUE,    /* bool that may not be false */
	CONFIG_PORT,    /* int, -1 = off */
	CONFIG_UINT,    /* unsigned */
	CONFIG_BYTES,   /* uint64_t */
	CONFIG_MS,      /* uint64_t ms, a duration in text */
	CONFIG_TEXT,    /* char *; empty = the default */
	CONFIG_LEVEL,   /* enum log_level */
	CONFIG_WORDS,   /* char *[max] and unsigned; one text split at blanks */
	CONFIG_LIST,    /* the same, a list of texts */
	CONFIG_HEADERS, /* header_names, header_values, header_count */
	CONFIG_CA,      /* char *, JSON of connect.ca_config */
	CONFIG_FILE,    /* flags only: -config-file, -config-dir, */
	CONFIG_DIR,
	CONFIG_ACT /* and what is done instead of running, in min */
};

struct config_draft {
	struct config config; /* first: offsets below its size are in it */
	bool set[CONFIG_OPTIONS_MAX]; /* by file or flag; index of the table */
	struct config_tls tls_defaults, tls_old;
	bool old_incoming_rpc, old_incoming_https, old_prefer;
	bool server, bootstrap;
	char *client_addr[CONFIG_ADDRESS_MAX];
	unsigned client_addr_count;
};

struct config_option {
	const char *name; /* path in a file, NULL: flag only */
	const char *flag; /* without dash, NULL: file only */
	enum config_type type;
	size_t offset, count_offset; /* into struct config_draft */
	const char *initial;  /* default, as a flag would say it, or NULL */
	const char *fallback; /* option whose value is taken if not given */
	const char *shown;    /* default in words, where initial is none */
	int64_t min, max;     /* of numbers (CONFIG_MS: ms); items of lists */
	const char *unit;     /* what the value is: "address", "bytes" */
	bool reloadable;
	const char *(*rule)(const char *text); /* of each text, or NULL */
	const char *help;                      /* one sentence */
};

/* In the order of help and manual: what belongs together stands together. */
extern const struct config_option config_options[];
extern const size_t config_options_count;

/* By path or flag, NULL if there is none. */
const struct config_option *config_option_named(const char *name);
const struct config_option *config_option_flagged(const char *flag);
/* Does some option's path begin with path and a dot? */
bool config_is_group(const char *path);

#endif
