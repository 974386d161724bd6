#include "client/indent.h"

#include <string.h>

static void
new_line(size_t depth, const char *step, FILE *to)
{
	(void)fputc('\n', to);
	for (; depth > 0; depth--)
		(void)fputs(step, to);
}

/* Print the string that begins at text[at]; past its end. */
static size_t
print_string(const char *text, size_t size, size_t at, FILE *to)
{
	size_t end = at + 1;

	while (end < size && text[end] != '"')
		end += text[end] == '\\' ? 2 : 1;
	end = end < size ? end + 1 : size;
	(void)fwrite(text + at, 1, end - at, to);
	return end;
}

/* The next byte that is no blank; NUL: none is left. */
static char
peek(const char *text, size_t size, size_t at)
{
	while (at < size && strchr(" \t\r\n", text[at]) != NULL)
		at++;
	return at < size ? text[at] : '\0';
}

void
indent_print(const char *text, size_t size, const char *step, FILE *to)
{
	size_t depth = 0, at = 0;
	char last = '\0';

	while (at < size) {
		char byte = text[at];

		if (byte == '"') {
			at = print_string(text, size, at, to);
			last = byte;
			continue;
		}
		at++;
		if (strchr(" \t\r\n", byte) != NULL)
			continue;
		if (byte == '}' || byte == ']') {
			depth -= depth > 0;
			if (last != '{' && last != '[')
				new_line(depth, step, to);
		}
		(void)fputc(byte, to);
		if (byte == '{' || byte == '[') {
			char next = peek(text, size, at);

			depth++;
			if (next != '}' && next != ']')
				new_line(depth, step, to);
		} else if (byte == ',') {
			new_line(depth, step, to);
		} else if (byte == ':') {
			(void)fputc(' ', to);
		}
		last = byte;
	}
	(void)fputc('\n', to);
}
