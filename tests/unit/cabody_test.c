/*
 * Goal: a CA configuration body is taken as Consul takes it: names in any
 * case, Config kept to the token, unknown fields refused.
 * Method: tables of bodies.
 */
#include "server/api/cabody.h"

#include "tests/support/test.h"

static struct http_slice
slice(const char *text)
{
	return (struct http_slice){text, strlen(text)};
}

static void
good_bodies_are_taken(void **state)
{
	static const struct {
		const char *in, *provider, *config, *state;
		bool force;
		uint64_t modify_index;
	} cases[] = {
	    {"{}", "", "{}", "", false, 0},
	    {"{\"Provider\":\"consul\",\"Config\":{}}", "consul", "{}", "",
		false, 0},
	    {"{\"provider\":\"consul\",\"CONFIG\":{\"b\":1e3,\"a\":"
	     "16238269036752183483}} tail",
		"consul", "{\"a\":16238269036752183483,\"b\":1e3}", "", false,
		0},
	    {"{\"Config\":null,\"State\":null}", "", "{}", "", false, 0},
	    {"{\"State\":{}}", "", "{}", "", false, 0},
	    {"{\"State\":{\"b\":\"2\",\"a\":\"1\"}}", "", "{}",
		"{\"a\":\"1\",\"b\":\"2\"}", false, 0},
	    {"{\"ForceWithoutCrossSigning\":true}", "", "{}", "", true, 0},
	    {"{\"force_without_cross_signing\":true}", "", "{}", "", true, 0},
	    {"{\"ModifyIndex\":18446744073709551615,\"CreateIndex\":7}", "",
		"{}", "", false, UINT64_MAX},
	    {"{\"Config\":{\"x\":{\"d\":[1,{\"f\":2,\"e\":null}],\"c\":true}}}",
		"", "{\"x\":{\"c\":true,\"d\":[1,{\"e\":null,\"f\":2}]}}", "",
		false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cabody body;
		struct errmsg why;

		if (cabody_decode(slice(cases[i].in), &body, &why) != OK)
			fail_msg("%s: %s", cases[i].in, why.text);
		assert_string_equal(
		    (const char *)body.provider.data, cases[i].provider);
		assert_int_equal(body.config.size, strlen(cases[i].config));
		assert_memory_equal(
		    body.config.data, cases[i].config, body.config.size);
		assert_string_equal(
		    (const char *)body.state.data, cases[i].state);
		assert_int_equal(body.force, cases[i].force);
		assert_true(body.modify_index == cases[i].modify_index);
		cabody_free(&body);
	}
}

static void
bad_bodies_are_refused(void **state)
{
	static const struct {
		const char *in, *words;
	} cases[] = {
	    {"", "Request decode failed: EOF"},
	    {"null", "Request decode failed: json: cannot unmarshal null"},
	    {"\"x\"", "Request decode failed: json: cannot unmarshal string"},
	    {"{\"Provider\":1}",
		"json: cannot unmarshal number into field \"Provider\""},
	    {"{\"Config\":[]}",
		"json: cannot unmarshal array into field \"Config\" of type "
		"map"},
	    {"{\"State\":{\"a\":1}}", "into field \"a\" of type string"},
	    {"{\"ForceWithoutCrossSigning\":1}", "of type bool"},
	    {"{\"ModifyIndex\":-1}", "of type uint64"},
	    {"{\"ModifyIndex\":1.5}", "of type uint64"},
	    {"{\"ModifyIndex\":18446744073709551616}", "of type uint64"},
	    {"{\"CreateIndex\":\"1\"}", "of type uint64"},
	    {"{\"Foo\":1}",
		"Request decode failed: json: unknown field \"Foo\""},
	    {"{\"Config\":{\"a\":1,\"a\":2}}", "Request decode failed: "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct errmsg why = {.text = ""};
		struct cabody body;

		assert_int_equal(cabody_decode(slice(cases[i].in), &body, &why),
		    ERR_INVALID);
		if (strstr(why.text, cases[i].words) == NULL)
			fail_msg("%s: %s", cases[i].in, why.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_bodies_are_taken),
	    cmocka_unit_test(bad_bodies_are_refused),
	};

	return cmocka_run_group_tests_name("cabody", tests, NULL, NULL);
}
