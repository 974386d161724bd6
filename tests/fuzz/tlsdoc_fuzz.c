/*
 * Goal: a document is checked without harm, and has one stored form.
 * Method: decode; what decodes is decoded again and must be the same bytes.
 */
#include "server/api/tlsdoc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = buf_new(TLSCONF_DOCUMENT_MAX);
	struct buf twice = buf_new(TLSCONF_DOCUMENT_MAX);
	struct errmsg why;

	if (tlsdoc_decode((struct http_slice){(const char *)data, size}, &once,
		&why) == OK) {
		struct http_slice again = {(const char *)once.data, once.size};

		if (tlsdoc_decode(again, &twice, &why) != OK ||
		    twice.size != once.size ||
		    memcmp(twice.data, once.data, once.size) != 0)
			abort();
	}
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
