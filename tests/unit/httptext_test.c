/*
 * Goal: headers, query pairs and escapes are read as Go reads them.
 * Method: tables.
 */
#include <stdbool.h>
#include <stdio.h>

#include "server/net/http.h"
#include "tests/support/test.h"

static struct http_slice
slice(const char *text)
{
	return (struct http_slice){text, strlen(text)};
}

static void
queries_are_looked_up_decoded(void **state)
{
	struct http_request request = {
	    .query = slice("a=1&b&a=2&st%61le&c=x%20y+z&&=e&d=%zz")};
	struct http_slice value;
	char text[16];

	(void)state;
	assert_true(http_query(&request, "a", &value));
	assert_int_equal(value.size, 1);
	assert_int_equal(value.data[0], '1');
	assert_true(http_query(&request, "b", &value));
	assert_int_equal(value.size, 0);
	assert_true(http_query(&request, "stale", &value));
	assert_false(http_query(&request, "stal", &value));
	assert_null(value.data);
	assert_true(http_query(&request, "c", &value));
	assert_true(http_unescape(value, true, text, sizeof(text)));
	assert_string_equal(text, "x y z");
	assert_true(http_unescape(value, false, text, sizeof(text)));
	assert_string_equal(text, "x y+z");
	assert_true(http_unescape(value, true, text, 6));
	assert_false(http_unescape(value, true, text, 5));
	assert_false(http_unescape(slice(""), true, text, 0));
	assert_true(http_unescape(slice(""), true, text, 1));
	assert_false(http_unescape(slice("%00"), true, text, sizeof(text)));
	assert_false(http_unescape(slice("%4"), true, text, sizeof(text)));
	assert_false(http_unescape(slice("%"), true, text, sizeof(text)));
	assert_true(http_query(&request, "d", &value));
	assert_false(http_query_valid(&request));
}

static void
a_query_is_valid_or_not(void **state)
{
	static const struct {
		const char *query;
		bool want;
	} cases[] = {{"", true}, {"a", true}, {"&&", true}, {"a=%41&b=+", true},
	    {"a=b=c", true}, {"%", false}, {"a=%4", false}, {"a=%00", false},
	    {"a;b", false}, {"a=1;b=2", false}, {"a=1&b=%g0", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_request request = {.query = slice(cases[i].query)};

		assert_int_equal(http_query_valid(&request), cases[i].want);
	}
}

static void
headers_are_found_in_any_case(void **state)
{
	struct http_request request = {.header_count = 3,
	    .headers = {{slice("X-Token"), slice("a")},
		{slice("x-token"), slice("b")}, {slice("Y"), slice("")}}};

	(void)state;
	assert_int_equal(http_header(&request, "x-TOKEN").data[0], 'a');
	assert_non_null(http_header(&request, "y").data);
	assert_null(http_header(&request, "z").data);
	assert_string_equal(
	    http_reason(431), "Request Header Fields Too Large");
	assert_string_equal(http_reason(299), "Unknown");
}

static void
gzip_is_taken_only_if_wanted(void **state)
{
	static const struct {
		const char *value;
		bool want;
	} cases[] = {{"gzip", true}, {"deflate, gzip", true},
	    {"gzip;q=1", true}, {"gzip ; q=0.001", true}, {"gzip;q=0", false},
	    {"gzip; Q=0.000", false}, {"gzipx", false}, {"x-gzip", false},
	    {"*", false}, {"identity", false}, {"", false}, {",,", false},
	    {"gzip;", false}, {"gzip;q=", false}, {"gzip;q=0,gzip", true}};
	struct http_parser_state parser = {0};
	struct http_request request;
	struct errmsg why;
	char data[256];
	size_t used;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = (size_t)snprintf(data, sizeof(data),
		    "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %s\r\n"
		    "\r\n",
		    cases[i].value);

		assert_int_equal(http_feed(&parser, (const uint8_t *)data, size,
				     0, &used, &request, &status, &why),
		    HTTP_REQUEST);
		assert_int_equal(request.accepts_gzip, cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(queries_are_looked_up_decoded),
	    cmocka_unit_test(a_query_is_valid_or_not),
	    cmocka_unit_test(gzip_is_taken_only_if_wanted),
	    cmocka_unit_test(headers_are_found_in_any_case),
	};

	return cmocka_run_group_tests_name("httptext", tests, NULL, NULL);
}
