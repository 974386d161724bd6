/*
 * Goal: a promise from a peer is refused or has only one form.
 * Method: what promise_decode takes, promise_encode must write as the same
 * bytes, and promise_judge must find to be a list that some server may promise
 * itself to.
 */
#include <stdlib.h>
#include <string.h>

#include "server/cluster/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_new(256);
	struct promise promise;
	struct errmsg why;

	if (promise_decode(data, size, &promise, &why) == OK) {
		promise_encode(&promise, &out);
		if (buf_status(&out, NULL) != OK || out.size != size ||
		    memcmp(out.data, data, size) != 0)
			abort();
		if (promise_judge(promise.ids[0], promise.count, NULL, &promise,
			&why) != OK)
			abort();
	}
	buf_free(&out);
	return 0;
}
