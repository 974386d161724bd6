/*
 * Goal: a greeting from a stranger is refused or has only one form.
 * Method: what hello_decode takes, hello_encode must write as the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "server/cluster/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_new(HELLO_SIZE_MAX);
	struct hello hello;
	struct errmsg why;

	if (hello_decode(data, size, &hello, &why) == OK) {
		hello_encode(&hello, &out);
		if (buf_status(&out, NULL) != OK || out.size != size ||
		    memcmp(out.data, data, size) != 0)
			abort();
	}
	buf_free(&out);
	return 0;
}
