/*
 * Goal: every endpoint answers as the contract says, in its exact words where
 * it has them, and no secret is kept or shared.
 * Method: requests through the whole API over a real state; the node's and
 * the CA manager's answers are the test's.
 */
#include "tests/support/api_bench.h"

#include <zlib.h>

#include "server/api/handlers.h"
#include "server/json.h"

#define WEB       "/v1/tls/config/web"
#define ROOTS     "/v1/connect/ca/roots"
#define CONFIG    "/v1/connect/ca/configuration"
#define CLUSTER   "11111111-2222-3333-4444-555555555555"
#define ID_A      "aa:01"
#define ID_B      "bb:02"
#define NODE_ID_1 "00000000-0000-0000-0000-000000000001"
#define NODE_ID_2 "00000000-0000-0000-0000-000000000002"

/*
 * Store a configuration and two roots: two commands, two revisions. expected:
 * index of the roots table so far.
 */
static void
set_authority(struct bench *b, uint64_t expected)
{
	struct ca_root roots[2] = {
	    {.id = span_of(ID_B),
		.name = span_of("Consul CA Primary Cert"),
		.serial = UINT64_C(16238269036752183483),
		.signing_key_id = span_of("cc:03"),
		.external_trust_domain = span_of(CLUSTER),
		.not_before = 1528306525,
		.not_after = 1528306526,
		.cert = span_of("ROOT B\n"),
		.intermediates = {span_of("X\n"), span_of("Y\n")},
		.intermediate_count = 2,
		.active = true,
		.key_type = span_of("ec"),
		.key_bits = 256},
	    {.id = span_of(ID_A),
		.name = span_of("old"),
		.serial = 7,
		.external_trust_domain = span_of(CLUSTER),
		.cert = span_of("ROOT A\n"),
		.key_type = span_of("rsa"),
		.key_bits = 2048,
		.rotated_out = 99},
	};
	struct command command = {.type = COMMAND_CA_CONFIG,
	    .ca_config.config = {.cluster_id = span_of(CLUSTER),
		.provider = span_of("consul"),
		.config = span_of("{\"LeafCertTTL\":\"72h\",\"PrivateKey\":"
				  "\"SECRET\",\"z\":1e3}"),
		.force = true}};
	struct buf bytes = buf_new(COMMAND_SIZE_MAX);
	struct fsm_result result;
	struct errmsg why;

	assert_int_equal(command_encode(&command, &bytes, &why), OK);
	node_apply(&b->node, bytes.data, bytes.size, &result);
	assert_int_equal(result.code, OK);
	buf_reset(&bytes);
	command = (struct command){.type = COMMAND_CA_ROOTS,
	    .ca_roots = {
		.expected_roots = expected, .roots = roots, .root_count = 2}};
	assert_int_equal(command_encode(&command, &bytes, &why), OK);
	node_apply(&b->node, bytes.data, bytes.size, &result);
	assert_int_equal(result.code, OK);
	buf_free(&bytes);
	bench_spin(b);
}

#define ROOTS_TEXT                                                             \
	"{\"ActiveRootID\":\"bb:02\",\"TrustDomain\":\"" CLUSTER               \
	".consul\",\"Roots\":[{\"ID\":\"aa:01\",\"Name\":\"old\","             \
	"\"SerialNumber\":7,\"SigningKeyID\":\"\",\"ExternalTrustDomain\":"    \
	"\"" CLUSTER "\",\"NotBefore\":\"1970-01-01T00:00:00Z\",\"NotAfter\":" \
	"\"1970-01-01T00:00:00Z\",\"RootCert\":\"ROOT A\\n\","                 \
	"\"IntermediateCerts\":null,\"Active\":false,\"PrivateKeyType\":"      \
	"\"rsa\",\"PrivateKeyBits\":2048,\"CreateIndex\":2,"                   \
	"\"ModifyIndex\":2},{\"ID\":\"bb:02\",\"Name\":"                       \
	"\"Consul CA Primary Cert\",\"SerialNumber\":16238269036752183483,"    \
	"\"SigningKeyID\":\"cc:03\",\"ExternalTrustDomain\":\"" CLUSTER        \
	"\",\"NotBefore\":\"2018-06-06T17:35:25Z\",\"NotAfter\":"              \
	"\"2018-06-06T17:35:26Z\",\"RootCert\":\"ROOT B\\n\","                 \
	"\"IntermediateCerts\":[\"X\\n\",\"Y\\n\"],\"Active\":true,"           \
	"\"PrivateKeyType\":\"ec\",\"PrivateKeyBits\":256,\"CreateIndex\":2,"  \
	"\"ModifyIndex\":2}]}"

