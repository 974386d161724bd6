#include "server/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/configcheck.h"
#include "server/configfile.h"
#include "server/configflag.h"
#include "server/configslot.h"
#include "server/configtable.h"
#include "server/configvalue.h"

static void
free_sources(struct config *config)
{
	for (size_t i = 0;
	     config->sources != NULL && config->sources[i] != NULL; i++)
		free(config->sources[i]);
	free(config->sources);
	config->sources = NULL;
}

/* Everything a draft owns; the draft itself too. NULL is allowed. */
static void
free_draft(struct config_draft *draft)
{
	if (draft == NULL)
		return;
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_options[i].type < CONFIG_FILE)
			config_clear(&config_options[i], draft);
	}
	free_sources(&draft->config);
	free(draft);
}

/* A draft of the defaults, or NULL when memory is out. */
static struct config_draft *
new_draft(struct errmsg *why)
{
	struct config_draft *draft = calloc(1, sizeof(*draft));
	const struct config_option *option;
	enum err rc = OK;

	for (size_t i = 0; draft != NULL && i < config_options_count; i++) {
		option = &config_options[i];
		if (option->initial == NULL)
			continue;
		rc =
		    config_set_text(option, draft, option->initial, false, why);
		assert(rc == OK || rc == ERR_NOMEM); /* the table is ours */
		if (rc != OK)
			break;
	}
	if (rc != OK) {
		free_draft(draft);
		draft = NULL;
	}
	if (draft == NULL)
		(void)err_set(why, ERR_NOMEM, "out of memory");
	return draft;
}

/* Check the draft and move its config out. */
static enum err
finish(struct config_draft *draft, struct config **out, struct errmsg *why)
{
	struct config *config;
	enum err rc;

	rc = configcheck(draft, why);
	if (rc != OK)
		return rc;
	config = malloc(sizeof(*config));
	if (config == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	*config = draft->config;
	draft->config = (struct config){0}; /* moved */
	*out = config;
	return OK;
}

static enum err
read_files(struct config_draft *draft, const struct configflag *flags,
    size_t count, struct errmsg *why)
{
	enum err rc = OK;

	for (size_t i = 0; i < count && rc == OK; i++) {
		if (flags[i].option->type == CONFIG_FILE)
			rc = configfile_read(draft, flags[i].value, why);
		else if (flags[i].option->type == CONFIG_DIR)
			rc = configfile_read_dir(draft, flags[i].value, why);
	}
	return rc;
}

enum err
config_load(int argc, char **argv, enum config_action *action,
    struct config **out, struct errmsg *why)
{
	struct config_draft *draft = NULL;
	struct configflag *flags;
	size_t count;
	enum err rc;

	*out = NULL;
	flags = calloc(argc > 0 ? (size_t)argc : 1, sizeof(*flags));
	if (flags == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	rc = configflag_parse(argc, argv, flags, &count, action, why);
	if (rc != OK || *action == CONFIG_HELP || *action == CONFIG_VERSION)
		goto out;
	draft = new_draft(why);
	if (draft == NULL) {
		rc = ERR_NOMEM;
		goto out;
	}
	rc = read_files(draft, flags, count, why);
	if (rc == OK)
		rc = configflag_apply(draft, flags, count, why);
	if (rc == OK)
		rc = finish(draft, out, why);
out:
	free_draft(draft);
	free(flags);
	return rc;
}

enum err
config_decode(const char *name, const void *data, size_t size,
    struct config **out, struct errmsg *why)
{
	struct config_draft *draft = new_draft(why);
	enum err rc;

	if (draft == NULL)
		return ERR_NOMEM;
	rc = configfile_decode(draft, name, data, size, why);
	if (rc == OK)
		rc = finish(draft, out, why);
	free_draft(draft);
	return rc;
}

void
config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config_options_count; i++) {
		if (config_in_result(&config_options[i]))
			config_clear(&config_options[i], config);
	}
	free_sources(config);
	free(config);
}

void
config_reload(
    struct config *now, struct config *next, struct buf *needs_restart)
{
	const struct config_option *option;

	for (size_t i = 0; i < config_options_count; i++) {
		option = &config_options[i];
		if (!config_in_result(option) || config_same(option, now, next))
			continue;
		if (option->reloadable) {
			config_swap(option, now, next);
			continue;
		}
		if (needs_restart->size > 0)
			buf_puts(needs_restart, ", ");
		buf_puts(needs_restart,
		    option->name != NULL ? option->name : option->flag);
	}
}
