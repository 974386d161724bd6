#include "client/grid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2

/* Code points: what a terminal gives one column each, for our names. */
static size_t
width(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static char *
clean_copy(const char *text)
{
	char *copy = strdup(text);

	for (char *at = copy; at != NULL && *at != '\0'; at++) {
		unsigned char byte = (unsigned char)*at;

		if (byte < 0x20 || byte == 0x7f)
			*at = '?';
	}
	return copy;
}

struct grid
grid_new(const char *const *headings, size_t columns)
{
	struct grid grid = {.columns = columns};

	assert(columns > 0 && columns <= GRID_COLUMNS_MAX);
	grid_add(&grid, headings);
	return grid;
}

void
grid_add(struct grid *grid, const char *const *cells)
{
	size_t used = grid->rows * grid->columns;
	char **more =
	    realloc(grid->cells, (used + grid->columns) * sizeof(*more));

	if (more == NULL) {
		grid->failed = true;
		return;
	}
	grid->cells = more;
	for (size_t i = 0; i < grid->columns; i++) {
		more[used + i] = clean_copy(cells[i]);
		if (more[used + i] == NULL)
			grid->failed = true;
	}
	grid->rows++;
}

void
grid_free(struct grid *grid)
{
	for (size_t i = 0; i < grid->rows * grid->columns; i++)
		free(grid->cells[i]);
	free(grid->cells);
	*grid = (struct grid){.cells = NULL};
}

static void
print_row(char *const *cells, const size_t *widths, size_t columns, FILE *to)
{
	size_t last = columns;

	while (last > 1 && cells[last - 1][0] == '\0')
		last--; /* no blanks at the end of a line */
	for (size_t i = 0; i < last; i++) {
		size_t pad = widths[i] - width(cells[i]) + GAP;

		(void)fputs(cells[i], to);
		for (; i + 1 < last && pad > 0; pad--)
			(void)fputc(' ', to);
	}
	(void)fputc('\n', to);
}

int
grid_print(struct grid *grid, FILE *to)
{
	size_t widths[GRID_COLUMNS_MAX] = {0};
	size_t columns = grid->columns;

	if (grid->failed) {
		grid_free(grid);
		return -1;
	}
	for (size_t i = 0; i < grid->rows * columns; i++) {
		size_t wide = width(grid->cells[i]);

		if (wide > widths[i % columns])
			widths[i % columns] = wide;
	}
	for (size_t i = 0; i < grid->rows; i++)
		print_row(grid->cells + i * columns, widths, columns, to);
	grid_free(grid);
	return 0;
}
