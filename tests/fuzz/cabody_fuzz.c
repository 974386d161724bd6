/*
 * Goal: a CA configuration body is taken apart without harm, and its Config
 * has one stored form.
 * Method: decode; the Config of what decodes is put into a body of its own and
 * must come out the same.
 */
#include "server/api/cabody.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = buf_new(BODY_MAX);
	struct cabody once, twice;
	struct errmsg why;

	if (cabody_decode((struct http_slice){(const char *)data, size}, &once,
		&why) != OK)
		return 0;
	buf_puts(&text, "{\"Config\":");
	buf_raw(&text, once.config.data, once.config.size);
	buf_puts(&text, "}");
	if (cabody_decode(
		(struct http_slice){(const char *)text.data, text.size}, &twice,
		&why) != OK ||
	    twice.config.size != once.config.size ||
	    memcmp(twice.config.data, once.config.data, once.config.size) != 0)
		abort();
	buf_free(&text);
	cabody_free(&once);
	cabody_free(&twice);
	return 0;
}
