/*
 * grid - columns with two blanks between them, as Consul prints them.
 *
 * Cells are copied; control bytes in them become '?', an empty one stays so.
 * The first allocation that fails makes grid_print say so.
 */
#ifndef CLIENT_GRID_H
#define CLIENT_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define GRID_COLUMNS_MAX 16

struct grid {
	size_t columns, rows;
	char **cells; /* rows * columns */
	bool failed;
};

/* With its headings, which are the first row. */
struct grid grid_new(const char *const *headings, size_t columns);
/* One row of as many cells as there are columns. */
void grid_add(struct grid *grid, const char *const *cells);
/* Write it and free it. 0; -1: out of memory, nothing was written. */
int grid_print(struct grid *grid, FILE *to);
void grid_free(struct grid *grid);

#endif
