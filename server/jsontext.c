#include "server/jsontext.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/json.h"
#include "server/utf8.h"

/* Characters that stand for themselves. */
static bool
plain(unsigned char c)
{
	return c >= ' ' && c < 0x80 && c != '"' && c != '\\' && c != '<' &&
	    c != '>' && c != '&';
}

/* Write the one character at text that is not plain; its size. */
static size_t
put_special(struct buf *out, const char *text, size_t left)
{
	unsigned char c = (unsigned char)*text;
	size_t size = utf8_size(text, left);

	if (size == 0) {
		buf_puts(out, "\\ufffd");
		return 1;
	}
	if (size > 1) {
		if (memcmp(text, "\u2028", size) == 0)
			buf_puts(out, "\\u2028");
		else if (memcmp(text, "\u2029", size) == 0)
			buf_puts(out, "\\u2029");
		else
			buf_raw(out, text, size);
		return size;
	}
	switch (c) {
	case '"':
		buf_puts(out, "\\\"");
		break;
	case '\\':
		buf_puts(out, "\\\\");
		break;
	case '\n':
		buf_puts(out, "\\n");
		break;
	case '\r':
		buf_puts(out, "\\r");
		break;
	case '\t':
		buf_puts(out, "\\t");
		break;
	default:
		buf_printf(out, "\\u%04x", c);
	}
	return 1;
}

void
json_put_string(struct buf *out, const char *text, size_t size)
{
	size_t at = 0, run;

	buf_u8(out, '"');
	while (at < size) {
		for (run = at; run < size && plain((unsigned char)text[run]);)
			run++;
		buf_raw(out, text + at, run - at);
		at = run;
		if (at < size)
			at += put_special(out, text + at, size - at);
	}
	buf_u8(out, '"');
}

void
json_put_cstring(struct buf *out, const char *text)
{
	json_put_string(out, text, strlen(text));
}

static void
put_line(struct buf *out, unsigned depth, int indent)
{
	buf_u8(out, '\n');
	for (unsigned i = 0; i < depth; i++) {
		if (indent == 0)
			buf_u8(out, '\t');
		for (int j = 0; j < indent; j++)
			buf_u8(out, ' ');
	}
}

/* Size of the quoted string at text. */
static size_t
string_size(const char *text, size_t left)
{
	size_t at = 1;

	while (at < left && text[at] != '"')
		at += text[at] == '\\' ? 2 : 1;
	return at < left ? at + 1 : left;
}

void
json_pretty(struct buf *out, const char *text, size_t size, int indent)
{
	unsigned depth = 0;
	size_t at = 0, run;
	char c, before = '\0'; /* last byte that was no white space */

	for (; at < size; at += run) {
		run = 1;
		c = text[at];
		if (strchr(" \t\r\n", c) != NULL)
			continue;
		/* The first thing in a container opens its line. */
		if ((before == '{' || before == '[') && c != '}' && c != ']')
			put_line(out, ++depth, indent);
		else if ((c == '}' || c == ']') && before != '{' &&
		    before != '[' && depth > 0)
			put_line(out, --depth, indent);
		if (c == '"')
			run = string_size(text + at, size - at);
		buf_raw(out, text + at, run);
		if (c == ',')
			put_line(out, depth, indent);
		else if (c == ':')
			buf_u8(out, ' ');
		before = c;
	}
	buf_u8(out, '\n');
}

static int
by_key(const void *a, const void *b)
{
	const struct json *const *left = a, *const *right = b;

	return strcmp(json_key(*left), json_key(*right));
}

static void
put_member(struct buf *out, const struct json_doc *doc,
    const struct json *member, bool sorted)
{
	json_put_cstring(out, json_key(member));
	buf_u8(out, ':');
	json_put(out, doc, member, sorted);
}

static void
put_sorted(
    struct buf *out, const struct json_doc *doc, const struct json *object)
{
	const struct json *members[JSON_MEMBERS_MAX], *child;
	size_t count = 0;

	for (child = json_first(object); child != NULL;
	     child = json_next(child)) {
		assert(count < JSON_MEMBERS_MAX);
		members[count++] = child;
	}
	qsort(members, count, sizeof(members[0]), by_key);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_u8(out, ',');
		put_member(out, doc, members[i], true);
	}
}

static void
put_children(struct buf *out, const struct json_doc *doc,
    const struct json *value, bool sorted)
{
	bool object = json_type(value) == JSON_OBJECT;
	const struct json *child = json_first(value);

	if (object && sorted) {
		put_sorted(out, doc, value);
		return;
	}
	for (; child != NULL; child = json_next(child)) {
		if (child != json_first(value))
			buf_u8(out, ',');
		if (object)
			put_member(out, doc, child, sorted);
		else
			json_put(out, doc, child, sorted);
	}
}

void
json_put(struct buf *out, const struct json_doc *doc, const struct json *value,
    bool sorted)
{
	switch (json_type(value)) {
	case JSON_NULL:
		buf_puts(out, "null");
		break;
	case JSON_BOOL:
		buf_puts(out, json_bool(value) ? "true" : "false");
		break;
	case JSON_NUMBER:
		buf_puts(out, json_token(doc, value));
		break;
	case JSON_STRING:
		json_put_cstring(out, json_string(value));
		break;
	case JSON_ARRAY:
		buf_u8(out, '[');
		put_children(out, doc, value, sorted);
		buf_u8(out, ']');
		break;
	case JSON_OBJECT:
		buf_u8(out, '{');
		put_children(out, doc, value, sorted);
		buf_u8(out, '}');
		break;
	}
}