static void
paths_and_methods_are_refused_in_contract_words(void **state)
{
	static const struct {
		const char *method, *target;
		int status;
		const char *text, *allow;
	} cases[] = {
	    {"GET", "/v1/x", 404,
		"Invalid URL path: not a recognized HTTP API endpoint\n", NULL},
	    {"GET", "/x", 404,
		"Invalid URL path: if attempting to use the HTTP API, ensure "
		"the path starts with '/v1/'\n",
		NULL},
	    {"PUT", "/", 404,
		"Invalid URL path: if attempting to use the HTTP API, ensure "
		"the path starts with '/v1/'\n",
		NULL},
	    {"HEAD", ROOTS, 405, "method HEAD not allowed", "OPTIONS,GET"},
	    {"PATCH", CONFIG, 405, "method PATCH not allowed",
		"OPTIONS,GET,PUT"},
	    {"OPTIONS", CONFIG, 200, "", "OPTIONS,GET,PUT"},
	    {"OPTIONS", CONFIG "?stale&consistent", 200, "", "OPTIONS,GET,PUT"},
	    {"GET", "/v1/tls/config/a%00b", 400,
		"Invalid URL path: bad escape or control character", NULL},
	    {"GET", "/v1/tls/config/a%zz", 400,
		"Invalid URL path: bad escape or control character", NULL},
	    {"GET", "/v1/tls/config/", 400,
		"the scope must be 1 to 64 bytes of a-z 0-9 _ -", NULL},
	    {"GET", "/v1/tls/config/A", 400,
		"the scope must be 1 to 64 bytes of a-z 0-9 _ -", NULL},
	    {"GET", "/v1/tls/config/a%2Fb", 400,
		"the scope must be 1 to 64 bytes of a-z 0-9 _ -", NULL},
	    {"GET", ROOTS "?pem=maybe", 400,
		"The 'pem' query parameter must be a boolean value", NULL},
	    {"GET", ROOTS "?pem=maybemaybemaybe", 400,
		"The 'pem' query parameter must be a boolean value", NULL},
	    {"GET", ROOTS "?dc=dc9", 500, "No path to datacenter", NULL},
	    {"GET", ROOTS "?%zz", 500, "", NULL},
	    {"GET", CONFIG "?index=x", 400, "Invalid index", NULL},
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[64];

		bench_ask(&b, cases[i].method, cases[i].target, NULL, NULL);
		bench_expect(&b, cases[i].status, cases[i].text);
		snprintf(line, sizeof(line), "Allow: %s",
		    cases[i].allow == NULL ? "" : cases[i].allow);
		assert_int_equal(
		    conn_has(&b.conn, line), cases[i].allow != NULL);
	}
	bench_ask(&b, "GET", "/", NULL, NULL);
	assert_int_equal(b.conn.status, 200);
	assert_int_equal(b.node.barriers, 0);
	bench_close(&b);
}

static void
roots_are_shown_as_consul_shows_them(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_ask(&b, "GET", ROOTS, NULL, NULL);
	bench_expect(&b, 200,
	    "{\"ActiveRootID\":\"\",\"TrustDomain\":\"\",\"Roots\":[]}");
	assert_true(conn_has(&b.conn, "X-Consul-Index: 1"));
	set_authority(&b, 0);
	bench_ask(&b, "GET", ROOTS, NULL, NULL);
	bench_expect(&b, 200, ROOTS_TEXT);
	assert_true(conn_has(&b.conn, "X-Consul-Index: 2"));
	assert_true(conn_has(&b.conn, "ETag: \"2\""));
	bench_ask(&b, "GET", ROOTS "?pem=True&pretty&stale", NULL, NULL);
	bench_expect(&b, 200, "ROOT A\nROOT B\nX\nY\n");
	assert_string_equal(b.conn.type, "application/pem-certificate-chain");
	assert_true(conn_has(&b.conn, "X-Consul-Index: 2"));
	bench_ask(&b, "GET", ROOTS "?pem=0", NULL, NULL);
	bench_expect(&b, 200, ROOTS_TEXT);
	bench_close(&b);
}

static void
gzip_carries_the_same_bytes(void **state)
{
	char text[8192];
	z_stream z = {0};
	struct bench b;

	(void)state;
	bench_open(&b);
	set_authority(&b, 0);
	bench_ask(&b, "GET", ROOTS, "Accept-Encoding: gzip", NULL);
	assert_true(conn_has(&b.conn, "Content-Encoding: gzip"));
	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	z.next_in = b.conn.body->data;
	z.avail_in = (uInt)b.conn.body->size;
	z.next_out = (Bytef *)text;
	z.avail_out = sizeof(text);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, strlen(ROOTS_TEXT));
	assert_memory_equal(text, ROOTS_TEXT, z.total_out);
	inflateEnd(&z);
	bench_close(&b);
}

