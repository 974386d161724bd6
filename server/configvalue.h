/*
 * configvalue - one option's value, read from text or from JSON.
 *
 * Refusals name the value and the rule; who calls adds where it stands. On
 * error the value is as before, except that a list may have lost its items.
 */
#ifndef SERVER_CONFIGVALUE_H
#define SERVER_CONFIGVALUE_H

#include <stdbool.h>

#include "server/configtable.h"
#include "storage/err.h"

struct json;
struct json_doc;

/* As a flag or a default says it; more: add to a CONFIG_LIST instead of
 * replacing it. ERR_INVALID, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err config_set_text(const struct config_option *option,
    struct config_draft *draft, const char *text, bool more,
    struct errmsg *why);

/* As a file says it. *culprit: the value within that why is about. */
MUST_CHECK enum err config_set_json(const struct config_option *option,
    struct config_draft *draft, const struct json_doc *doc,
    const struct json *value, const struct json **culprit, struct errmsg *why);

#endif
