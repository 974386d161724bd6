/*
 * Goal: only strict JSON is taken, integers are exact, positions are right, and
 * output is what Go's encoder writes.
 * Method: tables of refused and taken texts; every prefix of a good document;
 * round trips; allocation torture.
 */
#include "server/json.h"

#include "tests/support/test.h"

static struct json_doc *
parse(const char *text)
{
	struct json_doc *doc = NULL;
	struct errmsg why = {""};
	size_t rest;

	if (json_parse(text, strlen(text), &rest, &doc, &why) != OK)
		fail_msg("%s: %s", text, why.text);
	return doc;
}

static char *
text_of(struct buf *out)
{
	buf_u8(out, '\0');
	assert_int_equal(out->failed, OK);
	return (char *)out->data;
}

static void
bad_text_is_refused_with_its_position(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"", "EOF"},
	    {" \n\t ", "EOF"},
	    {"{", "line 1, column 2: unexpected end of JSON input"},
	    {"{\"a\":1,}",
		"line 1, column 8: invalid character '}' looking "
		"for object key string"},
	    {"[1,]",
		"line 1, column 4: invalid character ']' looking for "
		"beginning of value"},
	    {"{\n  \"a\" 1}",
		"line 2, column 7: invalid character '1' after object key"},
	    {"[1 2]",
		"line 1, column 4: invalid character '2' after array "
		"element"},
	    {"{\"a\":1 \"b\":2}",
		"line 1, column 8: invalid character '\"' "
		"after object key:value pair"},
	    {"tru", "line 1, column 4: unexpected end of JSON input"},
	    {"nul1", "line 1, column 4: invalid character '1' in literal"},
	    {"'a'",
		"line 1, column 1: invalid character ''' looking for "
		"beginning of value"},
	    {"01",
		"line 1, column 2: invalid character '1' after a leading "
		"zero"},
	    {"-", "line 1, column 2: unexpected end of JSON input"},
	    {"+1",
		"line 1, column 1: invalid character '+' looking for "
		"beginning of value"},
	    {"1.x",
		"line 1, column 3: invalid character 'x' after decimal "
		"point"},
	    {"1e+", "line 1, column 4: unexpected end of JSON input"},
	    {"[1e999]", "line 1, column 2: number out of range"},
	    {"-1e309", "line 1, column 1: number out of range"},
	    {"NaN",
		"line 1, column 1: invalid character 'N' looking for "
		"beginning of value"},
	    {"1111111111111111111111111111111111111111111111111111111111111111",
		"line 1, column 1: number of over 63 characters"},
	    {"\"\x01\"",
		"line 1, column 2: invalid byte 0x01 in string "
		"literal"},
	    {"\"a\nb\"",
		"line 1, column 3: invalid byte 0x0a in string "
		"literal"},
	    {"\"\\x\"",
		"line 1, column 3: invalid character 'x' in string escape "
		"code"},
	    {"\"\\u12g4\"",
		"line 1, column 6: invalid character 'g' in \\u escape"},
	    {"\"\\u0000\"", "line 1, column 2: NUL character in string"},
	    {"\"\\ud800\"",
		"line 1, column 2: half of a surrogate pair in string"},
	    {"\"\\ud800\\u0041\"",
		"line 1, column 2: half of a surrogate pair in string"},
	    {"\"\\udc00\"",
		"line 1, column 2: half of a surrogate pair in string"},
	    {"\"\xff\"",
		"line 1, column 2: invalid byte 0xff in string literal: not "
		"UTF-8"},
	    {"\"\xc0\x80\"",
		"line 1, column 2: invalid byte 0xc0 in string "
		"literal: not UTF-8"},
	    {"\"\xed\xa0\x80\"",
		"line 1, column 2: invalid byte 0xed in "
		"string literal: not UTF-8"},
	    {"\xef\xbb\xbf{}",
		"line 1, column 1: invalid byte 0xef looking "
		"for beginning of value"},
	    {"{\"a\":1,\n \"a\":2}", "line 2, column 2: duplicate key \"a\""},
	    {"{\"x\":{\"a\":1,\"\\u0061\":2}}",
		"line 1, column 13: duplicate key \"a\""},
	    {"{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,"
	     "\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0,\"m\":0,\"c\":0}",
		"line 1, column 80: duplicate key \"c\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_doc *doc = NULL;
		struct errmsg why = {""};
		size_t rest;
		enum err rc = json_parse(
		    cases[i].text, strlen(cases[i].text), &rest, &doc, &why);

		assert_string_equal(why.text, cases[i].why);
		assert_int_equal(rc, ERR_INVALID);
		assert_null(doc);
	}
}

