#include "server/net/tlsctx.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

static const struct {
	const char *iana, *openssl;
} suites[] = {
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	"ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	"ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	"ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	"ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
};

#define SUITES_TEXT_MAX 1024 /* all ten OpenSSL names are under 350 bytes */

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

void
tls_reason(char *out, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	if (reason == NULL)
		reason = code == 0 ? "unknown failure" : "failure in OpenSSL";
	(void)snprintf(out, size, "%s", reason);
	ERR_clear_error();
}

/* No prompt: an encrypted key is refused by name. *arg notes the question. */
static int
refuse_password(char *out, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)out;
	(void)size;
	(void)writing;
	*asked = true;
	return -1;
}

/* A PEM file; errno's text on failure. secret: read without a buffer of the
 * C library's, which would keep the key when it is freed. */
static enum err
open_file(const char *path, bool secret, BIO **out, const char **problem)
{
	struct stat status;
	/* Not blocking: a pipe under this name must not hang us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	*out = NULL;
	if (file == NULL || fstat(fileno(file), &status) != 0)
		*problem = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		*problem = "not a regular file";
	else if (status.st_size > TLS_CA_FILE_MAX)
		*problem = "larger than 4194304 bytes";
	else if ((secret && setvbuf(file, NULL, _IONBF, 0) != 0) ||
	    (*out = BIO_new_fp(file, BIO_CLOSE)) == NULL)
		*problem = "out of memory";
	if (*out != NULL)
		return OK;
	if (file != NULL)
		(void)fclose(file);
	else if (fd >= 0)
		(void)close(fd);
	return ERR_IO;
}

/* Every certificate of one file into the trusted set. *count goes on. */
static enum err
load_ca_file(SSL_CTX *ssl, const char *path, bool name_to_clients,
    size_t *count, struct errmsg *why)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	const char *problem;
	X509 *certificate;
	size_t before = *count;
	BIO *in = NULL;
	enum err rc;

	if (open_file(path, false, &in, &problem) != OK) {
		return err_set(why, ERR_INVALID, "Error loading from %s: %s",
		    path, problem);
	}
	rc = err_set(why, ERR_INVALID, "failed to parse PEM <%s>", path);
	for (;;) {
		certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
		if (certificate == NULL)
			break;
		if (++*count > TLS_CA_MAX) {
			X509_free(certificate);
			rc = err_set(why, ERR_INVALID,
			    "Error loading from %s: more than %d CA"
			    " certificates",
			    path, TLS_CA_MAX);
			goto out;
		}
		if (X509_STORE_add_cert(store, certificate) != 1 ||
		    (name_to_clients &&
			SSL_CTX_add_client_CA(ssl, certificate) != 1)) {
			X509_free(certificate);
			rc = err_set(why, ERR_NOMEM, "out of memory");
			goto out;
		}
		X509_free(certificate);
	}
	/* The one good end is "no more PEM begins here". */
	if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE &&
	    *count > before)
		rc = OK;
out:
	ERR_clear_error();
	BIO_free(in);
	return rc;
}

