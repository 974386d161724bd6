/*
 * Goal: what is written is read back; limits, short input and lack of memory
 * are answers, and change nothing.
 * Method: round trips, tables of limits, every prefix of a good record,
 * torture.
 */
#include "storage/buf.h"
#include "tests/support/test.h"

/* One of each kind. */
static void
write_all_kinds(struct buf *buf)
{
	buf_u8(buf, 0xab);
	buf_u16(buf, 0x0102);
	buf_u32(buf, 0xdeadbeef);
	buf_u64(buf, UINT64_C(0x0102030405060708));
	buf_text(buf, "hello");
	buf_raw(buf, "xyz", 3);
	buf_bytes(buf, NULL, 0);
}

/* Read them back; false at the first that is refused. */
static bool
read_all_kinds(struct reader *in)
{
	const uint8_t *data;
	char *text = NULL;
	uint8_t u8, raw[3];
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	size_t size;

	if (!read_u8(in, &u8) || !read_u16(in, &u16) || !read_u32(in, &u32) ||
	    !read_u64(in, &u64))
		return false;
	if (read_text(in, 5, &text) != OK)
		return false;
	assert_string_equal(text, "hello");
	free(text);
	if (!read_raw(in, raw, sizeof(raw)) || !read_bytes(in, 0, &data, &size))
		return false;
	assert_int_equal(u8, 0xab);
	assert_int_equal(u16, 0x0102);
	assert_int_equal(u32, 0xdeadbeef);
	assert_true(u64 == UINT64_C(0x0102030405060708));
	assert_memory_equal(raw, "xyz", 3);
	assert_int_equal(size, 0);
	return true;
}

static void
what_is_written_is_read_back(void **state)
{
	struct buf buf = buf_new(1000);
	struct reader in;

	(void)state;
	write_all_kinds(&buf);
	assert_int_equal(buf_status(&buf, NULL), OK);
	in = (struct reader){buf.data, buf.size};
	assert_true(read_all_kinds(&in));
	assert_int_equal(in.size, 0);
	buf_free(&buf);
}

static void
every_prefix_is_refused(void **state)
{
	struct buf buf = buf_new(1000);

	(void)state;
	write_all_kinds(&buf);
	for (size_t size = 0; size < buf.size; size++) {
		struct reader in = {buf.data, size};

		assert_false(read_all_kinds(&in));
	}
	buf_free(&buf);
}

static void
integers_are_big_endian(void **state)
{
	static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7};
	struct buf buf = buf_new(100);

	(void)state;
	buf_u8(&buf, 1);
	buf_u16(&buf, 0x0203);
	buf_u32(&buf, 0x04050607);
	assert_int_equal(buf.size, sizeof(want));
	assert_memory_equal(buf.data, want, sizeof(want));
	buf_free(&buf);
}

static void
the_limit_holds_and_the_failure_sticks(void **state)
{
	struct errmsg why;

	(void)state;
	for (size_t max = 0; max < 200; max++) {
		struct buf buf = buf_new(max);

		for (size_t i = 0; i < max; i++)
			buf_u8(&buf, (uint8_t)i);
		assert_int_equal(buf_status(&buf, &why), OK);
		assert_int_equal(buf.size, max);
		buf_u8(&buf, 1);
		assert_int_equal(buf_status(&buf, &why), ERR_LIMIT);
		buf_raw(&buf, NULL, 0);
		assert_int_equal(buf_status(&buf, &why), ERR_LIMIT);
		assert_int_equal(buf.size, max);
		buf_reset(&buf);
		assert_int_equal(buf_status(&buf, &why), OK);
		assert_int_equal(buf.size, 0);
		buf_free(&buf);
		assert_int_equal(buf.max, max);
	}
}

static void
a_length_that_overflows_is_refused(void **state)
{
	struct buf buf = buf_new(SIZE_MAX);

	(void)state;
	buf_u8(&buf, 1);
	assert_null(buf_reserve(&buf, SIZE_MAX));
	assert_int_equal(buf_status(&buf, NULL), ERR_LIMIT);
	buf_free(&buf);
}

