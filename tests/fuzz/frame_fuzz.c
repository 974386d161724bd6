/*
 * Goal: a stream is cut into the same frames however it arrives.
 * Method: the first byte says in how large pieces the rest arrives; what
 * frame_next gives whole must come out the same in pieces.
 */
#include <stdlib.h>

#include "server/cluster/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	enum err rc;
	size_t frames, payload;
};

static struct outcome
feed(const uint8_t *data, size_t size, size_t piece)
{
	struct outcome outcome = {OK, 0, 0};
	struct frame_reader reader;
	struct frame frame;
	struct errmsg why;
	bool got;

	frame_reader_init(&reader);
	while (size > 0 && outcome.rc == OK) {
		size_t n = size < piece ? size : piece;
		const uint8_t *at = data;

		data += n;
		size -= n;
		do {
			outcome.rc =
			    frame_next(&reader, &at, &n, &got, &frame, &why);
			outcome.frames += got;
			outcome.payload += got ? frame.size : 0;
		} while (outcome.rc == OK && got);
	}
	frame_reader_free(&reader);
	return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;

	if (size == 0)
		return 0;
	whole = feed(data + 1, size - 1, size);
	pieces = feed(data + 1, size - 1, (size_t)data[0] + 1);
	if (whole.rc != pieces.rc || whole.frames != pieces.frames ||
	    whole.payload != pieces.payload)
		abort();
	return 0;
}
