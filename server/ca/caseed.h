/*
 * caseed - the configuration row a CA starts with, or what an older one lacks
 * (contract 3.2, step 2). Pure but for the random cluster id.
 */
#ifndef SERVER_CA_CASEED_H
#define SERVER_CA_CASEED_H

#include <stdbool.h>

#include "fsm/authority.h"
#include "fsm/command.h"
#include "server/ca/castore.h"
#include "storage/buf.h"
#include "storage/err.h"

struct config;

#define CASEED_UUID_TEXT 37 /* with NUL */

struct caseed {
	struct command command; /* COMMAND_CA_CONFIG, borrows the rest */
	char cluster_id[CASEED_UUID_TEXT];
	struct buf config; /* compact JSON */
};

/* Does the stored configuration have to be completed first? */
bool caseed_needed(const struct castore *store);

/*
 * Nothing stored: the node's provider, settings and cluster id, or a random
 * UUID for want of one. Stored without IntermediateCertTTL: the same with it.
 * ERR_INVALID (a configured cluster id that is no UUID), ERR_NOMEM.
 */
MUST_CHECK enum err caseed_make(const struct castore *store,
    const struct config *config, struct caseed *out, struct errmsg *why);
void caseed_free(struct caseed *seed); /* fine on an all-zero one */

#endif