/* A change of the configuration alone wakes them too (contract 1.7.11). */
static void
root_watchers_hear_of_configuration_changes(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	set_authority(&b, 0);
	bench_send(&b, &b.conn, "GET", ROOTS "?index=2", NULL, NULL);
	bench_spin(&b);
	assert_false(b.conn.replied);
	set_authority(&b, 2);
	assert_true(b.conn.replied);
	assert_true(conn_has(&b.conn, "X-Consul-Index: 3") ||
	    conn_has(&b.conn, "X-Consul-Index: 4"));
	bench_close(&b);
}

static void
the_agents_roots_fail_open_and_tell_their_age(void **state)
{
	static const char path[] = "/v1/agent/connect/ca/roots";
	struct bench b;

	(void)state;
	bench_open(&b);
	set_authority(&b, 0);
	bench_ask(&b, "GET", path, NULL, NULL);
	bench_expect(&b, 200, ROOTS_TEXT);
	assert_true(conn_has(&b.conn, "X-Cache: MISS"));
	assert_null(strstr(b.conn.headers, "Age"));
	b.node.contact_ms = 2500;
	bench_ask(&b, "GET", path, "Cache-Control: max-age=3", NULL);
	assert_true(conn_has(&b.conn, "X-Cache: HIT"));
	assert_true(conn_has(&b.conn, "Age: 2"));
	assert_true(conn_has(&b.conn, "X-Consul-LastContact: 2500"));
	assert_int_equal(b.node.barriers, 0);
	bench_ask(&b, "GET", path, "Cache-Control: max-age=1", NULL);
	assert_int_equal(b.node.barriers, 1);
	b.node.barrier_status = ERR_NOLEADER;
	bench_ask(&b, "GET", path, "Cache-Control: must-revalidate", NULL);
	assert_int_equal(b.node.barriers, 2);
	bench_expect(&b, 200, ROOTS_TEXT);
	bench_ask(&b, "GET", path, "Cache-Control: max-age=x", NULL);
	bench_expect(&b, 400, "Invalid Cache-Control header.");
	bench_close(&b);
}

static void
hazard_19_the_configuration_is_shown_but_never_kept(void **state)
{
	unsigned cached;
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_ask(&b, "GET", CONFIG, NULL, NULL);
	bench_expect(&b, 500, "CA not initialized");
	set_authority(&b, 0);
	cached = cache_count(b.api->cache);
	bench_ask(&b, "GET", CONFIG "?index=9&wait=5m", "Accept-Encoding: gzip",
	    NULL);
	bench_expect(&b, 200,
	    "{\"Provider\":\"consul\",\"Config\":{\"LeafCertTTL\":\"72h\","
	    "\"PrivateKey\":\"SECRET\",\"z\":1e3},\"State\":null,"
	    "\"ForceWithoutCrossSigning\":true,\"CreateIndex\":1,"
	    "\"ModifyIndex\":1}");
	assert_null(strstr(b.conn.headers, "X-Consul-Index"));
	assert_true(b.conn.body->secret);
	assert_int_equal(b.conn.body->references, 1);
	bench_ask(&b, "GET", CONFIG "?stale&pretty", NULL, NULL);
	assert_true(b.conn.body->secret);
	assert_int_equal(cache_count(b.api->cache), cached);
	for (size_t i = 0; i < route_count; i++) {
		if (route_table[i].handler == api_ca_config_get)
			assert_false(route_table[i].flags & ROUTE_PUBLIC);
	}
	bench_close(&b);
}

static void
without_connect_the_ca_is_closed(void **state)
{
	static const char words[] =
	    "Connect must be enabled in order to use this endpoint";
	struct bench b;

	(void)state;
	bench_open(&b);
	b.config.connect_enabled = false;
	bench_ask(&b, "GET", ROOTS, NULL, NULL);
	bench_expect(&b, 500, words);
	bench_ask(&b, "GET", "/v1/agent/connect/ca/roots", NULL, NULL);
	bench_expect(&b, 500, words);
	bench_ask(&b, "PUT", CONFIG, NULL, "{}");
	bench_expect(&b, 500, words);
	bench_ask(&b, "GET", "/v1/status/leader", NULL, NULL);
	bench_expect(&b, 200, "\"10.0.0.1:8300\"");
	bench_close(&b);
}

static void
manager_says(struct bench *b, uint16_t status, uint64_t revision)
{
	buf_reset(&b->node.call_reply);
	buf_u16(&b->node.call_reply, status);
	buf_u64(&b->node.call_reply, revision);
}

