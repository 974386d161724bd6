#include "server/configfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/confighint.h"
#include "server/configvalue.h"
#include "server/json.h"
#include "storage/buf.h"
#include "storage/file.h"

#define PATH_SIZE 128 /* of a key's path; no option's is as long */

struct decoder {
	struct config_draft *draft;
	const char *name;
	const struct json_doc *doc;
	struct errmsg *why;
};

static enum err
refuse(const struct decoder *in, const struct json *at, enum err code,
    const char *path, const char *text)
{
	unsigned line, column;

	json_position(in->doc, at, &line, &column);
	return err_set(in->why, code, "%s:%u:%u: %s%s", in->name, line, column,
	    path, text);
}

static enum err
refuse_unknown(
    const struct decoder *in, const struct json *member, const char *path)
{
	char hint[CONFIGHINT_SIZE], text[PATH_SIZE + CONFIGHINT_SIZE];

	confighint(path, false, hint);
	snprintf(text, sizeof(text), "%s%s", path, hint);
	return refuse(in, member, ERR_INVALID, "unknown key ", text);
}

static enum err
decode_value(const struct decoder *in, const struct config_option *option,
    const struct json *value)
{
	char where[PATH_SIZE * 2];
	const struct json *culprit = value;
	struct errmsg why;
	enum err rc;

	rc = config_set_json(option, in->draft, in->doc, value, &culprit, &why);
	if (rc == OK) {
		in->draft->set[option - config_options] = true;
		return OK;
	}
	if (culprit == NULL)
		culprit = value;
	/* A member of a map is named beside the map. */
	if (culprit != value && *json_key(culprit) != '\0') {
		snprintf(where, sizeof(where), "%s.%.100s: ", option->name,
		    json_key(culprit));
	} else {
		snprintf(where, sizeof(where), "%s: ", option->name);
	}
	return refuse(in, culprit, rc, where, why.text);
}

/* Recursion is bounded by the depth of the option's paths. */
static enum err
decode_object(
    const struct decoder *in, const struct json *object, const char *above)
{
	const struct json *member = json_first(object);
	const struct config_option *option;
	char path[PATH_SIZE];
	enum err rc = OK;

	for (; member != NULL && rc == OK; member = json_next(member)) {
		snprintf(path, sizeof(path), "%s%s%s", above,
		    *above == '\0' ? "" : ".", json_key(member));
		option = config_option_named(path);
		if (strchr(json_key(member), '.') != NULL)
			rc = refuse(in, member, ERR_INVALID, path,
			    ": instead of a dot write an object within");
		else if (option != NULL)
			rc = decode_value(in, option, member);
		else if (!config_is_group(path))
			rc = refuse_unknown(in, member, path);
		else if (json_type(member) == JSON_OBJECT)
			rc = decode_object(in, member, path);
		else
			rc = refuse(in, member, ERR_INVALID, path,
			    ": must be an object");
	}
	return rc;
}

enum err
configfile_decode(struct config_draft *draft, const char *name,
    const void *data, size_t size, struct errmsg *why)
{
	struct decoder in = {.draft = draft, .name = name, .why = why};
	struct json_doc *doc;
	enum err rc;

	rc = json_parse_file(name, data, size, &doc, why);
	if (rc != OK)
		return rc;
	in.doc = doc;
	if (json_type(json_root(doc)) == JSON_OBJECT) {
		rc = decode_object(&in, json_root(doc), "");
	} else {
		rc = refuse(&in, json_root(doc), ERR_INVALID, "",
		    "the configuration must be an object");
	}
	json_wipe(doc); /* it may hold a private key */
	return rc;
}

static enum err
add_source(struct config *config, const char *path, struct errmsg *why)
{
	size_t count = 0;
	char **grown, *copy;

	while (config->sources != NULL && config->sources[count] != NULL)
		count++;
	if (count == CONFIGFILE_SOURCES_MAX) {
		return err_set(why, ERR_LIMIT,
		    "%s: more than %d configuration files", path,
		    CONFIGFILE_SOURCES_MAX);
	}
	copy = strdup(path);
	grown = realloc(config->sources, (count + 2) * sizeof(*grown));
	if (grown != NULL)
		config->sources = grown;
	if (copy == NULL || grown == NULL) {
		free(copy);
		if (grown != NULL)
			grown[count] = NULL;
		return err_set(why, ERR_NOMEM, "out of memory");
	}
	grown[count] = copy;
	grown[count + 1] = NULL;
	return OK;
}

enum err
configfile_read(
    struct config_draft *draft, const char *path, struct errmsg *why)
{
	struct buf bytes = buf_new(JSON_SIZE_MAX);
	enum err rc;

	rc = file_read(path, &bytes, why);
	if (rc == OK)
		rc =
		    configfile_decode(draft, path, bytes.data, bytes.size, why);
	if (rc == OK)
		rc = add_source(&draft->config, path, why);
	buf_wipe(&bytes);
	return rc;
}

static bool
ends_in(const char *name, const char *ending)
{
	size_t size = strlen(name), tail = strlen(ending);

	return size > tail && strcmp(name + size - tail, ending) == 0;
}

static int
is_config(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	    (ends_in(entry->d_name, ".json") || ends_in(entry->d_name, ".hcl"));
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum err
read_entry(struct config_draft *draft, const char *folder, const char *name,
    struct errmsg *why)
{
	char path[4096];
	int size;

	size = snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (size < 0 || (size_t)size >= sizeof(path))
		return err_set(why, ERR_INVALID, "%s: path too long", folder);
	if (ends_in(name, ".hcl")) {
		return err_set(why, ERR_INVALID,
		    "%s: HCL is not read, write it as JSON", path);
	}
	return configfile_read(draft, path, why);
}

enum err
configfile_read_dir(
    struct config_draft *draft, const char *path, struct errmsg *why)
{
	struct dirent **entries;
	enum err rc = OK;
	int count;

	count = scandir(path, &entries, is_config, by_bytes);
	if (count < 0) {
		rc = errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
		return err_set(why, errno == ENOMEM ? ERR_NOMEM : rc,
		    "cannot read directory %s: %s", path, strerror(errno));
	}
	for (int i = 0; i < count; i++) {
		if (rc == OK)
			rc = read_entry(draft, path, entries[i]->d_name, why);
		free(entries[i]);
	}
	free(entries);
	return rc;
}
