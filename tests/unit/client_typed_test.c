/*
 * Goal: typed calls send what the contract says and read what it sends back,
 * of older and newer servers too; what is malformed is refused.
 * Method: scripted servers; samples of bodies; every prefix of one.
 */
#include "tests/support/test.h"

#include "client/conclave.h"
#include "tests/support/canned.h"

static const char roots_body[] =
    "{\"ActiveRootID\":\"c7:bd\",\"TrustDomain\":\"7f42.consul\",\"Roots\":["
    "{\"ID\":\"15:bf\",\"Name\":\"Consul CA Root Cert\",\"SerialNumber\":7,"
    "\"SigningKeyID\":\"\",\"IntermediateCerts\":null,\"Active\":false},"
    "{\"ID\":\"c7:bd\",\"Name\":\"Consul CA Primary Cert\","
    "\"SerialNumber\":16238269036752183483,\"SigningKeyID\":\"31:32\","
    "\"ExternalTrustDomain\":\"7f42\",\"NotBefore\":\"2018-06-06T17:35:25Z\","
    "\"NotAfter\":\"2028-06-03T17:35:25Z\",\"RootCert\":\"PEM\\n\","
    "\"IntermediateCerts\":[\"A\\n\",\"B\\n\"],\"Active\":true,"
    "\"PrivateKeyType\":\"ec\",\"PrivateKeyBits\":256,\"CreateIndex\":8,"
    "\"ModifyIndex\":9,\"FutureField\":{\"x\":[]}}]}";

static struct conclave *
make_client(const struct canned *server)
{
	const char *servers[] = {canned_address(server)};
	struct conclave_options options = {
	    .servers = servers, .server_count = 1};
	struct conclave *client = NULL;

	assert_int_equal(conclave_new(&options, &client, NULL), CONCLAVE_OK);
	return client;
}

static void
asked(struct canned *server, size_t at, const char *line, const char *body)
{
	const char *request = canned_request(server, at);

	assert_int_equal(strncmp(request, line, strlen(line)), 0);
	if (body != NULL)
		assert_string_equal(strstr(request, "\r\n\r\n") + 4, body);
}

/* -- CA ------------------------------------------------------------------ */

static void
roots_are_read_with_all_their_bits(void **state)
{
	const struct canned_step step = {.status = "200 OK",
	    .header = "X-Consul-Index: 42\r\n",
	    .body = roots_body};
	struct canned *server = canned_start(&step, 1);
	struct conclave *client = make_client(server);
	struct conclave_roots roots;
	const struct conclave_root *root;

	(void)state;
	assert_int_equal(
	    conclave_roots_get(client, CONCLAVE_STALE, &roots, NULL),
	    CONCLAVE_OK);
	asked(server, 0, "GET /v1/connect/ca/roots?stale HTTP/1.1\r\n", NULL);
	assert_int_equal(roots.index, 42);
	assert_string_equal(roots.active_root_id, "c7:bd");
	assert_string_equal(roots.trust_domain, "7f42.consul");
	assert_int_equal(roots.count, 2);
	assert_int_equal(roots.roots[0].intermediate_count, 0);
	assert_string_equal(roots.roots[0].not_after, ""); /* not sent */
	root = &roots.roots[1];
	assert_true(root->serial_number == UINT64_C(16238269036752183483));
	assert_string_equal(root->not_after, "2028-06-03T17:35:25Z");
	assert_string_equal(root->root_cert, "PEM\n");
	assert_int_equal(root->intermediate_count, 2);
	assert_string_equal(root->intermediate_certs[1], "B\n");
	assert_true(root->active);
	assert_int_equal(root->private_key_bits, 256);
	assert_int_equal(root->create_index, 8);
	assert_int_equal(root->modify_index, 9);
	conclave_roots_free(&roots);
	conclave_free(client);
	canned_stop(server);
}

static void
roots_cut_short_are_refused(void **state)
{
	struct conclave_roots roots;
	struct conclave_error error;

	(void)state;
	for (size_t size = 0; size < sizeof(roots_body) - 1; size++) {
		char *cut = strndup(roots_body, size);

		assert_int_equal(
		    conclave_roots_parse(cut, size, &roots, &error),
		    CONCLAVE_MALFORMED);
		free(cut);
	}
	assert_int_equal(
	    conclave_roots_parse("[]", 2, &roots, &error), CONCLAVE_MALFORMED);
	assert_int_equal(
	    conclave_roots_parse("{}", 2, &roots, &error), CONCLAVE_MALFORMED);
}

