/*
 * Goal: shared parameters are read as the contract says, and of several
 * mistakes the first in its order is named.
 * Method: tables of query strings.
 */
#include "server/api/query.h"

#include "server/api/route.h"
#include "tests/support/test.h"

#define ALL (ROUTE_DC | ROUTE_MODES | ROUTE_WAIT)

static enum err
parse(const char *query, const char *cache_control, unsigned flags,
    struct query *out, int *status, struct errmsg *why)
{
	struct http_request request = {
	    .method = HTTP_GET_, .query = {query, strlen(query)}};

	*status = 0;
	why->text[0] = '\0';
	if (cache_control != NULL) {
		request.header_count = 1;
		request.headers[0].name =
		    (struct http_slice){"cache-control", 13};
		request.headers[0].value =
		    (struct http_slice){cache_control, strlen(cache_control)};
	}
	return query_parse(&request, flags, "dc1", out, status, why);
}

static void
good_queries_are_read(void **state)
{
	static const struct {
		const char *query;
		enum read_mode mode;
		bool pretty;
		uint64_t index, wait_ms;
	} cases[] = {
	    {"", READ_DEFAULT, false, 0, 300000},
	    {"stale", READ_STALE, false, 0, 300000},
	    {"stale=false", READ_STALE, false, 0, 300000},
	    {"consistent", READ_CONSISTENT, false, 0, 300000},
	    {"consistent&leader", READ_DEFAULT, false, 0, 300000},
	    {"stale&leader", READ_DEFAULT, false, 0, 300000},
	    {"max_stale=1s", READ_STALE, false, 0, 300000},
	    {"max_stale=0s", READ_DEFAULT, false, 0, 300000},
	    {"max_stale=", READ_DEFAULT, false, 0, 300000},
	    {"cached&stale", READ_STALE, false, 0, 300000},
	    {"pretty", READ_DEFAULT, true, 0, 300000},
	    {"&&pretty&", READ_DEFAULT, true, 0, 300000},
	    {"index=7&wait=10s", READ_DEFAULT, false, 7, 10000},
	    {"index=&wait=", READ_DEFAULT, false, 0, 300000},
	    {"index=18446744073709551615", READ_DEFAULT, false, UINT64_MAX,
		300000},
	    {"wait=0s", READ_DEFAULT, false, 0, 300000},
	    {"wait=-5m", READ_DEFAULT, false, 0, 300000},
	    {"wait=1h2m", READ_DEFAULT, false, 0, 600000},
	    {"wait=600s", READ_DEFAULT, false, 0, 600000},
	    {"wait=1us", READ_DEFAULT, false, 0, 1},
	    {"wait=9223372036854775807ns", READ_DEFAULT, false, 0, 600000},
	    {"index=3&index=4", READ_DEFAULT, false, 3, 300000},
	    {"dc=dc1", READ_DEFAULT, false, 0, 300000},
	    {"dc=", READ_DEFAULT, false, 0, 300000},
	    {"%73tale", READ_STALE, false, 0, 300000},
	    {"wait=%31%30s", READ_DEFAULT, false, 0, 10000},
	    {"token=secret&hash=x&unknown=1", READ_DEFAULT, false, 0, 300000},
	};
	struct query query;
	struct errmsg why;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (parse(cases[i].query, NULL, ALL, &query, &status, &why) !=
		    OK)
			fail_msg("%s: %s", cases[i].query, why.text);
		assert_int_equal(query.mode, cases[i].mode);
		assert_int_equal(query.pretty, cases[i].pretty);
		assert_true(query.index == cases[i].index);
		assert_true(query.wait_ms == cases[i].wait_ms);
	}
}

#define STALE_AND_CONSISTENT                                                   \
	"Cannot specify ?stale with ?consistent, conflicting semantics."
#define CACHED_AND_CONSISTENT                                                  \
	"Cannot specify ?cached with ?consistent, conflicting semantics."

