/*
 * candidate - a provider and its root that are about to become the active
 * ones: taken from the stored row, supplied by the configuration, or generated;
 * then proven, with a throw-away leaf that must verify under the root alone.
 * Consensus loop.
 */
#ifndef SERVER_CA_CANDIDATE_H
#define SERVER_CA_CANDIDATE_H

#include <stdint.h>

#include "server/ca/caconfig.h"
#include "server/ca/castep.h"
#include "server/ca/pki.h"
#include "server/ca/provider.h"
#include "storage/err.h"

struct candidate;
typedef void (*candidate_cb)(struct candidate *candidate);

struct candidate {
	/* in; borrowed until the end */
	const struct catask *task;
	const struct caconfig *settings;
	const char *cluster_id;
	int64_t now; /* cluster time, seconds since 1970 */
	/* out, if status is OK */
	enum err status; /* words: those of contract 2.3 */
	struct errmsg why;
	char provider_id[PROVIDER_ID_TEXT];
	char *key, *cert; /* PEM, cert with final newline; key wiped */
	char *leaf;       /* the throw-away leaf */
	char name[64];    /* of the root's entry */
	struct pki_facts facts;
	/* private */
	struct castep step;
	struct provider *provider;
	struct errmsg warnings;
	candidate_cb cb;
};

/*
 * Fill in the rest and call back once, later. key and cert: the stored row's,
 * or NULL; a RootCert of the settings wins over them.
 */
void candidate_prepare(struct candidate *candidate, const char *key,
    const char *cert, candidate_cb cb);
/* Not while it is being prepared; fine on an all-zero one. */
void candidate_free(struct candidate *candidate);

#endif