static void
a_ca_change_waits_until_this_server_has_it(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	set_authority(&b, 0); /* revision 2 */
	manager_says(&b, 200, 2);
	bench_ask(&b, "PUT", CONFIG "?cas=5", NULL,
	    "{\"Provider\":\"consul\",\"Config\":{\"b\":1,\"a\":2},"
	    "\"State\":{},\"ForceWithoutCrossSigning\":true}");
	bench_expect(&b, 200, "");
	assert_string_equal(b.conn.type, "");
	assert_int_equal(b.node.call_kind, NODE_CALL_CA_CONFIGURE);
	assert_string_equal(b.manager.provider, "consul");
	assert_string_equal(b.manager.config, "{\"a\":2,\"b\":1}");
	assert_string_equal(b.manager.state, "");
	assert_true(b.manager.force);
	assert_int_equal(b.manager.cas, 5);
	/* not applied here yet: the answer waits for the publish */
	manager_says(&b, 200, 4);
	conn_clear(&b.conn);
	bench_send(
	    &b, &b.conn, "PUT", CONFIG "?cas=5", NULL, "{\"ModifyIndex\":3}");
	bench_spin(&b);
	assert_false(b.conn.replied);
	assert_int_equal(b.manager.cas, 3); /* the body wins */
	set_authority(&b, 2);               /* revisions 3 and 4 */
	bench_expect(&b, 200, "");
	assert_false(conn_has(&b.conn, "X-Conclave-Behind: true"));
	/* or for a second */
	manager_says(&b, 200, 1000);
	conn_clear(&b.conn);
	bench_send(&b, &b.conn, "PUT", CONFIG, NULL, "{}");
	bench_wait(&b, 1150);
	bench_expect(&b, 200, "");
	assert_true(conn_has(&b.conn, "X-Conclave-Behind: true"));
	/* and not for a client that has gone */
	conn_clear(&b.conn);
	bench_send(&b, &b.conn, "PUT", CONFIG, NULL, "{}");
	bench_spin(&b);
	assert_int_equal(watch_count(b.watch), 1);
	conn_vanish(&b.conn);
	assert_int_equal(watch_count(b.watch), 0);
	b.node.hold_call = true;
	conn_clear(&b.conn);
	bench_send(&b, &b.conn, "PUT", CONFIG, NULL, "{}");
	conn_vanish(&b.conn);
	node_answer_call(&b.node);
	bench_close(&b);
}

static void
a_refused_ca_change_keeps_its_words(void **state)
{
	static const struct {
		const char *target, *body;
		uint16_t status; /* 0: the manager was not reached */
		enum err call;
		const char *why;
		int want;
		const char *text;
	} cases[] = {
	    {CONFIG, "", 200, OK, "", 400, "Request decode failed: EOF"},
	    {CONFIG, "{\"X\":1}", 200, OK, "", 400,
		"Request decode failed: json: unknown field \"X\""},
	    {CONFIG "?cas=x", "{}", 200, OK, "", 400,
		"Request decode failed: cas is not an unsigned number"},
	    {CONFIG, "{}", 400, ERR_INVALID,
		"Provider State is read-only. It must be omitted or identical "
		"to the current value",
		400,
		"Provider State is read-only. It must be omitted or identical "
		"to the current value"},
	    {CONFIG, "{}", 500, ERR_CONFLICT,
		"ModifyIndex did not match existing", 500,
		"ModifyIndex did not match existing"},
	    {CONFIG, "{}", 0, ERR_NOLEADER, "", 500, "No cluster leader"},
	    {CONFIG, "{}", 0, ERR_UNKNOWN, "", 500,
		"leadership lost while committing log: the outcome is "
		"unknown, read before you retry"},
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_reset(&b.node.call_reply);
		if (cases[i].status != 0)
			manager_says(&b, cases[i].status, 0);
		b.node.call_status = cases[i].call;
		b.node.call_why = cases[i].why;
		bench_ask(&b, "PUT", cases[i].target, NULL, cases[i].body);
		bench_expect(&b, cases[i].want, cases[i].text);
	}
	bench_close(&b);
}

static void
documents_are_set_compared_and_deleted(void **state)
{
	static const struct {
		const char *method, *target, *body;
		int status;
		const char *text;
	} steps[] = {
	    {"PUT", WEB "?cas=0", "{\"note\":\"a\"}", 200,
		"{\"CreateIndex\":1,\"ModifyIndex\":1}"},
	    {"PUT", WEB "?cas=0", "{}", 409,
		"ModifyIndex did not match existing: have 1, got 0"},
	    {"PUT", WEB "?cas=7", "{}", 409,
		"ModifyIndex did not match existing: have 1, got 7"},
	    {"PUT", WEB "?cas=1", "{}", 200,
		"{\"CreateIndex\":1,\"ModifyIndex\":2}"},
	    {"PUT", WEB "?cas=x", "{}", 400,
		"cas must be an unsigned number below 2^64"},
	    {"PUT", WEB "?cas=", "{}", 400,
		"cas must be an unsigned number below 2^64"},
	    {"PUT", WEB, "{\"X\":1}", 400,
		"Request decode failed: json: unknown field \"X\""},
	    {"PUT", WEB "?dc=dc9", "{}", 500, "No path to datacenter"},
	    {"DELETE", WEB "?cas=1", NULL, 409,
		"ModifyIndex did not match existing: have 2, got 1"},
	    {"DELETE", WEB "?cas=2", NULL, 200, ""},
	    {"DELETE", WEB, NULL, 200, ""},
	    {"GET", WEB, NULL, 404, "no TLS configuration \"web\""},
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		bench_ask(
		    &b, steps[i].method, steps[i].target, NULL, steps[i].body);
		bench_expect(&b, steps[i].status, steps[i].text);
	}
	bench_ask(&b, "PUT", WEB "?pretty", NULL, "{}");
	bench_expect(
	    &b, 200, "{\n    \"CreateIndex\": 4,\n    \"ModifyIndex\": 4\n}\n");
	b.node.behind = true;
	bench_ask(&b, "PUT", WEB, NULL, "{}");
	assert_true(conn_has(&b.conn, "X-Conclave-Behind: true"));
	conn_clear(&b.conn);
	bench_send(&b, &b.conn, "PUT", WEB, NULL, "{}");
	conn_vanish(&b.conn); /* its answer is dropped */
	bench_close(&b);
}

