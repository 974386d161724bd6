/*
 * table - columns with two blanks between them, as Consul prints them.
 *
 * Cells are copied; control bytes in them become '?', an empty one stays so.
 * The first allocation that fails makes table_print say so.
 */
#ifndef CLIENT_TABLE_H
#define CLIENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table {
	size_t columns, rows;
	char **cells; /* rows * columns */
	bool failed;
};

/* With its headings, which are the first row. */
struct table table_new(const char *const *headings, size_t columns);
/* One row of as many cells as there are columns. */
void table_add(struct table *table, const char *const *cells);
/* Write it and free it. 0; -1: out of memory, nothing was written. */
int table_print(struct table *table, FILE *to);
void table_free(struct table *table);

#endif
