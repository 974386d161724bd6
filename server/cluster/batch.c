#include "server/cluster/batch.h"

#define POLYNOMIAL 0x04c11db7u
#define TYPE_MAX   3 /* command, barrier, configuration */

void
batch_crc_init(struct batch_crc *crc)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i << 24;

		for (int bit = 0; bit < 8; bit++) {
			value = (value << 1) ^
			    ((value & 0x80000000u) != 0 ? POLYNOMIAL : 0);
		}
		crc->table[i] = value;
	}
}

uint32_t
batch_crc_of(const struct batch_crc *crc, const uint8_t *data, size_t size,
    uint32_t init)
{
	uint32_t value = init;

	for (size_t i = 0; i < size; i++)
		value = (value << 8) ^ crc->table[(value >> 24) ^ data[i]];
	return value;
}

uint32_t
batch_u32(const uint8_t *data)
{
	return (uint32_t)data[0] | (uint32_t)data[1] << 8 |
	    (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

uint64_t
batch_u64(const uint8_t *data)
{
	return batch_u32(data) | (uint64_t)batch_u32(data + 4) << 32;
}

bool
batch_blank(const uint8_t *file, size_t size, size_t offset)
{
	for (size_t i = offset; i < size; i++) {
		if (file[i] != 0)
			return false;
	}
	return true;
}

static enum batch_state
bad(struct batch *out, const char *why)
{
	out->why = why;
	return BATCH_BAD;
}

/* Shape first, checksums last: batch_find tries every offset. */
static enum batch_state
judge(const struct batch_crc *crc, const uint8_t *file, size_t size,
    size_t offset, struct batch *out)
{
	const uint8_t *at = file + offset;
	size_t left = size - offset, head, data = 0;
	uint64_t count;

	if (left < BATCH_HEAD)
		return bad(out, "cut short");
	count = batch_u64(at + 8);
	if (count == 0)
		return bad(out, "count of entries is zero");
	if (count > BATCH_ENTRIES_MAX)
		return bad(out, "count of entries is too high");
	head = 8 + 16 * (size_t)count;
	if (left < 8 + head)
		return bad(out, "header is cut short");
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *entry = at + BATCH_HEAD + 16 * i;

		if (entry[8] == 0 || entry[8] > TYPE_MAX)
			return bad(out, "entry of an unknown type");
		data += batch_u32(entry + 12);
		if (data > left - 8 - head)
			return bad(out, "data is cut short");
	}
	if (batch_crc_of(crc, at + 8, head, 0) != batch_u32(at))
		return bad(out, "header checksum does not match");
	if (batch_crc_of(crc, at + 8 + head, data, 0) != batch_u32(at + 4))
		return bad(out, "data checksum does not match");
	out->size = 8 + head + data;
	out->entries = count;
	return BATCH_GOOD;
}

enum batch_state
batch_read(const struct batch_crc *crc, const uint8_t *file, size_t size,
    size_t offset, struct batch *out)
{
	enum batch_state state;

	*out = (struct batch){0};
	state = judge(crc, file, size, offset, out);
	if (state == BATCH_BAD && batch_blank(file, size, offset))
		return BATCH_END;
	return state;
}

bool
batch_find(const struct batch_crc *crc, const uint8_t *file, size_t size,
    size_t offset, size_t *at)
{
	struct batch batch;

	for (size_t i = (offset + 7) & ~(size_t)7; i < size; i += 8) {
		if (judge(crc, file, size, i, &batch) == BATCH_GOOD) {
			*at = i;
			return true;
		}
	}
	return false;
}
