/*
 * Goal: options are read as documented, nothing unknown or out of range passes,
 * every refusal says where and why, and table, --help and manual agree.
 * Method: tables of flags and of files with the expected words; files in a
 * temporary directory; the manual's source beside --help; allocation torture.
 */
#include "server/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "server/configtable.h"
#include "storage/buf.h"
#include "storage/file.h"
#include "tests/support/test.h"

#define ARGS_MAX 16

/* Load from flags, blank separated; "conclaved" goes first. */
static enum err
load(const char *flags, enum config_action *action, struct config **out,
    struct errmsg *why)
{
	char text[1024], *rest = text, *argv[ARGS_MAX] = {(char[]){"test"}};
	int argc = 1;

	assert_true(
	    (size_t)snprintf(text, sizeof(text), "%s", flags) < sizeof(text));
	while (rest != NULL && *rest != '\0' && argc < ARGS_MAX)
		argv[argc++] = strsep(&rest, " ");
	return config_load(argc, argv, action, out, why);
}

static struct config *
load_good(const char *flags)
{
	enum config_action action;
	struct config *config = NULL;
	struct errmsg why = {""};

	if (load(flags, &action, &config, &why) != OK)
		fail_msg("%s: %s", flags, why.text);
	assert_int_equal(action, CONFIG_RUN);
	assert_non_null(config);
	return config;
}

static struct config *
decode_good(const char *text)
{
	struct config *config = NULL;
	struct errmsg why = {""};

	if (config_decode("c.json", text, strlen(text), &config, &why) != OK)
		fail_msg("%s: %s", text, why.text);
	return config;
}

static void
defaults_are_those_documented(void **state)
{
	struct config *c = load_good("-data-dir /d -node n1");

	(void)state;
	assert_string_equal(c->node_name, "n1");
	assert_string_equal(c->datacenter, "dc1");
	assert_string_equal(c->domain, "consul");
	assert_string_equal(c->data_dir, "/d");
	assert_false(c->dev);
	assert_string_equal(c->bind, "127.0.0.1");
	assert_string_equal(c->advertise, "127.0.0.1");
	assert_int_equal(c->client_count, 1);
	assert_string_equal(c->client[0], "127.0.0.1");
	assert_int_equal(c->client_https_count, 1);
	assert_int_equal(c->port_http, 8500);
	assert_int_equal(c->port_https, -1);
	assert_int_equal(c->port_server, 8300);
	assert_int_equal(c->bootstrap_expect, 0);
	assert_int_equal(c->retry_join_count, 0);
	assert_int_equal(c->retry_interval_ms, 1000);
	assert_int_equal(c->election_ms, 500);
	assert_int_equal(c->heartbeat_ms, 50);
	assert_int_equal(c->rpc_hold_ms, 7000);
	assert_int_equal(c->snapshot_threshold, 16384);
	assert_int_equal(c->snapshot_trailing, 8192);
	assert_true(c->state_quota == UINT64_C(1) << 30);
	assert_true(c->connect_enabled);
	assert_string_equal(c->ca_provider, "consul");
	assert_string_equal(c->ca_config,
	    "{\"IntermediateCertTTL\":\"8760h\",\"LeafCertTTL\":\"72h\","
	    "\"RootCertTTL\":\"87600h\"}");
	assert_null(c->cluster_id);
	assert_int_equal(c->client_loops, 0);
	assert_int_equal(c->max_connections, 120000);
	assert_int_equal(c->max_parked, 100000);
	assert_int_equal(c->max_parked_per_address, 8192);
	assert_int_equal(c->max_proposals, 4096);
	assert_int_equal(c->body_max, 1048576);
	assert_null(c->tls_internal_rpc.ca_file);
	assert_string_equal(c->tls_https.min_version, "TLSv1_2");
	assert_int_equal(c->header_count, 0);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_false(c->log_json);
	assert_null(c->sources);
	config_free(c);
	config_free(NULL);
}

