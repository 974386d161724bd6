/*
 * crosslinks - the cross-signed certificates by which clients that trust only
 * an older root verify what the new one signs.
 *
 * A leaf carries one link for every root still listed from which the new root
 * can be reached, newest first: new-by-active, active-by-previous, ... (hazard
 * 12). The first is made; the older ones are made anew by the kept keys, so
 * that none ends before the leaves that need it. Then the whole is proven with
 * OpenSSL: the new root's throw-away leaf must verify under each of those roots
 * alone, under all listed roots, and under those with the new one.
 * Consensus loop.
 */
#ifndef SERVER_CA_CROSSLINKS_H
#define SERVER_CA_CROSSLINKS_H

#include <stddef.h>
#include <stdint.h>

#include "server/ca/candidate.h"
#include "server/ca/castep.h"
#include "server/ca/castore.h"
#include "storage/err.h"

#define CROSSLINKS_MAX 8

struct crosslinks;
typedef void (*crosslinks_cb)(struct crosslinks *links);

struct crosslink {
	size_t signer;       /* index of the root that signs */
	const char *subject; /* certificate of the root signed; borrowed */
	const char *kept; /* stored link to keep as it is, or NULL; borrowed */
	char *cert;       /* the link; owned */
};

struct crosslinks {
	/* in; borrowed until the end. No active root: no links. */
	const struct catask *task;
	const struct castore *store;
	const struct candidate *candidate;
	int64_t now; /* cluster time, seconds since 1970 */
	bool force;  /* make none, prove only the new root */
	/* out, if status is OK */
	enum err status;
	struct errmsg why;
	size_t count;
	struct crosslink list[CROSSLINKS_MAX];
	/* private */
	size_t at; /* link being signed */
	uint64_t serial;
	struct castep step;
	struct provider *signer;
	crosslinks_cb cb;
};

/* End of a link made now (hazard 12), before the signer's own end is taken
 * into account: seconds since 1970. leaf_ttl in nanoseconds. */
int64_t crosslinks_end(int64_t now, int64_t leaf_ttl);

/* Make and prove them; calls back once, later. */
void crosslinks_make(struct crosslinks *links, crosslinks_cb cb);
/* Not while they are being made; fine on an all-zero one. */
void crosslinks_free(struct crosslinks *links);

#endif
