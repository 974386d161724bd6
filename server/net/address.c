#include "server/net/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define UNIX_PREFIX "unix://"

static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) < ADDRESS_HOST_MAX,
    "every socket path fits");

/* A literal with an optional zone ("fe80::1%eth0"), which the kernel needs as
 * a number. */
static bool
parse_v6(const char *text, struct sockaddr_in6 *out)
{
	char copy[INET6_ADDRSTRLEN];
	const char *zone = strchr(text, '%');
	size_t size = zone != NULL ? (size_t)(zone - text) : strlen(text);

	if (size >= sizeof(copy))
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	memset(out, 0, sizeof(*out));
	out->sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, copy, &out->sin6_addr) != 1)
		return false;
	if (zone == NULL)
		return true;
	out->sin6_scope_id = if_nametoindex(zone + 1);
	return out->sin6_scope_id != 0;
}

static bool
parse_v4(const char *text, struct sockaddr_in *out)
{
	memset(out, 0, sizeof(*out));
	out->sin_family = AF_INET;
	return inet_pton(AF_INET, text, &out->sin_addr) == 1;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 1123, and the underscore people use. The last label must not be all
 * digits: "10.0.0.256" is a mistyped address, not a name. */
static bool
is_name(const char *host)
{
	size_t size = strlen(host), label = 0;
	bool digits = true;

	if (size == 0 || size > 253)
		return false;
	for (size_t i = 0; i < size; i++) {
		char c = host[i];

		if (c == '.') {
			if (label == 0 || host[i - 1] == '-')
				return false;
			label = 0;
			digits = i + 1 < size ? true : digits;
			continue;
		}
		if (!is_letter(c) && !is_digit(c) && c != '_' && c != '-')
			return false;
		if ((c == '-' && label == 0) || ++label > 63)
			return false;
		if (!is_digit(c))
			digits = false;
	}
	return !digits && host[size - 1] != '-';
}

static bool
parse_port(const char *text, uint16_t *out)
{
	unsigned value = 0;
	size_t size = strlen(text);

	if (size == 0 || size > 5)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_digit(text[i]))
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value == 0 || value > UINT16_MAX)
		return false;
	*out = (uint16_t)value;
	return true;
}

static enum err
parse_unix(const char *path, struct address *out, struct errmsg *why)
{
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (path[0] != '/') {
		return err_set(why, ERR_INVALID,
		    "unix://%s: the path must be absolute", path);
	}
	if (strlen(path) > max) {
		return err_set(why, ERR_INVALID,
		    "unix://%s: the path is %zu bytes long, at most %zu fit",
		    path, strlen(path), max);
	}
	out->is_unix = true;
	memcpy(out->host, path, strlen(path) + 1);
	return OK;
}

/* Where host and port of text are; *port NULL if none is named. */
static bool
split(const char *text, const char **host, size_t *host_size, const char **port)
{
	const char *colon, *end;

	*port = NULL;
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*host = text + 1;
		*host_size = (size_t)(end - *host);
		if (end[1] == ':')
			*port = end + 2;
		return true;
	}
	colon = strchr(text, ':');
	*host = text;
	/* Two colons and no brackets: an IPv6 literal as a whole. */
	if (colon == NULL || strchr(colon + 1, ':') != NULL) {
		*host_size = strlen(text);
		return true;
	}
	*host_size = (size_t)(colon - text);
	*port = colon + 1;
	return true;
}

enum err
address_parse(const char *text, uint16_t default_port, struct address *out,
    struct errmsg *why)
{
	struct address parsed = {.port = default_port};
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;
	const char *host, *port;
	bool is_v6;
	size_t size;
	enum err rc;

	if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
		parsed.port = 0;
		rc = parse_unix(text + strlen(UNIX_PREFIX), &parsed, why);
		if (rc == OK)
			*out = parsed;
		return rc;
	}
	if (!split(text, &host, &size, &port) || size >= ADDRESS_HOST_MAX) {
		return err_set(why, ERR_INVALID, "\"%s\" is no address", text);
	}
	memcpy(parsed.host, host, size);
	if (port != NULL && !parse_port(port, &parsed.port)) {
		return err_set(why, ERR_INVALID,
		    "\"%s\": the port must be a number from 1 to 65535", text);
	}
	is_v6 = parse_v6(parsed.host, &v6);
	parsed.is_ip = is_v6 || parse_v4(parsed.host, &v4);
	if ((text[0] == '[' && !is_v6) ||
	    (!parsed.is_ip && !is_name(parsed.host))) {
		return err_set(why, ERR_INVALID,
		    "\"%s\" is neither an IP address nor a host name", text);
	}
	*out = parsed;
	return OK;
}

enum err
address_sockaddr(const struct address *address, struct sockaddr_storage *out,
    struct errmsg *why)
{
	struct sockaddr_un *path = (struct sockaddr_un *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (address->is_unix) {
		path->sun_family = AF_UNIX;
		memcpy(path->sun_path, address->host,
		    strnlen(address->host, sizeof(path->sun_path) - 1));
		return OK;
	}
	if (parse_v4(address->host, v4)) {
		v4->sin_port = htons(address->port);
		return OK;
	}
	if (parse_v6(address->host, v6)) {
		v6->sin6_port = htons(address->port);
		return OK;
	}
	return err_set(why, ERR_INVALID,
	    "\"%s\" is a name, an IP address is needed", address->host);
}

void
address_text(const struct address *address, char *out, size_t size)
{
	if (address->is_unix)
		(void)snprintf(out, size, UNIX_PREFIX "%s", address->host);
	else if (strchr(address->host, ':') != NULL)
		(void)snprintf(out, size, "[%s]:%u", address->host,
		    (unsigned)address->port);
	else
		(void)snprintf(
		    out, size, "%s:%u", address->host, (unsigned)address->port);
}

void
address_text_of(const struct sockaddr *sa, char *out, size_t size)
{
	const struct sockaddr_in6 *v6 = (const void *)sa;
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_un *path = (const void *)sa;
	char host[INET6_ADDRSTRLEN];

	if (sa->sa_family == AF_INET &&
	    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host)) != NULL)
		(void)snprintf(
		    out, size, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
	else if (sa->sa_family == AF_INET6 &&
	    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host)) != NULL)
		(void)snprintf(
		    out, size, "[%s]:%u", host, (unsigned)ntohs(v6->sin6_port));
	else if (sa->sa_family == AF_UNIX)
		(void)snprintf(out, size, UNIX_PREFIX "%s", path->sun_path);
	else
		(void)snprintf(out, size, "unknown");
}

bool
address_is_loopback(const struct address *address)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (address->is_unix)
		return true;
	if (parse_v4(address->host, &v4))
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	if (!parse_v6(address->host, &v6))
		return false; /* a name may lead anywhere */
	return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
	    (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) &&
		v6.sin6_addr.s6_addr[12] == 127);
}

bool
address_is_any(const struct address *address)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (address->is_unix)
		return false;
	if (parse_v4(address->host, &v4))
		return v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return parse_v6(address->host, &v6) &&
	    IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}
