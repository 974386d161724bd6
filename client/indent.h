/*
 * indent - JSON text laid out for people, no token of it changed.
 *
 * Numbers stay as the server wrote them, which a parser would not promise.
 */
#ifndef CLIENT_INDENT_H
#define CLIENT_INDENT_H

#include <stddef.h>
#include <stdio.h>

#define INDENT_BLANKS "    " /* what Consul indents answers with */
#define INDENT_TAB    "\t"   /* and the configuration of its CA */

/* Go's layout: a member a line, one step deeper in each object and array,
 * empty ones as {} and []; a newline at the end. text: valid JSON. */
void indent_print(const char *text, size_t size, const char *step, FILE *to);

#endif
