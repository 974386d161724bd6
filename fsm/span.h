/*
 * span - borrowed bytes with their length: a text that need not end in NUL.
 */
#ifndef FSM_SPAN_H
#define FSM_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *data; /* borrowed; NULL allowed when size is 0 */
	size_t size;      /* bytes */
};

static inline struct span
span_of(const char *text)
{
	return (struct span){text, text == NULL ? 0 : strlen(text)};
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.size == b.size &&
	    (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
