#include "client/liburl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/libbytes.h"

#define URL_MAX ((size_t)16 * 1024) /* bytes: what servers take as a head */

char *
conclave_escape(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";
	struct libbytes out = libbytes_new(strlen(text) * 3);

	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL)
			libbytes_add(&out, text, 1);
		else
			libbytes_printf(
			    &out, "%%%02X", (unsigned)(unsigned char)*text);
	}
	return libbytes_take(&out);
}

/* Printable ASCII without blanks, and none of stop. */
static bool
is_clean(const char *text, const char *stop)
{
	for (; *text != '\0'; text++) {
		if (*text <= 0x20 || *text >= 0x7f ||
		    strchr(stop, *text) != NULL)
			return false;
	}
	return true;
}

static bool
is_method(const char *text)
{
	size_t size = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return size > 0 && size <= 16 && text[size] == '\0' &&
	    strcmp(text, "HEAD") != 0 && strcmp(text, "CONNECT") != 0;
}

enum conclave_err
liburl_check(
    const struct conclave_request *request, struct conclave_error *error)
{
	const char *wrong = NULL;

	if (request->method != NULL && !is_method(request->method))
		wrong = "the method is none for a call";
	else if (request->path == NULL || request->path[0] != '/')
		wrong = "the path must begin with /";
	else if (!is_clean(request->path, "?#"))
		wrong = "the path must be escaped";
	else if (request->query != NULL && !is_clean(request->query, "#"))
		wrong = "the query must be escaped";
	else if (request->wait_ms > LIBURL_WAIT_MAX_MS)
		wrong = "wait_ms is at most 600000";
	else if (request->body == NULL && request->body_size != 0)
		wrong = "body_size without a body";
	else if (request->body != NULL &&
	    (request->method == NULL || strcmp(request->method, "GET") == 0))
		wrong = "a GET has no body";
	else if (strlen(request->path) +
		(request->query == NULL ? 0 : strlen(request->query)) >
	    URL_MAX / 2)
		wrong = "path and query are above 8 KiB";
	if (wrong == NULL)
		return CONCLAVE_OK;
	return liberror_set(error, CONCLAVE_INVALID, "%s", wrong);
}

unsigned
liburl_wait_ms(const struct conclave_request *request)
{
	if (request->index == 0)
		return 0;
	return request->wait_ms == 0 ? LIBURL_WAIT_DEFAULT_MS
				     : request->wait_ms;
}

char *
liburl_make(const char *base, const char *datacenter,
    const struct conclave_request *request)
{
	struct libbytes url = libbytes_new(URL_MAX);
	const char *join = "?";

	libbytes_puts(&url, base);
	libbytes_puts(&url, request->path);
	if (request->query != NULL && request->query[0] != '\0') {
		libbytes_puts(&url, join);
		libbytes_puts(&url, request->query);
		join = "&";
	}
	if (request->index > 0) {
		libbytes_printf(&url, "%sindex=%" PRIu64 "&wait=%ums", join,
		    request->index, liburl_wait_ms(request));
		join = "&";
	}
	if (request->mode != CONCLAVE_DEFAULT) {
		libbytes_puts(&url, join);
		libbytes_puts(&url,
		    request->mode == CONCLAVE_STALE ? "stale" : "consistent");
		join = "&";
	}
	if (datacenter != NULL) {
		char *dc = conclave_escape(datacenter);

		libbytes_puts(&url, join);
		libbytes_puts(&url, "dc=");
		if (dc == NULL)
			url.state = LIBBYTES_NOMEM;
		else
			libbytes_puts(&url, dc);
		free(dc);
	}
	return libbytes_take(&url);
}
