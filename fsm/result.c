#include "fsm/result.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
fsm_result_encode(const struct fsm_result *result, struct buf *out)
{
	assert((unsigned)result->code <= UINT16_MAX);

	buf_u16(out, (uint16_t)result->code);
	buf_u8(out, result->changed ? 1 : 0);
	buf_u64(out, result->revision);
	buf_u64(out, result->create_index);
	buf_u64(out, result->modify_index);
	buf_u64(out, result->value);
	buf_bytes(out, result->why, strnlen(result->why, FSM_WHY_SIZE));
}

bool
fsm_result_decode(struct reader *in, struct fsm_result *out)
{
	const uint8_t *why;
	uint16_t code;
	uint8_t changed;
	size_t size;

	*out = (struct fsm_result){0};
	if (!read_u16(in, &code) || !read_u8(in, &changed) || changed > 1 ||
	    !read_u64(in, &out->revision) ||
	    !read_u64(in, &out->create_index) ||
	    !read_u64(in, &out->modify_index) || !read_u64(in, &out->value) ||
	    !read_bytes(in, FSM_WHY_SIZE - 1, &why, &size))
		return false;
	if (size > 0 && memchr(why, 0, size) != NULL)
		return false;
	/* A newer server may know codes we do not: they pass through. */
	out->code = (enum err)code;
	out->changed = changed == 1;
	if (size > 0)
		memcpy(out->why, why, size);
	return true;
}

void
fsm_result_refuse(
    struct fsm_result *result, enum err code, const char *format, ...)
{
	va_list args;

	assert(code != OK);

	result->code = code;
	va_start(args, format);
	(void)vsnprintf(result->why, sizeof(result->why), format, args);
	va_end(args);
}
