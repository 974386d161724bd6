/*
 * configslot - where an option's value lies: find, copy, compare, free, print.
 *
 * base is a struct config_draft; for options of config_in_result a struct
 * config will do as well, because a draft begins with one. Main thread.
 */
#ifndef SERVER_CONFIGSLOT_H
#define SERVER_CONFIGSLOT_H

#include <stdbool.h>

#include "server/configtable.h"
#include "storage/buf.h"
#include "storage/err.h"

/* Does the value lie in struct config? False too for flags without value. */
bool config_in_result(const struct config_option *option);

void *config_at(const struct config_option *option, void *base);
const void *config_seen(const struct config_option *option, const void *base);
/* Number of items of a list. */
unsigned *config_count_at(const struct config_option *option, void *base);

/* Free what the option holds, secrets wiped; it is empty then. */
void config_clear(const struct config_option *option, void *base);

/* Give option to the value of from, which is of the same type. ERR_NOMEM. */
MUST_CHECK enum err config_copy(const struct config_option *from,
    const struct config_option *to, void *base, struct errmsg *why);

bool config_same(
    const struct config_option *option, const void *a, const void *b);
void config_swap(const struct config_option *option, void *a, void *b);

/* Append the value as JSON, as a file would say it; secrets masked. */
void config_put_value(
    const struct config_option *option, const void *base, struct buf *out);

#endif
