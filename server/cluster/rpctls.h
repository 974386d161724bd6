/*
 * rpctls - TLS between servers from the files of tls.internal_rpc (contract
 * 5.1 to 5.4): what the accepting and the dialing side use. Any thread for
 * rpctls_make; the struct belongs to the consensus loop.
 */
#ifndef SERVER_CLUSTER_RPCTLS_H
#define SERVER_CLUSTER_RPCTLS_H

#include "server/cluster/transport.h"
#include "storage/err.h"

#define RPCTLS_NAME_MAX 300

struct config;

struct rpctls {
	struct transport_tls transport; /* contexts owned, name in here */
	char name[RPCTLS_NAME_MAX];     /* server.<dc>.<domain> */
};

/* Read the files; without any, TLS is off. Texts of contract 5.2. */
MUST_CHECK enum err rpctls_make(
    const struct config *config, struct rpctls *out, struct errmsg *why);
/* A reload may not switch TLS on or off (contract 5.6): ERR_INVALID. */
MUST_CHECK enum err rpctls_same_shape(
    const struct rpctls *now, const struct rpctls *next, struct errmsg *why);
void rpctls_close(struct rpctls *tls);

#endif
