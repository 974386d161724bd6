/*
 * response - an incremental reader of HTTP/1.1 responses for the load
 * generators: a few hundred bytes of state per connection, any split of the
 * input, no copy of the body. It trusts the servers it measures as far as a
 * client does, and ends in RESPONSE_BAD where it cannot.
 */
#ifndef TESTS_BENCH_RESPONSE_H
#define TESTS_BENCH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum response_step {
	RESPONSE_STATUS,
	RESPONSE_HEADER,
	RESPONSE_BODY_LENGTH,
	RESPONSE_BODY_TO_END,
	RESPONSE_CHUNK_SIZE,
	RESPONSE_CHUNK_DATA,
	RESPONSE_CHUNK_END,
	RESPONSE_TRAILER,
	RESPONSE_DONE,
	RESPONSE_BAD
};

struct response {
	enum response_step step;
	int status;
	bool chunked, close, has_length, head_done;
	uint64_t left;            /* bytes of body or chunk still to come */
	uint64_t index;           /* value of index_header, 0 when absent */
	const char *index_header; /* borrowed; NULL = none looked for */
	const char *needle;       /* borrowed; looked for in the body */
	unsigned matched;         /* how much of the needle has been seen */
	bool found;
	unsigned char line_length;
	char line[160]; /* a line cut by a read; longer ones are clipped */
};

/* Ready for the next response; index_header and needle stay. */
void response_reset(struct response *response);

/* Take what belongs to this response; ->step says whether it is done. */
void response_feed(struct response *response, const char *data, size_t size);

#endif
