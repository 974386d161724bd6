/*
 * Goal: any query string and Cache-Control header is parsed without harm.
 * Method: the input up to its first newline is the query, the rest the header;
 * what parses is within its bounds.
 */
#include "server/api/query.h"

#include <stdlib.h>
#include <string.h>

#include "server/api/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *line = size == 0 ? NULL : memchr(text, '\n', size);
	size_t query_size = line == NULL ? size : (size_t)(line - text);
	struct http_request request = {.query = {text, query_size}};
	struct query query;
	struct errmsg why;
	char value[32];
	int status = 0;
	enum err rc;

	if (line != NULL) {
		request.header_count = 1;
		request.headers[0].name =
		    (struct http_slice){"Cache-Control", 13};
		request.headers[0].value =
		    (struct http_slice){line + 1, size - query_size - 1};
	}
	rc = query_parse(&request, ROUTE_DC | ROUTE_MODES | ROUTE_WAIT, "dc1",
	    &query, &status, &why);
	if (rc == OK && (query.wait_ms == 0 || query.wait_ms > 600000))
		abort();
	if (rc != OK && status != 400 && status != 500)
		abort();
	(void)!query_text(&request, "cas", value, sizeof(value), &why);
	return 0;
}
