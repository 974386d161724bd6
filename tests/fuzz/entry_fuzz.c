/*
 * Goal: the entry reader is total, and what it takes has only one form.
 * Method: read; what reads to its end is written again and must be the same
 * bytes.
 */
#include "fsm/entry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = buf_new(ENTRY_SIZE_MAX);
	struct reader in = {data, size};
	uint8_t hash[DB_HASH_SIZE];
	struct entry_head head;
	struct request_id id;
	const uint8_t *command;
	struct errmsg why;
	size_t length;

	if (entry_open(&in, &head, &why) != OK)
		return 0;
	entry_begin(&out, head.index, head.term, head.previous);
	for (size_t i = 0; i < head.count; i++) {
		if (entry_next(&in, &id, &command, &length, &why) != OK)
			goto out;
		entry_add(&out, &id, command, length);
	}
	if (entry_close(&in, &why) != OK)
		goto out;
	if (entry_end(&out, head.count, hash, &why) != OK || out.size != size ||
	    memcmp(out.data, data, size) != 0)
		abort();
out:
	buf_free(&out);
	return 0;
}