static void
failed_writes_are_told_apart(void **state)
{
	static const struct {
		enum err refuses, status;
		int want;
		const char *text;
	} cases[] = {
	    {ERR_BUSY, OK, 429,
		"too many writes in flight (limits.max_proposals is 4096)"},
	    {OK, ERR_NOLEADER, 500, "No cluster leader"},
	    {OK, ERR_UNKNOWN, 500,
		"leadership lost while committing log: the outcome is "
		"unknown, read before you retry"},
	    {OK, ERR_BUSY, 429,
		"too many writes in flight (limits.max_proposals is 4096)"},
	    {OK, ERR_CLOSED, 503, "the server is stopping"},
	    {OK, ERR_NOMEM, 503, "out of memory"},
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		b.node.propose_refuses = cases[i].refuses;
		b.node.propose_status = cases[i].status;
		bench_ask(&b, "PUT", WEB, NULL, "{}");
		bench_expect(&b, cases[i].want, cases[i].text);
		assert_int_equal(conn_has(&b.conn, "Retry-After: 1"),
		    cases[i].want == 429 || cases[i].want == 503);
	}
	b.node.propose_refuses = OK;
	b.node.propose_status = ERR_FULL;
	bench_ask(&b, "PUT", WEB, NULL, "{}");
	bench_expect(&b, 507, err_text(ERR_FULL));
	bench_close(&b);
}

static void
the_raft_configuration_comes_from_the_leader(void **state)
{
	static const char path[] = "/v1/operator/raft/configuration";
	struct bench b;

	(void)state;
	bench_open(&b);
	b.node.leader_view.member_count = 1;
	bench_ask(&b, "GET", path, NULL, NULL);
	bench_expect(&b, 200,
	    "{\"Servers\":[{\"ID\":\"" NODE_ID_1 "\",\"Node\":\"n1\","
	    "\"Address\":\"10.0.0.1:8300\",\"Leader\":true,\"Voter\":true,"
	    "\"ProtocolVersion\":\"3\",\"LastIndex\":40}],\"Index\":12}");
	assert_null(strstr(b.conn.headers, "X-Consul-Index"));
	assert_int_equal(b.node.call_kind, NODE_CALL_SERVERS);
	b.node.status.member_count = 1;
	b.node.status.members[0].name[0] = '\0';
	bench_ask(&b, "GET", path, NULL, NULL);
	assert_int_equal(b.node.calls, 2);
	bench_ask(
	    &b, "GET", "/v1/operator/raft/configuration?stale", NULL, NULL);
	assert_int_equal(b.node.calls, 2);
	assert_non_null(strstr(conn_text(&b.conn), "\"Node\":\"(unknown)\""));
	assert_non_null(
	    strstr(conn_text(&b.conn), "\"ProtocolVersion\":\"unknown\""));
	b.node.call_status = ERR_NOLEADER;
	bench_ask(&b, "GET", path, NULL, NULL);
	bench_expect(&b, 500, "No cluster leader");
	b.node.call_status = OK;
	buf_puts(&b.node.call_reply, "garbage");
	bench_ask(&b, "GET", path, NULL, NULL);
	bench_expect(&b, 500, "the leader's list of servers cannot be read");
	bench_close(&b);
}

static void
status_needs_no_leader(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_ask(&b, "GET", "/v1/status/peers", NULL, NULL);
	bench_expect(
	    &b, 200, "[\"10.0.0.1:8300\",\"10.0.0.2:8300\",\"10.0.0.3:8300\"]");
	assert_null(strstr(b.conn.headers, "X-Consul-KnownLeader"));
	b.node.status.leader_address[0] = '\0';
	bench_ask(&b, "GET", "/v1/status/leader", NULL, NULL);
	bench_expect(&b, 200, "\"\"");
	bench_ask(&b, "GET", "/v1/status/leader?dc=x", NULL, NULL);
	bench_expect(&b, 500, "No path to datacenter");
	bench_close(&b);
}

