/*
 * chunk - the chunked transfer coding, strictly (RFC 9112, 7.1); private to
 * http.c. [fuzz, through http]
 *
 * http_parser's library takes any two bytes for the CR LF behind a chunk, which
 * lets two readers disagree on where a request ends; so this is ours. Sizes are
 * 1 to 16 hex digits; extensions and trailers are read over and bounded. Pure.
 */
#ifndef SERVER_NET_CHUNK_H
#define SERVER_NET_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "storage/err.h"

/* All zero at the start. */
struct chunk {
	uint64_t left;  /* bytes of the chunk still to come */
	uint32_t extra; /* bytes of extensions and trailers so far */
	uint8_t digits; /* of the size so far */
	uint8_t state;
};

enum chunk_progress {
	CHUNK_MORE, /* all eaten */
	CHUNK_DATA, /* *out is a piece of the body; call again with the rest */
	CHUNK_END,  /* the body is whole; *used bytes were eaten */
	CHUNK_BAD   /* ERR_INVALID or ERR_LIMIT, with why */
};

/* *out borrows from data. extra_max bounds extensions and trailers. */
enum chunk_progress chunk_next(struct chunk *chunk, const uint8_t *data,
    size_t size, size_t extra_max, size_t *used, const uint8_t **out,
    size_t *out_size, struct errmsg *why);

#endif
