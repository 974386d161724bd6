/*
 * The option table turned outwards: --help and the JSON of agent/self. Both
 * are declared in config.h.
 */
#include <string.h>

#include "server/config.h"
#include "server/configslot.h"
#include "server/configtable.h"

static void
print_default(FILE *out, const struct config_option *option)
{
	const char *text = option->initial;

	if (option->fallback != NULL)
		fprintf(out, "      Default: that of %s.", option->fallback);
	else if (option->shown != NULL)
		fprintf(out, "      Default: %s.", option->shown);
	else if (text != NULL && option->type != CONFIG_CA)
		fprintf(out, "      Default: %s.", text);
	else
		fprintf(out, "      Default: none.");
	fprintf(out, "%s\n", option->reloadable ? " Reloadable." : "");
}

static void
print_flag(FILE *out, const struct config_option *option)
{
	fprintf(out, "  -%s", option->flag);
	if (option->unit != NULL)
		fprintf(out, "=<%s>", option->unit);
	if (option->name != NULL)
		fprintf(out, "  (key %s)", option->name);
	fprintf(out, "\n      %s\n", option->help);
	if (option->name != NULL)
		print_default(out, option);
}

static void
print_key(FILE *out, const struct config_option *option)
{
	fprintf(out, "  %s", option->name);
	if (option->unit != NULL)
		fprintf(out, " <%s>", option->unit);
	fprintf(out, "\n      %s\n", option->help);
	print_default(out, option);
}

void
config_print_help(FILE *out)
{
	fputs(
	    "Usage: conclaved [options]\n\n"
	    "  Runs one server of a Conclave cluster. Options come from JSON\n"
	    "  files and from flags, which win. One or two dashes, -x=v or "
	    "-x v.\n\nFlags\n\n",
	    out);
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].flag != NULL)
			print_flag(out, &config_options[i]);
	}
	fputs("\nKeys of configuration files that have no flag; a dot means an "
	      "object within\n\n",
	    out);
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].flag == NULL)
			print_key(out, &config_options[i]);
	}
	fputs("\nSee conclaved(8) and conclave.json(5).\n", out);
}

/* How many leading parts, dots included, two paths have in common. */
static size_t
shared_groups(const char *a, const char *b)
{
	size_t shared = 0;

	for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++) {
		if (a[i] == '.')
			shared = i + 1;
	}
	return shared;
}

static size_t
dots(const char *path)
{
	size_t count = 0;

	for (; *path != '\0'; path++)
		count += *path == '.';
	return count;
}

/* Close the objects that path is no longer in, open those it is in. */
static void
move_to(struct buf *out, const char *before, const char *path)
{
	size_t shared = shared_groups(before, path), size;

	for (size_t i = dots(before + shared); i > 0; i--)
		buf_u8(out, '}');
	if (*before != '\0')
		buf_u8(out, ',');
	for (path += shared; strchr(path, '.') != NULL; path += size + 1) {
		size = strcspn(path, ".");
		buf_printf(out, "\"%.*s\":{", (int)size, path);
	}
	buf_printf(out, "\"%s\":", path);
}

void
config_json(const struct config *config, struct buf *out)
{
	const struct config_option *option;
	const char *before = "";

	buf_u8(out, '{');
	for (size_t i = 0; i < config_options_count; i++) {
		option = &config_options[i];
		if (option->name == NULL || !config_in_result(option))
			continue;
		move_to(out, before, option->name);
		config_put_value(option, config, out);
		before = option->name;
	}
	for (size_t i = dots(before); i > 0; i--)
		buf_u8(out, '}');
	buf_u8(out, '}');
}
