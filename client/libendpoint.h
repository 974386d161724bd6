/*
 * libendpoint - where one server is reached, from the address people write.
 *
 * Pure; any thread.
 */
#ifndef CLIENT_LIBENDPOINT_H
#define CLIENT_LIBENDPOINT_H

#include <stdbool.h>

#include "client/conclave.h"
#include "client/liberror.h"

#define LIBENDPOINT_PORT     "8500"
#define LIBENDPOINT_PORT_TLS "8501"

struct libendpoint {
	char *shown;  /* as written: for messages */
	char *base;   /* "https://host:port": what paths are put behind */
	char *socket; /* path of a Unix socket, or NULL */
	/* What base leads to, if base had to be made of tls_server_name:
	 * "name:port:host:port" for CURLOPT_CONNECT_TO, or NULL. */
	char *detour;
	bool tls;
};

/*
 * address  host[:port], http://, https://, unix:///path; nothing behind it.
 * tls      https whatever the address says (as CONSUL_HTTP_SSL does).
 * name     the name a server's certificate must have, or NULL.
 *
 * On OK the caller frees what is in out. CONCLAVE_INVALID, _NOMEM.
 */
LIB_MUST_CHECK enum conclave_err libendpoint_parse(const char *address,
    bool tls, const char *name, struct libendpoint *out,
    struct conclave_error *error);
void libendpoint_free(struct libendpoint *endpoint);

#endif
