/*
 * Goal: one event is one clean line whatever its values hold, in both forms;
 * floods are cut and owned up to.
 * Method: standard error goes into a file for the time of a case.
 */
#include "server/log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "server/duration.h"
#include "server/json.h"
#include "tests/support/test.h"

#define OUTPUT_MAX (1 << 18)

static int saved_stderr;
static FILE *captured;

static void
capture(void)
{
	captured = tmpfile();
	assert_non_null(captured);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
}

/* What was written since capture; the caller frees. */
static char *
release(void)
{
	char *text = calloc(1, OUTPUT_MAX);
	size_t size;

	assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
	close(saved_stderr);
	assert_non_null(text);
	rewind(captured);
	size = fread(text, 1, OUTPUT_MAX - 1, captured);
	text[size] = '\0';
	fclose(captured);
	return text;
}

/* Budgets run by the second of the monotonic clock: begin a fresh one. */
static void
wait_for_next_second(void)
{
	uint64_t second = time_mono_ms() / 1000;

	while (time_mono_ms() / 1000 == second)
		usleep(5000);
}

static void
text_lines_have_time_level_and_subsystem(void **state)
{
	static const struct {
		enum log_level level;
		const char *rest;
	} cases[] = {
	    {LOG_TRACE, " [TRACE] raft: m: term=4\n"},
	    {LOG_DEBUG, " [DEBUG] raft: m: term=4\n"},
	    {LOG_INFO, " [INFO]  raft: m: term=4\n"},
	    {LOG_WARN, " [WARN]  raft: m: term=4\n"},
	    {LOG_ERROR, " [ERROR] raft: m: term=4\n"},
	};
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text;

		log_configure(LOG_TRACE, false);
		capture();
		log_event(cases[i].level, "raft", "m: term=%d", 4);
		text = release();
		for (size_t j = 0; j < strlen(shape); j++) {
			if (shape[j] == 'd')
				assert_in_range(text[j], '0', '9');
			else
				assert_int_equal(text[j], shape[j]);
		}
		assert_string_equal(text + strlen(shape), cases[i].rest);
		free(text);
	}
}

static void
levels_below_the_configured_one_are_silent(void **state)
{
	char *text;

	(void)state;
	log_configure(LOG_WARN, false);
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_WARN));
	capture();
	log_event(LOG_INFO, "x", "unseen");
	text = release();
	assert_string_equal(text, "");
	free(text);
}

static void
values_cannot_break_the_line(void **state)
{
	static const char evil[] =
	    "a\nb\r\x1b[31m\x7f\t\xc2\x9b\xff\xc3\xa9\"\\";
	char *text, *at;

	(void)state;
	log_configure(LOG_INFO, false);
	capture();
	log_event(LOG_INFO, "http", "path=%s", evil);
	text = release();
	at = strstr(text, "path=");
	assert_non_null(at);
	assert_string_equal(at,
	    "path=a\\nb\\r\\x1b[31m\\x7f\\t\\u009b\\xff"
	    "\xc3\xa9\"\\\n");
	free(text);
}

static void
json_lines_are_json_whatever_they_hold(void **state)
{
	char evil[300], *text;
	struct json_doc *doc;
	struct errmsg why = {""};

	(void)state;
	for (size_t i = 0; i < sizeof(evil) - 1; i++)
		evil[i] = (char)(i % 255 + 1);
	evil[sizeof(evil) - 1] = '\0';
	log_configure(LOG_INFO, true);
	capture();
	log_event(LOG_WARN, "http", "say %s", evil);
	text = release();
	if (json_parse_file("line", text, strlen(text), &doc, &why) != OK)
		fail_msg("%s: %s", why.text, text);
	assert_string_equal(
	    json_string(json_get(json_root(doc), "@level")), "warn");
	assert_string_equal(
	    json_string(json_get(json_root(doc), "@module")), "http");
	assert_non_null(json_get(json_root(doc), "@timestamp"));
	assert_int_equal(
	    strncmp(json_string(json_get(json_root(doc), "@message")),
		"say \x01", 5),
	    0);
	json_free(doc);
	free(text);
}

static void
long_messages_are_cut(void **state)
{
	char *big = calloc(1, 100001), *text;
	struct json_doc *doc;
	struct errmsg why = {""};

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 100000);
	log_configure(LOG_INFO, false);
	capture();
	log_event(LOG_INFO, "s", "%s", big);
	text = release();
	assert_in_range(strlen(text), 1024, 1100);
	assert_non_null(strstr(text, "xxx...\n"));
	free(text);

	/* Six bytes of escape each: cut again, and still JSON. */
	memset(big, '\x01', 100000);
	log_configure(LOG_INFO, true);
	capture();
	log_event(LOG_INFO, "s", "%s", big);
	text = release();
	assert_in_range(strlen(text), 2000, 4096);
	if (json_parse_file("line", text, strlen(text), &doc, &why) != OK)
		fail_msg("%s: %s", why.text, text);
	json_free(doc);
	free(text);
	free(big);
}

static unsigned
count_lines(const char *text)
{
	unsigned lines = 0;

	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

static void
floods_are_dropped_and_owned_up_to_but_errors_are_not(void **state)
{
	char *text;

	(void)state;
	log_configure(LOG_INFO, false);
	wait_for_next_second();
	capture();
	for (int i = 0; i < 500; i++)
		log_event(LOG_WARN, "x", "flood");
	text = release();
	assert_int_equal(count_lines(text), 200);
	free(text);
	capture();
	for (int i = 0; i < 300; i++)
		log_event(LOG_ERROR, "x", "grave");
	text = release();
	assert_int_equal(count_lines(text), 300);
	free(text);
	wait_for_next_second();
	capture();
	log_event(LOG_WARN, "x", "again");
	log_event(LOG_WARN, "x", "again");
	text = release();
	assert_int_equal(count_lines(text), 3);
	assert_non_null(strstr(text,
	    "[WARN]  log: too many lines, dropped: level=warn count=300\n"));
	free(text);
}

static void
level_names_are_read_in_any_case(void **state)
{
	enum log_level level;

	(void)state;
	assert_true(log_level_parse("Trace", &level));
	assert_int_equal(level, LOG_TRACE);
	assert_true(log_level_parse("ERR", &level));
	assert_int_equal(level, LOG_ERROR);
	assert_false(log_level_parse("", &level));
	assert_false(log_level_parse("warning", &level));
	assert_string_equal(log_level_name(LOG_WARN), "warn");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_lines_have_time_level_and_subsystem),
	    cmocka_unit_test(levels_below_the_configured_one_are_silent),
	    cmocka_unit_test(values_cannot_break_the_line),
	    cmocka_unit_test(json_lines_are_json_whatever_they_hold),
	    cmocka_unit_test(long_messages_are_cut),
	    cmocka_unit_test(
		floods_are_dropped_and_owned_up_to_but_errors_are_not),
	    cmocka_unit_test(level_names_are_read_in_any_case),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
