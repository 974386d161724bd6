/*
 * Goal: no bytes from a client make the request parser crash, overread, keep a
 * buffer, or understand a request in two ways depending on how it was cut.
 * Method: the first input byte chooses a cut; the rest is a stream of requests
 * that is fed whole and fed in pieces, and both readings must agree in every
 * part of every request and in the refusal. Covers head, chunk and http.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/http.h"

#define BODY_MAX     4096
#define REQUESTS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one reading found, folded into a number for each request. */
struct reading {
	unsigned count;
	int status; /* of the refusal, 0 = none */
	uint64_t sums[REQUESTS_MAX];
	size_t ends[REQUESTS_MAX];
};

static uint64_t
fold(uint64_t sum, struct http_slice slice)
{
	assert(slice.data != NULL || slice.size == 0);
	for (size_t i = 0; i < slice.size; i++)
		sum = (sum ^ (uint8_t)slice.data[i]) * 1099511628211u;
	return (sum ^ slice.size) * 1099511628211u;
}

static uint64_t
summary(const struct http_request *request)
{
	uint64_t sum = (uint64_t)request->method + 1;
	struct http_slice value;
	char text[64];

	assert(request->header_count <= HTTP_HEADERS_MAX);
	assert(request->body.size <= BODY_MAX);
	assert(request->path.size > 0);
	sum = fold(sum, request->method_text);
	sum = fold(sum, request->path);
	sum = fold(sum, request->query);
	sum = fold(sum, request->body);
	for (size_t i = 0; i < request->header_count; i++) {
		assert(request->headers[i].name.size > 0);
		sum = fold(sum, request->headers[i].name);
		sum = fold(sum, request->headers[i].value);
	}
	sum = sum * 8 + (request->keep_alive ? 4u : 0) +
	    (request->accepts_gzip ? 2u : 0) +
	    (request->expects_continue ? 1u : 0);
	if (http_query(request, "index", &value))
		sum = fold(sum, value);
	if (http_unescape(request->path, false, text, sizeof(text)))
		assert(strlen(text) <= request->path.size);
	return sum * 2 + (http_query_valid(request) ? 1 : 0);
}

/* One feed of an exact copy. false: this reading is over. */
static bool
feed(struct http_parser_state *parser, const uint8_t *data, size_t size,
    size_t *at, struct reading *out)
{
	static struct http_request request;
	uint8_t *copy = malloc(size > 0 ? size : 1);
	enum http_progress progress;
	struct errmsg why = {""};
	int status = 0;
	size_t used;

	if (copy == NULL)
		abort();
	if (size > 0)
		memcpy(copy, data + *at, size);
	progress = http_feed(
	    parser, copy, size, BODY_MAX, &used, &request, &status, &why);
	assert(used <= size);
	*at += used;
	if (progress == HTTP_REQUEST) {
		out->sums[out->count] = summary(&request);
		if (http_keep(parser, copy, used, &request) != OK)
			abort();
		memset(copy, 0, used);
		assert(summary(&request) == out->sums[out->count]);
		out->ends[out->count++] = *at;
		http_next(parser);
	} else if (progress == HTTP_BAD) {
		assert(status >= 400 && status < 600);
		assert(why.text[0] != '\0');
		out->status = status;
	} else {
		assert(used == size);
	}
	free(copy);
	return progress != HTTP_BAD && out->count < REQUESTS_MAX;
}

static void
read_all(const uint8_t *data, size_t size, size_t step, struct reading *out)
{
	struct http_parser_state parser = {0};
	size_t at = 0;

	memset(out, 0, sizeof(*out));
	while (at < size) {
		size_t piece = step < size - at ? step : size - at;

		if (!feed(&parser, data, piece, &at, out))
			break;
	}
	http_next(&parser);
	assert(parser.partial == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading whole, cut;

	if (size < 2)
		return 0;
	read_all(data + 1, size - 1, size, &whole);
	read_all(data + 1, size - 1, data[0] % 61 + 1u, &cut);
	assert(whole.count == cut.count);
	assert(whole.status == cut.status);
	assert(memcmp(whole.sums, cut.sums, sizeof(whole.sums)) == 0);
	assert(memcmp(whole.ends, cut.ends, sizeof(whole.ends)) == 0);
	return 0;
}
