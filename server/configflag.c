#include "server/configflag.h"

#include <stdio.h>
#include <string.h>

#include "server/confighint.h"
#include "server/configvalue.h"

#define NAME_SIZE 64 /* no flag's name is as long */

/* Cut "--name=value" in two; *value is NULL without "=". */
static enum err
split(const char *arg, char name[static NAME_SIZE], const char **value,
    struct errmsg *why)
{
	const char *text = arg, *end;

	if (*text == '-')
		text += text[1] == '-' ? 2 : 1;
	if (text == arg || *text == '\0' || *text == '=') {
		return err_set(why, ERR_INVALID,
		    "unexpected argument \"%.64s\", see -help", arg);
	}
	end = text + strcspn(text, "=");
	*value = *end == '=' ? end + 1 : NULL;
	snprintf(name, NAME_SIZE, "%.*s",
	    end - text < NAME_SIZE ? (int)(end - text) : NAME_SIZE - 1, text);
	return OK;
}

static enum err
find(const char *name, const struct config_option **option, struct errmsg *why)
{
	char hint[CONFIGHINT_SIZE];

	/* The short form that everyone tries first. */
	*option = config_option_flagged(strcmp(name, "h") == 0 ? "help" : name);
	if (*option != NULL)
		return OK;
	confighint(name, true, hint);
	return err_set(
	    why, ERR_INVALID, "unknown flag -%s%s, see -help", name, hint);
}

enum err
configflag_parse(int argc, char **argv, struct configflag *flags, size_t *count,
    enum config_action *action, struct errmsg *why)
{
	const struct config_option *option;
	const char *value = NULL;
	char name[NAME_SIZE];
	enum err rc;

	*count = 0;
	*action = CONFIG_RUN;
	for (int i = 1; i < argc; i++) {
		rc = split(argv[i], name, &value, why);
		if (rc == OK)
			rc = find(name, &option, why);
		if (rc != OK)
			return rc;
		if (option->type == CONFIG_ACT && value == NULL) {
			*action = (enum config_action)option->min;
			if (*action != CONFIG_VALIDATE)
				return OK;
			continue;
		}
		if (option->type == CONFIG_ACT) {
			return err_set(
			    why, ERR_INVALID, "flag -%s takes no value", name);
		}
		if (value == NULL && option->type == CONFIG_BOOL)
			value = "true";
		else if (value == NULL && i + 1 < argc)
			value = argv[++i];
		if (value == NULL) {
			return err_set(
			    why, ERR_INVALID, "flag -%s needs a value", name);
		}
		flags[*count].option = option;
		flags[(*count)++].value = value;
	}
	return OK;
}

enum err
configflag_apply(struct config_draft *draft, const struct configflag *flags,
    size_t count, struct errmsg *why)
{
	bool seen[CONFIG_OPTIONS_MAX] = {false};
	struct errmsg reason;
	enum err rc;

	for (size_t i = 0; i < count; i++) {
		const struct config_option *option = flags[i].option;
		size_t at = (size_t)(option - config_options);

		if (option->type >= CONFIG_FILE)
			continue;
		rc = config_set_text(
		    option, draft, flags[i].value, seen[at], &reason);
		if (rc != OK) {
			return err_set(
			    why, rc, "flag -%s: %s", option->flag, reason.text);
		}
		seen[at] = true;
		draft->set[at] = true;
	}
	return OK;
}
