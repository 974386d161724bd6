#include "tests/bench/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/die.h"

static struct target
parse_target(const char *text, size_t size)
{
	struct target t = {.address = {.sin_family = AF_INET}};
	char address[sizeof(t.host)], *colon;
	unsigned long port = 0;

	if (size >= sizeof(t.host))
		die("target %s is too long", text);
	memcpy(t.host, text, size);
	memcpy(address, t.host, sizeof(address));
	colon = strrchr(address, ':');
	if (colon != NULL) {
		*colon = '\0';
		port = strtoul(colon + 1, NULL, 10);
	}
	if (port == 0 || port > UINT16_MAX ||
	    inet_pton(AF_INET, address, &t.address.sin_addr) != 1)
		die("target %s is not an IPv4 ADDRESS:PORT", t.host);
	t.address.sin_port = htons((uint16_t)port);
	return t;
}

struct targets
parse_targets(const char *text)
{
	struct targets targets = {.count = 0};
	size_t n;

	while (*text != '\0' && targets.count < TARGETS_MAX) {
		n = strcspn(text, ",");
		targets.target[targets.count++] = parse_target(text, n);
		text += n + (text[n] == ',');
	}
	if (targets.count == 0)
		die("no target");
	return targets;
}

SSL_CTX *
dial_tls(const char *ca, const char *certificate, const char *key)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL)
		die("out of memory");
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_mode(context,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (ca != NULL) {
		if (SSL_CTX_load_verify_locations(context, ca, NULL) != 1)
			die("cannot load %s", ca);
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	}
	if (certificate == NULL)
		return context;
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context,
		key != NULL ? key : certificate, SSL_FILETYPE_PEM) != 1)
		die("cannot load %s", certificate);
	return context;
}

int
dial(const struct target *target)
{
	int one = 1, fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&target->address,
		sizeof(target->address)) != 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

SSL *
dial_secure(SSL_CTX *context, int fd)
{
	SSL *tls;

	if (context == NULL)
		return NULL;
	tls = SSL_new(context);
	if (tls == NULL || SSL_set_fd(tls, fd) != 1)
		die("out of memory");
	SSL_set_connect_state(tls);
	return tls;
}

static ssize_t
tls_result(SSL *tls, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(tls, n)) {
	case SSL_ERROR_WANT_READ:
		return DIAL_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return DIAL_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		return DIAL_ERROR;
	}
}

ssize_t
dial_read(int fd, SSL *tls, void *out, size_t room)
{
	ssize_t n;

	if (tls != NULL) {
		ERR_clear_error();
		return tls_result(tls, SSL_read(tls, out, (int)room));
	}
	n = read(fd, out, room);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? DIAL_WANT_READ : DIAL_ERROR;
}

ssize_t
dial_write(int fd, SSL *tls, const void *data, size_t size)
{
	ssize_t n;

	if (tls != NULL) {
		ERR_clear_error();
		return tls_result(tls, SSL_write(tls, data, (int)size));
	}
	n = send(fd, data, size, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? DIAL_WANT_WRITE : DIAL_ERROR;
}