static void
flags_take_both_forms_and_repeat(void **state)
{
	struct config *c =
	    load_good("--dev -node=a -http-port=9500 --server-port 9300 "
		      "-log-level=WARN -log-json -data-dir x -client ::1");

	(void)state;
	assert_true(c->dev);
	assert_int_equal(c->bootstrap_expect, 1);
	assert_int_equal(c->port_http, 9500);
	assert_int_equal(c->port_server, 9300);
	assert_int_equal(c->log_level, LOG_WARN);
	assert_true(c->log_json);
	assert_string_equal(c->client[0], "::1");
	config_free(c);

	c = load_good("-dev=false -data-dir=d -bootstrap-expect 3 "
		      "-retry-join [::1]:8310 -retry-join=host.example "
		      "-retry-join fe80::1%eth0 -log-json=false");
	assert_false(c->dev);
	assert_int_equal(c->retry_join_count, 3);
	assert_string_equal(c->retry_join[0], "[::1]:8310");
	assert_string_equal(c->retry_join[1], "host.example");
	assert_string_equal(c->retry_join[2], "fe80::1%eth0");
	config_free(c);
}

static void
bad_flags_are_refused_by_name(void **state)
{
	static const struct {
		const char *flags, *why;
	} cases[] = {
	    {"-boostrap-expect 3",
		"unknown flag -boostrap-expect (did you "
		"mean -bootstrap-expect?), see -help"},
	    {"-serf-lan-port 1", "unknown flag -serf-lan-port, see -help"},
	    {"extra", "unexpected argument \"extra\", see -help"},
	    {"-", "unexpected argument \"-\", see -help"},
	    {"-dev -node", "flag -node needs a value"},
	    {"-validate=yes", "flag -validate takes no value"},
	    {"-dev=maybe", "flag -dev: \"maybe\" must be true or false"},
	    {"-dev -http-port 0",
		"flag -http-port: \"0\" must be -1 (off) or "
		"a port from 1 to 65535"},
	    {"-dev -http-port 65536",
		"flag -http-port: \"65536\" must be -1 "
		"(off) or a port from 1 to 65535"},
	    {"-dev -server-port -1",
		"flag -server-port: \"-1\" must be a port from 1 to 65535"},
	    {"-dev -http-port 12x",
		"flag -http-port: \"12x\" must be -1 (off) "
		"or a port from 1 to 65535"},
	    {"-dev -node a/b",
		"flag -node: \"a/b\" must be 1 to 128 "
		"characters of A-Z a-z 0-9 . _ -"},
	    {"-dev -datacenter DC1",
		"flag -datacenter: \"DC1\" must be 1 to "
		"128 characters of a-z 0-9 _ -"},
	    {"-dev -bind localhost",
		"flag -bind: \"localhost\" must be an IP "
		"address (IPv6 without brackets)"},
	    {"-dev -log-level loud",
		"flag -log-level: \"loud\" must be one of "
		"trace, debug, info, warn, error"},
	    {"-data-dir d -retry-join a:b",
		"flag -retry-join: \"a:b\" must be host[:port], address[:port] "
		"or [IPv6]:port"},
	    {"-data-dir d -bootstrap-expect 2",
		"bootstrap_expect is 2, must be 0, 1, 3 or 5"},
	    {"-data-dir d -bootstrap-expect 7",
		"flag -bootstrap-expect: \"7\" must be a whole number from 0 "
		"to 5"},
	    {"-bootstrap-expect 1",
		"data_dir (-data-dir) must be given, unless with -dev"},
	    {"-dev -bootstrap-expect 3",
		"-dev is a single server, bootstrap_expect is 3"},
	    {"-dev -retry-join x",
		"-dev is a single server, retry_join has no meaning"},
	    {"-dev -bind 10.0.0.1",
		"bind_addr 10.0.0.1 is not loopback: give "
		"tls.internal_rpc.ca_file, cert_file and key_file, or set "
		"allow_plaintext to true"},
	    {"-dev -bind ::",
		"advertise_addr (-advertise) must be an address "
		"that other servers can reach, not ::"},
	    {"-dev -https-port 8501",
		"ports.https is 8501, which needs "
		"tls.https.cert_file and key_file"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum config_action action;
		struct config *config = NULL;
		struct errmsg why = {""};
		enum err rc = load(cases[i].flags, &action, &config, &why);

		assert_string_equal(why.text, cases[i].why);
		assert_int_equal(rc, ERR_INVALID);
		assert_null(config);
	}
}

static void
help_version_and_validate_are_told(void **state)
{
	static const struct {
		const char *flags;
		enum config_action action;
	} cases[] = {
	    {"-help", CONFIG_HELP},
	    {"--h -nonsense", CONFIG_HELP},
	    {"-node a -version", CONFIG_VERSION},
	};
	enum config_action action;
	struct config *config;
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
		    load(cases[i].flags, &action, &config, &why), OK);
		assert_int_equal(action, cases[i].action);
		assert_null(config);
	}
	assert_int_equal(load("-validate -dev", &action, &config, &why), OK);
	assert_int_equal(action, CONFIG_VALIDATE);
	config_free(config);
	assert_int_equal(
	    load("-validate", &action, &config, &why), ERR_INVALID);
}

