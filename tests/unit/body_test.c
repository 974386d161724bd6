/*
 * Goal: a body lives exactly as long as its references.
 * Method: counts by hand; the sanitizer watches the memory.
 */
#include "server/net/body.h"
#include "tests/support/test.h"

static void
the_last_reference_frees(void **state)
{
	struct body *body = body_new("abc", 3);

	(void)state;
	assert_non_null(body);
	assert_int_equal(body->size, 3);
	assert_memory_equal(body->data, "abc", 3);
	assert_ptr_equal(body_ref(body), body);
	assert_int_equal(body->references, 2);
	body->secret = true;
	body_unref(body);
	assert_memory_equal(body->data, "abc", 3);
	body_unref(body);
	body_unref(NULL);
}

static void
an_empty_body_is_a_body(void **state)
{
	struct body *body = body_new(NULL, 0);

	(void)state;
	assert_non_null(body);
	assert_int_equal(body->size, 0);
	body_unref(body);
}

static void
a_size_that_wraps_is_out_of_memory(void **state)
{
	(void)state;
	assert_null(body_new("", SIZE_MAX - 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_reference_frees),
	    cmocka_unit_test(an_empty_body_is_a_body),
	    cmocka_unit_test(a_size_that_wraps_is_out_of_memory),
	};

	return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