static void
limits_are_refused_by_name(void **state)
{
	struct buf text = buf_new(JSON_SIZE_MAX + 64);
	struct json_doc *doc = NULL;
	struct errmsg why;
	size_t rest;

	(void)state;
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_u8(&text, '[');
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_u8(&text, ']');
	assert_int_equal(
	    json_parse(text.data, text.size, NULL, &doc, &why), OK);
	json_free(doc);
	doc = NULL;
	buf_reset(&text);
	for (int i = 0; i < 100000; i++)
		buf_u8(&text, '[');
	assert_int_equal(
	    json_parse(text.data, text.size, &rest, &doc, &why), ERR_INVALID);
	assert_string_equal(
	    why.text, "line 1, column 33: nested deeper than 32");

	buf_reset(&text);
	buf_puts(&text, "[0");
	for (int i = 0; i < JSON_VALUES_MAX; i++)
		buf_puts(&text, ",0");
	buf_puts(&text, "]");
	assert_int_equal(
	    json_parse(text.data, text.size, &rest, &doc, &why), ERR_LIMIT);

	buf_reset(&text);
	buf_puts(&text, "{\"0\":0");
	for (int i = 1; i <= JSON_MEMBERS_MAX; i++)
		buf_printf(&text, ",\"%d\":0", i);
	buf_puts(&text, "}");
	assert_int_equal(
	    json_parse(text.data, text.size, &rest, &doc, &why), ERR_LIMIT);

	buf_reset(&text);
	while (text.size <= JSON_SIZE_MAX)
		buf_u8(&text, ' ');
	assert_int_equal(
	    json_parse(text.data, text.size, &rest, &doc, &why), ERR_LIMIT);
	assert_null(doc);
	buf_free(&text);
}

static void
every_prefix_of_a_document_is_refused(void **state)
{
	static const char text[] =
	    "{\"a\\u00e9\":[1,-2.5e3,true,null],\"b\":{\"c\":\"\xc3\xa9\"}}";
	struct json_doc *doc = NULL;
	struct errmsg why;
	size_t rest;

	(void)state;
	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		assert_int_equal(
		    json_parse(text, size, &rest, &doc, &why), ERR_INVALID);
	}
	json_free(parse(text));
}

static void
bytes_behind_the_value_are_left_or_refused(void **state)
{
	static const char text[] = "{\"a\":1}\n{\"b\"";
	struct json_doc *doc = NULL;
	struct errmsg why;
	size_t rest = 0;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &rest, &doc, &why), OK);
	assert_int_equal(rest, 5);
	json_free(doc);
	doc = NULL;
	assert_int_equal(
	    json_parse(text, strlen(text), NULL, &doc, &why), ERR_INVALID);
	assert_int_equal(
	    json_parse_file("x.json", text, strlen(text), &doc, &why),
	    ERR_INVALID);
	assert_string_equal(
	    why.text, "x.json:2:1: more text after the end of the JSON value");
	assert_int_equal(
	    json_parse_file("x.json", " 1\t\n", 4, &doc, &why), OK);
	json_free(doc);
}