static void
expect_request(
    struct bench *b, enum node_call_kind kind, const void *bytes, size_t size)
{
	assert_int_equal(b->node.call_kind, kind);
	assert_int_equal(b->node.call_request.size, size);
	if (size > 0)
		assert_memory_equal(b->node.call_request.data, bytes, size);
}

static void
leadership_is_handed_on(void **state)
{
	static const char path[] = "/v1/operator/raft/transfer-leader";
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_ask(&b, "POST", path, NULL, NULL);
	bench_expect(&b, 200, "{\"Success\":true}");
	expect_request(&b, NODE_CALL_TRANSFER, "", 0);
	bench_ask(&b, "POST", "/v1/operator/raft/transfer-leader?id=" NODE_ID_2,
	    NULL, NULL);
	bench_expect(&b, 200, "{\"Success\":true}");
	expect_request(&b, NODE_CALL_TRANSFER, "2", 1);
	bench_ask(&b, "POST", "/v1/operator/raft/transfer-leader?id=" NODE_ID_1,
	    NULL, NULL);
	bench_expect(&b, 500, "cannot transfer leadership to itself");
	bench_ask(&b, "POST", "/v1/operator/raft/transfer-leader?id=nobody",
	    NULL, NULL);
	bench_expect(
	    &b, 404, "Failed to transfer Leader: cannot find peer nobody");
	b.node.call_status = ERR_NOTFOUND; /* the leader knows better */
	b.node.call_why = "cannot find peer 2";
	bench_ask(&b, "POST", "/v1/operator/raft/transfer-leader?id=" NODE_ID_2,
	    NULL, NULL);
	bench_expect(&b, 404, "Failed to transfer Leader: cannot find peer 2");
	b.node.call_why = "no other voter";
	bench_ask(&b, "POST", path, NULL, NULL);
	bench_expect(&b, 500, "Failed to transfer Leader: no other voter");
	b.node.call_status = ERR_BUSY;
	b.node.call_why = "a transfer is under way";
	bench_ask(&b, "POST", path, NULL, NULL);
	bench_expect(&b, 429, "a transfer is under way");
	b.node.status.member_count = 1;
	bench_ask(&b, "POST", path, NULL, NULL);
	bench_expect(&b, 500, "Failed to transfer Leader: no other voter");
	bench_close(&b);
}

static void
a_peer_is_removed_by_id_or_address(void **state)
{
	static const uint8_t second[8] = {[7] = 2};
	static const struct {
		const char *query;
		int status;
		const char *text;
	} cases[] = {
	    {"", 400,
		"Must specify either ?id with the server's ID or ?address "
		"with IP:port of peer to remove"},
	    {"?id=a&address=b", 400,
		"Must specify only one of ?id or ?address"},
	    {"?id=a", 500, "id \"a\" was not found in the Raft configuration"},
	    {"?address=b:1", 500,
		"address \"b:1\" was not found in the Raft configuration"},
	    {"?id=" NODE_ID_2, 200, ""},
	    {"?address=10.0.0.2:8300", 200, ""},
	    {"?address=10.0.0.2%3A8300", 200, ""},
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char target[160];

		snprintf(target, sizeof(target), "/v1/operator/raft/peer%s",
		    cases[i].query);
		b.node.call_kind = NODE_CALL_KINDS;
		bench_ask(&b, "DELETE", target, NULL, NULL);
		bench_expect(&b, cases[i].status, cases[i].text);
		if (cases[i].status == 200)
			expect_request(&b, NODE_CALL_REMOVE, second, 8);
		else
			assert_int_equal(b.node.call_kind, NODE_CALL_KINDS);
	}
	bench_close(&b);
}

static void
ill_health_is_429_with_the_same_body(void **state)
{
	static const char path[] = "/v1/operator/autopilot/health";
	struct node_status *view;
	struct bench b;

	(void)state;
	bench_open(&b);
	view = &b.node.leader_view;
	bench_ask(&b, "GET", path, NULL, NULL); /* n3 is down */
	assert_int_equal(b.conn.status, 429);
	assert_non_null(strstr(conn_text(&b.conn),
	    "{\"Healthy\":false,\"FailureTolerance\":0,\"Servers\":["));
	view->members[2].healthy = true;
	view->members[1].last_contact_ms = 27;
	bench_ask(&b, "GET", path, NULL, NULL);
	assert_int_equal(b.conn.status, 200);
	assert_non_null(strstr(conn_text(&b.conn),
	    "{\"Healthy\":true,\"FailureTolerance\":1,\"Servers\":[{\"ID\":"
	    "\"" NODE_ID_1 "\",\"Name\":\"n1\",\"Address\":\"10.0.0.1:8300\","
	    "\"SerfStatus\":\"alive\",\"Version\":\"0.1.0\",\"Leader\":true,"
	    "\"LastContact\":\"0s\",\"LastTerm\":0,\"LastIndex\":40,"
	    "\"Healthy\":true,\"Voter\":true,\"StableSince\":"
	    "\"1970-01-01T00:00:00Z\"}"));
	assert_non_null(strstr(conn_text(&b.conn), "\"LastContact\":\"27ms\""));
	view->members[2].healthy = false;
	bench_ask(&b, "GET", "/v1/operator/autopilot/state", NULL, NULL);
	assert_int_equal(b.conn.status, 200);
	assert_non_null(strstr(conn_text(&b.conn),
	    "\"Leader\":\"" NODE_ID_1 "\",\"Voters\":[\"" NODE_ID_1 "\""));
	bench_close(&b);
}

