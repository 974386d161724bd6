/*
 * batch - the checksummed unit inside libraft's segment files.
 *
 * Format 1 of raft_uv, integers little-endian: u64 format (1) at the start of
 * the file; then batches: u32 CRC of header, u32 CRC of data, header (u64
 * count; count times u64 term, u8 type, 3 zero bytes, u32 size), data of all
 * entries. Entries are multiples of 8, so every batch begins at a multiple
 * of 8. CRC-32 with polynomial 0x04c11db7, most significant bit first, no
 * complement. Pure.
 */
#ifndef SERVER_CLUSTER_BATCH_H
#define SERVER_CLUSTER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_FORMAT      1
#define BATCH_FILE_HEAD   8  /* bytes before the first batch */
#define BATCH_HEAD        16 /* checksums and count */
#define BATCH_ENTRIES_MAX (8 * 1024 * 1024 / 32) /* libraft's own bound */

struct batch_crc {
	uint32_t table[256];
};

void batch_crc_init(struct batch_crc *crc);
/* init is 0, or the CRC of what stands before data. */
uint32_t batch_crc_of(const struct batch_crc *crc, const uint8_t *data,
    size_t size, uint32_t init);

uint32_t batch_u32(const uint8_t *data);
uint64_t batch_u64(const uint8_t *data);

enum batch_state {
	BATCH_GOOD, /* checks; size and entries are set */
	BATCH_END,  /* nothing but zeros from here on */
	BATCH_BAD   /* does not check; why says what */
};

struct batch {
	size_t size;      /* bytes, checksums included */
	uint64_t entries; /* 1 and more */
	const char *why;  /* constant text */
};

/* The batch at offset (a multiple of 8, at most size) of a whole file. */
enum batch_state batch_read(const struct batch_crc *crc, const uint8_t *file,
    size_t size, size_t offset, struct batch *out);

/* Is there any good batch at or after offset? For telling damage in the middle
 * from a torn tail; *at is where. */
bool batch_find(const struct batch_crc *crc, const uint8_t *file, size_t size,
    size_t offset, size_t *at);

/* Only zeros from offset on? */
bool batch_blank(const uint8_t *file, size_t size, size_t offset);

#endif
