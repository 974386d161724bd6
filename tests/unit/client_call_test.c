/*
 * Goal: a call reaches some server, a read survives a lost one, and a write is
 * never sent twice. Typed calls say what the answer says.
 * Method: scripted servers on loopback; what they were asked is looked at.
 */
#include "tests/support/test.h"

#include <pthread.h>
#include <unistd.h>

#include "client/conclave.h"
#include "tests/support/canned.h"

static const struct canned_step good = {.status = "200 OK",
    .header = "X-Consul-Index: 7\r\nX-Consul-KnownLeader: false\r\n"
	      "X-Consul-LastContact: 12\r\nETag: \"v7\"\r\n",
    .body = "\"fine\""};
static const struct canned_step dropped = {.act = CANNED_DROP};
static const struct canned_step hung = {.act = CANNED_HANG};
static const struct canned_step stopping = {.status = "503 Service Unavailable",
    .header = "Retry-After: 1\r\n",
    .body = "the server is stopping"};

static struct conclave *
make_client(const char *first, const char *second)
{
	const char *servers[] = {first, second};
	struct conclave_options options = {.servers = servers,
	    .server_count = second == NULL ? 1 : 2,
	    .token = "s3cret",
	    .timeout_ms = 5000};
	struct conclave *client = NULL;

	assert_int_equal(conclave_new(&options, &client, NULL), CONCLAVE_OK);
	return client;
}

static const struct conclave_request get = {.path = "/v1/x"};
static const struct conclave_request put = {
    .method = "PUT", .path = "/v1/x", .body = "{}", .body_size = 2};

/* -- answers ------------------------------------------------------------- */

static void
an_answer_has_its_headers_and_body(void **state)
{
	struct canned *server = canned_start(&good, 1);
	struct conclave *client = make_client(canned_address(server), NULL);
	struct conclave_answer answer;

	(void)state;
	assert_int_equal(
	    conclave_call(client, &get, &answer, NULL), CONCLAVE_OK);
	assert_int_equal(answer.status, 200);
	assert_true(answer.has_index);
	assert_int_equal(answer.index, 7);
	assert_false(answer.known_leader);
	assert_int_equal(answer.last_contact_ms, 12);
	assert_string_equal(answer.etag, "\"v7\"");
	assert_string_equal(answer.body, "\"fine\"");
	assert_int_equal(answer.body_size, 6);
	assert_string_equal(answer.server, canned_address(server));
	assert_int_equal(conclave_answer_check(&answer, NULL), CONCLAVE_OK);
	conclave_answer_free(&answer);
	assert_non_null(strstr(
	    canned_request(server, 0), "\r\nX-Consul-Token: s3cret\r\n"));
	assert_int_equal(
	    strncmp(canned_request(server, 0), "GET /v1/x HTTP/1.1\r\n", 20),
	    0);
	conclave_free(client);
	canned_stop(server);
}

