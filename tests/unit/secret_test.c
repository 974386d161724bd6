/*
 * Goal: an envelope gives back what was put in, and nothing else is believed.
 * Method: round trip; every prefix; versions and key ids we do not have.
 */
#include "storage/secret.h"
#include "tests/support/test.h"

static void
an_envelope_gives_back_its_bytes(void **state)
{
	static const size_t sizes[] = {0, 1, 32, SECRET_SIZE_MAX};
	static uint8_t bytes[SECRET_SIZE_MAX];

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct buf buf = buf_new(SECRET_SIZE_MAX + 100);
		const uint8_t *data;
		struct reader in;
		size_t size;

		secret_put(&buf, bytes, sizes[i]);
		buf_u8(&buf, 7);
		in = (struct reader){buf.data, buf.size};
		assert_int_equal(secret_get(&in, &data, &size, NULL), OK);
		assert_int_equal(size, sizes[i]);
		assert_memory_equal(data, bytes, size);
		assert_int_equal(in.size, 1);
		buf_wipe(&buf);
	}
}

static void
a_secret_above_the_limit_is_refused(void **state)
{
	static const uint8_t bytes[SECRET_SIZE_MAX + 1];
	struct buf buf = buf_new(SECRET_SIZE_MAX * 2);

	(void)state;
	secret_put(&buf, bytes, sizeof(bytes));
	assert_int_equal(buf_status(&buf, NULL), ERR_LIMIT);
	buf_free(&buf);
}

static void
what_is_not_ours_is_refused_and_not_consumed(void **state)
{
	static const struct {
		uint8_t bytes[12];
		size_t size;
		enum err want;
	} cases[] = {
	    {{0}, 0, ERR_CORRUPT},                               /* empty */
	    {{0, 0, 0, 0, 0, 0, 0, 0, 1, 'x'}, 10, ERR_CORRUPT}, /* v0 */
	    {{2, 0, 0, 0, 0, 0, 0, 0, 1, 'x'}, 10, ERR_UNSUPPORTED},
	    {{255}, 1, ERR_UNSUPPORTED}, /* newer */
	    {{1, 0, 0, 0, 1, 0, 0, 0, 1, 'x'}, 10,
		ERR_UNSUPPORTED},                                /* sealed */
	    {{1, 0, 0, 0, 0, 0, 0, 0, 2, 'x'}, 10, ERR_CORRUPT}, /* cut */
	    {{1, 0, 0, 0, 0, 0, 0, 0, 1}, 9, ERR_CORRUPT},
	    {{1, 0, 0, 0}, 4, ERR_CORRUPT},
	    {{1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'x'}, 10, ERR_CORRUPT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reader in = {cases[i].bytes, cases[i].size};
		const uint8_t *data = NULL;
		struct errmsg why;
		size_t size = 9;

		assert_int_equal(
		    secret_get(&in, &data, &size, &why), cases[i].want);
		assert_null(data);
		assert_int_equal(size, 9);
		assert_int_equal(in.size, cases[i].size);
	}
}

static void
wipe_leaves_only_zeroes(void **state)
{
	static const uint8_t zeroes[16];
	uint8_t bytes[16];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	secret_wipe(bytes, sizeof(bytes));
	assert_memory_equal(bytes, zeroes, sizeof(bytes));
	secret_wipe(NULL, 0);
	secret_free_text(NULL);
	secret_free_text(strdup("text"));
}

static void
equal_compares_every_byte(void **state)
{
	uint8_t a[32] = {0}, b[32] = {0};

	(void)state;
	assert_true(secret_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] = 1;
		assert_false(secret_equal(a, b, sizeof(a)));
		b[i] = 0;
	}
	assert_true(secret_equal(a, b, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_envelope_gives_back_its_bytes),
	    cmocka_unit_test(a_secret_above_the_limit_is_refused),
	    cmocka_unit_test(what_is_not_ours_is_refused_and_not_consumed),
	    cmocka_unit_test(wipe_leaves_only_zeroes),
	    cmocka_unit_test(equal_compares_every_byte),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
