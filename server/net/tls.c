#include "server/net/tls.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "server/net/tlsctx.h"

struct tls {
	SSL *ssl;
	struct tls_context *context; /* counted */
	struct buf *out;             /* borrowed: the loop's scratch */
	const uint8_t *in;           /* borrowed: ciphertext not yet eaten */
	size_t in_size;
	bool dead;
	bool shut;
};

/*
 * One BIO for both directions, without memory of its own. OpenSSL's memory
 * BIOs would keep two buffers for each session.
 */
static int
bio_write(BIO *bio, const char *data, int size)
{
	struct tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (tls == NULL || size <= 0)
		return -1;
	buf_raw(tls->out, data, (size_t)size);
	return tls->out->failed == OK ? size : -1;
}

static int
bio_read(BIO *bio, char *out, int size)
{
	struct tls *tls = BIO_get_data(bio);
	size_t count;

	BIO_clear_retry_flags(bio);
	if (tls == NULL || size <= 0)
		return -1;
	if (tls->in_size == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	count = (size_t)size < tls->in_size ? (size_t)size : tls->in_size;
	memcpy(out, tls->in, count);
	tls->in += count;
	tls->in_size -= count;
	return (int)count;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int
bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static BIO_METHOD *method; /* written once, by method_make */
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void
method_make(void)
{
	method = BIO_meth_new(
	    BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "borrowed bytes");
	if (method == NULL)
		return;
	if (BIO_meth_set_write(method, bio_write) != 1 ||
	    BIO_meth_set_read(method, bio_read) != 1 ||
	    BIO_meth_set_ctrl(method, bio_control) != 1 ||
	    BIO_meth_set_create(method, bio_create) != 1) {
		BIO_meth_free(method);
		method = NULL;
	}
}

static enum err
set_name(SSL *ssl, const char *name, bool check, struct errmsg *why)
{
	char
	    copy[TLSEXT_MAXLEN_host_name + 1]; /* OpenSSL's macro drops const */
	size_t size = strlen(name);

	if (size == 0 || size >= sizeof(copy))
		goto bad;
	memcpy(copy, name, size + 1);
	if (SSL_set_tlsext_host_name(ssl, copy) != 1)
		goto bad;
	if (!check)
		return OK;
	SSL_set_hostflags(ssl,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (SSL_set1_host(ssl, name) == 1)
		return OK;
bad:
	return err_set(why, ERR_INVALID, "bad server name \"%s\"", name);
}

enum err
tls_new(struct tls_context *context, const char *server_name, bool check_name,
    struct buf *out, struct tls **session, struct errmsg *why)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	BIO *bio;
	enum err rc;

	assert(server_name == NULL || !context->server_role);
	assert(!check_name || server_name != NULL);
	rc = err_set(why, ERR_NOMEM, "out of memory");
	if (tls == NULL || pthread_once(&method_once, method_make) != 0 ||
	    method == NULL)
		goto out;
	tls->context = tls_context_ref(context);
	tls->out = out;
	ERR_clear_error();
	tls->ssl = SSL_new(context->ssl);
	bio = tls->ssl == NULL ? NULL : BIO_new(method);
	if (bio == NULL)
		goto out;
	BIO_set_data(bio, tls);
	SSL_set_bio(tls->ssl, bio, bio); /* moved */
	if (context->server_role) {
		SSL_set_accept_state(tls->ssl);
	} else {
		SSL_set_connect_state(tls->ssl);
		if (server_name != NULL) {
			rc = set_name(tls->ssl, server_name, check_name, why);
			if (rc != OK)
				goto out;
		}
	}
	*session = tls;
	tls = NULL; /* moved */
	rc = OK;
out:
	ERR_clear_error();
	tls_free(tls);
	return rc;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	tls_context_unref(tls->context);
	free(tls);
}

void
tls_feed(struct tls *tls, const void *data, size_t size)
{
	assert(tls->in_size == 0 || tls->dead);
	tls->in = data;
	tls->in_size = size;
}

/* The words for a session that just died. */
static enum err
explain(struct tls *tls, const char *what, struct errmsg *why)
{
	long verdict = SSL_get_verify_result(tls->ssl);
	char reason[128];

	tls->dead = true;
	if (tls->out->failed != OK) {
		ERR_clear_error();
		return err_set(why, ERR_NOMEM, "out of memory");
	}
	tls_reason(reason, sizeof(reason));
	if (verdict != X509_V_OK) {
		return err_set(why, ERR_PROTOCOL, "%s: %s: %s", what, reason,
		    X509_verify_cert_error_string(verdict));
	}
	return err_set(why, ERR_PROTOCOL, "%s: %s", what, reason);
}

enum err
tls_read(struct tls *tls, void *out, size_t out_size, size_t *got,
    struct errmsg *why)
{
	bool was_up = SSL_is_init_finished(tls->ssl);
	int rc;

	*got = 0;
	if (tls->dead)
		return err_set(why, ERR_PROTOCOL, "TLS session has failed");
	ERR_clear_error();
	rc = SSL_read_ex(tls->ssl, out, out_size, got);
	if (rc == 1)
		return OK;
	switch (SSL_get_error(tls->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		assert(tls->in_size == 0);
		return OK;
	case SSL_ERROR_ZERO_RETURN:
		tls->in_size = 0; /* nothing counts behind close_notify */
		return err_set(why, ERR_CLOSED, "TLS session ended by peer");
	default:
		tls->in_size = 0;
		return explain(
		    tls, was_up ? "TLS failed" : "TLS handshake failed", why);
	}
}

enum err
tls_write(struct tls *tls, const void *data, size_t size, struct errmsg *why)
{
	size_t written;

	if (tls->dead || tls->shut)
		return err_set(why, ERR_CLOSED, "TLS session is closed");
	assert(SSL_is_init_finished(tls->ssl));
	if (size == 0)
		return OK;
	ERR_clear_error();
	if (SSL_write_ex(tls->ssl, data, size, &written) != 1)
		return explain(tls, "TLS failed", why);
	assert(written == size); /* the sink takes all, nothing is partial */
	return OK;
}

void
tls_shutdown(struct tls *tls)
{
	if (tls->dead || tls->shut || !SSL_is_init_finished(tls->ssl))
		return;
	tls->shut = true;
	ERR_clear_error();
	(void)SSL_shutdown(tls->ssl); /* 0: sent, peer's not yet seen */
	ERR_clear_error();
}

bool
tls_established(const struct tls *tls)
{
	return SSL_is_init_finished(tls->ssl);
}

/* Borrowed; NULL unless the chain was asked for and holds. */
static X509 *
verified_peer(const struct tls *tls)
{
	if (!tls->context->verify_peer || !SSL_is_init_finished(tls->ssl) ||
	    SSL_get_verify_result(tls->ssl) != X509_V_OK)
		return NULL;
	return SSL_get0_peer_certificate(tls->ssl);
}

bool
tls_peer_has_name(const struct tls *tls, const char *dns_name)
{
	X509 *peer = verified_peer(tls);

	if (peer == NULL)
		return false;
	/* A certificate without the extension may be used for anything: too
	 * much for one that must prove it is a server of ours. */
	if ((X509_get_extension_flags(peer) & EXFLAG_XKUSAGE) == 0 ||
	    (X509_get_extended_key_usage(peer) & XKU_SSL_CLIENT) == 0)
		return false;
	return X509_check_host(peer, dns_name, strlen(dns_name),
		   X509_CHECK_FLAG_NO_WILDCARDS |
		       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
		   NULL) == 1;
}

bool
tls_peer_key(const struct tls *tls, uint8_t hash[static 32])
{
	X509 *peer = SSL_get0_peer_certificate(tls->ssl);
	unsigned char *der = NULL;
	bool good;
	int size;

	if (peer == NULL)
		return false;
	size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(peer), &der);
	if (size <= 0)
		return false;
	good =
	    EVP_Digest(der, (size_t)size, hash, NULL, EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	return good;
}
