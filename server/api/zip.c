#include "server/api/zip.h"

#include <stdbool.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#include "server/net/body.h"

#define LEVEL     1
#define GZIP      16 /* added to the window bits: a gzip header */
#define MEMORY    8
#define INPUT_MAX ((size_t)1 << 30)

struct zip {
	z_stream stream;
	bool ready;
};

struct zip *
zip_new(void)
{
	return calloc(1, sizeof(struct zip));
}

void
zip_free(struct zip *zip)
{
	if (zip == NULL)
		return;
	if (zip->ready)
		deflateEnd(&zip->stream);
	free(zip);
}

static bool
rewind_stream(struct zip *zip)
{
	if (zip->ready)
		return deflateReset(&zip->stream) == Z_OK;
	zip->ready = deflateInit2(&zip->stream, LEVEL, Z_DEFLATED,
			 MAX_WBITS + GZIP, MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
	return zip->ready;
}

struct body *
zip_body(struct zip *zip, const void *data, size_t size)
{
	struct body *body = NULL;
	unsigned char *out;
	uLong bound;

	if (size > INPUT_MAX || !rewind_stream(zip))
		return NULL;
	bound = deflateBound(&zip->stream, (uLong)size);
	out = malloc(bound);
	if (out == NULL)
		return NULL;
	zip->stream.next_in = (z_const Bytef *)data;
	zip->stream.avail_in = (uInt)size;
	zip->stream.next_out = out;
	zip->stream.avail_out = (uInt)bound;
	if (deflate(&zip->stream, Z_FINISH) == Z_STREAM_END)
		body = body_new(out, bound - zip->stream.avail_out);
	free(out);
	return body;
}
