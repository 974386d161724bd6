/*
 * Goal: hash is SHA-256, whole or in pieces.
 * Method: the examples of FIPS 180-2; every split of a text.
 */
#include "storage/hash.h"
#include "tests/support/test.h"

static const uint8_t abc[HASH_SIZE] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf,
    0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61,
    0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15,
    0xad};
static const uint8_t empty[HASH_SIZE] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc,
    0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae,
    0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
    0xb8, 0x55};

static void
known_digests_come_out(void **state)
{
	uint8_t digest[HASH_SIZE];

	(void)state;
	hash_bytes("abc", 3, digest);
	assert_memory_equal(digest, abc, HASH_SIZE);
	hash_bytes(NULL, 0, digest);
	assert_memory_equal(digest, empty, HASH_SIZE);
}

static void
pieces_hash_as_the_whole(void **state)
{
	static const uint8_t text[200] = "some text and many zeroes";
	uint8_t whole[HASH_SIZE], digest[HASH_SIZE];
	struct hash hash;

	(void)state;
	hash_bytes(text, sizeof(text), whole);
	for (size_t cut = 0; cut <= sizeof(text); cut++) {
		hash_start(&hash);
		hash_add(&hash, text, cut);
		hash_add(&hash, text + cut, sizeof(text) - cut);
		hash_end(&hash, digest);
		assert_memory_equal(digest, whole, HASH_SIZE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_digests_come_out),
	    cmocka_unit_test(pieces_hash_as_the_whole),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
