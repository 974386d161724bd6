/*
 * sums - additive hashes over the rows of a table.
 *
 * The sum of a table is the sum modulo 2^256 of SHA-256(u8 table, u8 key size,
 * key, value) over its rows, kept as 32 bytes big-endian: the same rows give
 * the same sum in whatever order they came. Any thread.
 */
#ifndef STORAGE_SUMS_H
#define STORAGE_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "storage/hash.h"

/* Add one row to sum; key_size is at most 255. */
void sums_add(uint8_t sum[static HASH_SIZE], uint8_t table, const void *key,
    size_t key_size, const void *data, size_t size);

/* Take away a row that was added. */
void sums_subtract(uint8_t sum[static HASH_SIZE], uint8_t table,
    const void *key, size_t key_size, const void *data, size_t size);

#endif