static void
a_file_sets_every_kind_of_option(void **state)
{
	struct config *c = decode_good(
	    "{\"node_name\":\"s1\",\"datacenter\":\"eu-1\",\"data_dir\":\"/d\","
	    "\"domain\":\"example.org\",\"server\":true,"
	    "\"bind_addr\":\"::1\",\"client_addr\":\"127.0.0.1  ::1 "
	    "unix:///run/c.sock\",\"ports\":{\"http\":-1,\"server\":8310},"
	    "\"bootstrap\":true,\"retry_join\":[\"a\",\"b:1\"],"
	    "\"retry_interval\":\"1m30s\","
	    "\"performance\":{\"raft_multiplier\":4,\"client_loops\":2},"
	    "\"limits\":{\"state_quota\":16777216},"
	    "\"connect\":{\"enabled\":false,\"cluster_id\":"
	    "\"11111111-2222-3333-4444-555555555555\"},"
	    "\"http_config\":{\"response_headers\":{\"X-A\":\"1\","
	    "\"X-B\":\"two words\"}},"
	    "\"log_level\":\"err\",\"log_json\":true}");

	(void)state;
	assert_string_equal(c->node_name, "s1");
	assert_string_equal(c->domain, "example.org");
	assert_string_equal(c->bind, "::1");
	assert_string_equal(c->advertise, "::1");
	assert_int_equal(c->client_count, 3);
	assert_string_equal(c->client[1], "::1");
	assert_string_equal(c->client[2], "unix:///run/c.sock");
	assert_int_equal(c->port_http, -1);
	assert_int_equal(c->port_server, 8310);
	assert_int_equal(c->bootstrap_expect, 1);
	assert_int_equal(c->retry_join_count, 2);
	assert_int_equal(c->retry_interval_ms, 90000);
	assert_int_equal(c->election_ms, 2000);
	assert_int_equal(c->heartbeat_ms, 200);
	assert_int_equal(c->client_loops, 2);
	assert_true(c->state_quota == 16777216);
	assert_false(c->connect_enabled);
	assert_string_equal(
	    c->cluster_id, "11111111-2222-3333-4444-555555555555");
	assert_int_equal(c->header_count, 2);
	assert_string_equal(c->header_names[1], "X-B");
	assert_string_equal(c->header_values[1], "two words");
	assert_int_equal(c->log_level, LOG_ERROR);
	assert_true(c->log_json);
	config_free(c);
}