static void
statuses_become_codes_and_sentences(void **state)
{
	static const struct {
		const char *status, *body;
		enum conclave_err want;
		const char *text;
	} cases[] = {
	    {"400 Bad Request", "Invalid index", CONCLAVE_INVALID,
		"Unexpected response code: 400 (Invalid index)"},
	    {"403 Forbidden", "Permission denied\n", CONCLAVE_DENIED,
		"Unexpected response code: 403 (Permission denied)"},
	    {"404 Not Found", "", CONCLAVE_NOTFOUND,
		"Unexpected response code: 404 ()"},
	    {"409 Conflict", "x", CONCLAVE_CONFLICT,
		"Unexpected response code: 409 (x)"},
	    {"429 Too Many Requests", "x\x1b[2Jy", CONCLAVE_BUSY,
		"Unexpected response code: 429 (x [2Jy)"},
	    {"500 Internal Server Error", "No cluster leader",
		CONCLAVE_NOLEADER,
		"Unexpected response code: 500 (No cluster leader)"},
	    {"500 Internal Server Error", "ModifyIndex did not match existing",
		CONCLAVE_CONFLICT,
		"Unexpected response code: 500 (ModifyIndex did not match "
		"existing)"},
	    {"500 Internal Server Error",
		"leadership lost while committing log: the outcome is unknown, "
		"read before you retry",
		CONCLAVE_UNKNOWN, NULL},
	    {"500 Internal Server Error", "boom", CONCLAVE_REFUSED,
		"Unexpected response code: 500 (boom)"},
	    {"301 Moved Permanently", "", CONCLAVE_REFUSED, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct canned_step step = {
		    .status = cases[i].status, .body = cases[i].body};
		struct canned *server = canned_start(&step, 1);
		struct conclave *client =
		    make_client(canned_address(server), NULL);
		struct conclave_answer answer;
		struct conclave_error error;

		assert_int_equal(
		    conclave_call(client, &put, &answer, NULL), CONCLAVE_OK);
		assert_int_equal(
		    conclave_answer_check(&answer, &error), cases[i].want);
		assert_int_equal(error.code, cases[i].want);
		assert_int_equal(error.status, answer.status);
		if (cases[i].text != NULL)
			assert_string_equal(error.text, cases[i].text);
		conclave_answer_free(&answer);
		conclave_free(client);
		canned_stop(server);
	}
}

static void
an_answer_above_the_limit_is_refused(void **state)
{
	struct canned *server = canned_start(&good, 1);
	const char *servers[] = {canned_address(server)};
	struct conclave_options options = {
	    .servers = servers, .server_count = 1, .answer_max = 5};
	struct conclave *client = NULL;
	struct conclave_answer answer;
	struct conclave_error error;

	(void)state;
	assert_int_equal(conclave_new(&options, &client, NULL), CONCLAVE_OK);
	assert_int_equal(
	    conclave_call(client, &get, &answer, &error), CONCLAVE_MALFORMED);
	assert_non_null(strstr(error.text, "larger than 5 bytes"));
	conclave_free(client);
	canned_stop(server);
}

static void
tokens_and_options_are_checked(void **state)
{
	static const char *const tokens[] = {
	    "a\r\nX: y", "a b", "\x7f", "\xff"};
	const char *servers[CONCLAVE_SERVERS_MAX + 1];
	struct conclave_options options = {.servers = servers};
	struct conclave *client = NULL;
	struct conclave_error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		servers[i] = "127.0.0.1";
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		options.token = tokens[i];
		assert_int_equal(
		    conclave_new(&options, &client, &error), CONCLAVE_INVALID);
		assert_null(strstr(error.text, tokens[i]));
	}
	options.token = NULL;
	options.server_count = CONCLAVE_SERVERS_MAX + 1;
	assert_int_equal(
	    conclave_new(&options, &client, &error), CONCLAVE_INVALID);
	assert_null(client);
}

/* -- fail-over ----------------------------------------------------------- */

static void
a_read_goes_to_the_next_server(void **state)
{
	static const struct canned_step *const bad[] = {
	    &dropped, &stopping, &hung};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct canned *first = canned_start(bad[i], 1);
		struct canned *second = canned_start(&good, 1);
		struct conclave *client =
		    make_client(canned_address(first), canned_address(second));
		struct conclave_request request = get;
		struct conclave_answer answer;

		request.timeout_ms = 400; /* the hung one may have half */
		assert_int_equal(conclave_call(client, &request, &answer, NULL),
		    CONCLAVE_OK);
		assert_string_equal(answer.server, canned_address(second));
		conclave_answer_free(&answer);
		/* and stays there */
		assert_int_equal(conclave_call(client, &request, &answer, NULL),
		    CONCLAVE_OK);
		conclave_answer_free(&answer);
		assert_int_equal(canned_count(first), 1);
		assert_int_equal(canned_count(second), 2);
		conclave_free(client);
		canned_stop(first);
		canned_stop(second);
	}
}

static void
a_write_goes_on_only_if_it_was_not_sent(void **state)
{
	struct canned *second = canned_start(&good, 1);
	struct conclave *client =
	    make_client(canned_nobody(), canned_address(second));
	struct conclave_answer answer;

	(void)state;
	assert_int_equal(
	    conclave_call(client, &put, &answer, NULL), CONCLAVE_OK);
	conclave_answer_free(&answer);
	assert_int_equal(canned_count(second), 1);
	conclave_free(client);
	canned_stop(second);
}

static void
a_write_that_was_sent_is_unknown_and_not_sent_again(void **state)
{
	static const struct canned_step *const bad[] = {&dropped, &hung};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct canned *first = canned_start(bad[i], 1);
		struct canned *second = canned_start(&good, 1);
		struct conclave *client =
		    make_client(canned_address(first), canned_address(second));
		struct conclave_request request = put;
		struct conclave_answer answer;
		struct conclave_error error;

		request.timeout_ms = 300;
		assert_int_equal(
		    conclave_call(client, &request, &answer, &error),
		    CONCLAVE_UNKNOWN);
		assert_int_equal(error.code, CONCLAVE_UNKNOWN);
		assert_non_null(strstr(error.text, "the outcome is unknown"));
		assert_int_equal(canned_count(first), 1);
		assert_int_equal(canned_count(second), 0);
		conclave_free(client);
		canned_stop(first);
		canned_stop(second);
	}
}