static void
a_configuration_comes_back_as_it_was_got(void **state)
{
	static const struct canned_step steps[] = {
	    {.status = "200 OK",
		.body = "{\"Provider\":\"consul\",\"Config\":{\"LeafCertTTL\":"
			"31536000000000000,\"x\":[1e3]},\"State\":{\"a\":\"b\"}"
			",\"ForceWithoutCrossSigning\":false,\"CreateIndex\":5,"
			"\"ModifyIndex\":18446744073709551614}"},
	    {.status = "200 OK"}};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct conclave *client = make_client(server);
	struct conclave_ca_config config;

	(void)state;
	assert_int_equal(
	    conclave_ca_config_get(client, &config, NULL), CONCLAVE_OK);
	assert_true(config.modify_index == UINT64_MAX - 1);
	assert_int_equal(
	    conclave_ca_config_set(client, &config, NULL), CONCLAVE_OK);
	asked(server, 1, "PUT /v1/connect/ca/configuration HTTP/1.1\r\n",
	    "{\"Provider\":\"consul\",\"Config\":{\"LeafCertTTL\":"
	    "31536000000000000,\"x\":[1e3]},\"State\":{\"a\":\"b\"},"
	    "\"ModifyIndex\":18446744073709551614}");
	conclave_ca_config_free(&config);
	conclave_free(client);
	canned_stop(server);
}

static void
a_configuration_is_checked_before_it_is_sent(void **state)
{
	static char provider[] = "co\"nsul", no_state[] = "null";
	static char bad_a[] = "{}, \"Provider\": \"x\"", bad_b[] = "[]",
		    bad_c[] = "", empty[] = "{}", bad_state[] = "{}}";
	static const struct {
		char *config, *state;
		enum conclave_err want;
	} cases[] = {
	    {bad_a, NULL, CONCLAVE_INVALID},
	    {bad_b, NULL, CONCLAVE_INVALID},
	    {bad_c, NULL, CONCLAVE_INVALID},
	    {NULL, NULL, CONCLAVE_INVALID},
	    {empty, bad_state, CONCLAVE_INVALID},
	    {empty, no_state, CONCLAVE_OK},
	};
	static const struct canned_step step = {.status = "200 OK"};
	struct canned *server = canned_start(&step, 1);
	struct conclave *client = make_client(server);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conclave_ca_config config = {.provider = provider,
		    .config = cases[i].config,
		    .state = cases[i].state,
		    .force_without_cross_signing = true};

		assert_int_equal(conclave_ca_config_set(client, &config, NULL),
		    cases[i].want);
	}
	assert_int_equal(canned_count(server), 1);
	asked(server, 0, "PUT ",
	    "{\"Provider\":\"co\\\"nsul\",\"Config\":{},"
	    "\"ForceWithoutCrossSigning\":true}");
	conclave_free(client);
	canned_stop(server);
}

/* -- cluster ------------------------------------------------------------- */

static void
members_have_their_tags_by_name(void **state)
{
	static const struct canned_step step = {.status = "200 OK",
	    .body = "[{\"Name\":\"s1\",\"Addr\":\"10.0.0.1\",\"Port\":8301,"
		    "\"Tags\":{\"role\":\"consul\",\"build\":\"0.1.0\"},"
		    "\"Status\":4,\"ProtocolCur\":2},"
		    "{\"Name\":\"c\",\"Tags\":null,\"Status\":99}]"};
	struct canned *server = canned_start(&step, 1);
	struct conclave *client = make_client(server);
	struct conclave_members list;

	(void)state;
	assert_int_equal(
	    conclave_members_get(client, true, &list, NULL), CONCLAVE_OK);
	asked(server, 0, "GET /v1/agent/members?wan=1 HTTP/1.1\r\n", NULL);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.members[0].status, CONCLAVE_MEMBER_FAILED);
	assert_int_equal(list.members[0].port, 8301);
	assert_int_equal(list.members[0].protocol, 2);
	assert_string_equal(list.members[0].tags[0].name, "build");
	assert_string_equal(
	    conclave_member_tag(&list.members[0], "role"), "consul");
	assert_null(conclave_member_tag(&list.members[0], "dc"));
	assert_int_equal(list.members[1].status, CONCLAVE_MEMBER_NONE);
	assert_int_equal(list.members[1].tag_count, 0);
	conclave_members_free(&list);
	conclave_free(client);
	canned_stop(server);
}

