#include "tests/bench/response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
response_reset(struct response *r)
{
	const char *header = r->index_header, *needle = r->needle;

	memset(r, 0, offsetof(struct response, line));
	r->index_header = header;
	r->needle = needle;
}

/* The needle's first byte does not occur again inside it (tokens begin with
 * '~'), so falling back to position 0 or 1 finds every match. */
static void
search(struct response *r, const char *data, size_t size)
{
	if (r->needle == NULL || r->found)
		return;
	for (size_t i = 0; i < size; i++) {
		if (data[i] == r->needle[r->matched])
			r->matched++;
		else
			r->matched = data[i] == r->needle[0];
		if (r->needle[r->matched] == '\0') {
			r->found = true;
			return;
		}
	}
}

static bool
begins(const char *line, const char *name)
{
	return strncasecmp(line, name, strlen(name)) == 0;
}

static void
take_header(struct response *r, const char *line)
{
	size_t n;

	if (begins(line, "content-length:")) {
		r->left = strtoull(line + strlen("content-length:"), NULL, 10);
		r->has_length = true;
	} else if (begins(line, "transfer-encoding:")) {
		r->chunked = strstr(line, "chunked") != NULL;
	} else if (begins(line, "connection:")) {
		r->close = r->close || strcasestr(line, "close") != NULL;
	} else if (r->index_header != NULL) {
		n = strlen(r->index_header);
		if (begins(line, r->index_header) && line[n] == ':')
			r->index = strtoull(line + n + 1, NULL, 10);
	}
}

static void
end_head(struct response *r)
{
	if (r->status >= 100 && r->status < 200) {
		response_reset(r);
		return;
	}
	r->head_done = true;
	if (r->status == 204 || r->status == 304)
		r->step = RESPONSE_DONE;
	else if (r->chunked)
		r->step = RESPONSE_CHUNK_SIZE;
	else if (r->has_length)
		r->step = r->left > 0 ? RESPONSE_BODY_LENGTH : RESPONSE_DONE;
	else
		r->step = RESPONSE_BODY_TO_END;
	if (r->step == RESPONSE_BODY_TO_END)
		r->close = true;
}

static void
take_status(struct response *r, const char *line, size_t size)
{
	if (size == 0)
		return; /* a stray empty line between messages */
	if (size < 12 || strncmp(line, "HTTP/1.", 7) != 0) {
		r->step = RESPONSE_BAD;
		return;
	}
	r->status = (int)strtol(line + 9, NULL, 10);
	r->close = line[7] == '0';
	r->step = RESPONSE_HEADER;
}

/* line[size] is NUL; line breaks and trailing blanks are cut off here. */
static void
take_line(struct response *r, char *line, size_t size)
{
	while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == ' '))
		line[--size] = '\0';
	if (r->step == RESPONSE_STATUS) {
		take_status(r, line, size);
	} else if (r->step == RESPONSE_HEADER) {
		if (size == 0)
			end_head(r);
		else
			take_header(r, line);
	} else if (r->step == RESPONSE_CHUNK_SIZE) {
		r->left = strtoull(line, NULL, 16);
		r->step = r->left > 0 ? RESPONSE_CHUNK_DATA : RESPONSE_TRAILER;
	} else if (r->step == RESPONSE_CHUNK_END) {
		r->step = RESPONSE_CHUNK_SIZE;
	} else if (r->step == RESPONSE_TRAILER && size == 0) {
		r->step = RESPONSE_DONE;
	}
}

static size_t
feed_body(struct response *r, const char *data, size_t size)
{
	if (r->step == RESPONSE_BODY_TO_END) {
		search(r, data, size);
		return size;
	}
	if (size > r->left)
		size = (size_t)r->left;
	search(r, data, size);
	r->left -= size;
	if (r->left == 0) {
		r->step = r->step == RESPONSE_BODY_LENGTH ? RESPONSE_DONE
							  : RESPONSE_CHUNK_END;
	}
	return size;
}

static size_t
feed_line(struct response *r, const char *data, size_t size)
{
	const char *end = memchr(data, '\n', size);
	size_t length = end != NULL ? (size_t)(end - data) : size;
	size_t room = sizeof(r->line) - 1 - r->line_length;
	size_t n = length < room ? length : room;

	memcpy(r->line + r->line_length, data, n);
	n += r->line_length;
	r->line_length = (unsigned char)n;
	if (end == NULL)
		return size;
	r->line[n] = '\0';
	r->line_length = 0;
	take_line(r, r->line, n);
	return length + 1;
}

void
response_feed(struct response *r, const char *data, size_t size)
{
	size_t n;

	while (size > 0 && r->step < RESPONSE_DONE) {
		if (r->step == RESPONSE_BODY_LENGTH ||
		    r->step == RESPONSE_BODY_TO_END ||
		    r->step == RESPONSE_CHUNK_DATA)
			n = feed_body(r, data, size);
		else
			n = feed_line(r, data, size);
		data += n;
		size -= n;
	}
}
