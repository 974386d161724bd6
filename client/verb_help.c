/* help, version; and what the shell completes from. */
#include <stdio.h>
#include <string.h>

#include "client/flags.h"

static void
print_flag(const struct flag_info *info)
{
	char left[64];

	(void)snprintf(left, sizeof(left), "-%s%s%s", info->name,
	    info->value != NULL ? "=" : "",
	    info->value != NULL ? info->value : "");
	(void)printf("  %-28s %s", left, info->help);
	if (info->env != NULL)
		(void)printf(" [CONCLAVE_%s]", info->env);
	(void)putchar('\n');
}

static void
print_flags(uint64_t flags, const char *title)
{
	if (flags == 0)
		return;
	(void)printf("\n%s:\n", title);
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if ((flags & BIT(i)) != 0)
			print_flag(&flag_table[i]);
	}
}

static void
print_verb(const struct verb *verb)
{
	bool flags = verb->flags != 0;

	(void)printf("Usage: conclave %s%s%s%s\n\n%s.\n", verb->words,
	    flags ? " [FLAG...]" : "", verb->args[0] != '\0' ? " " : "",
	    verb->args, verb->help);
	print_flags(verb->flags & ~FLAGS_CLIENT, "Flags");
	print_flags(verb->flags & FLAGS_CLIENT, "Flags for the connection");
}

static void
print_all(void)
{
	(void)puts("Usage: conclave COMMAND [FLAG...] [ARG...]\n\nCommands:");
	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct verb *verb = &cli_verbs[i];
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s", verb->words,
		    verb->args[0] != '\0' ? " " : "", verb->args);
		(void)printf("  %-30s %s\n", left, verb->help);
	}
	(void)puts("\nconclave help COMMAND lists its flags. They take one "
		   "dash or two.");
}

/*
 * help completion: a line for each verb, its words, then its flags behind a
 * bar: what conclave.bash works from.
 */
static void
print_complete(void)
{
	for (size_t i = 0; i < cli_verb_count; i++) {
		(void)printf("%s|", cli_verbs[i].words);
		for (size_t f = 0; f < FLAG_COUNT; f++) {
			if ((cli_verbs[i].flags & BIT(f)) != 0)
				(void)printf("-%s%s ", flag_table[f].name,
				    flag_table[f].value != NULL ? "=" : "");
		}
		(void)putchar('\n');
	}
}

int
verb_help(struct cli *cli)
{
	const struct verb *verb = cli->verb;
	size_t used = 0;

	if (verb != NULL && verb->run == verb_help)
		verb = NULL;
	if (cli->arg_count > 0 && verb == NULL) {
		if (strcmp(cli->args[0], "completion") == 0) {
			print_complete();
			return CLI_GOOD;
		}
		verb = cli_find(cli->args, cli->arg_count, &used);
		if (verb == NULL)
			return cli_fail("no command \"%s\" (see conclave help)",
			    cli->args[0]);
	}
	if (verb != NULL)
		print_verb(verb);
	else
		print_all();
	return CLI_GOOD;
}

int
verb_version(struct cli *cli)
{
	(void)cli;
	(void)printf("Conclave v%s\n", conclave_version());
	return CLI_GOOD;
}
