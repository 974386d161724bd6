#include "tests/bench/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/die.h"

/* Marsaglia's xorshift64: cheap enough to draw a document per request. */
static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static size_t
draw_text(char *out, size_t size, uint64_t *state)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
				  "rstuvwxyz0123456789AB";
	uint64_t bits;
	size_t i = 0;

	while (i < size) {
		bits = draw(state);
		for (int k = 0; k < 10 && i < size; k++, bits >>= 6)
			out[i++] = abc[bits & 63];
	}
	return size;
}

__attribute__((format(printf, 3, 4))) static size_t
print(char *out, size_t room, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		die("request does not fit in %d bytes", REQUEST_SIZE_MAX);
	return (size_t)n;
}

/* The value of the word at text; *used is its length, 0 if it is none. */
static size_t
expand_word(char *out, size_t room, const char *text,
    struct template_values *values, size_t *used)
{
	static const char *const words[] = {"{conn}", "{seq}", "{index}",
	    "{index+1}", "{key}", "{step}", "{token}", "{val}"};
	const uint64_t numbers[] = {
	    values->conn, values->seq, values->index, values->index + 1};
	unsigned keys = values->keys > 0 ? values->keys : 1;
	size_t i;

	*used = 0;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strncmp(text, words[i], strlen(words[i])) == 0)
			break;
	}
	if (i == sizeof(words) / sizeof(words[0]))
		return 0;
	*used = strlen(words[i]);
	if (i < sizeof(numbers) / sizeof(numbers[0]))
		return print(out, room, "%" PRIu64, numbers[i]);
	if (i == 4)
		return print(
		    out, room, "%08" PRIu64, draw(&values->random) % keys);
	if (i == 5)
		return print(out, room, "%08" PRIu64, values->seq % keys);
	if (i == 6)
		return print(out, room, "%s", values->token);
	if (values->value_size >= room)
		die("request does not fit in %d bytes", REQUEST_SIZE_MAX);
	return draw_text(out, values->value_size, &values->random);
}

size_t
template_expand(
    char *out, size_t room, const char *text, struct template_values *values)
{
	size_t size = 0, used = 0;

	while (*text != '\0') {
		if (size + 1 >= room) {
			die("request does not fit in %d bytes",
			    REQUEST_SIZE_MAX);
		}
		used = 0;
		if (*text == '{') {
			size += expand_word(
			    out + size, room - size, text, values, &used);
		}
		if (used == 0) {
			out[size++] = *text;
			used = 1;
		}
		text += used;
	}
	out[size] = '\0';
	return size;
}

size_t
request_build(char *out, size_t room, const struct request_template *request,
    const char *host, struct template_values *values, bool close)
{
	char body[REQUEST_SIZE_MAX];
	size_t body_size = 0, size;

	if (request->body != NULL) {
		body_size =
		    template_expand(body, sizeof(body), request->body, values);
	}
	size = print(out, room, "%s ", request->method);
	size += template_expand(out + size, room - size, request->path, values);
	size +=
	    print(out + size, room - size, " HTTP/1.1\r\nHost: %s\r\n", host);
	size +=
	    template_expand(out + size, room - size, request->headers, values);
	if (close)
		size += print(out + size, room - size, "Connection: close\r\n");
	if (request->body != NULL) {
		size += print(out + size, room - size,
		    "Content-Length: %zu\r\n", body_size);
	}
	size += print(out + size, room - size, "\r\n");
	if (body_size >= room - size)
		die("request does not fit in %d bytes", REQUEST_SIZE_MAX);
	memcpy(out + size, body, body_size);
	return size + body_size;
}

void
request_header(struct request_template *request, const char *line)
{
	size_t n = strlen(request->headers);

	print(
	    request->headers + n, sizeof(request->headers) - n, "%s\r\n", line);
}

const char *
request_text(const char *text)
{
	char *content;
	FILE *file;
	size_t n;

	if (text[0] != '@')
		return text;
	file = fopen(text + 1, "rbe");
	content = malloc(REQUEST_SIZE_MAX);
	if (file == NULL || content == NULL)
		die("%s: %s", text + 1, strerror(errno));
	n = fread(content, 1, REQUEST_SIZE_MAX - 1, file);
	content[n] = '\0';
	fclose(file);
	return content;
}