static void
integers_come_from_the_token(void **state)
{
	static const struct {
		const char *text;
		bool is_u64, is_i64;
		uint64_t u64;
		int64_t i64;
	} cases[] = {
	    {"0", true, true, 0, 0},
	    {"-0", false, true, 0, 0},
	    {"16238269036752183483", true, false,
		UINT64_C(16238269036752183483), 0},
	    {"9007199254740993", true, true, UINT64_C(9007199254740993),
		INT64_C(9007199254740993)},
	    {"18446744073709551615", true, false, UINT64_MAX, 0},
	    {"18446744073709551616", false, false, 0, 0},
	    {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
	    {"9223372036854775808", true, false, UINT64_C(1) << 63, 0},
	    {"-9223372036854775808", false, true, 0, INT64_MIN},
	    {"-9223372036854775809", false, false, 0, 0},
	    {"1.0", false, false, 0, 0},
	    {"1e2", false, false, 0, 0},
	    {"\"1\"", false, false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_doc *doc = parse(cases[i].text);
		uint64_t u64 = 0;
		int64_t i64 = 0;

		assert_int_equal(
		    json_u64(doc, json_root(doc), &u64), cases[i].is_u64);
		assert_int_equal(
		    json_i64(doc, json_root(doc), &i64), cases[i].is_i64);
		if (cases[i].is_u64)
			assert_true(u64 == cases[i].u64);
		if (cases[i].is_i64)
			assert_true(i64 == cases[i].i64);
		json_free(doc);
	}
}

static void
values_are_found_with_type_token_and_position(void **state)
{
	struct json_doc *doc = parse("{\n \"A\": \"x\",\n \"n\": [1,\n  -2.50]"
				     ",\"t\":true,\"z\":null}");
	const struct json *root = json_root(doc), *value;
	unsigned line, column;

	(void)state;
	assert_int_equal(json_type(root), JSON_OBJECT);
	assert_null(json_get(root, "a"));
	assert_string_equal(json_string(json_get_fold(root, "a")), "x");
	assert_string_equal(json_key(json_first(root)), "A");
	value = json_get(root, "n");
	assert_int_equal(json_type(value), JSON_ARRAY);
	assert_null(json_get(value, "A"));
	json_position(doc, value, &line, &column);
	assert_int_equal(line, 3);
	assert_int_equal(column, 2);
	value = json_next(json_first(value));
	assert_null(json_next(value));
	assert_string_equal(json_key(value), "");
	assert_string_equal(json_token(doc, value), "-2.50");
	assert_true(json_number(value) < -2.4 && json_number(value) > -2.6);
	json_position(doc, value, &line, &column);
	assert_int_equal(line, 4);
	assert_int_equal(column, 3);
	assert_true(json_bool(json_get(root, "t")));
	assert_int_equal(json_type(json_get(root, "z")), JSON_NULL);
	assert_null(json_string(json_get(root, "z")));
	assert_null(json_token(doc, root));
	json_wipe(doc);
	json_free(NULL);
	json_wipe(NULL);
}

static void
equality_is_of_content(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
	    {"{\"a\":1,\"b\":[true,null]}", "{\"b\":[true,null],\"a\":1.0}",
		true},
	    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
	    {"{\"a\":1,\"b\":2}", "{\"a\":1}", false},
	    {"{\"a\":1}", "{\"A\":1}", false},
	    {"[1,2]", "[2,1]", false},
	    {"[1,2]", "[1,2,3]", false},
	    {"\"\\u0041\"", "\"A\"", true},
	    {"true", "false", false},
	    {"null", "false", false},
	    {"{}", "[]", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_doc *a = parse(cases[i].a), *b = parse(cases[i].b);

		assert_int_equal(
		    json_equal(json_root(a), json_root(b)), cases[i].equal);
		assert_int_equal(
		    json_equal(json_root(b), json_root(a)), cases[i].equal);
		json_free(a);
		json_free(b);
	}
}

static void
text_is_written_as_go_writes_it(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"<a href=\"x\">&</a>",
		"\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\u003c/a\\u003e\""},
	    {"a\\b\n\r\t\x01\x7f", "\"a\\\\b\\n\\r\\t\\u0001\x7f\""},
	    {"\xe2\x80\xa8\xe2\x80\xa9\xc3\xa9\xf0\x9f\x98\x80",
		"\"\\u2028\\u2029\xc3\xa9\xf0\x9f\x98\x80\""},
	    {"a\xff\xc3", "\"a\\ufffd\\ufffd\""},
	    {"", "\"\""},
	};
	struct buf out = buf_new(1024);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_reset(&out);
		json_put_cstring(&out, cases[i].in);
		assert_string_equal(text_of(&out), cases[i].out);
	}
	buf_free(&out);
}

