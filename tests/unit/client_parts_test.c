/*
 * Goal: the library's pure parts take what they should and nothing else.
 * Method: tables of addresses, requests, numbers and JSON texts.
 */
#include "tests/support/test.h"

#include "client/libbytes.h"
#include "client/libendpoint.h"
#include "client/libjson.h"
#include "client/libpace.h"
#include "client/liburl.h"

/* -- addresses ----------------------------------------------------------- */

static void
addresses_become_urls(void **state)
{
	static const struct {
		const char *address;
		bool tls;
		const char *name, *base, *socket, *detour;
	} cases[] = {
	    {"127.0.0.1", false, NULL, "http://127.0.0.1:8500", NULL, NULL},
	    {"s1.example:1", false, NULL, "http://s1.example:1", NULL, NULL},
	    {"s1", true, NULL, "https://s1:8501", NULL, NULL},
	    {"http://s1", false, NULL, "http://s1:80", NULL, NULL},
	    {"http://s1/", true, NULL, "https://s1:443", NULL, NULL},
	    {"HTTPS://s1:65535", false, NULL, "https://s1:65535", NULL, NULL},
	    {"[::1]", false, NULL, "http://[::1]:8500", NULL, NULL},
	    {"[::1]:8510", false, "x", "http://[::1]:8510", NULL, NULL},
	    {"unix:///run/c.sock", false, NULL, "http://localhost",
		"/run/c.sock", NULL},
	    {"https://10.0.0.1", false, "server.dc1.consul",
		"https://server.dc1.consul:443", NULL,
		"server.dc1.consul:443:10.0.0.1:443"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct libendpoint endpoint;
		struct conclave_error error;

		assert_int_equal(
		    libendpoint_parse(cases[i].address, cases[i].tls,
			cases[i].name, &endpoint, &error),
		    CONCLAVE_OK);
		assert_string_equal(endpoint.base, cases[i].base);
		assert_string_equal(endpoint.shown, cases[i].address);
		if (cases[i].socket == NULL)
			assert_null(endpoint.socket);
		else
			assert_string_equal(endpoint.socket, cases[i].socket);
		if (cases[i].detour == NULL)
			assert_null(endpoint.detour);
		else
			assert_string_equal(endpoint.detour, cases[i].detour);
		libendpoint_free(&endpoint);
	}
}

static void
bad_addresses_are_refused_by_name(void **state)
{
	static const char *const cases[] = {"", ":8500", "s1:", "s1:0",
	    "s1:65536", "s1:80x", "::1", "[::1", "[::1]8500", "[]", "[s1]",
	    "s1/path", "http://s1/v1", "http://s1?x", "http://u@s1", "ftp://s1",
	    "http://", "unix://", "unix://rel", "a b", "a\r\nX: y", "s1:8500:1",
	    "s1:99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct libendpoint endpoint;
		struct conclave_error error = {.text = ""};

		assert_int_equal(
		    libendpoint_parse(cases[i], false, NULL, &endpoint, &error),
		    CONCLAVE_INVALID);
		assert_non_null(strstr(error.text, "is not usable"));
		assert_null(endpoint.base);
	}
}

/* -- requests ------------------------------------------------------------ */

static void
requests_become_urls(void **state)
{
	static const struct {
		struct conclave_request request;
		const char *datacenter, *want;
	} cases[] = {
	    {{.path = "/v1/x"}, NULL, "B/v1/x"},
	    {{.path = "/v1/x", .query = ""}, NULL, "B/v1/x"},
	    {{.path = "/v1/x", .query = "a=b"}, "d c", "B/v1/x?a=b&dc=d%20c"},
	    {{.path = "/v1/x", .mode = CONCLAVE_STALE}, NULL, "B/v1/x?stale"},
	    {{.path = "/v1/x", .index = 7, .wait_ms = 10}, NULL,
		"B/v1/x?index=7&wait=10ms"},
	    {{.path = "/v1/x",
		 .query = "q",
		 .index = UINT64_MAX,
		 .mode = CONCLAVE_CONSISTENT},
		NULL,
		"B/v1/x?q&index=18446744073709551615&wait=300000ms&consistent"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *url;

		assert_int_equal(
		    liburl_check(&cases[i].request, NULL), CONCLAVE_OK);
		url = liburl_make("B", cases[i].datacenter, &cases[i].request);
		assert_string_equal(url, cases[i].want);
		free(url);
	}
}

static void
requests_that_could_change_the_head_are_refused(void **state)
{
	static char body[] = "{}";
	static const struct conclave_request cases[] = {
	    {.path = NULL},
	    {.path = "v1/x"},
	    {.path = "/v1/x y"},
	    {.path = "/v1/x?y"},
	    {.path = "/v1/x#y"},
	    {.path = "/v1/x\r\nHost: y"},
	    {.path = "/v1/\xc3\xa9"},
	    {.path = "/v1/x", .query = "a=b c"},
	    {.path = "/v1/x", .query = "a\n"},
	    {.path = "/v1/x", .query = "a#"},
	    {.path = "/v1/x", .method = "get"},
	    {.path = "/v1/x", .method = "PUT /v1/y"},
	    {.path = "/v1/x", .method = ""},
	    {.path = "/v1/x", .method = "HEAD"},
	    {.path = "/v1/x", .body = body, .body_size = 2},
	    {.path = "/v1/x", .method = "PUT", .body_size = 2},
	    {.path = "/v1/x", .wait_ms = 600001},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
		    liburl_check(&cases[i], NULL), CONCLAVE_INVALID);
	}
}

static void
escaping_keeps_only_what_is_plain(void **state)
{
	char *text = conclave_escape("aZ09-._~/ ?%&=\xc3\xa9\n");

	(void)state;
	assert_string_equal(text, "aZ09-._~%2F%20%3F%25%26%3D%C3%A9%0A");
	free(text);
	text = conclave_escape("");
	assert_string_equal(text, "");
	free(text);
}

/* -- pace ---------------------------------------------------------------- */

static void
two_requests_go_at_once_then_one_each_interval(void **state)
{
	struct libpace pace = libpace_new(500);

	(void)state;
	assert_int_equal(libpace_take(&pace, 10000), 0);
	assert_int_equal(libpace_take(&pace, 10000), 0);
	assert_int_equal(libpace_take(&pace, 10000), 500);
	assert_int_equal(libpace_take(&pace, 10500), 500);
	/* idle long enough: two again, not more */
	assert_int_equal(libpace_take(&pace, 20000), 0);
	assert_int_equal(libpace_take(&pace, 20000), 0);
	assert_int_equal(libpace_take(&pace, 20000), 500);
}

static void
errors_wait_longer_each_time_up_to_a_minute(void **state)
{
	static const unsigned want[] = {
	    500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	struct libpace pace = libpace_new(500);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(libpace_fail(&pace, 0), want[i]);
	libpace_good(&pace);
	for (uint32_t random = 0; random < 5000; random += 7) {
		unsigned wait = libpace_fail(&pace, random);

		assert_in_range(wait, 250, 500);
		libpace_good(&pace);
	}
}

/* -- JSON ---------------------------------------------------------------- */

static void
numbers_keep_64_bits(void **state)
{
	static const char text[] =
	    "{\"a\":16238269036752183483,\"b\":18446744073709551615,"
	    "\"c\":999999999999999,\"d\":18446744073709551616,\"e\":-1,"
	    "\"f\":\"12345678901234567890 \\\" 98765432109876543210\","
	    "\"G\":1234567890123456,\"h\":1.5e3}";
	static const struct {
		const char *name;
		uint64_t want;
	} cases[] = {
	    {"a", UINT64_C(16238269036752183483)},
	    {"b", UINT64_MAX},
	    {"c", 999999999999999},
	    {"d", 0}, /* above 64 bits */
	    {"e", 0},
	    {"f", 0},
	    {"g", 1234567890123456},
	    {"h", 1500},
	    {"none", 0},
	};
	cJSON *json;
	char *copy;

	(void)state;
	assert_int_equal(
	    libjson_parse(text, sizeof(text) - 1, "x", &json, NULL),
	    CONCLAVE_OK);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(libjson_u64(json, cases[i].name) == cases[i].want);
	}
	copy = libjson_text(json, "f");
	assert_string_equal(
	    copy, "12345678901234567890 \" 98765432109876543210");
	free(copy);
	libjson_close(json);
}

static void
texts_that_are_no_json_are_refused(void **state)
{
	static const char *const cases[] = {
	    "", "{", "{}}", "{} x", "[1,]", "nul", "\"", "\"\\", "{\"a\"}"};
	struct conclave_error error;
	cJSON *json = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(libjson_parse(cases[i], strlen(cases[i]), "x",
				     &json, &error),
		    CONCLAVE_MALFORMED);
	}
	assert_int_equal(
	    libjson_parse("{}\0x", 4, "x", &json, &error), CONCLAVE_MALFORMED);
}

