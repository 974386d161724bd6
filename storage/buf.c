#include "storage/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/secret.h"

#define BUF_FIRST 64 /* bytes of the first allocation */

struct buf
buf_new(size_t max)
{
	return (struct buf){.max = max, .failed = OK};
}

void
buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = buf_new(buf->max);
}

void
buf_wipe(struct buf *buf)
{
	secret_wipe(buf->data, buf->capacity);
	buf_free(buf);
}

void
buf_reset(struct buf *buf)
{
	buf->size = 0;
	buf->failed = OK;
}

uint8_t *
buf_reserve(struct buf *buf, size_t size)
{
	size_t capacity;
	uint8_t *data;

	assert(buf->size <= buf->capacity && buf->capacity <= buf->max);

	if (buf->failed != OK)
		return NULL;
	if (size > buf->max - buf->size) {
		buf->failed = ERR_LIMIT;
		return NULL;
	}
	/* A place is given even for 0 bytes: NULL means failure. */
	if (buf->data != NULL && size <= buf->capacity - buf->size)
		return buf->data + buf->size;

	capacity = buf->capacity > buf->max / 2 ? buf->max : buf->capacity * 2;
	if (capacity < BUF_FIRST)
		capacity = BUF_FIRST;
	if (capacity < buf->size + size)
		capacity = buf->size + size;
	if (capacity > buf->max)
		capacity = buf->max;
	/* Not realloc: it may leave a copy of a secret behind unwiped. */
	data = malloc(capacity > 0 ? capacity : 1);
	if (data == NULL) {
		buf->failed = ERR_NOMEM;
		return NULL;
	}
	if (buf->data != NULL)
		memcpy(data, buf->data, buf->size);
	secret_wipe(buf->data, buf->size);
	free(buf->data);
	buf->data = data;
	buf->capacity = capacity;
	return data + buf->size;
}

void
buf_added(struct buf *buf, size_t size)
{
	assert(buf->failed == OK);
	assert(size <= buf->capacity - buf->size);
	buf->size += size;
}

void
buf_raw(struct buf *buf, const void *data, size_t size)
{
	uint8_t *to;

	to = buf_reserve(buf, size);
	if (to == NULL || size == 0)
		return;
	memcpy(to, data, size);
	buf->size += size;
}

/* The lowest count bytes of value, most significant first. */
static void
put_integer(struct buf *buf, uint64_t value, size_t count)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(value >> (8 * (count - 1 - i)));
	buf_raw(buf, bytes, count);
}

void
buf_u8(struct buf *buf, uint8_t value)
{
	put_integer(buf, value, 1);
}

void
buf_u16(struct buf *buf, uint16_t value)
{
	put_integer(buf, value, 2);
}

void
buf_u32(struct buf *buf, uint32_t value)
{
	put_integer(buf, value, 4);
}

void
buf_u64(struct buf *buf, uint64_t value)
{
	put_integer(buf, value, 8);
}

void
buf_bytes(struct buf *buf, const void *data, size_t size)
{
	if (size > UINT32_MAX) {
		if (buf->failed == OK)
			buf->failed = ERR_LIMIT;
		return;
	}
	buf_u32(buf, (uint32_t)size);
	buf_raw(buf, data, size);
}

void
buf_text(struct buf *buf, const char *text)
{
	buf_bytes(buf, text, strlen(text));
}

void
buf_puts(struct buf *buf, const char *text)
{
	buf_raw(buf, text, strlen(text));
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
	size_t room = buf->capacity - buf->size;
	char *text = NULL;
	va_list args;
	int size;

	if (buf->failed != OK)
		return;
	if (room > 0) {
		va_start(args, format);
		size = vsnprintf(
		    (char *)buf->data + buf->size, room, format, args);
		va_end(args);
		if (size >= 0 && (size_t)size < room) {
			buf->size += (size_t)size;
			return;
		}
	}
	va_start(args, format);
	size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0) { /* only memory: the formats are ours */
		buf->failed = ERR_NOMEM;
		return;
	}
	buf_raw(buf, text, (size_t)size);
	secret_free_text(text);
}

enum err
buf_status(const struct buf *buf, struct errmsg *why)
{
	if (buf->failed == ERR_LIMIT) {
		return err_set(why, ERR_LIMIT,
		    "more than %zu bytes are not allowed here", buf->max);
	}
	if (buf->failed != OK)
		return err_set(why, buf->failed, "out of memory");
	return OK;
}

/* Take count bytes off the front, or NULL when there are fewer. */
static const uint8_t *
take(struct reader *in, size_t count)
{
	const uint8_t *data;

	if (in->size < count)
		return NULL;
	data = in->data;
	if (count > 0)
		in->data += count;
	in->size -= count;
	return data;
}

/* An integer of count bytes, most significant first. */
static bool
read_integer(struct reader *in, uint64_t *value, size_t count)
{
	const uint8_t *data;
	uint64_t sum = 0;

	data = take(in, count);
	if (data == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		sum = sum << 8 | data[i];
	*value = sum;
	return true;
}

bool
read_u8(struct reader *in, uint8_t *value)
{
	uint64_t wide;

	if (!read_integer(in, &wide, 1))
		return false;
	*value = (uint8_t)wide;
	return true;
}

bool
read_u16(struct reader *in, uint16_t *value)
{
	uint64_t wide;

	if (!read_integer(in, &wide, 2))
		return false;
	*value = (uint16_t)wide;
	return true;
}

bool
read_u32(struct reader *in, uint32_t *value)
{
	uint64_t wide;

	if (!read_integer(in, &wide, 4))
		return false;
	*value = (uint32_t)wide;
	return true;
}

bool
read_u64(struct reader *in, uint64_t *value)
{
	return read_integer(in, value, 8);
}

bool
read_raw(struct reader *in, void *out, size_t size)
{
	if (in->size < size)
		return false;
	if (size > 0)
		memcpy(out, take(in, size), size);
	return true;
}

bool
read_bytes(struct reader *in, size_t max, const uint8_t **data, size_t *size)
{
	struct reader ahead = *in;
	uint32_t length;

	if (!read_u32(&ahead, &length))
		return false;
	if (length > max || length > ahead.size)
		return false;
	*data = take(&ahead, length);
	*size = length;
	*in = ahead;
	return true;
}

enum err
read_text(struct reader *in, size_t max, char **text)
{
	struct reader ahead = *in;
	const uint8_t *data;
	size_t size;
	char *copy;

	if (!read_bytes(&ahead, max, &data, &size))
		return ERR_CORRUPT;
	if (size > 0 && memchr(data, '\0', size) != NULL)
		return ERR_CORRUPT;
	copy = malloc(size + 1);
	if (copy == NULL)
		return ERR_NOMEM;
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	*text = copy;
	*in = ahead;
	return OK;
}
