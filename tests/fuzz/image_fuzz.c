/*
 * Goal: image_verify never reads past its input, whatever the bytes.
 * Method: the input as it is, and once more under a right magic and checksum,
 * which no fuzzer would find. Covers storage/image.c and sums.c.
 */
#include <stdlib.h>
#include <string.h>

#include "storage/hash.h"
#include "storage/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_head head;
	struct errmsg why;
	uint8_t *copy;
	enum err rc;

	rc = image_verify(data, size, &head, &why);
	if (rc != OK && rc != ERR_CORRUPT && rc != ERR_UNSUPPORTED)
		abort();
	if (size < 8 + HASH_SIZE)
		return 0;
	copy = malloc(size);
	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	memcpy(copy, "CONCLIMG", 8);
	hash_bytes(copy, size - HASH_SIZE, copy + size - HASH_SIZE);
	rc = image_verify(copy, size, &head, &why);
	if (rc != OK && rc != ERR_CORRUPT && rc != ERR_UNSUPPORTED)
		abort();
	free(copy);
	return 0;
}
