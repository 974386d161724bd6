/*
 * address - texts that name a socket address, and their resolution.
 *
 * "1.2.3.4", "1.2.3.4:8300", "::1", "[::1]:8300", "name", "name:8300",
 * "unix:///path". Names are resolved anew at each try by libuv's resolver.
 * Any thread for the pure part.
 */
#ifndef SERVER_NET_ADDRESS_H
#define SERVER_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "storage/err.h"

#define ADDRESS_HOST_MAX 256
#define ADDRESS_TEXT_MAX 320

struct address {
	char host[ADDRESS_HOST_MAX]; /* without brackets; path for unix */
	uint16_t port;               /* 0 for unix */
	bool is_unix;
	bool is_ip; /* host is a literal */
};

MUST_CHECK enum err address_parse(const char *text, uint16_t default_port,
    struct address *out, struct errmsg *why);
/* ERR_INVALID unless it is a literal. */
MUST_CHECK enum err address_sockaddr(const struct address *address,
    struct sockaddr_storage *out, struct errmsg *why);
/* "host:port" with brackets for IPv6; "unix:///path". */
void address_text(const struct address *address, char *out, size_t size);
void address_text_of(const struct sockaddr *sa, char *out, size_t size);
bool address_is_loopback(const struct address *address);
bool address_is_any(const struct address *address); /* 0.0.0.0 or :: */

#endif
