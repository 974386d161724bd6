#include "server/configtable.h"

#include <assert.h>
#include <string.h>

#include "server/configrule.h"
#include "server/jsonscan.h"

#define AT(field)       .offset = offsetof(struct config_draft, field)
#define LIST_AT(field)  AT(field), COUNT_AT(field##_count)
#define COUNT_AT(field) .count_offset = offsetof(struct config_draft, field)
#define RELOAD          .reloadable = true
#define COUNT_MAX       1000000 /* of connections and parked requests */
#define MIB             (INT64_C(1) << 20)

/* Where a TLS key is looked for next, see fallback. */
#define DEFAULTS(key) "tls.defaults." key
#define OLD(key)      key
#define NOWHERE(key)  NULL

/* Rows that each side's TLS stanza has; its verify_ rows follow below. */
#define TLS_ROWS(stanza, field, BEHIND)                                        \
	{.name = stanza "ca_file",                                             \
	    .type = CONFIG_TEXT,                                               \
	    AT(field.ca_file),                                                 \
	    .fallback = BEHIND("ca_file"),                                     \
	    .unit = "path",                                                    \
	    RELOAD,                                                            \
	    .help = "PEM bundle of the CAs that peers are verified with."},    \
	    {.name = stanza "ca_path",                                         \
		.type = CONFIG_TEXT,                                           \
		AT(field.ca_path),                                             \
		.fallback = BEHIND("ca_path"),                                 \
		.unit = "path",                                                \
		RELOAD,                                                        \
		.help = "Directory of such bundles; ca_file goes first."},     \
	    {.name = stanza "cert_file",                                       \
		.type = CONFIG_TEXT,                                           \
		AT(field.cert_file),                                           \
		.fallback = BEHIND("cert_file"),                               \
		.unit = "path",                                                \
		RELOAD,                                                        \
		.help = "PEM certificate of this server, chain behind it."},   \
	    {.name = stanza "key_file",                                        \
		.type = CONFIG_TEXT,                                           \
		AT(field.key_file),                                            \
		.fallback = BEHIND("key_file"),                                \
		.unit = "path",                                                \
		RELOAD,                                                        \
		.help = "PEM private key of that certificate."},               \
	{                                                                      \
		.name = stanza "tls_cipher_suites", .type = CONFIG_TEXT,       \
		AT(field.cipher_suites),                                       \
		.fallback = BEHIND("tls_cipher_suites"),                       \
		.shown = "the library's", .unit = "names", RELOAD,             \
		.rule = configrule_suites,                                     \
		.help = "Suites of TLS 1.2, IANA names, comma separated."      \
	}

#define TLS_VERSION(stanza, field, behind, check)                              \
	{                                                                      \
		.name = stanza "tls_min_version", .type = CONFIG_TEXT,         \
		AT(field.min_version), .fallback = behind,                     \
		.initial = "TLSv1_2", .unit = "version", RELOAD,               \
		.rule = check,                                                 \
		.help = "Lowest TLS version: TLSv1_2 or TLSv1_3."              \
	}

#define TLS_VERIFY(path, field, behind, sentence)                              \
	{                                                                      \
		.name = path, .type = CONFIG_BOOL, AT(field),                  \
		.initial = "false", .fallback = behind, RELOAD,                \
		.help = sentence                                               \
	}

#define INCOMING "Demand and verify a certificate of whoever connects."
#define OUTGOING "Dial with TLS and verify who answers."
#define HOSTNAME "Demand the name server.<datacenter>.<domain> of servers."

