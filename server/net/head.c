#include "server/net/head.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* What the headers said so far, beside struct head. */
struct judge {
	struct head *head;
	unsigned hosts, lengths, encodings;
	unsigned minor; /* of HTTP/1.x */
	bool close, keep;
	int *status;
	struct errmsg *why;
};

static const struct {
	const char *text;
	enum http_method method;
} methods[] = {
    {"GET", HTTP_GET_},
    {"PUT", HTTP_PUT_},
    {"POST", HTTP_POST_},
    {"DELETE", HTTP_DELETE_},
    {"HEAD", HTTP_HEAD_},
    {"OPTIONS", HTTP_OPTIONS_},
};

bool
head_is_token(uint8_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool
refuse(struct judge *judge, int code, const char *words)
{
	*judge->status = code;
	(void)err_set(judge->why, ERR_INVALID, "%s", words);
	return false;
}

static bool
is_hex(uint8_t c, unsigned *value)
{
	if (c >= '0' && c <= '9')
		*value = c - '0';
	else if (c >= 'a' && c <= 'f')
		*value = c - 'a' + 10u;
	else if (c >= 'A' && c <= 'F')
		*value = c - 'A' + 10u;
	else
		return false;
	return true;
}

/* Contract 1.1: no non-printable characters, encoded ones included. */
static bool
judge_path(struct judge *judge, const uint8_t *path, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned high, low;

		if (path[i] != '%')
			continue;
		if (size - i < 3 || !is_hex(path[i + 1], &high) ||
		    !is_hex(path[i + 2], &low))
			return refuse(
			    judge, 400, "bad percent escape in the path");
		if (high < 2 || (high == 7 && low == 15))
			return refuse(
			    judge, 400, "non-printable character in the path");
		i += 2;
	}
	return true;
}

/* "http://host" before a path (RFC 9112, 3.2.2); its size, 0 if there is
 * none. */
static size_t
origin_size(const uint8_t *target, size_t size)
{
	size_t at;

	if (size >= 7 && strncasecmp((const char *)target, "http://", 7) == 0)
		at = 7;
	else if (size >= 8 &&
	    strncasecmp((const char *)target, "https://", 8) == 0)
		at = 8;
	else
		return 0;
	for (size_t i = at; i < size; i++) {
		if (target[i] == '/' || target[i] == '?')
			return i > at ? i : 0;
		if (target[i] == '@')
			return 0; /* who sends a password to a URL's host? */
	}
	return 0;
}

static bool
judge_target(
    struct judge *judge, const uint8_t *data, size_t start, size_t size)
{
	struct head *head = judge->head;
	const uint8_t *mark;
	size_t end = start + size, path;

	for (size_t i = start; i < end; i++) {
		if (data[i] < 0x21 || data[i] > 0x7e || data[i] == '#') {
			*judge->status = 400;
			(void)err_set(judge->why, ERR_INVALID,
			    "character 0x%02x in the request target", data[i]);
			return false;
		}
	}
	path = start + origin_size(data + start, size);
	if (data[path] != '/' && (path == start || data[path] != '?') &&
	    !(size == 1 && data[start] == '*' && head->method == HTTP_OPTIONS_))
		return refuse(judge, 400, "the request target is no path");
	mark = memchr(data + path, '?', end - path);
	head->path = (uint32_t)path;
	head->path_size =
	    (uint32_t)((mark != NULL ? (size_t)(mark - data) : end) - path);
	if (mark != NULL) {
		head->query = (uint32_t)(mark + 1 - data);
		head->query_size = (uint32_t)(end - head->query);
	}
	return judge_path(judge, data + path, head->path_size);
}

static bool
judge_version(struct judge *judge, const uint8_t *version, size_t size)
{
	if (size != 8 || memcmp(version, "HTTP/", 5) != 0 || version[5] < '0' ||
	    version[5] > '9' || version[6] != '.' || version[7] < '0' ||
	    version[7] > '9')
		return refuse(judge, 400,
		    "the request line is not METHOD /path HTTP/1.1");
	judge->minor = version[7] - (unsigned)'0';
	if (version[5] == '1' && judge->minor < 2)
		return true;
	*judge->status = 505;
	(void)err_set(judge->why, ERR_UNSUPPORTED,
	    "%.8s: HTTP/1.1 and HTTP/1.0 are spoken here",
	    (const char *)version);
	return false;
}

