/*
 * castore - the CA as it is stored, copied out of one read transaction.
 *
 * A task that waits for workers and commits may not keep a transaction open,
 * so it works on this copy and names its indexes in what it proposes. Every
 * text ends in NUL. Provider rows: the active root's key lies under the
 * provider-state ID (contract 3.1); the key of a root that was rotated out
 * stays under that root's ID until the root is pruned (hazard 11).
 * Consensus loop; workers may read it meanwhile, nobody writes it.
 */
#ifndef SERVER_CA_CASTORE_H
#define SERVER_CA_CASTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fsm/authority.h"
#include "server/ca/caconfig.h"
#include "server/ca/provider.h"
#include "storage/err.h"

#define CASTORE_NONE SIZE_MAX /* no active root */

struct db;
struct json_doc;

struct castore {
	bool has_config; /* false before bootstrap: then the rest is empty */
	struct ca_config config;
	struct json_doc *doc;     /* of config.config; NULL if undecodable */
	struct caconfig settings; /* decoded */
	enum err settings_rc; /* OK, or why settings are empty (settings_why) */
	struct errmsg settings_why;
	char provider_id[PROVIDER_ID_TEXT]; /* of settings, "" if none */

	size_t root_count, active; /* active: an index or CASTORE_NONE */
	uint64_t roots_index;
	struct ca_root roots[AUTHORITY_ROOTS_MAX];
	/* Key and certificate of roots[i]; empty if there is no key for it. */
	struct ca_provider_row issuers[AUTHORITY_ROOTS_MAX];
	/* The row under provider_id, or what the configuration supplies in its
	 * place; empty if neither. */
	struct ca_provider_row current;

	char *memory; /* private: all texts, wiped at the end */
	size_t memory_size;
};

/* ERR_NOMEM, ERR_IO, ERR_CORRUPT. Owned by the caller. */
MUST_CHECK enum err castore_load(
    struct db *db, struct castore **out, struct errmsg *why);
void castore_free(struct castore *store); /* wipes; NULL is allowed */

#endif
