#include "tests/bench/options.h"

#include <stdbool.h>
#include <unistd.h>

#include "tests/bench/dial.h"
#include "tests/bench/die.h"
#include "tests/bench/request.h"

static void
take(const struct option_row *row, const char *value)
{
	switch (row->kind) {
	case OPTION_TEXT:
		*(const char **)row->to = value;
		break;
	case OPTION_COUNT:
		*(unsigned *)row->to = parse_count(row->letter, value);
		break;
	case OPTION_NUMBER:
		*(double *)row->to = parse_number(row->letter, value);
		break;
	case OPTION_FLAG:
		*(bool *)row->to = true;
		break;
	case OPTION_BODY:
		*(const char **)row->to = request_text(value);
		break;
	case OPTION_HEADER:
		request_header(row->to, value);
		break;
	case OPTION_TARGETS:
		*(struct targets *)row->to = parse_targets(value);
		break;
	case OPTION_PIDS:
		*(struct pids *)row->to = parse_pids(value);
		break;
	}
}

void
options_take(int argc, char **argv, const struct option_row *rows, size_t count,
    const char *usage)
{
	char letters[2 * OPTIONS_MAX + 1];
	size_t n = 0, i;
	int o;

	for (i = 0; i < count && i < OPTIONS_MAX; i++) {
		letters[n++] = rows[i].letter;
		if (rows[i].kind != OPTION_FLAG)
			letters[n++] = ':';
	}
	letters[n] = '\0';
	while ((o = getopt(argc, argv, letters)) != -1) {
		for (i = 0; i < count && rows[i].letter != o; i++) {
		}
		if (i == count)
			die("%s", usage);
		take(&rows[i], optarg);
	}
}