static void
the_first_mistake_is_named(void **state)
{
	static const struct {
		const char *query, *cache_control;
		int status;
		const char *text;
	} cases[] = {
	    {"%zz", NULL, 500, ""},
	    {"stale&consistent&x=%1", NULL, 500, ""},
	    {"dc=dc2&stale&consistent", NULL, 500, "No path to datacenter"},
	    {"dc=DC1", NULL, 500, "No path to datacenter"},
	    {"stale&consistent&index=x", NULL, 400, STALE_AND_CONSISTENT},
	    {"max_stale=1s&consistent", NULL, 400, STALE_AND_CONSISTENT},
	    {"cached&consistent", NULL, 400, CACHED_AND_CONSISTENT},
	    {"max_stale=5&stale&consistent", NULL, 400,
		"Invalid max_stale value \"5\""},
	    {"wait=x", "max-age=x", 400, "Invalid Cache-Control header."},
	    {"wait=10&index=x", NULL, 400, "Invalid wait time"},
	    {"wait=x", NULL, 400, "Invalid wait time"},
	    {"index=x", NULL, 400, "Invalid index"},
	    {"index=-1", NULL, 400, "Invalid index"},
	    {"index=+1", NULL, 400, "Invalid index"},
	    {"index=1.5", NULL, 400, "Invalid index"},
	    {"index=0x10", NULL, 400, "Invalid index"},
	    {"index=18446744073709551616", NULL, 400, "Invalid index"},
	};
	struct query query;
	struct errmsg why;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].query, cases[i].cache_control,
				     ALL, &query, &status, &why),
		    ERR_INVALID);
		assert_int_equal(status, cases[i].status);
		assert_string_equal(why.text, cases[i].text);
	}
}

static void
only_what_the_route_takes_is_looked_at(void **state)
{
	struct query query;
	struct errmsg why;
	int status;

	(void)state;
	assert_int_equal(parse("dc=x&stale&consistent&index=x&wait=x&pretty",
			     "max-age=x", 0, &query, &status, &why),
	    OK);
	assert_true(query.pretty);
	assert_int_equal(query.mode, READ_DEFAULT);
	assert_int_equal(query.index, 0);
}

static void
cache_control_says_how_old_an_answer_may_be(void **state)
{
	static const struct {
		const char *value;
		bool good, has;
		uint64_t seconds;
	} cases[] = {
	    {"max-age=30", true, true, 30},
	    {"MAX-AGE=30", true, true, 30},
	    {"must-revalidate", true, true, 0},
	    {"max-age=30, must-revalidate", true, true, 0},
	    {"must-revalidate,max-age=30", true, true, 0},
	    {" no-cache , stale-if-error=5", true, false, 0},
	    {"stale-if-error=x", false, false, 0},
	    {"max-age=-1", false, false, 0},
	    {"max-age=", false, false, 0},
	    {"max-age=99999999999999999999999999", false, false, 0},
	    {"", true, false, 0},
	    {",,", true, false, 0},
	};
	struct query query;
	struct errmsg why;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum err rc =
		    parse("", cases[i].value, ALL, &query, &status, &why);

		assert_int_equal(rc == OK, cases[i].good);
		if (rc != OK)
			continue;
		assert_int_equal(query.has_max_age, cases[i].has);
		assert_true(query.max_age_s == cases[i].seconds);
	}
}

static void
scalars_are_strict(void **state)
{
	static const char *const bad_numbers[] = {"", " 1", "1 ", "a", "-0",
	    "18446744073709551616", "99999999999999999999999"};
	static const char *const yes[] = {
	    "1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {
	    "0", "f", "F", "FALSE", "false", "False"};
	static const char *const neither[] = {
	    "", "maybe", "tRUE", "yes", "2", "on"};
	uint64_t number;
	bool flag;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_numbers); i++)
		assert_false(query_u64(bad_numbers[i], &number));
	assert_true(query_u64("18446744073709551615", &number));
	assert_true(number == UINT64_MAX);
	for (size_t i = 0; i < 6; i++) {
		assert_true(query_bool(yes[i], &flag) && flag);
		assert_true(query_bool(no[i], &flag) && !flag);
		assert_false(query_bool(neither[i], &flag));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_queries_are_read),
	    cmocka_unit_test(the_first_mistake_is_named),
	    cmocka_unit_test(only_what_the_route_takes_is_looked_at),
	    cmocka_unit_test(cache_control_says_how_old_an_answer_may_be),
	    cmocka_unit_test(scalars_are_strict),
	};

	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