static void
bad_files_are_refused_with_file_line_and_column(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"", "c.json:1:1: unexpected end of JSON input"},
	    {"{} x", "c.json:1:4: more text after the end of the JSON value"},
	    {"[]", "c.json:1:1: the configuration must be an object"},
	    {"{\n \"prots\": {}}",
		"c.json:2:2: unknown key prots (did you mean ports?)"},
	    {"{\"nodename\":\"a\"}",
		"c.json:1:2: unknown key nodename (did "
		"you mean node_name?)"},
	    {"{\"raft_multiplier\":1}",
		"c.json:1:2: unknown key raft_multiplier (did you mean "
		"performance.raft_multiplier?)"},
	    {"{\"ports\":{\"dns\":8600}}",
		"c.json:1:11: unknown key ports.dns "
		"(there is no DNS interface)"},
	    {"{\"ports\":{\n\"serf_lan\":8301}}",
		"c.json:2:1: unknown key ports.serf_lan (there is no gossip, "
		"servers meet on ports.server)"},
	    {"{\"zzz\":1}", "c.json:1:2: unknown key zzz"},
	    {"{\"ports.http\":1}",
		"c.json:1:2: ports.http: instead of a dot write an object "
		"within"},
	    {"{\"ports\":8500}", "c.json:1:2: ports: must be an object"},
	    {"{\"ports\":{\"http\":\"8500\"}}",
		"c.json:1:11: ports.http: \"8500\" must be -1 (off) or a port "
		"from 1 to 65535"},
	    {"{\"ports\":{\"http\":8500.0}}",
		"c.json:1:11: ports.http: 8500.0 must be -1 (off) or a port "
		"from 1 to 65535"},
	    {"{\"log_json\":1}",
		"c.json:1:2: log_json: 1 must be true or false"},
	    {"{\"server\":false}",
		"c.json:1:2: server: false must be true: "
		"every process is a server"},
	    {"{\"node_name\":null}",
		"c.json:1:2: node_name: null must be a text"},
	    {"{\"retry_interval\":\"10\"}",
		"c.json:1:2: retry_interval: \"10\" must be a duration such as "
		"\"10s\", from 100ms to 1h0m0s"},
	    {"{\"retry_interval\":\"1ms\"}",
		"c.json:1:2: retry_interval: \"1ms\" must be a duration such "
		"as \"10s\", from 100ms to 1h0m0s"},
	    {"{\"retry_join\":[\"a\",\n  7]}",
		"c.json:2:3: retry_join: 7 must be a text"},
	    {"{\"retry_join\":{}}",
		"c.json:1:2: retry_join: {} must be a list of texts"},
	    {"{\"performance\":{\"raft_multiplier\":11}}",
		"c.json:1:17: performance.raft_multiplier: 11 must be a whole "
		"number from 1 to 10"},
	    {"{\"limits\":{\"state_quota\":99999999999999999999}}",
		"c.json:1:12: limits.state_quota: 99999999999999999999 must be "
		"a whole number from 16777216 to 1099511627776"},
	    {"{\"connect\":{\"ca_provider\":\"vault\"}}",
		"c.json:1:13: connect.ca_provider: \"vault\" must be "
		"\"consul\""},
	    {"{\"connect\":{\"ca_config\":{\"leaf_ttl\":\"1h\"}}}",
		"c.json:1:26: connect.ca_config.leaf_ttl: the built-in CA has "
		"no key of this name"},
	    {"{\"connect\":{\"ca_config\":\"key\"}}",
		"c.json:1:13: connect.ca_config: value must be an object"},
	    {"{\"connect\":{\"ca_config\":{\"root_cert\":[]}}}",
		"c.json:1:26: connect.ca_config.root_cert: must be a text, a "
		"number or a bool"},
	    {"{\"connect\":{\"ca_config\":{\"root_cert\":\"a\","
	     "\"RootCert\":\"b\"}}}",
		"c.json:1:42: connect.ca_config.RootCert: RootCert is given "
		"twice"},
	    {"{\"connect\":{\"cluster_id\":\"x\"}}",
		"c.json:1:13: connect.cluster_id: \"x\" must be a UUID in "
		"lower case"},
	    {"{\"tls\":{\"defaults\":{\"tls_min_version\":\"TLSv1_0\"}}}",
		"c.json:1:21: tls.defaults.tls_min_version: \"TLSv1_0\" must "
		"be TLSv1_2 or TLSv1_3 (older versions are not offered)"},
	    {"{\"tls\":{\"grpc\":{}}}",
		"c.json:1:9: unknown key tls.grpc "
		"(there is no gRPC interface)"},
	    {"{\"http_config\":{\"response_headers\":{\"A\":\"x\\r\\n\"}}}",
		"c.json:1:37: http_config.response_headers.A: \"x\\r\\n\" must "
		"be at most 1024 bytes without control characters (no line "
		"breaks)"},
	    {"{\"http_config\":{\"response_headers\":{\"A b\":\"x\"}}}",
		"c.json:1:37: http_config.response_headers.A b: \"A b\" must "
		"be an HTTP header name of at most 128 characters"},
	    {"{\"http_config\":{\"response_headers\":{\"A\":\"x\",\"a\":"
	     "\"y\"}}}",
		"c.json:1:45: http_config.response_headers.a: header a is "
		"given twice"},
	    {"{\"client_addr\":\"127.0.0.1 [::1]\"}",
		"c.json:1:2: client_addr: \"[::1]\" must be IP addresses (IPv6 "
		"without brackets) or unix:///path of at most 107 characters "
		"of A-Z a-z 0-9 / . _ - + @ : , = ~"},
	    {"{\"data_dir\":\"d\",\"bootstrap\":true,\"bootstrap_expect\":3}",
		"bootstrap and bootstrap_expect 3 cannot both be given"},
	    {"{\"data_dir\":\"d\",\"tls\":{\"defaults\":{\"cert_file\":"
	     "\"c\"}}}",
		"tls.internal_rpc.cert_file is given without "
		"tls.internal_rpc.key_file"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *config = NULL;
		struct errmsg why = {""};
		enum err rc = config_decode("c.json", cases[i].text,
		    strlen(cases[i].text), &config, &why);

		assert_string_equal(why.text, cases[i].why);
		assert_int_equal(rc, ERR_INVALID);
		assert_null(config);
	}
}

