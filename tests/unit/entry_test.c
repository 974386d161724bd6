/*
 * Goal: an entry comes back as it was written, and no damaged one is believed.
 * Method: round trips, a table of damages, every proper prefix, failing memory.
 */
#include "fsm/entry.h"
#include "storage/hash.h"
#include "tests/support/test.h"

#define HEAD_SIZE    (4 + 8 + 8 + 32 + 2)
#define COUNT_OFFSET (HEAD_SIZE - 2)

static const uint8_t previous[DB_HASH_SIZE] = {1, 2, 3, [31] = 9};
static const struct request_id id_a = {3, 4, 5, 2};

static struct buf
entry_of(size_t count, const char *command, size_t size)
{
	struct buf out = buf_new(ENTRY_SIZE_MAX);
	uint8_t hash[DB_HASH_SIZE];
	struct errmsg why;

	entry_begin(&out, 77, 6, previous);
	for (size_t i = 0; i < count; i++)
		entry_add(&out, &id_a, command, size);
	assert_int_equal(entry_end(&out, (uint16_t)count, hash, &why), OK);
	return out;
}

/* Read the whole entry as apply does. */
static enum err
read_all(const uint8_t *data, size_t size)
{
	struct reader in = {data, size};
	struct entry_head head;
	struct request_id id;
	const uint8_t *command;
	struct errmsg why;
	size_t length;
	enum err rc;

	rc = entry_open(&in, &head, &why);
	for (size_t i = 0; rc == OK && i < head.count; i++)
		rc = entry_next(&in, &id, &command, &length, &why);
	return rc == OK ? entry_close(&in, &why) : rc;
}

static void
entry_reads_back_as_written(void **state)
{
	struct buf out = buf_new(ENTRY_SIZE_MAX);
	uint8_t hash[DB_HASH_SIZE], want[DB_HASH_SIZE];
	struct entry_head head;
	struct request_id id;
	const uint8_t *command;
	struct reader in;
	struct errmsg why;
	size_t size;

	(void)state;
	entry_begin(&out, 77, 6, previous);
	entry_add(&out, &id_a, "hello", 5);
	entry_add(&out, &(struct request_id){0}, NULL, 0);
	assert_int_equal(entry_end(&out, 2, hash, &why), OK);
	assert_int_equal(out.size % 8, 0);
	hash_bytes(out.data, out.size, want);
	assert_memory_equal(hash, want, sizeof(want));

	in = (struct reader){out.data, out.size};
	assert_int_equal(entry_open(&in, &head, &why), OK);
	assert_int_equal(head.index, 77);
	assert_int_equal(head.term, 6);
	assert_int_equal(head.count, 2);
	assert_memory_equal(head.previous, previous, sizeof(previous));
	assert_int_equal(entry_next(&in, &id, &command, &size, &why), OK);
	assert_memory_equal(&id, &id_a, sizeof(id));
	assert_int_equal(size, 5);
	assert_memory_equal(command, "hello", 5);
	assert_int_equal(entry_next(&in, &id, &command, &size, &why), OK);
	assert_int_equal(size, 0);
	assert_int_equal(entry_close(&in, &why), OK);
	buf_free(&out);
}

static void
padding_fills_up_to_eight_for_every_length(void **state)
{
	(void)state;
	for (size_t size = 0; size < 17; size++) {
		struct buf out = entry_of(1, "0123456789abcdef!", size);

		assert_int_equal(out.size % 8, 0);
		assert_true(out.size < HEAD_SIZE + 4 * 8 + 4 + size + 8);
		assert_int_equal(read_all(out.data, out.size), OK);
		buf_free(&out);
	}
}

static void
open_refuses_every_proper_prefix(void **state)
{
	struct buf out = entry_of(3, "command", 7);

	(void)state;
	for (size_t size = 0; size < out.size; size++)
		assert_int_equal(read_all(out.data, size), ERR_CORRUPT);
	assert_int_equal(read_all(out.data, out.size), OK);
	buf_free(&out);
}

static void
damaged_entries_are_refused(void **state)
{
	static const struct {
		const char *what;
		size_t offset;
		uint8_t value;
	} cases[] = {
	    {"magic", 0, 'X'},
	    {"more commands than allowed", COUNT_OFFSET, 1},
	    {"more commands than there are", COUNT_OFFSET + 1, 2},
	    {"fewer commands than there are", COUNT_OFFSET + 1, 0},
	    {"length of a command", HEAD_SIZE + 32, 0xff},
	    {"padding", 95, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = entry_of(1, "abc", 3);

		assert_int_equal(out.size, 96);
		assert_int_not_equal(out.data[cases[i].offset], cases[i].value);
		out.data[cases[i].offset] = cases[i].value;
		if (read_all(out.data, out.size) != ERR_CORRUPT)
			fail_msg("%s was believed", cases[i].what);
		buf_free(&out);
	}
}

static void
eight_more_zero_bytes_are_no_padding(void **state)
{
	struct buf out = entry_of(1, "abc", 3);

	(void)state;
	buf_u64(&out, 0);
	assert_int_equal(read_all(out.data, out.size), ERR_CORRUPT);
	buf_free(&out);
}

static void
entry_above_its_size_is_a_limit_not_a_crash(void **state)
{
	static const uint8_t big[600 * 1024];
	struct buf out = buf_new(ENTRY_SIZE_MAX);
	uint8_t hash[DB_HASH_SIZE];
	struct errmsg why;

	(void)state;
	entry_begin(&out, 1, 1, previous);
	entry_add(&out, &id_a, big, sizeof(big));
	entry_add(&out, &id_a, big, sizeof(big));
	assert_int_equal(entry_end(&out, 2, hash, &why), ERR_LIMIT);
	buf_free(&out);
}

static enum err
build(void *arg)
{
	struct buf out = buf_new(ENTRY_SIZE_MAX);
	uint8_t hash[DB_HASH_SIZE];
	struct errmsg why;
	enum err rc;

	(void)arg;
	entry_begin(&out, 1, 1, previous);
	for (int i = 0; i < 20; i++)
		entry_add(&out, &id_a, "0123456789", 10);
	rc = entry_end(&out, 20, hash, &why);
	buf_free(&out);
	return rc;
}

static void
building_survives_each_failed_allocation(void **state)
{
	(void)state;
	test_torture(build, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entry_reads_back_as_written),
	    cmocka_unit_test(padding_fills_up_to_eight_for_every_length),
	    cmocka_unit_test(open_refuses_every_proper_prefix),
	    cmocka_unit_test(damaged_entries_are_refused),
	    cmocka_unit_test(eight_more_zero_bytes_are_no_padding),
	    cmocka_unit_test(entry_above_its_size_is_a_limit_not_a_crash),
	    cmocka_unit_test(building_survives_each_failed_allocation),
	};

	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