static bool
judge_request_line(struct judge *judge, const uint8_t *data, size_t size)
{
	struct head *head = judge->head;
	const uint8_t *first = memchr(data, ' ', size);
	const uint8_t *second = NULL;
	size_t method;

	if (size > HEAD_LINE_MAX) {
		*judge->status = 400;
		(void)err_set(judge->why, ERR_LIMIT,
		    "the request line is over %d bytes", HEAD_LINE_MAX);
		return false;
	}
	if (first != NULL)
		second =
		    memchr(first + 1, ' ', size - (size_t)(first + 1 - data));
	if (second == NULL || second == first + 1)
		return refuse(judge, 400,
		    "the request line is not METHOD /path HTTP/1.1");
	method = (size_t)(first - data);
	for (size_t i = 0; i < method; i++) {
		if (!head_is_token(data[i]))
			return refuse(judge, 400, "the method is no word");
	}
	head->method_size = (uint32_t)method;
	head->method = HTTP_OTHER_;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (strlen(methods[i].text) == method &&
		    memcmp(data, methods[i].text, method) == 0)
			head->method = methods[i].method;
	}
	return judge_version(
		   judge, second + 1, size - (size_t)(second + 1 - data)) &&
	    judge_target(judge, data, method + 1, (size_t)(second - first - 1));
}

/* Digits only, below 2^63: a sign, a blank or a list is refused. */
static bool
judge_length(struct judge *judge, const char *value, size_t size)
{
	uint64_t length = 0;

	if (judge->lengths++ > 0)
		return refuse(judge, 400, "Content-Length is given twice");
	if (size == 0)
		return refuse(judge, 400, "Content-Length is empty");
	for (size_t i = 0; i < size; i++) {
		unsigned digit = (unsigned)(uint8_t)value[i] - '0';

		if (digit > 9)
			return refuse(
			    judge, 400, "Content-Length is not a number");
		if (length > ((uint64_t)INT64_MAX - digit) / 10)
			return refuse(
			    judge, 400, "Content-Length is out of range");
		length = length * 10 + digit;
	}
	judge->head->length = length;
	return true;
}

static bool
is_text(const char *value, size_t size, const char *want)
{
	return strlen(want) == size && strncasecmp(value, want, size) == 0;
}

static bool
judge_host(struct judge *judge, const char *value, size_t size)
{
	if (judge->hosts++ > 0)
		return refuse(judge, 400, "Host is given twice");
	for (size_t i = 0; i < size; i++) {
		uint8_t c = (uint8_t)value[i];

		/* RFC 3986: reg-name, literal, port. */
		if (!head_is_token(c) && strchr("(),;=:[]", c) == NULL)
			return refuse(judge, 400, "bad character in Host");
	}
	return true;
}

/* The next element of a comma-separated list, without blanks around it. */
static bool
next_element(
    const char **list, size_t *left, const char **element, size_t *size)
{
	const char *comma;
	size_t taken;

	if (*left == 0)
		return false;
	comma = memchr(*list, ',', *left);
	taken = comma != NULL ? (size_t)(comma - *list) : *left;
	*element = *list;
	*size = taken;
	*list += taken;
	*left -= taken;
	if (comma != NULL) {
		(*list)++;
		(*left)--;
	}
	while (*size > 0 && (**element == ' ' || **element == '\t')) {
		(*element)++;
		(*size)--;
	}
	while (*size > 0 &&
	    ((*element)[*size - 1] == ' ' || (*element)[*size - 1] == '\t'))
		(*size)--;
	return true;
}

static void
read_connection(struct judge *judge, const char *value, size_t size)
{
	const char *element;
	size_t length;

	while (next_element(&value, &size, &element, &length)) {
		if (is_text(element, length, "close"))
			judge->close = true;
		else if (is_text(element, length, "keep-alive"))
			judge->keep = true;
	}
}

