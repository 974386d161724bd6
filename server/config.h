/*
 * config - every option of conclaved in one table, from files and flags.
 *
 * The table (configtable.c) has name, flag, type, default, bounds, unit,
 * whether it can be reloaded, and a sentence; it prints --help, is what the
 * manual is checked against, decodes JSON files (later ones win, then flags)
 * and refuses unknown keys with file, line and column. Main thread; the result
 * is read-only.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "server/log.h"
#include "storage/buf.h"
#include "storage/err.h"

#define CONFIG_JOIN_MAX    16
#define CONFIG_ADDRESS_MAX 8
#define CONFIG_HEADERS_MAX 32

/* PEM files for one side of one interface (contract 5.1). NULL = not given. */
struct config_tls {
	char *ca_file, *ca_path, *cert_file, *key_file;
	char *min_version;   /* "TLSv1_2" or "TLSv1_3" */
	char *cipher_suites; /* IANA names, comma separated; NULL = default */
	bool verify_incoming, verify_outgoing, verify_server_hostname;
};

struct config {
	/* who and where */
	char *node_name;  /* default: host name */
	char *datacenter; /* dc1; lower case a-z 0-9 _ - */
	char *domain;     /* consul */
	char *data_dir;   /* required unless dev */
	bool dev;         /* in-memory single server: a temporary data dir */
	/* addresses */
	char *bind;                       /* server RPC, default 127.0.0.1 */
	char *advertise;                  /* default: bind */
	char *client[CONFIG_ADDRESS_MAX]; /* HTTP: IPs or unix:///path, from
			      addresses.http, -client; default 127.0.0.1 */
	unsigned client_count;
	char *client_https[CONFIG_ADDRESS_MAX]; /* the same for HTTPS */
	unsigned client_https_count;
	int port_http;   /* 8500, -1 = off */
	int port_https;  /* -1 */
	int port_server; /* 8300 */
	/* cluster */
	unsigned bootstrap_expect;         /* 0, 1, 3 or 5 */
	char *retry_join[CONFIG_JOIN_MAX]; /* host[:port], [v6]:port */
	unsigned retry_join_count;
	uint64_t retry_interval_ms; /* 1000 */
	bool allow_plaintext;       /* server RPC off loopback without TLS */
	unsigned raft_multiplier;   /* performance.raft_multiplier 1..10, 1 */
	uint64_t election_ms,
	    heartbeat_ms;            /* derived: 500 and 50 x multiplier */
	unsigned snapshot_threshold; /* entries, 16384 */
	unsigned snapshot_trailing;  /* entries, 8192 */
	uint64_t rpc_hold_ms;        /* performance.rpc_hold_timeout, 7000 */
	uint64_t state_quota;        /* bytes, limits.state_quota, 1 GiB */
	/* connect */
	bool connect_enabled; /* true */
	char *ca_provider;    /* "consul" */
	char *ca_config;      /* compact JSON object, CamelCase keys, sorted:
				 what the CA starts with; never NULL, has
				 the three TTLs; not judged */
	char *cluster_id;     /* connect.cluster_id, NULL = drawn */
	/* limits (design 7) */
	unsigned client_loops;           /* 0 = cores */
	unsigned max_connections;        /* 120000 */
	unsigned max_parked;             /* 100000 */
	unsigned max_parked_per_address; /* 8192; 0 = off; off on loopback */
	unsigned max_proposals;          /* 4096 */
	uint64_t body_max;               /* 1 MiB */
	/* TLS */
	struct config_tls tls_internal_rpc, tls_https; /* defaults merged in */
	/* the rest */
	char *header_names[CONFIG_HEADERS_MAX];  /* http_config */
	char *header_values[CONFIG_HEADERS_MAX]; /* .response_headers */
	unsigned header_count;
	enum log_level log_level; /* info */
	bool log_json;
	char **sources; /* files read, in order; NULL-terminated */
};

enum config_action { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION, CONFIG_VALIDATE };

/*
 * Read argv (argv[0] is the program, verbs are gone), then files, then check
 * everything together. ERR_INVALID names file:line:column or flag, value and
 * limit; ERR_NOTFOUND, ERR_IO, ERR_LIMIT, ERR_NOMEM. Owned by the caller:
 * config_free. action says what the flags ask for; HELP and VERSION skip files
 * and checks and leave *out NULL.
 */
MUST_CHECK enum err config_load(int argc, char **argv,
    enum config_action *action, struct config **out, struct errmsg *why);
/* The same from the bytes of one file called name, without flags. [fuzz] */
MUST_CHECK enum err config_decode(const char *name, const void *data,
    size_t size, struct config **out, struct errmsg *why);
void config_free(struct config *config); /* NULL allowed */

/* --help, made from the table. */
void config_print_help(FILE *out);
/* The whole configuration as JSON, in the shape of a configuration file,
 * secrets masked (agent/self DebugConfig). */
void config_json(const struct config *config, struct buf *out);
/*
 * What a reload may change (log level, TLS) and did change in next is swapped
 * into now; texts that others borrowed from now are then next's, to be freed
 * with it. Appends the names of changed options that need a restart to
 * needs_restart, ", " between them.
 */
void config_reload(
    struct config *now, struct config *next, struct buf *needs_restart);

#endif