static void
raw_members_are_as_they_stand(void **state)
{
	static const char text[] =
	    " { \"x\" : [1, {\"Config\": 2}] , \"s\":\"}{,\\\"\" ,\n"
	    "\"Config\": {\"T\":31536000000000000, \"a\":[\"]\"]} ,"
	    "\"n\":12, \"last\":true}";
	static const struct {
		const char *name, *want;
	} cases[] = {
	    {"config", "{\"T\":31536000000000000, \"a\":[\"]\"]}"},
	    {"x", "[1, {\"Config\": 2}]"},
	    {"s", "\"}{,\\\"\""},
	    {"n", "12"},
	    {"last", "true"},
	    {"T", "null"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *raw = libjson_raw(text, sizeof(text) - 1, cases[i].name);

		assert_string_equal(raw, cases[i].want);
		free(raw);
	}
}

/* -- texts --------------------------------------------------------------- */

static void
texts_stop_at_their_limit(void **state)
{
	struct libbytes bytes = libbytes_new(4);

	(void)state;
	libbytes_puts(&bytes, "abc");
	libbytes_puts(&bytes, "de");
	assert_int_equal(bytes.state, LIBBYTES_FULL);
	assert_string_equal(bytes.data, "abc");
	assert_null(libbytes_take(&bytes));
	libbytes_puts(&bytes, "abcd");
	assert_int_equal(bytes.state, LIBBYTES_GOOD);
	libbytes_free(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_become_urls),
	    cmocka_unit_test(bad_addresses_are_refused_by_name),
	    cmocka_unit_test(requests_become_urls),
	    cmocka_unit_test(requests_that_could_change_the_head_are_refused),
	    cmocka_unit_test(escaping_keeps_only_what_is_plain),
	    cmocka_unit_test(two_requests_go_at_once_then_one_each_interval),
	    cmocka_unit_test(errors_wait_longer_each_time_up_to_a_minute),
	    cmocka_unit_test(numbers_keep_64_bits),
	    cmocka_unit_test(texts_that_are_no_json_are_refused),
	    cmocka_unit_test(raw_members_are_as_they_stand),
	    cmocka_unit_test(texts_stop_at_their_limit),
	};

	return cmocka_run_group_tests_name("client_parts", tests, NULL, NULL);
}
