/*
 * Goal: durations and times read and print exactly as Go does.
 * Method: tables from Go's own rules; what is printed reads back.
 */
#include "server/duration.h"

#include "tests/support/test.h"

#define S DURATION_SECOND

static void
durations_parse_as_in_go(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
	    {"0", 0},
	    {"-0", 0},
	    {"5s", 5 * S},
	    {"+5s", 5 * S},
	    {"-5.5s", -5 * S - S / 2},
	    {"5.s", 5 * S},
	    {".5s", S / 2},
	    {"1h15m30.918273645s", 4530 * S + 918273645},
	    {"72h", 72 * 3600 * S},
	    {"8760h", 8760 * 3600 * S},
	    {"10ns", 10},
	    {"11us", 11000},
	    {"12\u00b5s", 12000},
	    {"12\u03bcs", 12000},
	    {"13ms", 13000000},
	    {"39h9m14.425s", 140954425 * (S / 1000)},
	    {"0.100000000000000000000h", 360 * S},
	    {"0.3333333333333333333h", 1200 * S},
	    {"9223372036854775807ns", INT64_MAX},
	    {"9223372036.854775807s", INT64_MAX},
	    {"-9223372036854775808ns", INT64_MIN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct errmsg why = {""};
		int64_t ns = -1;

		if (duration_parse(cases[i].text, &ns, &why) != OK)
			fail_msg("%s: %s", cases[i].text, why.text);
		assert_true(ns == cases[i].ns);
	}
}

static void
bad_durations_are_refused_in_gos_words(void **state)
{
	static const struct {
		const char *text;
		enum err code;
		const char *why;
	} cases[] = {
	    {"", ERR_INVALID, "time: invalid duration \"\""},
	    {"3", ERR_INVALID, "time: missing unit in duration \"3\""},
	    {"-", ERR_INVALID, "time: invalid duration \"-\""},
	    {"s", ERR_INVALID, "time: invalid duration \"s\""},
	    {".", ERR_INVALID, "time: invalid duration \".\""},
	    {".s", ERR_INVALID, "time: invalid duration \".s\""},
	    {"+.s", ERR_INVALID, "time: invalid duration \"+.s\""},
	    {"1d", ERR_INVALID, "time: unknown unit \"d\" in duration \"1d\""},
	    {" 1s", ERR_INVALID, "time: invalid duration \" 1s\""},
	    {"1s ", ERR_INVALID,
		"time: unknown unit \"s \" in duration \"1s \""},
	    {"1h-1m", ERR_INVALID,
		"time: unknown unit \"h-\" in duration \"1h-1m\""},
	    {"1\"\\", ERR_INVALID,
		"time: unknown unit \"\\\"\\\\\" in duration \"1\\\"\\\\\""},
	    {"1\n", ERR_INVALID,
		"time: unknown unit \"\\x0a\" in duration \"1\\x0a\""},
	    {"9223372036854775808ns", ERR_LIMIT,
		"time: invalid duration \"9223372036854775808ns\""},
	    {"3000000h", ERR_LIMIT, "time: invalid duration \"3000000h\""},
	    {"99999999999999999999h", ERR_LIMIT,
		"time: invalid duration \"99999999999999999999h\""},
	    {"9223372036854775807ns1ns", ERR_LIMIT,
		"time: invalid duration \"9223372036854775807ns1ns\""},
	    {"-9223372036854775809ns", ERR_LIMIT,
		"time: invalid duration \"-9223372036854775809ns\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct errmsg why = {""};
		int64_t ns = 77;
		enum err rc = duration_parse(cases[i].text, &ns, &why);

		assert_string_equal(why.text, cases[i].why);
		assert_int_equal(rc, cases[i].code);
		assert_int_equal(ns, 77);
	}
}

static void
durations_print_as_in_go_and_read_back(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
	    {0, "0s"},
	    {1, "1ns"},
	    {1100, "1.1\u00b5s"},
	    {2200000, "2.2ms"},
	    {27291304, "27.291304ms"},
	    {500000000, "500ms"},
	    {3300000000, "3.3s"},
	    {60 * S, "1m0s"},
	    {245 * S, "4m5s"},
	    {245 * S + 1000000, "4m5.001s"},
	    {3600 * S, "1h0m0s"},
	    {8760 * 3600 * S, "8760h0m0s"},
	    {18367 * S + 1000000, "5h6m7.001s"},
	    {480 * S + 1, "8m0.000000001s"},
	    {-1500000000, "-1.5s"},
	    {INT64_MAX, "2562047h47m16.854775807s"},
	    {INT64_MIN, "-2562047h47m16.854775808s"},
	};
	char text[DURATION_TEXT];
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		duration_format(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(duration_parse(text, &ns, NULL), OK);
		assert_true(ns == cases[i].ns);
	}
}

static void
times_print_in_utc(void **state)
{
	char text[DURATION_TEXT];

	(void)state;
	time_format(1528306525, text);
	assert_string_equal(text, "2018-06-06T17:35:25Z");
	time_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	time_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59Z");
	time_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void
clocks_go_forward(void **state)
{
	uint64_t mono = time_mono_ms();

	(void)state;
	assert_true(time_mono_ms() >= mono);
	assert_true(time_wall_ms() > INT64_C(1500000000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations_parse_as_in_go),
	    cmocka_unit_test(bad_durations_are_refused_in_gos_words),
	    cmocka_unit_test(durations_print_as_in_go_and_read_back),
	    cmocka_unit_test(times_print_in_utc),
	    cmocka_unit_test(clocks_go_forward),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
