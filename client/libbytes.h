/*
 * libbytes - a growing text with a limit, wiped when it goes.
 *
 * Bodies may hold keys, so nothing is left behind when it grows or is freed.
 * Appending to one that has failed does nothing: look once, at the end.
 */
#ifndef CLIENT_LIBBYTES_H
#define CLIENT_LIBBYTES_H

#include <stdbool.h>
#include <stddef.h>

enum libbytes_state { LIBBYTES_GOOD, LIBBYTES_NOMEM, LIBBYTES_FULL };

struct libbytes {
	char *data; /* NUL at data[size]; NULL while nothing was added */
	size_t size, room, max;
	enum libbytes_state state;
};

/* An empty one, of at most max bytes. */
struct libbytes libbytes_new(size_t max);
/* Wipe and free; it may be used anew. */
void libbytes_free(struct libbytes *bytes);

void libbytes_add(struct libbytes *bytes, const void *data, size_t size);
void libbytes_puts(struct libbytes *bytes, const char *text);
void libbytes_printf(struct libbytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The text moves to the caller, who frees it; NULL if the state is not good.
 * Either way nothing is left. */
char *libbytes_take(struct libbytes *bytes);

/* Wipe a text and free it; NULL is allowed. */
void libbytes_drop(char *text);

#endif
