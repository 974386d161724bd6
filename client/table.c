#include "client/table.h"

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

struct table
table_new(const char *const *headings, size_t columns)
{
	struct table table = {.columns = columns};

	assert(columns > 0 && columns <= TABLE_COLUMNS_MAX);
	table_add(&table, headings);
	return table;
}

void
table_add(struct table *table, const char *const *cells)
{
	size_t used = table->rows * table->columns;
	char **more =
	    realloc(table->cells, (used + table->columns) * sizeof(*more));

	if (more == NULL) {
		table->failed = true;
		return;
	}
	table->cells = more;
	for (size_t i = 0; i < table->columns; i++) {
		more[used + i] = clean_copy(cells[i]);
		if (more[used + i] == NULL)
			table->failed = true;
	}
	table->rows++;
}

void
table_free(struct table *table)
{
	for (size_t i = 0; i < table->rows * table->columns; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){.cells = NULL};
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
table_print(struct table *table, FILE *to)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	size_t columns = table->columns;

	if (table->failed) {
		table_free(table);
		return -1;
	}
	for (size_t i = 0; i < table->rows * columns; i++) {
		size_t wide = width(table->cells[i]);

		if (wide > widths[i % columns])
			widths[i % columns] = wide;
	}
	for (size_t i = 0; i < table->rows; i++)
		print_row(table->cells + i * columns, widths, columns, to);
	table_free(table);
	return 0;
}