const struct config_option config_options[] = {
    {.flag = "config-file",
	.type = CONFIG_FILE,
	.unit = "path",
	.help = "JSON file to read; may be given again, later files win."},
    {.flag = "config-dir",
	.type = CONFIG_DIR,
	.unit = "path",
	.help = "Directory whose *.json files are read in byte order."},
    {.flag = "dev",
	.type = CONFIG_BOOL,
	AT(config.dev),
	.initial = "false",
	.help = "Single server on loopback with a temporary data directory."},
    {.flag = "validate",
	.type = CONFIG_ACT,
	.min = CONFIG_VALIDATE,
	.help = "Check the configuration and exit."},
    {.flag = "version",
	.type = CONFIG_ACT,
	.min = CONFIG_VERSION,
	.help = "Print the version and exit."},
    {.flag = "help",
	.type = CONFIG_ACT,
	.min = CONFIG_HELP,
	.help = "Print this text and exit."},
    {.name = "node_name",
	.flag = "node",
	.type = CONFIG_TEXT,
	AT(config.node_name),
	.shown = "the host name",
	.unit = "name",
	.rule = configrule_node,
	.help = "Name of this server, unique in the cluster."},
    {.name = "datacenter",
	.flag = "datacenter",
	.type = CONFIG_TEXT,
	AT(config.datacenter),
	.initial = "dc1",
	.unit = "name",
	.rule = configrule_datacenter,
	.help = "Name of the datacenter the cluster is in."},
    {.name = "domain",
	.type = CONFIG_TEXT,
	AT(config.domain),
	.initial = "consul",
	.unit = "name",
	.rule = configrule_domain,
	.help = "Domain of server names in certificates."},
    {.name = "data_dir",
	.flag = "data-dir",
	.type = CONFIG_TEXT,
	AT(config.data_dir),
	.shown = "none, required without -dev",
	.unit = "path",
	.help = "Directory for log, snapshots and state."},
    {.name = "server",
	.type = CONFIG_TRUE,
	AT(server),
	.initial = "true",
	.help = "Accepted for Consul's sake; only true is possible."},
    {.name = "bind_addr",
	.flag = "bind",
	.type = CONFIG_TEXT,
	AT(config.bind),
	.initial = "127.0.0.1",
	.unit = "address",
	.rule = configrule_ip,
	.help = "Address that other servers connect to."},
    {.name = "advertise_addr",
	.flag = "advertise",
	.type = CONFIG_TEXT,
	AT(config.advertise),
	.fallback = "bind_addr",
	.unit = "address",
	.rule = configrule_ip,
	.help = "Address told to other servers, if bind_addr will not do."},
    {.name = "client_addr",
	.flag = "client",
	.type = CONFIG_WORDS,
	LIST_AT(client_addr),
	.initial = "127.0.0.1",
	.max = CONFIG_ADDRESS_MAX,
	.unit = "addresses",
	.rule = configrule_listen,
	.help = "Addresses or unix:///path, blank separated, for clients."},
    {.name = "addresses.http",
	.type = CONFIG_WORDS,
	LIST_AT(config.client),
	.fallback = "client_addr",
	.max = CONFIG_ADDRESS_MAX,
	.unit = "addresses",
	.rule = configrule_listen,
	.help = "The same for HTTP alone."},
    {.name = "addresses.https",
	.type = CONFIG_WORDS,
	LIST_AT(config.client_https),
	.fallback = "client_addr",
	.max = CONFIG_ADDRESS_MAX,
	.unit = "addresses",
	.rule = configrule_listen,
	.help = "The same for HTTPS alone."},
    {.name = "ports.http",
	.flag = "http-port",
	.type = CONFIG_PORT,
	AT(config.port_http),
	.initial = "8500",
	.min = -1,
	.max = UINT16_MAX,
	.unit = "port",
	.help = "Port of the HTTP API; -1 turns it off."},
    {.name = "ports.https",
	.flag = "https-port",
	.type = CONFIG_PORT,
	AT(config.port_https),
	.initial = "-1",
	.min = -1,
	.max = UINT16_MAX,
	.unit = "port",
	.help = "Port of the HTTPS API; -1 turns it off."},
    {.name = "ports.server",
	.flag = "server-port",
	.type = CONFIG_PORT,
	AT(config.port_server),
	.initial = "8300",
	.min = 1,
	.max = UINT16_MAX,
	.unit = "port",
	.help = "Port that other servers connect to."},
    {.name = "bootstrap_expect",
	.flag = "bootstrap-expect",
	.type = CONFIG_UINT,
	AT(config.bootstrap_expect),
	.initial = "0",
	.max = 5,
	.unit = "servers",
	.help = "Servers that found the cluster: 1, 3 or 5; 0 joins one."},
    {.name = "bootstrap",
	.type = CONFIG_BOOL,
	AT(bootstrap),
	.initial = "false",
	.help = "Consul's older way to say bootstrap_expect 1."},
    {.name = "retry_join",
	.flag = "retry-join",
	.type = CONFIG_LIST,
	LIST_AT(config.retry_join),
	.max = CONFIG_JOIN_MAX,
	.unit = "address",
	.rule = configrule_join,
	.help = "Server to join, host[:port]; may be given again."},
    {.name = "retry_interval",
	.type = CONFIG_MS,
	AT(config.retry_interval_ms),
	.initial = "1s",
	.min = 100,
	.max = 3600000,
	.unit = "duration",
	.help = "Pause between attempts to join."},
    {.name = "allow_plaintext",
	.type = CONFIG_BOOL,
	AT(config.allow_plaintext),
	.initial = "false",
	.help = "Unsafe: servers talk without TLS beyond loopback."},
    {.name = "connect.enabled",
	.type = CONFIG_BOOL,
	AT(config.connect_enabled),
	.initial = "true",
	.help = "Run the certificate authority."},
    {.name = "connect.ca_provider",
	.type = CONFIG_TEXT,
	AT(config.ca_provider),
	.initial = "consul",
	.unit = "name",
	.rule = configrule_provider,
	.help = "Who makes the CA; consul is the built-in one."},
    {.name = "connect.ca_config",
	.type = CONFIG_CA,
	AT(config.ca_config),
	.initial = "{}",
	.unit = "object",
	.help = "What the CA of a new cluster begins with, see below."},
    {.name = "connect.cluster_id",
	.type = CONFIG_TEXT,
	AT(config.cluster_id),
	.shown = "drawn by the first leader",
	.unit = "UUID",
	.rule = configrule_uuid,
	.help = "Trust domain to keep when moving in from Consul."},
    {.name = "performance.raft_multiplier",
	.type = CONFIG_UINT,
	AT(config.raft_multiplier),
	.initial = "1",
	.min = 1,
	.max = 10,
	.help = "Stretches election (500 ms) and heartbeat (50 ms) times."},
    {.name = "performance.rpc_hold_timeout",
	.type = CONFIG_MS,
	AT(config.rpc_hold_ms),
	.initial = "7s",
	.min = 10,
	.max = 600000,
	.unit = "duration",
	.help = "How long a request waits for a leader to appear."},
    {.name = "performance.snapshot_threshold",
	.type = CONFIG_UINT,
	AT(config.snapshot_threshold),
	.initial = "16384",
	.min = 8,
	.max = 10000000,
	.unit = "entries",
	.help = "Log entries after which a snapshot is taken."},
    {.name = "performance.snapshot_trailing",
	.type = CONFIG_UINT,
	AT(config.snapshot_trailing),
	.initial = "8192",
	.min = 4,
	.max = 10000000,
	.unit = "entries",
	.help = "Log entries kept behind a snapshot for slow servers."},
    {.name = "performance.client_loops",
	.type = CONFIG_UINT,
	AT(config.client_loops),
	.initial = "0",
	.max = 64,
	.unit = "threads",
	.help = "Threads that serve clients; 0 means one per core."},
    {.name = "limits.max_connections",
	.type = CONFIG_UINT,
	AT(config.max_connections),
	.initial = "120000",
	.min = 16,
	.max = COUNT_MAX,
	.unit = "connections",
	.help = "Client connections at once."},
    {.name = "limits.max_parked",
	.type = CONFIG_UINT,
	AT(config.max_parked),
	.initial = "100000",
	.max = COUNT_MAX,
	.unit = "requests",
	.help = "Blocking queries waiting at once."},
    {.name = "limits.max_parked_per_address",
	.type = CONFIG_UINT,
	AT(config.max_parked_per_address),
	.initial = "8192",
	.max = COUNT_MAX,
	.unit = "requests",
	.help = "The same from one address beyond loopback; 0 is no limit."},
    {.name = "limits.max_proposals",
	.type = CONFIG_UINT,
	AT(config.max_proposals),
	.initial = "4096",
	.min = 1,
	.max = 65536,
	.unit = "writes",
	.help = "Writes under way at once."},
    {.name = "limits.http_body_max",
	.type = CONFIG_BYTES,
	AT(config.body_max),
	.initial = "1048576",
	.min = 1024,
	.max = JSON_SIZE_MAX,
	.unit = "bytes",
	.help = "Largest request body."},
    {.name = "limits.state_quota",
	.type = CONFIG_BYTES,
	AT(config.state_quota),
	.initial = "1073741824",
	.min = 16 * MIB,
	.max = 1024 * 1024 * MIB,
	.unit = "bytes",
	.help = "Size of the state beyond which writes are refused."},
    TLS_ROWS("tls.defaults.", tls_defaults, OLD),
    TLS_VERSION("tls.defaults.", tls_defaults, "tls_min_version",
	configrule_tls_version),
    TLS_VERIFY("tls.defaults.verify_incoming", tls_defaults.verify_incoming,
	"verify_incoming", INCOMING),
    TLS_VERIFY("tls.defaults.verify_outgoing", tls_defaults.verify_outgoing,
	"verify_outgoing", OUTGOING),
    TLS_VERIFY("tls.defaults.verify_server_hostname",
	tls_defaults.verify_server_hostname, "verify_server_hostname",
	HOSTNAME),
    TLS_ROWS("tls.internal_rpc.", config.tls_internal_rpc, DEFAULTS),
    TLS_VERSION("tls.internal_rpc.", config.tls_internal_rpc,
	"tls.defaults.tls_min_version", configrule_tls_version),
    TLS_VERIFY("tls.internal_rpc.verify_incoming",
	config.tls_internal_rpc.verify_incoming, "verify_incoming_rpc",
	INCOMING),
    TLS_VERIFY("tls.internal_rpc.verify_outgoing",
	config.tls_internal_rpc.verify_outgoing, "tls.defaults.verify_outgoing",
	OUTGOING),
    TLS_VERIFY("tls.internal_rpc.verify_server_hostname",
	config.tls_internal_rpc.verify_server_hostname,
	"tls.defaults.verify_server_hostname", HOSTNAME),
    TLS_ROWS("tls.https.", config.tls_https, DEFAULTS),
    TLS_VERSION("tls.https.", config.tls_https, "tls.defaults.tls_min_version",
	configrule_tls_version),
    TLS_VERIFY("tls.https.verify_incoming", config.tls_https.verify_incoming,
	"verify_incoming_https", INCOMING),
    TLS_VERIFY("tls.https.verify_outgoing", config.tls_https.verify_outgoing,
	"tls.defaults.verify_outgoing", OUTGOING),
    TLS_ROWS("", tls_old, NOWHERE),
    TLS_VERSION("", tls_old, NULL, configrule_tls_version_old),
    TLS_VERIFY("verify_incoming", tls_old.verify_incoming, NULL, INCOMING),
    TLS_VERIFY("verify_incoming_rpc", old_incoming_rpc,
	"tls.defaults.verify_incoming", INCOMING),
    TLS_VERIFY("verify_incoming_https", old_incoming_https,
	"tls.defaults.verify_incoming", INCOMING),
    TLS_VERIFY("verify_outgoing", tls_old.verify_outgoing, NULL, OUTGOING),
    TLS_VERIFY("verify_server_hostname", tls_old.verify_server_hostname, NULL,
	HOSTNAME),
    {.name = "tls_prefer_server_cipher_suites",
	.type = CONFIG_BOOL,
	AT(old_prefer),
	.initial = "false",
	.help = "Accepted for Consul's sake and ignored."},
    {.name = "http_config.response_headers",
	.type = CONFIG_HEADERS,
	AT(config.header_names),
	COUNT_AT(config.header_count),
	.max = CONFIG_HEADERS_MAX,
	.unit = "object",
	.help = "Headers, name to value, that every HTTP answer carries."},
    {.name = "log_level",
	.flag = "log-level",
	.type = CONFIG_LEVEL,
	AT(config.log_level),
	.initial = "info",
	.unit = "level",
	RELOAD,
	.rule = configrule_level,
	.help = "Least level to log: trace, debug, info, warn or error."},
    {.name = "log_json",
	.flag = "log-json",
	.type = CONFIG_BOOL,
	AT(config.log_json),
	.initial = "false",
	RELOAD,
	.help = "Log one JSON object a line."},
};

const size_t config_options_count = ARRAY_SIZE(config_options);

static_assert(ARRAY_SIZE(config_options) <= CONFIG_OPTIONS_MAX,
    "a draft marks every option");

const struct config_option *
config_option_named(const char *name)
{
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].name != NULL &&
		    strcmp(config_options[i].name, name) == 0)
			return &config_options[i];
	}
	return NULL;
}

const struct config_option *
config_option_flagged(const char *flag)
{
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].flag != NULL &&
		    strcmp(config_options[i].flag, flag) == 0)
			return &config_options[i];
	}
	return NULL;
}

bool
config_is_group(const char *path)
{
	size_t size = strlen(path);

	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].name != NULL &&
		    strncmp(config_options[i].name, path, size) == 0 &&
		    config_options[i].name[size] == '.')
			return true;
	}
	return false;
}
