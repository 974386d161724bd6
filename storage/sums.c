#include "storage/sums.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define LIMBS (HASH_SIZE / sizeof(uint64_t))

static void
row_digest(uint8_t digest[static HASH_SIZE], uint8_t table, const void *key,
    size_t key_size, const void *data, size_t size)
{
	uint8_t head[2 + UINT8_MAX] = {table, (uint8_t)key_size};
	struct hash hash;

	assert(key_size <= UINT8_MAX);
	if (key_size > 0)
		memcpy(head + 2, key, key_size);
	hash_start(&hash);
	hash_add(&hash, head, 2 + key_size);
	hash_add(&hash, data, size);
	hash_end(&hash, digest);
}

/* sum += term + carry, most significant limb first. */
static void
add(uint8_t sum[static HASH_SIZE], const uint64_t term[static LIMBS],
    uint64_t carry)
{
	uint64_t limbs[LIMBS];

	memcpy(limbs, sum, HASH_SIZE);
	for (size_t i = LIMBS; i-- > 0;) {
		uint64_t limb = be64toh(limbs[i]);
		uint64_t half = limb + carry;
		uint64_t full = half + term[i];

		carry = (half < carry) | (full < half);
		limbs[i] = htobe64(full);
	}
	memcpy(sum, limbs, HASH_SIZE);
}

void
sums_add(uint8_t sum[static HASH_SIZE], uint8_t table, const void *key,
    size_t key_size, const void *data, size_t size)
{
	uint8_t digest[HASH_SIZE];
	uint64_t term[LIMBS];

	row_digest(digest, table, key, key_size, data, size);
	memcpy(term, digest, HASH_SIZE);
	for (size_t i = 0; i < LIMBS; i++)
		term[i] = be64toh(term[i]);
	add(sum, term, 0);
}

void
sums_subtract(uint8_t sum[static HASH_SIZE], uint8_t table, const void *key,
    size_t key_size, const void *data, size_t size)
{
	uint8_t digest[HASH_SIZE];
	uint64_t term[LIMBS];

	row_digest(digest, table, key, key_size, data, size);
	memcpy(term, digest, HASH_SIZE);
	/* a - b = a + ~b + 1 */
	for (size_t i = 0; i < LIMBS; i++)
		term[i] = ~be64toh(term[i]);
	add(sum, term, 1);
}
