/* The block functions are deprecated in favour of EVP, for the reason that
 * they bypass providers; that is what is wanted here. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "storage/hash.h"

void
hash_start(struct hash *hash)
{
	(void)SHA256_Init(&hash->state); /* always 1 */
}

void
hash_add(struct hash *hash, const void *data, size_t size)
{
	if (size > 0)
		(void)SHA256_Update(&hash->state, data, size);
}

void
hash_end(struct hash *hash, uint8_t digest[static HASH_SIZE])
{
	(void)SHA256_Final(digest, &hash->state);
}

void
hash_bytes(const void *data, size_t size, uint8_t digest[static HASH_SIZE])
{
	struct hash hash;

	hash_start(&hash);
	hash_add(&hash, data, size);
	hash_end(&hash, digest);
}