static void
ca_config_is_translated_and_not_judged(void **state)
{
	struct config *c = decode_good(
	    "{\"data_dir\":\"d\",\"connect\":{\"ca_config\":{"
	    "\"root_cert\":\"garbage <PEM>\",\"private_key_bits\":4096,"
	    "\"csr_max_per_second\":0.50,\"LeafCertTTL\":\"1h\","
	    "\"skip_validate\":true,\"private_key\":\"k\","
	    "\"disable_cross_signing\":\"yes\"}}}");
	struct buf out = buf_new(65536);

	(void)state;
	assert_string_equal(c->ca_config,
	    "{\"CSRMaxPerSecond\":0.50,\"DisableCrossSigning\":\"yes\","
	    "\"IntermediateCertTTL\":\"8760h\",\"LeafCertTTL\":\"1h\","
	    "\"PrivateKey\":\"k\",\"PrivateKeyBits\":4096,"
	    "\"RootCert\":\"garbage \\u003cPEM\\u003e\","
	    "\"RootCertTTL\":\"87600h\",\"SkipValidate\":true}");
	config_json(c, &out);
	buf_u8(&out, '\0');
	assert_non_null(strstr((char *)out.data, "\"PrivateKey\":\"hidden\""));
	assert_null(strstr((char *)out.data, "\"PrivateKey\":\"k\""));
	buf_free(&out);
	config_free(c);
}

static void
tls_stanzas_fall_back_to_defaults_then_to_old_keys(void **state)
{
	struct config *c = decode_good(
	    "{\"data_dir\":\"d\",\"bind_addr\":\"10.0.0.1\","
	    "\"ca_file\":\"old-ca\",\"cert_file\":\"old-cert\","
	    "\"key_file\":\"old-key\",\"tls_min_version\":\"tls13\","
	    "\"verify_incoming_rpc\":true,\"verify_outgoing\":true,"
	    "\"verify_server_hostname\":true,"
	    "\"tls_prefer_server_cipher_suites\":true,"
	    "\"tls\":{\"defaults\":{\"cert_file\":\"cert\"},"
	    "\"https\":{\"key_file\":\"https-key\",\"verify_outgoing\":false,"
	    "\"tls_cipher_suites\":"
	    "\"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"
	    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA\"}}}");

	(void)state;
	assert_string_equal(c->tls_internal_rpc.ca_file, "old-ca");
	assert_string_equal(c->tls_internal_rpc.cert_file, "cert");
	assert_string_equal(c->tls_internal_rpc.key_file, "old-key");
	assert_string_equal(c->tls_internal_rpc.min_version, "TLSv1_3");
	assert_true(c->tls_internal_rpc.verify_incoming);
	assert_true(c->tls_internal_rpc.verify_outgoing);
	assert_true(c->tls_internal_rpc.verify_server_hostname);
	assert_string_equal(c->tls_https.key_file, "https-key");
	assert_string_equal(c->tls_https.cert_file, "cert");
	assert_non_null(c->tls_https.cipher_suites);
	assert_null(c->tls_internal_rpc.cipher_suites);
	assert_false(c->tls_https.verify_incoming);
	assert_false(c->tls_https.verify_outgoing);
	config_free(c);

	c = decode_good("{\"data_dir\":\"d\",\"verify_incoming\":true,\"tls\":{"
			"\"defaults\":{\"tls_min_version\":\"TLSv1_3\"},"
			"\"internal_rpc\":{\"tls_min_version\":\"\","
			"\"verify_incoming\":false}}}");
	assert_string_equal(c->tls_internal_rpc.min_version, "TLSv1_2");
	assert_string_equal(c->tls_https.min_version, "TLSv1_3");
	assert_false(c->tls_internal_rpc.verify_incoming);
	assert_true(c->tls_https.verify_incoming);
	config_free(c);
}