static void
printf_fills_up_to_the_limit(void **state)
{
	struct buf buf = buf_new(70);

	(void)state;
	buf_printf(&buf, "%s", "");
	buf_printf(&buf, "%s-%d", "abc", 42);
	assert_memory_equal(buf.data, "abc-42", 6);
	buf_printf(&buf, "%64s", "x"); /* exactly full, no room for a NUL */
	assert_int_equal(buf_status(&buf, NULL), OK);
	assert_int_equal(buf.size, 70);
	assert_int_equal(buf.data[69], 'x');
	buf_printf(&buf, "%d", 1);
	assert_int_equal(buf_status(&buf, NULL), ERR_LIMIT);
	assert_int_equal(buf.size, 70);
	buf_free(&buf);
}

static void
reserve_then_added_is_a_write(void **state)
{
	struct buf buf = buf_new(1000);
	uint8_t *to;

	(void)state;
	to = buf_reserve(&buf, 300);
	assert_non_null(to);
	memcpy(to, "ab", 2);
	buf_added(&buf, 2);
	buf_puts(&buf, "cd");
	assert_int_equal(buf.size, 4);
	assert_memory_equal(buf.data, "abcd", 4);
	assert_non_null(buf_reserve(&buf, 0));
	buf_wipe(&buf);
	assert_null(buf.data);
}

static void
a_refused_read_changes_nothing(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 4, 'a', 'b', 'c'};
	struct reader in = {bytes, sizeof(bytes)};
	const uint8_t *data = NULL;
	char *text = NULL;
	uint64_t u64 = 9;
	size_t size = 9;

	(void)state;
	assert_false(read_u64(&in, &u64));
	assert_false(read_bytes(&in, 100, &data, &size)); /* cut short */
	assert_int_equal(read_text(&in, 100, &text), ERR_CORRUPT);
	assert_ptr_equal(in.data, bytes);
	assert_int_equal(in.size, sizeof(bytes));
	assert_null(data);
	assert_null(text);
	assert_int_equal(size, 9);
	assert_true(u64 == 9);
}

static void
a_length_above_max_or_a_nul_in_text_is_refused(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 3, 'a', 0, 'c'};
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a'};
	struct reader in = {bytes, sizeof(bytes)};
	struct reader wide = {huge, sizeof(huge)};
	const uint8_t *data;
	char *text = NULL;
	size_t size;

	(void)state;
	assert_false(read_bytes(&in, 2, &data, &size));
	assert_int_equal(read_text(&in, 2, &text), ERR_CORRUPT);
	assert_int_equal(read_text(&in, 3, &text), ERR_CORRUPT);
	assert_false(read_bytes(&wide, SIZE_MAX, &data, &size));
	assert_null(text);
	assert_true(read_bytes(&in, 3, &data, &size));
	assert_int_equal(size, 3);
}

static enum err
write_and_read(void *arg)
{
	struct buf buf = buf_new(1000);
	struct reader in;
	char *text = NULL;
	enum err rc;

	(void)arg;
	buf_text(&buf, "some text");
	buf_printf(&buf, "%100d", 1);
	buf_printf(&buf, "%200d", 1);
	rc = buf_status(&buf, NULL);
	if (rc != OK)
		goto out;
	in = (struct reader){buf.data, buf.size};
	rc = read_text(&in, 100, &text);
out:
	free(text);
	buf_wipe(&buf);
	return rc;
}

static void
every_lack_of_memory_is_an_answer(void **state)
{
	(void)state;
	test_torture(write_and_read, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read_back),
	    cmocka_unit_test(every_prefix_is_refused),
	    cmocka_unit_test(integers_are_big_endian),
	    cmocka_unit_test(the_limit_holds_and_the_failure_sticks),
	    cmocka_unit_test(a_length_that_overflows_is_refused),
	    cmocka_unit_test(printf_fills_up_to_the_limit),
	    cmocka_unit_test(reserve_then_added_is_a_write),
	    cmocka_unit_test(a_refused_read_changes_nothing),
	    cmocka_unit_test(a_length_above_max_or_a_nul_in_text_is_refused),
	    cmocka_unit_test(every_lack_of_memory_is_an_answer),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