static struct json_doc *
parse_answer(struct bench *b)
{
	struct json_doc *doc = NULL;
	struct errmsg why;

	if (json_parse(
		b->conn.body->data, b->conn.body->size, NULL, &doc, &why) != OK)
		fail_msg("%s: %s", conn_text(&b->conn), why.text);
	return doc;
}

static const char *
text_at(
    const struct json_doc *doc, const char *a, const char *b_, const char *c)
{
	const struct json *value = json_get(json_root(doc), a);

	if (value != NULL && b_ != NULL)
		value = json_get(value, b_);
	if (value != NULL && c != NULL)
		value = json_get(value, c);
	return value == NULL ? NULL : json_string(value);
}

static void
the_agent_describes_itself(void **state)
{
	struct json_doc *doc;
	struct bench b;

	(void)state;
	bench_open(&b);
	b.node.status.term = 4;
	bench_ask(&b, "GET", "/v1/agent/self", NULL, NULL);
	assert_int_equal(b.conn.status, 200);
	doc = parse_answer(&b);
	assert_string_equal(text_at(doc, "Config", "Datacenter", NULL), "dc1");
	assert_string_equal(text_at(doc, "Config", "NodeName", NULL), "n1");
	assert_string_equal(text_at(doc, "Stats", "consul", "leader"), "true");
	assert_string_equal(text_at(doc, "Stats", "raft", "state"), "Leader");
	assert_string_equal(text_at(doc, "Stats", "raft", "term"), "4");
	assert_string_equal(text_at(doc, "Stats", "raft", "num_peers"), "2");
	assert_string_equal(
	    text_at(doc, "Stats", "conclave", "ca_state"), "INITIALIZED");
	assert_string_equal(
	    text_at(doc, "Stats", "conclave", "ca_fault"), "last fault");
	assert_string_equal(text_at(doc, "Member", "Addr", NULL), "10.0.0.1");
	assert_true(json_bool(
	    json_get(json_get(json_root(doc), "DebugConfig"), "Masked")));
	json_free(doc);
	/* before it is a member of anything */
	b.node.status.member_count = 0;
	bench_ask(&b, "GET", "/v1/agent/self", NULL, NULL);
	doc = parse_answer(&b);
	assert_string_equal(text_at(doc, "Member", "Name", NULL), "n1");
	json_free(doc);
	bench_close(&b);
}

static void
members_are_the_servers(void **state)
{
	struct bench b;

	(void)state;
	bench_open(&b);
	b.node.status.member_count = 1;
	bench_ask(&b, "GET", "/v1/agent/members", NULL, NULL);
	bench_expect(&b, 200,
	    "[{\"Name\":\"n1\",\"Addr\":\"10.0.0.1\",\"Port\":8301,\"Tags\":{"
	    "\"acls\":\"0\",\"build\":\"0.1.0\",\"dc\":\"dc1\",\"expect\":"
	    "\"3\",\"id\":\"" NODE_ID_1 "\",\"port\":\"8300\",\"raft_vsn\":"
	    "\"3\",\"role\":\"consul\",\"segment\":\"\",\"vsn\":\"2\","
	    "\"vsn_max\":\"3\",\"vsn_min\":\"2\",\"wan_join_port\":\"8302\"},"
	    "\"Status\":1,\"ProtocolMin\":1,\"ProtocolMax\":5,"
	    "\"ProtocolCur\":2,\"DelegateMin\":2,\"DelegateMax\":5,"
	    "\"DelegateCur\":4}]");
	bench_ask(&b, "GET", "/v1/agent/members?wan=1", NULL, NULL);
	assert_non_null(strstr(conn_text(&b.conn), "\"Name\":\"n1.dc1\""));
	bench_ask(&b, "GET", "/v1/agent/members?segment=_all", NULL, NULL);
	assert_int_equal(b.conn.status, 200);
	bench_ask(&b, "GET", "/v1/agent/members?segment=x", NULL, NULL);
	bench_expect(&b, 200, "[]");
	bench_ask(&b, "GET", "/v1/agent/members?segment=x&wan=1", NULL, NULL);
	bench_expect(&b, 400, "Cannot provide a segment with wan=true");
	bench_ask(&b, "GET", "/v1/agent/members?filter=x", NULL, NULL);
	assert_int_equal(b.conn.status, 400);
	b.node.status.member_count = 3;
	bench_ask(&b, "GET", "/v1/agent/members", NULL, NULL);
	assert_non_null(strstr(conn_text(&b.conn), "\"Status\":4"));
	bench_close(&b);
}