static void
plaintext_beyond_loopback_needs_its_name(void **state)
{
	static const struct {
		const char *bind, *more;
		bool good;
	} cases[] = {
	    {"127.5.5.5", "", true},
	    {"::1", "", true},
	    {"::ffff:127.0.0.1", "", true},
	    {"192.0.2.1", "", false},
	    {"2001:db8::1", "", false},
	    {"192.0.2.1", ",\"allow_plaintext\":true", true},
	    {"0.0.0.0", ",\"allow_plaintext\":true", false},
	    {"0.0.0.0",
		",\"allow_plaintext\":true,\"advertise_addr\":\"192.0.2.1\"",
		true},
	    {"192.0.2.1", ",\"cert_file\":\"c\",\"key_file\":\"k\"", false},
	    {"192.0.2.1",
		",\"cert_file\":\"c\",\"key_file\":\"k\",\"ca_path\":\"p\"",
		true},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *config = NULL;
		enum err rc;

		snprintf(text, sizeof(text),
		    "{\"data_dir\":\"d\",\"bind_addr\":\"%s\"%s}",
		    cases[i].bind, cases[i].more);
		rc = config_decode("c.json", text, strlen(text), &config, NULL);
		assert_int_equal(rc, cases[i].good ? OK : ERR_INVALID);
		config_free(config);
	}
}

static void
write_file(const char *folder, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
later_files_win_and_flags_win_over_them(void **state)
{
	char *folder = test_tmpdir(), flags[1024];
	struct config *c;

	(void)state;
	write_file(folder, "b.json",
	    "{\"node_name\":\"from-b\",\"retry_join\":[\"b\"]}");
	write_file(folder, "a.json",
	    "{\"node_name\":\"from-a\",\"datacenter\":\"a\",\"data_dir\":\"d\","
	    "\"retry_join\":[\"a1\",\"a2\"]}");
	write_file(folder, "ignored.txt", "not JSON");
	snprintf(flags, sizeof(flags), "-config-dir %s", folder);
	c = load_good(flags);
	assert_string_equal(c->node_name, "from-b");
	assert_string_equal(c->datacenter, "a");
	assert_int_equal(c->retry_join_count, 1);
	assert_non_null(strstr(c->sources[0], "/a.json"));
	assert_non_null(strstr(c->sources[1], "/b.json"));
	assert_null(c->sources[2]);
	config_free(c);

	snprintf(flags, sizeof(flags),
	    "-node flag -retry-join f1 -config-file=%s/b.json "
	    "-config-file %s/a.json -retry-join f2",
	    folder, folder);
	c = load_good(flags);
	assert_string_equal(c->node_name, "flag");
	assert_int_equal(c->retry_join_count, 2);
	assert_string_equal(c->retry_join[1], "f2");
	config_free(c);
	test_rmdir(folder);
}

static void
missing_and_foreign_files_are_named(void **state)
{
	char *folder = test_tmpdir(), flags[1024];
	enum config_action action;
	struct config *config;
	struct errmsg why;

	(void)state;
	snprintf(flags, sizeof(flags), "-config-file %s/none.json", folder);
	assert_int_equal(load(flags, &action, &config, &why), ERR_NOTFOUND);
	assert_non_null(strstr(why.text, "/none.json"));
	snprintf(flags, sizeof(flags), "-config-dir %s/none", folder);
	assert_int_equal(load(flags, &action, &config, &why), ERR_NOTFOUND);
	assert_non_null(strstr(why.text, "/none"));
	write_file(folder, "x.hcl", "node_name = \"x\"");
	snprintf(flags, sizeof(flags), "-config-dir %s", folder);
	assert_int_equal(load(flags, &action, &config, &why), ERR_INVALID);
	assert_non_null(
	    strstr(why.text, "/x.hcl: HCL is not read, write it as JSON"));
	test_rmdir(folder);
}

static void
printed_json_reads_back_the_same(void **state)
{
	struct config *a = decode_good(
	    "{\"data_dir\":\"d\",\"node_name\":\"n\",\"addresses\":{\"http\":"
	    "\"::1 unix:///a\"},\"retry_join\":[\"x:1\"],\"performance\":{"
	    "\"rpc_hold_timeout\":\"1m0.5s\"},\"tls\":{\"https\":{\"ca_file\":"
	    "\"c\\\"\"}},\"http_config\":{\"response_headers\":{\"A\":\"b\"}},"
	    "\"connect\":{\"cluster_id\":"
	    "\"11111111-2222-3333-4444-555555555555\"}}");
	struct config *b = NULL;
	struct buf first = buf_new(65536), second = buf_new(65536);
	char *text, *null;
	struct errmsg why = {""};

	(void)state;
	config_json(a, &first);
	buf_u8(&first, '\0');
	text = (char *)first.data;
	/* What is not given is null there, which a file says by silence. */
	while ((null = strstr(text, ":null")) != NULL)
		memcpy(null, ":\"\"  ", 5);
	if (config_decode("p", text, strlen(text), &b, &why) != OK)
		fail_msg("%s: %s", text, why.text);
	buf_reset(&first);
	config_json(a, &first);
	config_json(b, &second);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);
	buf_free(&first);
	buf_free(&second);
	config_free(a);
	config_free(b);
}

