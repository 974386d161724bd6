#include "server/api/jsonout.h"

#include <inttypes.h>

#include "server/duration.h"
#include "server/json.h"

void
jsonout_key(struct buf *out, const char *key)
{
	uint8_t last = out->size == 0 ? 0 : out->data[out->size - 1];

	if (out->size > 0 && last != '{' && last != '[')
		buf_u8(out, ',');
	if (key == NULL)
		return;
	json_put_cstring(out, key);
	buf_u8(out, ':');
}

void
jsonout_text(struct buf *out, const char *key, const char *value)
{
	jsonout_span(out, key, span_of(value));
}

void
jsonout_span(struct buf *out, const char *key, struct span value)
{
	jsonout_key(out, key);
	json_put_string(out, value.data == NULL ? "" : value.data, value.size);
}

void
jsonout_u64(struct buf *out, const char *key, uint64_t value)
{
	jsonout_key(out, key);
	buf_printf(out, "%" PRIu64, value);
}

void
jsonout_count(struct buf *out, const char *key, uint64_t value)
{
	jsonout_key(out, key);
	buf_printf(out, "\"%" PRIu64 "\"", value);
}

void
jsonout_bool(struct buf *out, const char *key, bool value)
{
	jsonout_key(out, key);
	buf_puts(out, value ? "true" : "false");
}

void
jsonout_time(struct buf *out, const char *key, int64_t seconds)
{
	char text[DURATION_TEXT];

	time_format(seconds, text);
	jsonout_text(out, key, text);
}

void
jsonout_open(struct buf *out, const char *key, char bracket)
{
	jsonout_key(out, key);
	buf_u8(out, (uint8_t)bracket);
}

void
jsonout_close(struct buf *out, char bracket)
{
	buf_u8(out, bracket == '{' ? '}' : ']');
}
