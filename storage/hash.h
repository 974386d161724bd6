/*
 * hash - SHA-256 that neither allocates nor fails.
 *
 * OpenSSL 3's own one-shot SHA256() looks its algorithm up on the heap at each
 * call, which is slow and may fail; this wraps the plain block functions. For
 * hashes of files, rows and log entries; signatures take the EVP interface.
 * Any thread.
 */
#ifndef STORAGE_HASH_H
#define STORAGE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/sha.h>

#define HASH_SIZE SHA256_DIGEST_LENGTH /* 32 bytes */

struct hash {
	SHA256_CTX state; /* private */
};

void hash_start(struct hash *hash);
/* data may be NULL when size is 0. */
void hash_add(struct hash *hash, const void *data, size_t size);
/* The digest of all that was added. Start again before the next use. */
void hash_end(struct hash *hash, uint8_t digest[static HASH_SIZE]);

/* The digest of size bytes. */
void hash_bytes(
    const void *data, size_t size, uint8_t digest[static HASH_SIZE]);

#endif