static void
reload_takes_what_it_may_and_names_the_rest(void **state)
{
	struct config *now = decode_good(
	    "{\"data_dir\":\"d\",\"node_name\":\"n\",\"retry_join\":[\"a\"]}");
	struct config *next = decode_good(
	    "{\"data_dir\":\"d\",\"node_name\":\"m\",\"log_level\":\"debug\","
	    "\"retry_join\":[\"b\"],\"ports\":{\"http\":1},"
	    "\"ca_file\":\"new\",\"verify_incoming\":true,\"http_config\":{"
	    "\"response_headers\":{\"A\":\"b\"}}}");
	struct buf restart = buf_new(1024);

	(void)state;
	config_reload(now, next, &restart);
	buf_u8(&restart, '\0');
	assert_string_equal((char *)restart.data,
	    "node_name, ports.http, retry_join, "
	    "http_config.response_headers");
	assert_string_equal(now->node_name, "n");
	assert_string_equal(now->tls_https.ca_file, "new");
	assert_true(now->tls_internal_rpc.verify_incoming);
	assert_int_equal(now->log_level, LOG_DEBUG);
	assert_int_equal(now->header_count, 0);
	config_free(next);
	buf_reset(&restart);
	next = decode_good(
	    "{\"data_dir\":\"d\",\"node_name\":\"n\",\"retry_join\":[\"a\"],"
	    "\"log_level\":\"debug\",\"ca_file\":\"new\","
	    "\"verify_incoming\":true}");
	config_reload(now, next, &restart);
	assert_int_equal(restart.size, 0);
	buf_free(&restart);
	config_free(now);
	config_free(next);
}

/* The file's text, from the root of the tree; the caller frees. */
static char *
page_text(const char *path)
{
	struct buf bytes = buf_new(1 << 20);
	struct errmsg why;

	if (file_read(path, &bytes, &why) != OK)
		fail_msg("%s", why.text);
	buf_u8(&bytes, '\0');
	return (char *)bytes.data;
}

