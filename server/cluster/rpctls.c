#include "server/cluster/rpctls.h"

#include <stdio.h>

#include "server/config.h"
#include "server/net/tls.h"

enum err
rpctls_make(const struct config *config, struct rpctls *out, struct errmsg *why)
{
	const struct config_tls *t = &config->tls_internal_rpc;
	const struct tls_files files = {.ca_file = t->ca_file,
	    .ca_path = t->ca_path,
	    .cert_file = t->cert_file,
	    .key_file = t->key_file,
	    .min_version = t->min_version,
	    .cipher_suites = t->cipher_suites};
	enum err rc = OK;

	*out = (struct rpctls){.transport.plain_allowed = !t->verify_incoming};
	if (t->verify_server_hostname) {
		(void)snprintf(out->name, sizeof(out->name), "server.%s.%s",
		    config->datacenter, config->domain);
		out->transport.name = out->name;
	}
	if (t->cert_file != NULL)
		rc = tls_context_new(&files, true, t->verify_incoming, NULL,
		    &out->transport.accept, why);
	if (rc == OK && t->verify_outgoing)
		rc = tls_context_new(
		    &files, false, true, NULL, &out->transport.dial, why);
	return rc;
}

enum err
rpctls_same_shape(
    const struct rpctls *now, const struct rpctls *next, struct errmsg *why)
{
	const struct transport_tls *a = &now->transport, *b = &next->transport;

	if ((a->accept == NULL) == (b->accept == NULL) &&
	    (a->dial == NULL) == (b->dial == NULL))
		return OK;
	return err_set(why, ERR_INVALID,
	    "tls.internal_rpc: switching TLS between servers on or off needs "
	    "a restart");
}

void
rpctls_close(struct rpctls *tls)
{
	tls_context_unref(tls->transport.accept);
	tls_context_unref(tls->transport.dial);
	*tls = (struct rpctls){0};
}