static void
metrics_come_in_the_form_asked_for(void **state)
{
	static const struct {
		const char *target, *accept;
		bool exposition;
	} cases[] = {
	    {"/v1/agent/metrics", NULL, false},
	    {"/v1/agent/metrics?format=prometheus", NULL, true},
	    {"/v1/agent/metrics?format=json", NULL, false},
	    {"/v1/agent/metrics", "Accept: application/openmetrics-text", true},
	    {"/v1/agent/metrics",
		"Accept: text/html, application/openmetrics-text; version=1",
		true},
	    {"/v1/agent/metrics", "Accept: text/plain;version=0.4.0;q=1", true},
	    {"/v1/agent/metrics", "Accept: text/plain", false},
	    {"/v1/agent/metrics", "Accept: text/plain;q=1;version=0.4.0",
		false},
	    {"/v1/agent/metrics", "Accept: */*", false},
	};
	struct bench b;

	(void)state;
	bench_open(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bench_ask(&b, "GET", cases[i].target, cases[i].accept, NULL);
		assert_int_equal(b.conn.status, 200);
		assert_string_equal(b.conn.type,
		    cases[i].exposition
			? "text/plain; version=0.0.4; charset=utf-8"
			: "application/json");
	}
	bench_close(&b);
}

static void
reload_and_leave_reach_the_program(void **state)
{
	static const uint8_t first[8] = {[7] = 1};
	struct bench b;

	(void)state;
	bench_open(&b);
	bench_ask(&b, "PUT", "/v1/agent/reload", NULL, NULL);
	bench_expect(&b, 200, "");
	b.reload_result = ERR_INVALID;
	bench_ask(&b, "PUT", "/v1/agent/reload", NULL, NULL);
	bench_expect(&b, 500, "reload words");
	assert_int_equal(b.reloads, 2);
	b.node.call_status = ERR_NOLEADER; /* it may not go */
	bench_ask(&b, "PUT", "/v1/agent/leave", NULL, NULL);
	bench_expect(&b, 500, "No cluster leader");
	assert_int_equal(b.leaves, 0);
	b.node.call_status = OK;
	bench_ask(&b, "PUT", "/v1/agent/leave", NULL, NULL);
	bench_expect(&b, 200, "");
	expect_request(&b, NODE_CALL_LEAVE, first, 8);
	assert_int_equal(b.leaves, 1);
	b.node.status.member_count = 1; /* nobody to ask */
	bench_ask(&b, "PUT", "/v1/agent/leave", NULL, NULL);
	assert_int_equal(b.leaves, 2);
	assert_int_equal(b.node.calls, 2);
	bench_ask(&b, "GET", "/v1/agent/version", NULL, NULL);
	assert_non_null(strstr(conn_text(&b.conn), "\"HumanVersion\":"));
	bench_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_and_methods_are_refused_in_contract_words),
	    cmocka_unit_test(roots_are_shown_as_consul_shows_them),
	    cmocka_unit_test(gzip_carries_the_same_bytes),
	    cmocka_unit_test(root_watchers_hear_of_configuration_changes),
	    cmocka_unit_test(the_agents_roots_fail_open_and_tell_their_age),
	    cmocka_unit_test(
		hazard_19_the_configuration_is_shown_but_never_kept),
	    cmocka_unit_test(without_connect_the_ca_is_closed),
	    cmocka_unit_test(a_ca_change_waits_until_this_server_has_it),
	    cmocka_unit_test(a_refused_ca_change_keeps_its_words),
	    cmocka_unit_test(documents_are_set_compared_and_deleted),
	    cmocka_unit_test(failed_writes_are_told_apart),
	    cmocka_unit_test(the_raft_configuration_comes_from_the_leader),
	    cmocka_unit_test(status_needs_no_leader),
	    cmocka_unit_test(leadership_is_handed_on),
	    cmocka_unit_test(a_peer_is_removed_by_id_or_address),
	    cmocka_unit_test(ill_health_is_429_with_the_same_body),
	    cmocka_unit_test(the_agent_describes_itself),
	    cmocka_unit_test(members_are_the_servers),
	    cmocka_unit_test(metrics_come_in_the_form_asked_for),
	    cmocka_unit_test(reload_and_leave_reach_the_program),
	};

	return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