static enum err
load_ca_path(SSL_CTX *ssl, const char *path, bool name_to_clients,
    size_t *count, struct errmsg *why)
{
	char *copy = strdup(path);
	char *roots[] = {copy, NULL};
	FTS *walk = NULL;
	FTSENT *entry;
	enum err rc;

	if (copy == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	/* Logical: mounted secrets are folders of links. */
	walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	if (walk == NULL) {
		rc = err_set(why, ERR_INVALID, "Error loading from %s: %s",
		    path, strerror(errno));
		goto out;
	}
	rc = OK;
	while (rc == OK && (entry = fts_read(walk)) != NULL) {
		switch (entry->fts_info) {
		case FTS_F:
			rc = load_ca_file(ssl, entry->fts_accpath,
			    name_to_clients, count, why);
			break;
		case FTS_DNR:
		case FTS_ERR:
		case FTS_NS:
		case FTS_SLNONE:
			rc = err_set(why, ERR_INVALID,
			    "Error loading from %s: %s", entry->fts_path,
			    entry->fts_errno != 0 ? strerror(entry->fts_errno)
						  : "dangling link");
			break;
		default: /* folders, and what is no file */
			break;
		}
	}
	if (rc == OK && *count == 0) {
		rc = err_set(why, ERR_INVALID,
		    "Error loading from CAPath: no CAs found");
	}
out:
	if (walk != NULL)
		(void)fts_close(walk);
	free(copy);
	return rc;
}

static enum err
load_cas(struct tls_context *context, const struct tls_files *files,
    struct errmsg *why)
{
	bool names = context->server_role && context->verify_peer;
	size_t count = 0;
	enum err rc = OK;

	if (is_given(files->ca_file)) {
		rc = load_ca_file(
		    context->ssl, files->ca_file, names, &count, why);
	} else if (is_given(files->ca_path)) {
		rc = load_ca_path(
		    context->ssl, files->ca_path, names, &count, why);
	}
	if (rc != OK || count > 0 || !context->verify_peer)
		return rc;
	return err_set(why, ERR_INVALID,
	    "%s set but no CA certificates were provided",
	    context->server_role ? "VerifyIncoming" : "VerifyOutgoing");
}

static enum err
load_key(SSL_CTX *ssl, const char *path, struct errmsg *why)
{
	const char *problem;
	char reason[128];
	bool asked = false;
	EVP_PKEY *key = NULL;
	BIO *in = NULL;
	enum err rc;

	if (open_file(path, true, &in, &problem) != OK) {
		rc = err_set(why, ERR_INVALID,
		    "Failed to load cert/key pair: %s: %s", path, problem);
		goto out;
	}
	key = PEM_read_bio_PrivateKey(in, NULL, refuse_password, &asked);
	if (key == NULL) {
		tls_reason(reason, sizeof(reason));
		rc = err_set(why, ERR_INVALID,
		    "Failed to load cert/key pair: %s: %s", path,
		    asked ? "the key is encrypted with a pass phrase; give "
			    "it unencrypted, readable by its owner only"
			  : reason);
		goto out;
	}
	if (SSL_CTX_use_PrivateKey(ssl, key) != 1 ||
	    SSL_CTX_check_private_key(ssl) != 1) {
		tls_reason(reason, sizeof(reason));
		rc = err_set(why, ERR_INVALID,
		    "Failed to load cert/key pair: %s: %s", path, reason);
		goto out;
	}
	rc = OK;
out:
	EVP_PKEY_free(key);
	BIO_free(in);
	return rc;
}

static enum err
load_pair(struct tls_context *context, const struct tls_files *files,
    struct errmsg *why)
{
	const char *problem;
	char reason[128];
	struct tm expiry = {0};
	BIO *in = NULL;

	if (!is_given(files->cert_file) || !is_given(files->key_file)) {
		if (!context->server_role)
			return OK;
		if (context->verify_peer) {
			return err_set(why, ERR_INVALID,
			    "VerifyIncoming requires either a Cert and Key "
			    "pair in the configuration file, or "
			    "auto_encrypt/auto_config be enabled");
		}
		return err_set(why, ERR_INVALID,
		    "Failed to load cert/key pair: a TLS listener needs both "
		    "cert_file and key_file");
	}
	/* Opened once more by OpenSSL; here for the system's own words. */
	if (open_file(files->cert_file, false, &in, &problem) != OK) {
		return err_set(why, ERR_INVALID,
		    "Failed to load cert/key pair: %s: %s", files->cert_file,
		    problem);
	}
	BIO_free(in);
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(
		context->ssl, files->cert_file) != 1) {
		tls_reason(reason, sizeof(reason));
		return err_set(why, ERR_INVALID,
		    "Failed to load cert/key pair: %s: %s", files->cert_file,
		    reason);
	}
	if (ASN1_TIME_to_tm(
		X509_get0_notAfter(SSL_CTX_get0_certificate(context->ssl)),
		&expiry) == 1)
		context->expiry = (int64_t)timegm(&expiry);
	return load_key(context->ssl, files->key_file, why);
}

static enum err
set_version(SSL_CTX *ssl, const char *version, struct errmsg *why)
{
	int number = TLS1_2_VERSION;

	if (is_given(version) && strcmp(version, "TLSv1_3") == 0)
		number = TLS1_3_VERSION;
	else if (is_given(version) && strcmp(version, "TLSv1_2") != 0) {
		return err_set(why, ERR_INVALID,
		    "unsupported tls_min_version \"%s\": want TLSv1_2 or "
		    "TLSv1_3",
		    version);
	}
	if (SSL_CTX_set_min_proto_version(ssl, number) != 1)
		return err_set(why, ERR_INTERNAL, "TLS version refused");
	return OK;
}