static char *
help_text(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	config_print_help(out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void
expect_in(const char *where, const char *text, const char *wanted)
{
	if (strstr(text, wanted) == NULL)
		fail_msg("%s lacks \"%s\"", where, wanted);
}

/* The option's lines in a page, from its .It line to the next. */
static char *
item_of(const char *where, const char *text, const char *wanted)
{
	const char *start = strstr(text, wanted), *end;
	char *item;

	if (start == NULL) {
		fail_msg("%s lacks \"%s\"", where, wanted);
		return NULL;
	}
	end = strstr(start + 1, "\n.It ");
	if (end == NULL)
		end = strstr(start + 1, "\n.El");
	assert_non_null(end);
	item = strndup(start, (size_t)(end - start));
	assert_non_null(item);
	return item;
}

static void
help_and_manual_agree_with_the_table(void **state)
{
	char *help = help_text();
	char *conclaved = page_text("server/package/conclaved.8");
	char *file = page_text("server/package/conclave.json.5");
	char line[256], *item;

	(void)state;
	for (size_t i = 0; i < config_options_count; i++) {
		const struct config_option *option = &config_options[i];

		expect_in("--help", help, option->help);
		if (option->flag != NULL) {
			snprintf(line, sizeof(line), "\n  -%s", option->flag);
			expect_in("--help", help, line);
			snprintf(line, sizeof(line), "\n.It Fl %s%s%s\n",
			    option->flag, option->unit != NULL ? " Ar " : "",
			    option->unit != NULL ? option->unit : "");
			item = item_of("conclaved.8", conclaved, line);
			expect_in(line, item, option->help);
			free(item);
		}
		if (option->name == NULL)
			continue;
		expect_in("--help", help, option->name);
		snprintf(line, sizeof(line), "\n.It Cm %s%s%s\n", option->name,
		    option->unit != NULL ? " Ar " : "",
		    option->unit != NULL ? option->unit : "");
		item = item_of("conclave.json.5", file, line);
		expect_in(line, item, option->help);
		if (option->initial != NULL && option->fallback == NULL &&
		    option->type != CONFIG_CA) {
			snprintf(line, sizeof(line), "\nDefault: %s.",
			    option->initial);
			expect_in(option->name, item, line);
		}
		if (option->fallback != NULL) {
			snprintf(line, sizeof(line),
			    "\nDefault: that of\n.Cm %s .", option->fallback);
			expect_in(option->name, item, line);
		}
		assert_int_equal(
		    strstr(item, "\nReloadable.") != NULL, option->reloadable);
		free(item);
	}
	free(help);
	free(conclaved);
	free(file);
}

/* Nothing stays in the manual that the table no longer has. */
static void
manual_names_no_other_option(void **state)
{
	static const struct {
		const char *path, *mark;
		bool flag;
	} pages[] = {
	    {"server/package/conclaved.8", "\n.It Fl ", true},
	    {"server/package/conclave.json.5", "\n.It Cm ", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		char *text = page_text(pages[i].path), *at = text, name[128];

		while ((at = strstr(at, pages[i].mark)) != NULL) {
			at += strlen(pages[i].mark);
			snprintf(name, sizeof(name), "%.*s",
			    (int)strcspn(at, " \n"), at);
			if ((pages[i].flag ? config_option_flagged(name)
					   : config_option_named(name)) == NULL)
				fail_msg("%s: %s", pages[i].path, name);
		}
		free(text);
	}
}

static enum err
decode_something(void *arg)
{
	static const char text[] =
	    "{\"data_dir\":\"d\",\"retry_join\":[\"a\",\"b\"],\"connect\":{"
	    "\"ca_config\":{\"private_key\":\"k\"}},\"http_config\":{"
	    "\"response_headers\":{\"A\":\"b\"}},\"tls_min_version\":"
	    "\"tls13\",\"client_addr\":\"::1 127.0.0.1\"}";
	struct config *config = NULL;
	enum err rc;

	(void)arg;
	rc = config_decode("t", text, strlen(text), &config, NULL);
	config_free(config);
	return rc;
}

static void
survives_memory_running_out_anywhere(void **state)
{
	(void)state;
	test_torture(decode_something, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_those_documented),
	    cmocka_unit_test(flags_take_both_forms_and_repeat),
	    cmocka_unit_test(bad_flags_are_refused_by_name),
	    cmocka_unit_test(help_version_and_validate_are_told),
	    cmocka_unit_test(a_file_sets_every_kind_of_option),
	    cmocka_unit_test(bad_files_are_refused_with_file_line_and_column),
	    cmocka_unit_test(ca_config_is_translated_and_not_judged),
	    cmocka_unit_test(
		tls_stanzas_fall_back_to_defaults_then_to_old_keys),
	    cmocka_unit_test(plaintext_beyond_loopback_needs_its_name),
	    cmocka_unit_test(later_files_win_and_flags_win_over_them),
	    cmocka_unit_test(missing_and_foreign_files_are_named),
	    cmocka_unit_test(printed_json_reads_back_the_same),
	    cmocka_unit_test(reload_takes_what_it_may_and_names_the_rest),
	    cmocka_unit_test(help_and_manual_agree_with_the_table),
	    cmocka_unit_test(manual_names_no_other_option),
	    cmocka_unit_test(survives_memory_running_out_anywhere),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