static void
status_and_raft_are_read(void **state)
{
	static const struct canned_step steps[] = {
	    {.status = "200 OK", .body = "\"10.0.0.1:8300\""},
	    {.status = "200 OK",
		.body = "[\"10.0.0.1:8300\",\"10.0.0.2:8300\"]"},
	    {.status = "200 OK",
		.body = "{\"Servers\":[{\"ID\":\"i\",\"Node\":\"n\","
			"\"Address\":\"a:1\",\"Leader\":true,\"Voter\":true,"
			"\"ProtocolVersion\":\"3\",\"LastIndex\":77}],"
			"\"Index\":5}"},
	    {.status = "200 OK", .body = "{\"Success\": true}"},
	    {.status = "200 OK"}, {.status = "200 OK"}};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct conclave *client = make_client(server);
	struct conclave_status status;
	struct conclave_raft raft;

	(void)state;
	assert_int_equal(
	    conclave_status_get(client, &status, NULL), CONCLAVE_OK);
	assert_string_equal(status.leader, "10.0.0.1:8300");
	assert_int_equal(status.peer_count, 2);
	conclave_status_free(&status);
	assert_int_equal(
	    conclave_raft_get(client, CONCLAVE_CONSISTENT, &raft, NULL),
	    CONCLAVE_OK);
	assert_int_equal(raft.index, 5);
	assert_int_equal(raft.servers[0].last_index, 77);
	assert_true(raft.servers[0].leader && raft.servers[0].voter);
	conclave_raft_free(&raft);
	assert_int_equal(
	    conclave_raft_transfer(client, "a b", NULL), CONCLAVE_OK);
	asked(server, 3,
	    "POST /v1/operator/raft/transfer-leader?id=a%20b HTTP/1.1", "");
	assert_int_equal(
	    conclave_raft_transfer(client, NULL, NULL), CONCLAVE_OK);
	asked(server, 4, "POST /v1/operator/raft/transfer-leader HTTP/1.1", "");
	assert_int_equal(conclave_raft_remove(client, NULL, "[::1]:8300", NULL),
	    CONCLAVE_OK);
	asked(server, 5,
	    "DELETE /v1/operator/raft/peer?address=%5B%3A%3A1%5D%3A8300 HTTP",
	    "");
	conclave_free(client);
	canned_stop(server);
}

static void
removal_needs_exactly_one_name(void **state)
{
	struct conclave_options options = {.servers = NULL};
	struct conclave *client = NULL;
	struct conclave_error error;

	(void)state;
	assert_int_equal(conclave_new(&options, &client, NULL), CONCLAVE_OK);
	assert_int_equal(
	    conclave_raft_remove(client, NULL, NULL, &error), CONCLAVE_INVALID);
	assert_string_equal(
	    error.text, "an address or id is required for the peer to remove");
	assert_int_equal(
	    conclave_raft_remove(client, "i", "a", &error), CONCLAVE_INVALID);
	assert_string_equal(error.text, "cannot give both an address and id");
	conclave_free(client);
}

/* -- TLS configuration --------------------------------------------------- */

static void
documents_are_got_put_and_deleted(void **state)
{
	static const struct canned_step steps[] = {
	    {.status = "200 OK",
		.header = "X-Consul-Index: 9\r\n",
		.body = "{\"tls_min_version\":\"TLSv1_2\",\"CreateIndex\":7,"
			"\"ModifyIndex\":9}"},
	    {.status = "200 OK",
		.body = "{\"CreateIndex\":7,\"ModifyIndex\":12}"},
	    {.status = "409 Conflict",
		.body = "ModifyIndex did not match existing: have 12, got 9"},
	    {.status = "200 OK"}};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct conclave *client = make_client(server);
	struct conclave_tls_config config;
	struct conclave_error error;
	uint64_t index = 0;

	(void)state;
	assert_int_equal(conclave_tls_config_get(
			     client, "https", CONCLAVE_DEFAULT, &config, NULL),
	    CONCLAVE_OK);
	asked(server, 0, "GET /v1/tls/config/https HTTP/1.1\r\n", NULL);
	assert_string_equal(
	    config.document, "{\"tls_min_version\":\"TLSv1_2\"}");
	assert_int_equal(config.modify_index, 9);
	assert_int_equal(config.index, 9);
	assert_int_equal(conclave_tls_config_put(
			     client, "https", config.document, 9, &index, NULL),
	    CONCLAVE_OK);
	asked(server, 1, "PUT /v1/tls/config/https?cas=9 HTTP/1.1\r\n",
	    config.document);
	assert_int_equal(index, 12);
	assert_int_equal(conclave_tls_config_delete(client, "https", 0, &error),
	    CONCLAVE_CONFLICT);
	asked(server, 2, "DELETE /v1/tls/config/https?cas=0 HTTP/1.1\r\n", "");
	assert_int_equal(
	    conclave_tls_config_delete(client, "a/b", CONCLAVE_CAS_ANY, &error),
	    CONCLAVE_OK);
	asked(server, 3, "DELETE /v1/tls/config/a%2Fb HTTP/1.1\r\n", "");
	assert_int_equal(
	    conclave_tls_config_delete(client, "", CONCLAVE_CAS_ANY, &error),
	    CONCLAVE_INVALID);
	conclave_tls_config_free(&config);
	conclave_free(client);
	canned_stop(server);
}

