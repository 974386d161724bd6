/*
 * provider - what signs: the vtable behind the CA (design 5).
 *
 * Calls are asynchronous: they work in a worker (or over the network) and call
 * back on the consensus loop, once, never from inside the call, one call at a
 * time. Results are PEM texts owned by the callee until cb returns; the
 * callback copies, and may start the next call or free the provider. A provider
 * holds no state that matters: its rows are replicated (TABLE_PROVIDER) and
 * given to it.
 */
#ifndef SERVER_CA_PROVIDER_H
#define SERVER_CA_PROVIDER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ca/caconfig.h"
#include "storage/err.h"

struct provider; /* one configured instance; starts with its ops pointer */

struct provider_result {
	enum err status;
	struct errmsg why;
	const char *cert; /* PEM: root, cross-signed, leaf */
	const char
	    *private_key; /* PEM: only of generate_root, NULL if outside */
};
typedef void (*provider_cb)(void *arg, const struct provider_result *result);

struct provider_ops {
	const char *name; /* "consul": the wire name of the type */
	/* Make the root, if the stored row has none: key and certificate. */
	void (*generate_root)(struct provider *provider, uint64_t serial,
	    int64_t now, provider_cb cb, void *arg);
	/* Sign root's subject and key with this provider's root. */
	void (*cross_sign)(struct provider *provider, const char *root,
	    uint64_t serial, int64_t not_before, int64_t not_after,
	    provider_cb cb, void *arg);
	/* Sign a throw-away leaf, for the check before commit. */
	void (*test_leaf)(struct provider *provider, uint64_t serial,
	    int64_t now, provider_cb cb, void *arg);
	bool (*supports_cross_signing)(const struct provider *provider);
	/* Root certificate PEM; NULL until generated. Borrowed. */
	const char *(*root)(const struct provider *provider);
	/* Not while a call is under way. Wipes. NULL is allowed. */
	void (*free)(struct provider *provider);
};

struct provider {
	const struct provider_ops *ops;
};

struct worker;
struct loop;

/* The built-in one (provider_consul.c). key and root: from its stored row, or
 * NULL. config is copied. */
MUST_CHECK enum err provider_consul_new(struct worker *worker,
    struct loop *loop, const struct caconfig *config, const char *cluster_id,
    const char *key, const char *root, struct provider **out,
    struct errmsg *why);

/* Contract 3.1: colon-hex SHA-256 of "PrivateKey,RootCert,type,bits,true",
 * blanks for what is not configured. ERR_NOMEM. */
#define PROVIDER_ID_TEXT 96
MUST_CHECK enum err provider_consul_id(const struct caconfig *config,
    char out[static PROVIDER_ID_TEXT], struct errmsg *why);

#endif
