/*
 * caconfig - the built-in CA's Config map: decode, defaults, rules (3.3).
 *
 * Weakly typed as the reference: "2048" and 2048 alike, names without regard
 * to case, durations as Go text or as a number of nanoseconds. Pure. [fuzz]
 */
#ifndef SERVER_CA_CACONFIG_H
#define SERVER_CA_CACONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/err.h"

struct json;
struct json_doc;

struct caconfig {
	int64_t leaf_ttl, intermediate_ttl, root_ttl; /* nanoseconds */
	char key_type[8];
	int64_t key_bits;
	double csr_per_second;
	int64_t csr_concurrent;
	char *private_key; /* as configured, NULL if blank; owned, wiped */
	char *root_cert;   /* as configured, NULL if blank; owned */
	bool disable_cross_signing, skip_validate;
};

/* The map of a fresh cluster (contract 2.2), compact JSON. */
extern const char caconfig_default[];

/*
 * Decode with defaults, then the checks of 3.3 in order; texts exact, without
 * the prefix "error configuring provider: ". The PEMs are not looked into.
 * Names match exactly or, failing that, in any case; unknown ones are left
 * alone. Words never hold a value of PrivateKey. On error nothing is owed.
 * ERR_INVALID, ERR_NOMEM.
 */
MUST_CHECK enum err caconfig_decode(const struct json_doc *doc,
    const struct json *map, struct caconfig *out, struct errmsg *why);
/* Wipes what it owns; the struct itself is the caller's. */
void caconfig_free(struct caconfig *config);

/* Does map carry that key (any case)? For the repair of 3.2 step 2. */
bool caconfig_has(const struct json *map, const char *name);

#endif
