/*
 * Goal: sums add and subtract modulo 2^256, whatever carries.
 * Method: a byte-wise addition beside it, over many rows and from sums that
 * make every carry happen.
 */
#include "storage/sums.h"
#include "tests/support/test.h"

/* SHA-256(table, key size, key, value) as the header words it. */
static void
row_hash(uint8_t digest[static HASH_SIZE], uint8_t table, const char *key,
    const char *value)
{
	uint8_t size = (uint8_t)strlen(key);
	struct hash hash;

	hash_start(&hash);
	hash_add(&hash, &table, 1);
	hash_add(&hash, &size, 1);
	hash_add(&hash, key, size);
	hash_add(&hash, value, strlen(value));
	hash_end(&hash, digest);
}

static void
add_slowly(uint8_t sum[static HASH_SIZE], const uint8_t term[static HASH_SIZE])
{
	unsigned carry = 0;

	for (size_t i = HASH_SIZE; i-- > 0;) {
		carry += (unsigned)sum[i] + term[i];
		sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

static void
sums_agree_with_plain_arithmetic(void **state)
{
	uint8_t sum[HASH_SIZE] = {0}, want[HASH_SIZE] = {0};
	uint8_t digest[HASH_SIZE];

	(void)state;
	for (uint8_t i = 0; i < 200; i++) {
		char key[2] = {(char)('A' + i % 50), '\0'};
		uint8_t table = (uint8_t)(1 + i % 15);

		row_hash(digest, table, key, "value");
		add_slowly(want, digest);
		sums_add(sum, table, key, 1, "value", 5);
		assert_memory_equal(sum, want, HASH_SIZE);
	}
}

static void
subtract_undoes_add_across_every_carry(void **state)
{
	(void)state;
	for (size_t bits = 0; bits <= 256; bits++) {
		uint8_t sum[HASH_SIZE] = {0}, start[HASH_SIZE];
		uint8_t want[HASH_SIZE], digest[HASH_SIZE];

		for (size_t i = 0; i < bits; i++)
			sum[i / 8] |= (uint8_t)(0x80 >> i % 8);
		memcpy(start, sum, HASH_SIZE);
		memcpy(want, sum, HASH_SIZE);
		row_hash(digest, 3, "key", "value");
		add_slowly(want, digest);
		sums_add(sum, 3, "key", 3, "value", 5);
		assert_memory_equal(sum, want, HASH_SIZE);
		sums_subtract(sum, 3, "key", 3, "value", 5);
		assert_memory_equal(sum, start, HASH_SIZE);
		sums_subtract(sum, 3, "key", 3, "value", 5);
		sums_add(sum, 3, "key", 3, "value", 5);
		assert_memory_equal(sum, start, HASH_SIZE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sums_agree_with_plain_arithmetic),
	    cmocka_unit_test(subtract_undoes_add_across_every_carry),
	};

	return cmocka_run_group_tests_name("sums", tests, NULL, NULL);
}
