/*
 * Goal: a damaged segment is never believed further than its batches are good.
 * Method: batch_read, batch_find, batch_blank on a whole segment file. What is
 * found good must be good where it was found, and inside the file.
 */
#include <stdlib.h>

#include "server/cluster/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t offset = BATCH_FILE_HEAD, at;
	struct batch_crc crc;
	struct batch batch;

	batch_crc_init(&crc);
	while (offset < size &&
	    batch_read(&crc, data, size, offset, &batch) == BATCH_GOOD) {
		if (batch.size > size - offset || batch.entries == 0)
			abort();
		offset += batch.size;
	}
	if (offset < size && batch_find(&crc, data, size, offset, &at) &&
	    (at < offset || at >= size ||
		batch_read(&crc, data, size, at, &batch) != BATCH_GOOD))
		abort();
	return 0;
}
