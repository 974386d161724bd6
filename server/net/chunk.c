#include "server/net/chunk.h"

#include <stdbool.h>

#include "server/net/head.h"

#define DIGITS_MAX 16

enum {
	IN_SIZE,
	IN_EXTENSION,
	SIZE_LF,
	IN_DATA,
	DATA_CR,
	DATA_LF,
	LINE_START, /* behind the last chunk: a trailer, or the end */
	IN_TRAILER,
	TRAILER_LF,
	END_LF,
	AT_END
};

static bool
add_digit(struct chunk *chunk, uint8_t c)
{
	unsigned value;

	if (c >= '0' && c <= '9')
		value = c - (unsigned)'0';
	else if (c >= 'a' && c <= 'f')
		value = c - (unsigned)'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - (unsigned)'A' + 10;
	else
		return false;
	if (++chunk->digits > DIGITS_MAX)
		return false;
	chunk->left = chunk->left << 4 | value;
	return true;
}

static bool
is_printable(uint8_t c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* One byte outside the data. false: not allowed here. */
static bool
step(struct chunk *chunk, uint8_t c)
{
	switch (chunk->state) {
	case IN_SIZE:
		if (add_digit(chunk, c))
			return true;
		if (chunk->digits == 0 || chunk->digits > DIGITS_MAX)
			return false;
		chunk->state = c == '\r' ? SIZE_LF : IN_EXTENSION;
		return c == '\r' || c == ';';
	case IN_EXTENSION:
		if (c == '\r')
			chunk->state = SIZE_LF;
		chunk->extra++;
		return c == '\r' || is_printable(c);
	case SIZE_LF:
		chunk->digits = 0;
		chunk->state = chunk->left > 0 ? IN_DATA : LINE_START;
		return c == '\n';
	case DATA_CR:
		chunk->state = DATA_LF;
		return c == '\r';
	case DATA_LF:
		chunk->state = IN_SIZE;
		return c == '\n';
	case LINE_START:
		chunk->state = c == '\r' ? END_LF : IN_TRAILER;
		chunk->extra++;
		return c == '\r' || head_is_token(c);
	case IN_TRAILER:
		if (c == '\r')
			chunk->state = TRAILER_LF;
		chunk->extra++;
		return c == '\r' || is_printable(c);
	case TRAILER_LF:
		chunk->state = LINE_START;
		return c == '\n';
	case END_LF:
		chunk->state = AT_END;
		return c == '\n';
	default:
		return false;
	}
}

enum chunk_progress
chunk_next(struct chunk *chunk, const uint8_t *data, size_t size,
    size_t extra_max, size_t *used, const uint8_t **out, size_t *out_size,
    struct errmsg *why)
{
	size_t at = 0;

	*out_size = 0;
	while (at < size && chunk->state != AT_END) {
		if (chunk->state == IN_DATA) {
			size_t here = size - at;

			if (chunk->left < here)
				here = (size_t)chunk->left;
			*out = data + at;
			*out_size = here;
			*used = at + here;
			chunk->left -= here;
			if (chunk->left == 0)
				chunk->state = DATA_CR;
			return CHUNK_DATA;
		}
		if (!step(chunk, data[at])) {
			(void)err_set(why, ERR_INVALID,
			    "byte 0x%02x is out of place in the chunked body",
			    data[at]);
			return CHUNK_BAD;
		}
		at++;
		if (chunk->extra > extra_max) {
			(void)err_set(why, ERR_LIMIT,
			    "chunk extensions and trailers are over %zu bytes",
			    extra_max);
			return CHUNK_BAD;
		}
	}
	*used = at;
	return chunk->state == AT_END ? CHUNK_END : CHUNK_MORE;
}
