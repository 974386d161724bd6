/*
 * rootset - the one command that changes the set of roots: first root,
 * rotation, pruning (contract 3.6, 3.7).
 *
 * Pure: what is stored and what was made in, a COMMAND_CA_ROOTS out. It
 * expects the index of the roots that were read, so a set that changed in
 * between is never overwritten. Everything is borrowed from the arguments.
 */
#ifndef SERVER_CA_ROOTSET_H
#define SERVER_CA_ROOTSET_H

#include "fsm/authority.h"
#include "server/ca/castore.h"
#include "server/ca/pki.h"
#include "storage/err.h"

struct rootset {
	struct ca_roots_set set; /* points to what follows */
	struct ca_root roots[AUTHORITY_ROOTS_MAX];
	struct ca_provider_row rows[2];
	struct span deletes[AUTHORITY_ROOTS_MAX + 2];
};

/* The entry of a certificate (contract 2.1), active, no intermediates. name:
 * "<Provider> CA Primary Cert". Pointers are kept. */
void rootset_entry(const struct pki_facts *facts, const char *cert,
    const char *name, const char *cluster_id, struct ca_root *out);

/* What becomes active, and the configuration it comes with. */
struct rootset_change {
	const struct ca_root *root; /* active, with its intermediates */
	struct ca_provider_row row; /* its key, under the provider-state ID */
	const struct ca_config_set *config; /* NULL = leave it alone */
	int64_t now;                        /* seconds since 1970 */
};

/*
 * Make change->root the active one. Every other stored root stays, inactive;
 * the active one before is marked as rotated out now and its key moves under
 * its root's ID. A root that is listed already (a return to an old one) takes
 * the place of its entry. ERR_LIMIT above AUTHORITY_ROOTS_MAX.
 */
MUST_CHECK enum err rootset_activate(const struct castore *store,
    const struct rootset_change *change, struct rootset *out,
    struct errmsg *why);

/* Same roots, new configuration under another provider-state ID: the active
 * root's row moves to it. change->root is not used. */
void rootset_rename(const struct castore *store,
    const struct rootset_change *change, struct rootset *out);

/* Leave out the roots whose drop[i] is true, and their keys. Never the active
 * one. */
void rootset_prune(const struct castore *store,
    const bool drop[static AUTHORITY_ROOTS_MAX], struct rootset *out);

#endif
