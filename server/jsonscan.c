#include "server/jsonscan.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/utf8.h"

#define MARKS_FIRST 32

struct scanner {
	const char *data;
	size_t size, at;
	size_t line_start; /* offset of the current line's first byte */
	unsigned line;
	unsigned depth;
	const char *name;
	struct jsonscan *out;
	size_t capacity; /* of out->marks */
	struct errmsg *why;
};

enum err
jsonscan_refuse(struct errmsg *why, enum err code, const char *name,
    unsigned line, unsigned column, const char *text)
{
	if (name != NULL) {
		return err_set(
		    why, code, "%s:%u:%u: %s", name, line, column, text);
	}
	return err_set(why, code, "line %u, column %u: %s", line, column, text);
}

static enum err
refuse(struct scanner *in, enum err code, const char *text)
{
	return jsonscan_refuse(in->why, code, in->name, in->line,
	    (unsigned)(in->at - in->line_start + 1), text);
}

/* The byte at hand does not fit; what was due is said by wanted. */
static enum err
unexpected(struct scanner *in, const char *wanted)
{
	char text[96];
	unsigned char c;

	if (in->at >= in->size)
		return refuse(in, ERR_INVALID, "unexpected end of JSON input");
	c = (unsigned char)in->data[in->at];
	if (c > ' ' && c < 0x7f) {
		snprintf(
		    text, sizeof(text), "invalid character '%c' %s", c, wanted);
	} else {
		snprintf(
		    text, sizeof(text), "invalid byte 0x%02x %s", c, wanted);
	}
	return refuse(in, ERR_INVALID, text);
}

static int
peek(const struct scanner *in)
{
	return in->at < in->size ? (unsigned char)in->data[in->at] : -1;
}

static void
skip_space(struct scanner *in)
{
	for (; in->at < in->size; in->at++) {
		switch (in->data[in->at]) {
		case '\n':
			in->line++;
			in->line_start = in->at + 1;
			break;
		case ' ':
		case '\t':
		case '\r':
			break;
		default:
			return;
		}
	}
}

/* A mark for a value that begins, or whose key begins, at hand. */
static enum err
add_mark(struct scanner *in)
{
	struct jsonscan *out = in->out;
	struct jsonscan_mark *grown;
	size_t capacity;

	if (out->count == JSON_VALUES_MAX)
		return refuse(in, ERR_LIMIT, "more than 65536 values");
	if (out->count == in->capacity) {
		capacity = in->capacity == 0 ? MARKS_FIRST : in->capacity * 2;
		grown = realloc(out->marks, capacity * sizeof(*grown));
		if (grown == NULL)
			return err_set(in->why, ERR_NOMEM, "out of memory");
		out->marks = grown;
		in->capacity = capacity;
	}
	out->marks[out->count++] = (struct jsonscan_mark){
	    .line = in->line,
	    .column = (unsigned)(in->at - in->line_start + 1),
	    .token = JSONSCAN_NO_TOKEN,
	};
	return OK;
}

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static size_t
skip_digits(struct scanner *in)
{
	size_t start = in->at;

	while (is_digit(peek(in)))
		in->at++;
	return in->at - start;
}

/* A number too great for a double would reach readers as infinity. */
static enum err
check_range(struct scanner *in, size_t start)
{
	char text[JSON_TOKEN_MAX + 1];
	size_t size = in->at - start;

	in->at = start; /* what is refused is the number as a whole */
	if (size > JSON_TOKEN_MAX)
		return refuse(in, ERR_INVALID, "number of over 63 characters");
	memcpy(text, in->data + start, size);
	text[size] = '\0';
	if (strpbrk(text, "eE") != NULL && isinf(strtod(text, NULL)))
		return refuse(in, ERR_INVALID, "number out of range");
	in->at = start + size;
	return OK;
}

static enum err
scan_number(struct scanner *in)
{
	size_t start = in->at;

	in->out->marks[in->out->count - 1].token = (uint32_t)start;
	if (peek(in) == '-')
		in->at++;
	if (peek(in) == '0') {
		in->at++;
		if (is_digit(peek(in)))
			return unexpected(in, "after a leading zero");
	} else if (skip_digits(in) == 0) {
		return unexpected(in, "in numeric literal");
	}
	if (peek(in) == '.') {
		in->at++;
		if (skip_digits(in) == 0)
			return unexpected(in, "after decimal point");
	}
	if (peek(in) == 'e' || peek(in) == 'E') {
		in->at++;
		if (peek(in) == '+' || peek(in) == '-')
			in->at++;
		if (skip_digits(in) == 0)
			return unexpected(in, "in exponent");
	}
	return check_range(in, start);
}

