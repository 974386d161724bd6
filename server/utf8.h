/*
 * utf8 - is the text well formed? Pure; any thread. RFC 3629.
 */
#ifndef SERVER_UTF8_H
#define SERVER_UTF8_H

#include <stddef.h>

/* Bytes (1 to 4) of the well-formed character that data starts with; 0 if
 * there is none: cut short, overlong, a surrogate, above U+10FFFF. */
size_t utf8_size(const void *data, size_t size);

#endif