/* A kept connection that dies under a request makes curl repeat it. */
static void
a_write_is_not_repeated_by_the_layer_below(void **state)
{
	struct canned_step steps[] = {good, dropped, good};
	struct canned *server = canned_start(steps, ARRAY_SIZE(steps));
	struct conclave *client = make_client(canned_address(server), NULL);
	struct conclave_answer answer;

	(void)state;
	assert_int_equal(
	    conclave_call(client, &get, &answer, NULL), CONCLAVE_OK);
	conclave_answer_free(&answer);
	assert_int_equal(
	    conclave_call(client, &put, &answer, NULL), CONCLAVE_UNKNOWN);
	assert_int_equal(canned_count(server), 2);
	conclave_free(client);
	canned_stop(server);
}

static void
every_server_that_failed_is_named(void **state)
{
	struct canned *server = canned_start(&dropped, 1);
	struct conclave *client =
	    make_client(canned_nobody(), canned_address(server));
	struct conclave_answer answer;
	struct conclave_error error;

	(void)state;
	assert_int_equal(
	    conclave_call(client, &get, &answer, &error), CONCLAVE_UNREACHABLE);
	assert_non_null(strstr(error.text, canned_nobody()));
	assert_non_null(strstr(error.text, canned_address(server)));
	conclave_free(client);
	canned_stop(server);
}

static void
what_means_one_server_goes_to_no_other(void **state)
{
	struct canned *second = canned_start(&good, 1);
	struct conclave *client =
	    make_client(canned_nobody(), canned_address(second));
	struct conclave_request request = put;
	struct conclave_answer answer;

	(void)state;
	/* a read may, and moves the client on */
	assert_int_equal(
	    conclave_call(client, &get, &answer, NULL), CONCLAVE_OK);
	conclave_answer_free(&answer);
	request.first_only = true;
	assert_int_equal(conclave_call(client, &request, &answer, NULL),
	    CONCLAVE_UNREACHABLE);
	assert_int_equal(canned_count(second), 1);
	conclave_free(client);
	canned_stop(second);
}

/* -- cancel -------------------------------------------------------------- */

static void *
cancel_soon(void *arg)
{
	(void)usleep(50000);
	conclave_cancel(arg);
	return NULL;
}

static void
cancel_ends_calls_under_way_and_later_ones(void **state)
{
	struct canned *server = canned_start(&hung, 1);
	struct conclave *client = make_client(canned_address(server), NULL);
	struct conclave_request request = get;
	struct conclave_answer answer;
	pthread_t thread;

	(void)state;
	request.timeout_ms = 20000;
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, client), 0);
	assert_int_equal(
	    conclave_call(client, &request, &answer, NULL), CONCLAVE_CANCELED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(
	    conclave_call(client, &request, &answer, NULL), CONCLAVE_CANCELED);
	assert_int_equal(canned_count(server), 1);
	conclave_free(client);
	canned_stop(server);
}

static void *
call_often(void *arg)
{
	for (unsigned i = 0; i < 5; i++) {
		struct conclave_answer answer;

		if (conclave_call(arg, &get, &answer, NULL) != CONCLAVE_OK)
			return arg;
		conclave_answer_free(&answer);
	}
	return NULL;
}

static void
one_client_serves_many_threads(void **state)
{
	struct canned *server = canned_start(&good, 1);
	struct conclave *client = make_client(canned_address(server), NULL);
	pthread_t threads[10];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		assert_int_equal(
		    pthread_create(&threads[i], NULL, call_often, client), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(canned_count(server), 50);
	conclave_free(client);
	canned_stop(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_has_its_headers_and_body),
	    cmocka_unit_test(statuses_become_codes_and_sentences),
	    cmocka_unit_test(an_answer_above_the_limit_is_refused),
	    cmocka_unit_test(tokens_and_options_are_checked),
	    cmocka_unit_test(a_read_goes_to_the_next_server),
	    cmocka_unit_test(a_write_goes_on_only_if_it_was_not_sent),
	    cmocka_unit_test(
		a_write_that_was_sent_is_unknown_and_not_sent_again),
	    cmocka_unit_test(a_write_is_not_repeated_by_the_layer_below),
	    cmocka_unit_test(every_server_that_failed_is_named),
	    cmocka_unit_test(what_means_one_server_goes_to_no_other),
	    cmocka_unit_test(cancel_ends_calls_under_way_and_later_ones),
	    cmocka_unit_test(one_client_serves_many_threads),
	};

	return cmocka_run_group_tests_name("client_call", tests, NULL, NULL);
}
