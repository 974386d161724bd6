#include "server/configrule.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "server/log.h"
#include "storage/err.h"

#define LOWER      "abcdefghijklmnopqrstuvwxyz"
#define UPPER      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS     "0123456789"
#define NAME_MAX_  128 /* bytes of a node name, datacenter or domain */
#define HOST_MAX   253 /* bytes of a DNS name */
#define HEADER_MAX 1024
#define UNIX_PLAIN "unix://"
#define UNIX_MAX   (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static bool
made_of(const char *text, const char *allowed, size_t max)
{
	size_t size = strlen(text);

	return size >= 1 && size <= max && strspn(text, allowed) == size;
}

const char *
configrule_node(const char *text)
{
	if (made_of(text, LOWER UPPER DIGITS "._-", NAME_MAX_))
		return NULL;
	return "1 to 128 characters of A-Z a-z 0-9 . _ -";
}

const char *
configrule_datacenter(const char *text)
{
	if (made_of(text, LOWER DIGITS "_-", NAME_MAX_))
		return NULL;
	return "1 to 128 characters of a-z 0-9 _ -";
}

const char *
configrule_domain(const char *text)
{
	if (made_of(text, LOWER DIGITS ".-", NAME_MAX_) && *text != '.' &&
	    strstr(text, "..") == NULL)
		return NULL;
	return "a domain of 1 to 128 characters of a-z 0-9 . -";
}

/* The address bytes, IPv4 as mapped; false if text is no IP address. */
static bool
ip_bytes(const char *text, struct in6_addr *out)
{
	char copy[INET6_ADDRSTRLEN + IF_NAMESIZE];
	char *zone;

	if (strlen(text) >= sizeof(copy))
		return false;
	snprintf(copy, sizeof(copy), "%s", text);
	zone = strchr(copy, '%');
	if (zone != NULL) {
		*zone++ = '\0';
		if (!made_of(zone, LOWER UPPER DIGITS "._-", IF_NAMESIZE - 1))
			return false;
	}
	if (inet_pton(AF_INET6, copy, out) == 1)
		return true;
	*out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
	return zone == NULL && inet_pton(AF_INET, copy, out->s6_addr + 12) == 1;
}

const char *
configrule_ip(const char *text)
{
	struct in6_addr bytes;

	return ip_bytes(text, &bytes) ? NULL
				      : "an IP address (IPv6 without brackets)";
}

bool
configrule_is_loopback(const char *ip)
{
	struct in6_addr bytes;

	if (!ip_bytes(ip, &bytes))
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&bytes))
		return bytes.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&bytes);
}

bool
configrule_is_any(const char *ip)
{
	static const uint8_t none[4];
	struct in6_addr bytes;

	if (!ip_bytes(ip, &bytes))
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&bytes))
		return memcmp(bytes.s6_addr + 12, none, sizeof(none)) == 0;
	return IN6_IS_ADDR_UNSPECIFIED(&bytes);
}

const char *
configrule_listen(const char *text)
{
	const char *path;

	if (strncmp(text, UNIX_PLAIN, strlen(UNIX_PLAIN)) == 0) {
		path = text + strlen(UNIX_PLAIN);
		if (*path == '/' &&
		    made_of(path, LOWER UPPER DIGITS "/._-+@:,=~", UNIX_MAX))
			return NULL;
	} else if (configrule_ip(text) == NULL) {
		return NULL;
	}
	return "IP addresses (IPv6 without brackets) or unix:///path of at "
	       "most 107 characters of A-Z a-z 0-9 / . _ - + @ : , = ~";
}

static bool
is_port(const char *text)
{
	unsigned value = 0;

	if (!made_of(text, DIGITS, 5))
		return false;
	for (; *text != '\0'; text++)
		value = value * 10 + (unsigned)(*text - '0');
	return value >= 1 && value <= UINT16_MAX;
}

const char *
configrule_join(const char *text)
{
	static const char rule[] = "host[:port], address[:port] or "
				   "[IPv6]:port";
	char host[HOST_MAX + 8];
	const char *end;

	if (configrule_ip(text) == NULL)
		return NULL;
	if (*text == '[') {
		end = strchr(text, ']');
		text++;
	} else {
		end = text + strcspn(text, ":");
	}
	if (end == NULL || (size_t)(end - text) > HOST_MAX)
		return rule;
	snprintf(host, sizeof(host), "%.*s", (int)(end - text), text);
	if (*end == ']') {
		end++;
		if (strchr(host, ':') == NULL || configrule_ip(host) != NULL)
			return rule;
	} else if (!made_of(host, LOWER UPPER DIGITS "._-", HOST_MAX)) {
		return rule;
	}
	if (*end == '\0' || (*end == ':' && is_port(end + 1)))
		return NULL;
	return rule;
}

const char *
configrule_uuid(const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	bool good = strlen(text) == strlen(shape);

	for (size_t i = 0; good && text[i] != '\0'; i++) {
		good = shape[i] == '-'
		    ? text[i] == '-'
		    : strchr(DIGITS "abcdef", text[i]) != NULL;
	}
	return good ? NULL : "a UUID in lower case";
}

const char *
configrule_provider(const char *text)
{
	return strcmp(text, "consul") == 0 ? NULL : "\"consul\"";
}

const char *
configrule_level(const char *text)
{
	enum log_level level;

	if (log_level_parse(text, &level))
		return NULL;
	return "one of trace, debug, info, warn, error";
}

const char *
configrule_tls_version(const char *text)
{
	if (strcmp(text, "TLSv1_2") == 0 || strcmp(text, "TLSv1_3") == 0)
		return NULL;
	return "TLSv1_2 or TLSv1_3 (older versions are not offered)";
}

const char *
configrule_tls_version_old(const char *text)
{
	if (strcmp(text, "tls12") == 0 || strcmp(text, "tls13") == 0)
		return NULL;
	return configrule_tls_version(text);
}

const char *
configrule_suites(const char *text)
{
	static const char *const known[] = {
	    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
	    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
	    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
	    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
	    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	};
	bool found;
	size_t size;

	for (;; text += size + 1) {
		size = strcspn(text, ",");
		found = false;
		for (size_t i = 0; i < ARRAY_SIZE(known) && !found; i++) {
			found = strlen(known[i]) == size &&
			    strncmp(known[i], text, size) == 0;
		}
		if (!found)
			return "cipher suites of TLS 1.2 by their IANA names, "
			       "separated by commas without blanks";
		if (text[size] == '\0')
			return NULL;
	}
}

const char *
configrule_header_name(const char *text)
{
	if (made_of(text, LOWER UPPER DIGITS "!#$%&'*+-.^_`|~", NAME_MAX_))
		return NULL;
	return "an HTTP header name of at most 128 characters";
}

const char *
configrule_header_value(const char *text)
{
	bool good = strlen(text) <= HEADER_MAX;

	for (; good && *text != '\0'; text++)
		good = (unsigned char)*text >= ' ' && *text != 0x7f;
	return good ? NULL
		    : "at most 1024 bytes without control characters (no line "
		      "breaks)";
}