/* "gzip" or "gzip;q=0.5"; not "gzip;q=0", nor "gzip; q=0.000". */
static bool
offers_gzip(const char *element, size_t size)
{
	size_t at = 4;

	if (size < 4 || strncasecmp(element, "gzip", 4) != 0)
		return false;
	while (at < size && (element[at] == ' ' || element[at] == '\t'))
		at++;
	if (at == size)
		return true;
	if (element[at++] != ';')
		return false; /* another word that begins so */
	while (at < size && (element[at] == ' ' || element[at] == '\t'))
		at++;
	if (size - at < 3 || (element[at] != 'q' && element[at] != 'Q') ||
	    element[at + 1] != '=')
		return false;
	for (at += 2; at < size; at++) {
		if (element[at] >= '1' && element[at] <= '9')
			return true;
	}
	return false;
}

static void
read_encodings(struct judge *judge, const char *value, size_t size)
{
	const char *element;
	size_t length;

	while (next_element(&value, &size, &element, &length)) {
		if (offers_gzip(element, length))
			judge->head->accepts_gzip = true;
	}
}

static bool
judge_header(struct judge *judge, const char *name, size_t name_size,
    const char *value, size_t size)
{
	if (is_text(name, name_size, "host"))
		return judge_host(judge, value, size);
	if (is_text(name, name_size, "content-length"))
		return judge_length(judge, value, size);
	if (is_text(name, name_size, "transfer-encoding")) {
		if (judge->encodings++ > 0 || !is_text(value, size, "chunked"))
			return refuse(judge, 400,
			    "Transfer-Encoding is not exactly chunked");
		judge->head->chunked = true;
	} else if (is_text(name, name_size, "connection")) {
		read_connection(judge, value, size);
	} else if (is_text(name, name_size, "accept-encoding")) {
		read_encodings(judge, value, size);
	} else if (is_text(name, name_size, "expect")) {
		if (!is_text(value, size, "100-continue"))
			return refuse(judge, 417, "Expect is not 100-continue");
		judge->head->expects_continue = true;
	}
	return true;
}

static bool
judge_line(struct judge *judge, const uint8_t *line, size_t size)
{
	const uint8_t *colon = memchr(line, ':', size);
	size_t name, start, end;

	if (colon == NULL || colon == line)
		return refuse(judge, 400, "a header line has no name");
	name = (size_t)(colon - line);
	for (size_t i = 0; i < name; i++) {
		if (head_is_token(line[i]))
			continue;
		*judge->status = 400;
		(void)err_set(judge->why, ERR_INVALID,
		    line[i] == ' ' || line[i] == '\t'
			? "blank before the colon of header line %u"
			: "bad character in the name of header line %u",
		    judge->head->header_count + 1);
		return false;
	}
	start = name + 1;
	end = size;
	while (start < end && (line[start] == ' ' || line[start] == '\t'))
		start++;
	while (end > start && (line[end - 1] == ' ' || line[end - 1] == '\t'))
		end--;
	judge->head->header_count++;
	return judge_header(judge, (const char *)line, name,
	    (const char *)line + start, end - start);
}

/* What the headers mean together. */
static bool
judge_sum(struct judge *judge)
{
	struct head *head = judge->head;

	if (judge->lengths > 0 && judge->encodings > 0)
		return refuse(judge, 400,
		    "both Content-Length and Transfer-Encoding are given");
	if (judge->encodings > 0 && judge->minor == 0)
		return refuse(
		    judge, 400, "Transfer-Encoding is not known to HTTP/1.0");
	if (judge->hosts == 0 && judge->minor > 0)
		return refuse(judge, 400, "Host is missing");
	head->is_http10 = judge->minor == 0;
	head->keep_alive = !judge->close && (judge->minor > 0 || judge->keep);
	/* RFC 9110, 10.1.1: to be ignored in HTTP/1.0, or without a body. */
	if (judge->minor == 0 || (head->length == 0 && !head->chunked))
		head->expects_continue = false;
	return true;
}

bool
head_judge(const uint8_t *data, size_t size, struct head *head, int *status,
    struct errmsg *why)
{
	struct judge judge = {.head = head, .status = status, .why = why};
	size_t start = 0;

	memset(head, 0, sizeof(*head));
	assert(size >= 4 && memcmp(data + size - 4, "\r\n\r\n", 4) == 0);
	while (start < size - 2) {
		const uint8_t *end = memchr(data + start, '\r', size - start);
		size_t length = (size_t)(end - (data + start));

		if (start == 0) {
			if (!judge_request_line(&judge, data, length))
				return false;
		} else if (!judge_line(&judge, data + start, length)) {
			return false;
		}
		start += length + 2;
	}
	return judge_sum(&judge);
}
