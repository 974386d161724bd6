/*
 * options - the command lines of the load generators, one table each.
 */
#ifndef TESTS_BENCH_OPTIONS_H
#define TESTS_BENCH_OPTIONS_H

#include <stddef.h>

#define OPTIONS_MAX 40

enum option_kind {
	OPTION_TEXT,    /* const char *, borrowed from argv */
	OPTION_COUNT,   /* unsigned */
	OPTION_NUMBER,  /* double */
	OPTION_FLAG,    /* bool; takes no value */
	OPTION_BODY,    /* const char *, see request_text */
	OPTION_HEADER,  /* struct request_template, see request_header */
	OPTION_TARGETS, /* struct targets */
	OPTION_PIDS     /* struct pids */
};

struct option_row {
	char letter;
	enum option_kind kind;
	void *to;
};

/* Store what is given; an unknown option or a bad value ends the program,
 * the former with usage. */
void options_take(int argc, char **argv, const struct option_row *rows,
    size_t count, const char *usage);

#endif