/* -- memory -------------------------------------------------------------- */

static const char config_body[] =
    "{\"Provider\":\"consul\",\"Config\":{\"a\":1},\"State\":{\"a\":\"b\"}}";
static const char members_body[] =
    "[{\"Name\":\"a\",\"Addr\":\"b\",\"Tags\":{\"c\":\"d\",\"e\":\"f\"}}]";
static const char raft_body[] =
    "{\"Servers\":[{\"ID\":\"a\",\"Node\":\"b\"}],\"Index\":5}";

/* cJSON does not tell a bad text from a lack of memory: any refusal will do. */
static enum err
read_all(void *arg)
{
	struct conclave_ca_config config;
	struct conclave_members members;
	struct conclave_roots roots;
	struct conclave_raft raft;

	(void)arg;
	if (conclave_roots_parse(roots_body, sizeof(roots_body) - 1, &roots,
		NULL) != CONCLAVE_OK)
		return ERR_NOMEM;
	conclave_roots_free(&roots);
	if (conclave_ca_config_parse(config_body, sizeof(config_body) - 1,
		&config, NULL) != CONCLAVE_OK)
		return ERR_NOMEM;
	conclave_ca_config_free(&config);
	if (conclave_members_parse(members_body, sizeof(members_body) - 1,
		&members, NULL) != CONCLAVE_OK)
		return ERR_NOMEM;
	conclave_members_free(&members);
	if (conclave_raft_parse(
		raft_body, sizeof(raft_body) - 1, &raft, NULL) != CONCLAVE_OK)
		return ERR_NOMEM;
	conclave_raft_free(&raft);
	return OK;
}

static enum err
make_and_free(void *arg)
{
	const char *servers[] = {"s1", "https://[::1]:1", "unix:///s"};
	struct conclave_options options = {.servers = servers,
	    .server_count = ARRAY_SIZE(servers),
	    .token = "t",
	    .datacenter = "dc1",
	    .ca_file = "a",
	    .ca_path = "b",
	    .client_cert = "c",
	    .client_key = "d",
	    .tls_server_name = "n"};
	struct conclave *client = NULL;

	(void)arg;
	if (conclave_new(&options, &client, NULL) != CONCLAVE_OK)
		return ERR_NOMEM;
	conclave_free(client);
	return OK;
}

static void
out_of_memory_leaks_nothing(void **state)
{
	struct conclave *client = NULL;
	struct conclave_options options = {.servers = NULL};

	(void)state;
	/* curl sets itself up once, for good: not in the count */
	assert_int_equal(conclave_new(&options, &client, NULL), CONCLAVE_OK);
	conclave_free(client);
	test_torture(read_all, NULL);
	test_torture(make_and_free, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(roots_are_read_with_all_their_bits),
	    cmocka_unit_test(roots_cut_short_are_refused),
	    cmocka_unit_test(a_configuration_comes_back_as_it_was_got),
	    cmocka_unit_test(a_configuration_is_checked_before_it_is_sent),
	    cmocka_unit_test(members_have_their_tags_by_name),
	    cmocka_unit_test(status_and_raft_are_read),
	    cmocka_unit_test(removal_needs_exactly_one_name),
	    cmocka_unit_test(documents_are_got_put_and_deleted),
	    cmocka_unit_test(out_of_memory_leaks_nothing),
	};

	return cmocka_run_group_tests_name("client_typed", tests, NULL, NULL);
}