/* Four hex digits after "\u"; in->at ends behind them. */
static enum err
scan_hex(struct scanner *in, unsigned *value)
{
	*value = 0;
	for (int i = 0; i < 4; i++, in->at++) {
		int c = peek(in);

		if (is_digit(c))
			*value = *value * 16 + (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value * 16 + (unsigned)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			*value = *value * 16 + (unsigned)(c - 'A' + 10);
		else
			return unexpected(in, "in \\u escape");
	}
	return OK;
}

static enum err
scan_unicode(struct scanner *in)
{
	size_t start = in->at - 2; /* the backslash */
	unsigned first, second = 0;
	enum err rc = scan_hex(in, &first);

	if (rc != OK)
		return rc;
	if (first == 0) {
		in->at = start;
		return refuse(in, ERR_INVALID, "NUL character in string");
	}
	if (first < 0xd800 || first > 0xdfff)
		return OK;
	if (first < 0xdc00 && in->size - in->at >= 2 &&
	    memcmp(in->data + in->at, "\\u", 2) == 0) {
		in->at += 2;
		rc = scan_hex(in, &second);
		if (rc != OK)
			return rc;
	}
	if (second >= 0xdc00 && second <= 0xdfff)
		return OK;
	in->at = start;
	return refuse(in, ERR_INVALID, "half of a surrogate pair in string");
}

static enum err
scan_escape(struct scanner *in)
{
	int c;

	in->at++;
	c = peek(in);
	if (c == 'u') {
		in->at++;
		return scan_unicode(in);
	}
	if (c <= 0 || strchr("\"\\/bfnrt", c) == NULL)
		return unexpected(in, "in string escape code");
	in->at++;
	return OK;
}

static enum err
scan_string(struct scanner *in)
{
	size_t size;
	enum err rc;
	int c;

	in->at++; /* the quote */
	while ((c = peek(in)) != '"') {
		if (c < ' ')
			return unexpected(in, "in string literal");
		if (c == '\\') {
			rc = scan_escape(in);
			if (rc != OK)
				return rc;
			continue;
		}
		size = utf8_size(in->data + in->at, in->size - in->at);
		if (size == 0)
			return unexpected(in, "in string literal: not UTF-8");
		in->at += size;
	}
	in->at++;
	return OK;
}

static enum err
scan_word(struct scanner *in, const char *word)
{
	for (; *word != '\0'; word++, in->at++) {
		if (peek(in) != *word)
			return unexpected(in, "in literal");
	}
	return OK;
}

static enum err scan_container(struct scanner *in);

/* The value at hand; its mark has been added. */
static enum err
scan_value(struct scanner *in)
{
	switch (peek(in)) {
	case '{':
	case '[':
		return scan_container(in);
	case '"':
		return scan_string(in);
	case 't':
		return scan_word(in, "true");
	case 'f':
		return scan_word(in, "false");
	case 'n':
		return scan_word(in, "null");
	default:
		if (peek(in) == '-' || is_digit(peek(in)))
			return scan_number(in);
		return unexpected(in, "looking for beginning of value");
	}
}

static enum err
scan_key(struct scanner *in)
{
	enum err rc;

	if (peek(in) != '"')
		return unexpected(in, "looking for object key string");
	rc = scan_string(in);
	if (rc != OK)
		return rc;
	skip_space(in);
	if (peek(in) != ':')
		return unexpected(in, "after object key");
	in->at++;
	skip_space(in);
	return OK;
}

/* From the bracket at hand to behind its partner. Recursion ends at depth. */
static enum err
scan_container(struct scanner *in)
{
	bool object = peek(in) == '{';
	int close = object ? '}' : ']';
	unsigned members = 0;
	enum err rc;

	if (++in->depth > JSON_DEPTH_MAX)
		return refuse(in, ERR_INVALID, "nested deeper than 32");
	in->at++;
	skip_space(in);
	while (peek(in) != close || members > 0) {
		if (object && members == JSON_MEMBERS_MAX)
			return refuse(in, ERR_LIMIT, "more than 1024 members");
		members++;
		rc = add_mark(in);
		if (rc == OK && object)
			rc = scan_key(in);
		if (rc == OK)
			rc = scan_value(in);
		if (rc != OK)
			return rc;
		skip_space(in);
		if (peek(in) == close)
			break;
		if (peek(in) != ',') {
			return unexpected(in,
			    object ? "after object key:value pair"
				   : "after array element");
		}
		in->at++;
		skip_space(in);
	}
	in->at++;
	in->depth--;
	return OK;
}

enum err
jsonscan_value(const char *data, size_t size, const char *name,
    struct jsonscan *out, struct errmsg *why)
{
	struct scanner in = {
	    .data = data,
	    .size = size,
	    .line = 1,
	    .name = name,
	    .out = out,
	    .why = why,
	};
	enum err rc;

	*out = (struct jsonscan){0};
	if (size > JSON_SIZE_MAX) {
		return err_set(why, ERR_LIMIT,
		    "JSON of %zu bytes, at most %u are taken", size,
		    JSON_SIZE_MAX);
	}
	skip_space(&in);
	if (in.at == size && name == NULL)
		return err_set(why, ERR_INVALID, "EOF");
	rc = add_mark(&in);
	if (rc == OK)
		rc = scan_value(&in);
	if (rc != OK) {
		free(out->marks);
		*out = (struct jsonscan){0};
		return rc;
	}
	out->end = in.at;
	return OK;
}