static enum err
set_suites(SSL_CTX *ssl, const char *list, struct errmsg *why)
{
	char names[SUITES_TEXT_MAX];
	size_t used = 0;

	if (!is_given(list))
		return OK;
	for (const char *at = list;; at++) {
		const char *openssl = NULL;
		size_t size;

		at += strspn(at, " ");
		size = strcspn(at, ", ");
		for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
			if (strlen(suites[i].iana) == size &&
			    memcmp(suites[i].iana, at, size) == 0)
				openssl = suites[i].openssl;
		}
		if (openssl == NULL) {
			return err_set(why, ERR_INVALID,
			    "unsupported cipher \"%.*s\"",
			    (int)(size < 128 ? size : 128), at);
		}
		if (used + strlen(openssl) + 2 > sizeof(names)) {
			return err_set(why, ERR_INVALID,
			    "tls_cipher_suites names suites more than once");
		}
		used += (size_t)snprintf(names + used, sizeof(names) - used,
		    "%s%s", used == 0 ? "" : ":", openssl);
		at += size;
		at += strspn(at, " ");
		if (*at != ',')
			break;
	}
	ERR_clear_error();
	if (SSL_CTX_set_cipher_list(ssl, names) != 1)
		return err_set(why, ERR_INTERNAL, "cipher list refused");
	return OK;
}

/* Server side of ALPN: take http/1.1 if offered, else go on without. */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *in, unsigned int in_size, void *arg)
{
	const char *want = arg;
	size_t size = strlen(want);

	(void)ssl;
	for (size_t i = 0; i < in_size && in[i] < in_size - i;
	     i += in[i] + 1u) {
		if (in[i] == size && memcmp(in + i + 1, want, size) == 0) {
			*out = in + i + 1;
			*out_size = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static enum err
set_alpn(struct tls_context *context, const char *alpn, struct errmsg *why)
{
	static char http[] = "http/1.1";
	uint8_t wire[sizeof(http)];

	if (alpn == NULL)
		return OK;
	if (strcmp(alpn, http) != 0) {
		return err_set(
		    why, ERR_INVALID, "unknown ALPN protocol \"%s\"", alpn);
	}
	if (context->server_role) {
		SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, http);
		return OK;
	}
	wire[0] = sizeof(http) - 1;
	memcpy(wire + 1, http, sizeof(http) - 1);
	/* Of all OpenSSL calls this one says 0 for success. */
	if (SSL_CTX_set_alpn_protos(context->ssl, wire, sizeof(wire)) != 0)
		return err_set(why, ERR_NOMEM, "out of memory");
	return OK;
}

static void
set_habits(struct tls_context *context)
{
	SSL_CTX *ssl = context->ssl;
	int verify = SSL_VERIFY_NONE;

	SSL_CTX_set_options(ssl,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(ssl, 0);
	if (context->verify_peer) {
		verify = SSL_VERIFY_PEER;
		if (context->server_role)
			verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	}
	SSL_CTX_set_verify(ssl, verify, NULL);
}

enum err
tls_context_new(const struct tls_files *files, bool server_role,
    bool verify_peer, const char *alpn, struct tls_context **out,
    struct errmsg *why)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	enum err rc;

	if (context == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	atomic_init(&context->references, 1);
	context->server_role = server_role;
	context->verify_peer = verify_peer;
	ERR_clear_error();
	context->ssl = SSL_CTX_new(
	    server_role ? TLS_server_method() : TLS_client_method());
	if (context->ssl == NULL) {
		rc = err_set(why, ERR_NOMEM, "out of memory");
		goto out;
	}
	set_habits(context);
	if ((rc = set_version(context->ssl, files->min_version, why)) != OK ||
	    (rc = set_suites(context->ssl, files->cipher_suites, why)) != OK ||
	    (rc = set_alpn(context, alpn, why)) != OK ||
	    (rc = load_cas(context, files, why)) != OK ||
	    (rc = load_pair(context, files, why)) != OK)
		goto out;
	*out = context;
	context = NULL; /* moved */
	rc = OK;
out:
	tls_context_unref(context);
	return rc;
}

struct tls_context *
tls_context_ref(struct tls_context *context)
{
	unsigned before = atomic_fetch_add_explicit(
	    &context->references, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
	return context;
}

void
tls_context_unref(struct tls_context *context)
{
	unsigned before;

	if (context == NULL)
		return;
	before = atomic_fetch_sub_explicit(
	    &context->references, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before > 1)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

int64_t
tls_context_expiry(const struct tls_context *context)
{
	return context->expiry;
}
