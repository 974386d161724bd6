/*
 * configfile - JSON configuration files into a draft; later values win.
 *
 * A list, a map or the CA's configuration in a later file replaces the whole
 * one of an earlier file. Refusals name file:line:column and the key. Main
 * thread. [fuzz]
 */
#ifndef SERVER_CONFIGFILE_H
#define SERVER_CONFIGFILE_H

#include <stddef.h>

#include "server/configtable.h"
#include "storage/err.h"

#define CONFIGFILE_SOURCES_MAX 256 /* files read */

/* The bytes of one file called name. ERR_INVALID, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err configfile_decode(struct config_draft *draft,
    const char *name, const void *data, size_t size, struct errmsg *why);

/* One file; then the *.json of a directory in byte order, other names are left
 * alone, but *.hcl refused. Also ERR_NOTFOUND, ERR_IO. */
MUST_CHECK enum err configfile_read(
    struct config_draft *draft, const char *path, struct errmsg *why);
MUST_CHECK enum err configfile_read_dir(
    struct config_draft *draft, const char *path, struct errmsg *why);

#endif
