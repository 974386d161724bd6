#include "client/libbytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define ROOM_FIRST 256  /* bytes */
#define LINE_MAX_  1024 /* bytes of one libbytes_printf */

struct libbytes
libbytes_new(size_t max)
{
	return (struct libbytes){.max = max};
}

static void
release(struct libbytes *bytes)
{
	if (bytes->data != NULL)
		OPENSSL_cleanse(bytes->data, bytes->room);
	free(bytes->data);
	bytes->data = NULL;
}

void
libbytes_free(struct libbytes *bytes)
{
	release(bytes);
	*bytes = libbytes_new(bytes->max);
}

/* Not realloc: what it leaves behind could not be wiped. */
static bool
grow(struct libbytes *bytes, size_t want)
{
	size_t room = bytes->room < ROOM_FIRST ? ROOM_FIRST : bytes->room;
	char *data;

	while (room < want)
		room *= 2;
	data = malloc(room);
	if (data == NULL)
		return false;
	if (bytes->size > 0)
		memcpy(data, bytes->data, bytes->size);
	release(bytes);
	bytes->data = data;
	bytes->room = room;
	return true;
}

void
libbytes_add(struct libbytes *bytes, const void *data, size_t size)
{
	if (bytes->state != LIBBYTES_GOOD)
		return;
	if (size > bytes->max - bytes->size) {
		bytes->state = LIBBYTES_FULL;
		return;
	}
	if (bytes->size + size + 1 > bytes->room &&
	    !grow(bytes, bytes->size + size + 1)) {
		bytes->state = LIBBYTES_NOMEM;
		return;
	}
	if (size > 0)
		memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	bytes->data[bytes->size] = '\0';
}

void
libbytes_puts(struct libbytes *bytes, const char *text)
{
	libbytes_add(bytes, text, strlen(text));
}

void
libbytes_printf(struct libbytes *bytes, const char *format, ...)
{
	char line[LINE_MAX_];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (size < 0 || (size_t)size >= sizeof(line))
		bytes->state = LIBBYTES_FULL;
	else
		libbytes_add(bytes, line, (size_t)size);
	OPENSSL_cleanse(line, sizeof(line));
}

char *
libbytes_take(struct libbytes *bytes)
{
	char *text;

	libbytes_add(bytes, "", 0);
	if (bytes->state != LIBBYTES_GOOD) {
		libbytes_free(bytes);
		return NULL;
	}
	text = bytes->data;
	bytes->data = NULL;
	*bytes = libbytes_new(bytes->max);
	return text;
}

void
libbytes_drop(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}