static void
values_are_written_compact_with_their_tokens(void **state)
{
	struct json_doc *doc =
	    parse("{ \"b\" : [ 1.50, -0, 18446744073709551615, {} ],\n"
		  "  \"a\" : { \"z\":null, \"y\":true }, \"B\":\"\\u003c\" }");
	struct buf out = buf_new(1024);

	(void)state;
	json_put(&out, doc, json_root(doc), false);
	assert_string_equal(text_of(&out),
	    "{\"b\":[1.50,-0,18446744073709551615,{}],\"a\":{\"z\":null,"
	    "\"y\":true},\"B\":\"\\u003c\"}");
	buf_reset(&out);
	json_put(&out, doc, json_root(doc), true);
	assert_string_equal(text_of(&out),
	    "{\"B\":\"\\u003c\",\"a\":{\"y\":true,\"z\":null},\"b\":[1.50,-0,"
	    "18446744073709551615,{}]}");
	buf_free(&out);
	json_free(doc);
}

static void
pretty_text_is_indented_and_ends_in_a_newline(void **state)
{
	static const char in[] =
	    "{\"a\":[1,{\"b\":\"x,{\\\"\"}],\"c\":{},\"d\":[]}";
	struct buf out = buf_new(1024);

	(void)state;
	json_pretty(&out, in, strlen(in), 4);
	assert_string_equal(text_of(&out),
	    "{\n    \"a\": [\n        1,\n        {\n            \"b\": "
	    "\"x,{\\\"\"\n        }\n    ],\n    \"c\": {},\n    \"d\": []\n"
	    "}\n");
	buf_reset(&out);
	json_pretty(&out, "[1]", 3, 0);
	assert_string_equal(text_of(&out), "[\n\t1\n]\n");
	buf_reset(&out);
	json_pretty(&out, "null", 4, 2);
	assert_string_equal(text_of(&out), "null\n");
	buf_free(&out);
}

static enum err
parse_and_print(void *arg)
{
	static const char text[] = "{\"a\":[1,2,{\"b\":\"c\"}],\"d\":null}";
	struct buf out = buf_new(256);
	struct json_doc *doc = NULL;
	size_t rest;
	enum err rc;

	(void)arg;
	rc = json_parse(text, strlen(text), &rest, &doc, NULL);
	if (rc == OK) {
		json_put(&out, doc, json_root(doc), true);
		rc = buf_status(&out, NULL);
	}
	json_wipe(doc);
	buf_free(&out);
	return rc;
}

static void
survives_memory_running_out_anywhere(void **state)
{
	(void)state;
	test_torture(parse_and_print, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_text_is_refused_with_its_position),
	    cmocka_unit_test(limits_are_refused_by_name),
	    cmocka_unit_test(every_prefix_of_a_document_is_refused),
	    cmocka_unit_test(bytes_behind_the_value_are_left_or_refused),
	    cmocka_unit_test(integers_come_from_the_token),
	    cmocka_unit_test(values_are_found_with_type_token_and_position),
	    cmocka_unit_test(equality_is_of_content),
	    cmocka_unit_test(text_is_written_as_go_writes_it),
	    cmocka_unit_test(values_are_written_compact_with_their_tokens),
	    cmocka_unit_test(pretty_text_is_indented_and_ends_in_a_newline),
	    cmocka_unit_test(survives_memory_running_out_anywhere),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
