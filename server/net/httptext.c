/* What a request's text means: headers by name, query pairs, escapes. */
#include <string.h>
#include <strings.h>

#include "server/net/http.h"

#define KEY_MAX 64 /* bytes of a query key, decoded; ours are shorter */

struct http_slice
http_header(const struct http_request *request, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < request->header_count; i++) {
		if (request->headers[i].name.size == size &&
		    strncasecmp(request->headers[i].name.data, name, size) == 0)
			return request->headers[i].value;
	}
	return (struct http_slice){NULL, 0};
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One decoded character; *at moves on. -1: bad escape, or a NUL. */
static int
next_char(struct http_slice in, bool plus, size_t *at)
{
	char c = in.data[(*at)++];
	int high, low;

	if (c == '+' && plus)
		return ' ';
	if (c != '%')
		return c == '\0' ? -1 : (unsigned char)c;
	if (in.size - *at < 2)
		return -1;
	high = hex(in.data[(*at)++]);
	low = hex(in.data[(*at)++]);
	if (high < 0 || low < 0 || high + low == 0)
		return -1;
	return high << 4 | low;
}

bool
http_unescape(struct http_slice in, bool plus, char *out, size_t size)
{
	size_t used = 0, at = 0;

	while (at < in.size) {
		int c = next_char(in, plus, &at);

		if (c < 0 || used + 1 >= size)
			return false;
		out[used++] = (char)c;
	}
	if (used >= size)
		return false;
	out[used] = '\0';
	return true;
}

/* Cut the next pair off rest. false: none is left. */
static bool
next_pair(
    struct http_slice *rest, struct http_slice *key, struct http_slice *value)
{
	const char *mark;
	size_t size;

	if (rest->size == 0)
		return false;
	mark = memchr(rest->data, '&', rest->size);
	size = mark != NULL ? (size_t)(mark - rest->data) : rest->size;
	*key = (struct http_slice){rest->data, size};
	rest->data += size;
	rest->size -= size;
	if (mark != NULL) {
		rest->data++;
		rest->size--;
	}
	mark = memchr(key->data, '=', size);
	*value = (struct http_slice){key->data + size, 0};
	if (mark != NULL) {
		key->size = (size_t)(mark - key->data);
		*value = (struct http_slice){mark + 1, size - key->size - 1};
	}
	return true;
}

bool
http_query(const struct http_request *request, const char *key,
    struct http_slice *value)
{
	struct http_slice rest = request->query, name;
	char text[KEY_MAX];

	while (next_pair(&rest, &name, value)) {
		if (http_unescape(name, true, text, sizeof(text)) &&
		    strcmp(text, key) == 0)
			return true;
	}
	*value = (struct http_slice){NULL, 0};
	return false;
}

static bool
decodes(struct http_slice in)
{
	size_t at = 0;

	while (at < in.size) {
		if (in.data[at] == ';' || next_char(in, true, &at) < 0)
			return false;
	}
	return true;
}

bool
http_query_valid(const struct http_request *request)
{
	struct http_slice rest = request->query, key, value;

	while (next_pair(&rest, &key, &value)) {
		if (!decodes(key) || !decodes(value))
			return false;
	}
	return true;
}

const char *
http_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
	    {200, "OK"},
	    {201, "Created"},
	    {204, "No Content"},
	    {301, "Moved Permanently"},
	    {304, "Not Modified"},
	    {307, "Temporary Redirect"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {412, "Precondition Failed"},
	    {413, "Request Entity Too Large"},
	    {415, "Unsupported Media Type"},
	    {417, "Expectation Failed"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	    {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "Unknown";
}
