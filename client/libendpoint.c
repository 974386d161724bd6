#include "client/libendpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX   253   /* bytes of a DNS name */
#define SOCKET_MAX 107   /* bytes of a path in sockaddr_un */
#define PORT_MAX   65535 /* and at least 1 */

/* Part of an address, not terminated. */
struct part {
	const char *data;
	size_t size;
};

void
libendpoint_free(struct libendpoint *endpoint)
{
	free(endpoint->shown);
	free(endpoint->base);
	free(endpoint->socket);
	free(endpoint->detour);
	*endpoint = (struct libendpoint){.shown = NULL};
}

static enum conclave_err
refuse(struct conclave_error *error, const char *address, const char *reason)
{
	return liberror_set(error, CONCLAVE_INVALID,
	    "the address \"%s\" is not usable: %s", address, reason);
}

static bool
take_prefix(const char **at, const char *prefix)
{
	size_t size = strlen(prefix);

	if (strncasecmp(*at, prefix, size) != 0)
		return false;
	*at += size;
	return true;
}

/* host[:port] or [v6][:port]; the port is empty if there is none. A sentence
 * if it is neither. */
static const char *
split(const char *text, size_t size, struct part *host, struct part *port)
{
	const char *end = text + size, *colon;

	*port = (struct part){end, 0};
	if (size > 0 && text[0] == '[') {
		const char *close = memchr(text, ']', size);

		if (close == NULL)
			return "'[' without ']'";
		*host = (struct part){text, (size_t)(close + 1 - text)};
		if (close + 1 == end)
			return NULL;
		if (close[1] != ':')
			return "what follows ']' must be a port";
		*port = (struct part){close + 2, (size_t)(end - close - 2)};
		return port->size == 0 ? "the port is missing" : NULL;
	}
	colon = memchr(text, ':', size);
	if (colon == NULL) {
		*host = (struct part){text, size};
		return NULL;
	}
	*host = (struct part){text, (size_t)(colon - text)};
	*port = (struct part){colon + 1, (size_t)(end - colon - 1)};
	if (memchr(port->data, ':', port->size) != NULL)
		return "an IPv6 address must be in brackets";
	return port->size == 0 ? "the port is missing" : NULL;
}

static bool
is_host(struct part host)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._";
	static const char good_v6[] = "0123456789abcdefABCDEF:.%";
	const char *set = good;

	if (host.size > 0 && host.data[0] == '[') {
		host.data++;
		host.size -= 2;
		set = good_v6;
	}
	if (host.size == 0 || host.size > HOST_MAX)
		return false;
	for (size_t i = 0; i < host.size; i++) {
		if (strchr(set, host.data[i]) == NULL || host.data[i] == '\0')
			return false;
	}
	return true;
}

static bool
is_port(struct part port)
{
	unsigned long value = 0;

	if (port.size == 0 || port.size > 5)
		return false;
	for (size_t i = 0; i < port.size; i++) {
		if (port.data[i] < '0' || port.data[i] > '9')
			return false;
		value = value * 10 + (unsigned long)(port.data[i] - '0');
	}
	return value >= 1 && value <= PORT_MAX;
}

static enum conclave_err
parse_socket(const char *address, const char *path, struct libendpoint *out,
    struct conclave_error *error)
{
	if (path[0] != '/')
		return refuse(error, address, "unix:// takes a path from /");
	if (strlen(path) > SOCKET_MAX)
		return refuse(error, address, "a socket's path is 107 bytes");
	out->socket = strdup(path);
	out->base = strdup(out->tls ? "https://localhost" : "http://localhost");
	if (out->socket == NULL || out->base == NULL)
		return liberror_nomem(error);
	return CONCLAVE_OK;
}

static enum conclave_err
put_base(struct libendpoint *out, struct part host, struct part port,
    const char *name, struct conclave_error *error)
{
	const char *scheme = out->tls ? "https" : "http";
	struct part shown = host;

	if (name != NULL && out->tls) {
		shown = (struct part){name, strlen(name)};
		if (shown.data[0] == '[' || !is_host(shown)) {
			return liberror_set(error, CONCLAVE_INVALID,
			    "the TLS server name \"%s\" is no name", name);
		}
		if (asprintf(&out->detour, "%.*s:%.*s:%.*s:%.*s",
			(int)shown.size, shown.data, (int)port.size, port.data,
			(int)host.size, host.data, (int)port.size,
			port.data) < 0) {
			out->detour = NULL;
			return liberror_nomem(error);
		}
	}
	if (asprintf(&out->base, "%s://%.*s:%.*s", scheme, (int)shown.size,
		shown.data, (int)port.size, port.data) < 0) {
		out->base = NULL;
		return liberror_nomem(error);
	}
	return CONCLAVE_OK;
}

static enum conclave_err
parse_host(const char *address, const char *at, const char *default_port,
    const char *name, struct libendpoint *out, struct conclave_error *error)
{
	size_t size = strcspn(at, "/?#");
	struct part host, port;
	const char *wrong;

	if (at[size] != '\0' && strcmp(at + size, "/") != 0)
		return refuse(error, address, "a path must not follow");
	if (memchr(at, '@', size) != NULL)
		return refuse(error, address, "it must not name a user");
	wrong = split(at, size, &host, &port);
	if (wrong != NULL)
		return refuse(error, address, wrong);
	if (!is_host(host))
		return refuse(error, address, "the host is no name or address");
	if (port.size == 0)
		port = (struct part){default_port, strlen(default_port)};
	if (!is_port(port))
		return refuse(error, address, "the port must be 1 to 65535");
	return put_base(out, host, port, name, error);
}

enum conclave_err
libendpoint_parse(const char *address, bool tls, const char *name,
    struct libendpoint *out, struct conclave_error *error)
{
	const char *at = address, *port;
	enum conclave_err rc;

	*out = (struct libendpoint){.shown = strdup(address), .tls = tls};
	if (out->shown == NULL)
		return liberror_nomem(error);
	if (take_prefix(&at, "unix://")) {
		rc = parse_socket(address, at, out, error);
		goto out;
	}
	if (take_prefix(&at, "https://")) {
		out->tls = true;
		port = "443";
	} else if (take_prefix(&at, "http://")) {
		port = tls ? "443" : "80";
	} else if (strstr(at, "://") != NULL) {
		rc = refuse(error, address,
		    "it must begin with http://, https:// or unix://");
		goto out;
	} else {
		port = tls ? LIBENDPOINT_PORT_TLS : LIBENDPOINT_PORT;
	}
	rc = parse_host(address, at, port, name, out, error);
out:
	if (rc != CONCLAVE_OK)
		libendpoint_free(out);
	return rc;
}
