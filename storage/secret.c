#include "storage/secret.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define ENVELOPE_VERSION 1
#define KEY_ID_CLEAR     0 /* the bytes stand in clear */

void
secret_wipe(void *data, size_t size)
{
	if (size > 0)
		OPENSSL_cleanse(data, size);
}

void
secret_free_text(char *text)
{
	if (text == NULL)
		return;
	OPENSSL_cleanse(text, strlen(text));
	free(text);
}

bool
secret_equal(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}

void
secret_put(struct buf *out, const void *data, size_t size)
{
	if (size > SECRET_SIZE_MAX) {
		if (out->failed == OK)
			out->failed = ERR_LIMIT;
		return;
	}
	buf_u8(out, ENVELOPE_VERSION);
	buf_u32(out, KEY_ID_CLEAR);
	buf_bytes(out, data, size);
}

enum err
secret_get(
    struct reader *in, const uint8_t **data, size_t *size, struct errmsg *why)
{
	struct reader ahead = *in;
	const uint8_t *bytes;
	uint8_t version;
	uint32_t key_id;
	size_t count;

	if (!read_u8(&ahead, &version))
		return err_set(
		    why, ERR_CORRUPT, "secret envelope is cut short");
	if (version == 0)
		return err_set(why, ERR_CORRUPT, "secret envelope version 0");
	if (version != ENVELOPE_VERSION) {
		return err_set(why, ERR_UNSUPPORTED,
		    "secret envelope version %u, this server reads %d", version,
		    ENVELOPE_VERSION);
	}
	if (!read_u32(&ahead, &key_id) ||
	    !read_bytes(&ahead, SECRET_SIZE_MAX, &bytes, &count)) {
		return err_set(why, ERR_CORRUPT,
		    "secret envelope is cut short or above %d bytes",
		    SECRET_SIZE_MAX);
	}
	if (key_id != KEY_ID_CLEAR) {
		return err_set(why, ERR_UNSUPPORTED,
		    "secret is sealed with cluster key %" PRIu32
		    ", which this server does not have",
		    key_id);
	}
	*data = bytes;
	*size = count;
	*in = ahead;
	return OK;
}
