#include "server/ca/provider.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "server/ca/pki.h"
#include "server/duration.h"
#include "server/worker.h"
#include "storage/secret.h"

#define UID_SIZE        8  /* characters in a root's name */
#define BACKDATE        60 /* seconds */
#define CLUSTER_ID_TEXT 64

/*
 * One call at a time, its arguments and its outcome embedded, so that a call
 * needs no memory of its own to report that there is none.
 */
struct consul {
	struct provider provider; /* first */
	struct worker *worker;
	struct loop *loop;
	char cluster_id[CLUSTER_ID_TEXT];
	struct caconfig config;
	char *key, *root; /* NULL until generated; the worker reads them */
	/* the call under way */
	bool busy;
	struct worker_job job;
	struct loop_task refusal; /* when the workers' queue was full */
	enum err (*compute)(struct consul *consul);
	uint64_t serial;
	int64_t not_before, not_after;
	char *subject;
	char *made_key, *made_cert;
	enum err status;
	struct errmsg why;
	provider_cb cb;
	void *arg;
};

static struct consul *
consul_of(struct provider *provider)
{
	return CONTAINER_OF(provider, struct consul, provider);
}

/* Base 36, without the bias of a remainder. */
static enum err
draw_uid(char uid[static UID_SIZE + 1], struct errmsg *why)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	unsigned char byte;

	for (size_t i = 0; i < UID_SIZE;) {
		if (RAND_bytes(&byte, 1) != 1)
			return err_set(why, ERR_INTERNAL, "no random bytes");
		if (byte < 252) /* 7 * 36 */
			uid[i++] = digits[byte % 36];
	}
	uid[UID_SIZE] = '\0';
	return OK;
}

static enum err
compute_root(struct consul *consul)
{
	const struct caconfig *config = &consul->config;
	struct errmsg *why = &consul->why;
	char uid[UID_SIZE + 1];
	enum err rc;

	if (config->private_key != NULL) {
		consul->made_key = strdup(config->private_key);
		if (consul->made_key == NULL)
			return err_set(why, ERR_NOMEM, "out of memory");
	} else {
		rc = pki_key_new(config->key_type, (unsigned)config->key_bits,
		    &consul->made_key, why);
		if (rc != OK)
			return rc;
	}
	rc = draw_uid(uid, why);
	if (rc != OK)
		return rc;
	return pki_root_new(consul->made_key, consul->cluster_id, uid,
	    consul->serial, consul->not_before,
	    config->root_ttl / DURATION_SECOND, &consul->made_cert, why);
}

static enum err
compute_cross_sign(struct consul *consul)
{
	return pki_cross_sign(consul->root, consul->key, consul->subject,
	    consul->serial, consul->not_before, consul->not_after,
	    &consul->made_cert, &consul->why);
}

static enum err
compute_leaf(struct consul *consul)
{
	struct errmsg *why = &consul->why;
	char uri[PKI_URI_TEXT], *key = NULL;
	enum err rc;

	rc = pki_uri(consul->cluster_id, uri, why);
	if (rc == OK)
		rc = pki_key_new("ec", 256, &key, why);
	if (rc == OK)
		rc = pki_leaf_new(consul->root, consul->key, key, uri,
		    consul->serial, consul->not_before, consul->not_after,
		    &consul->made_cert, why);
	secret_free_text(key);
	return rc;
}

/* Nothing of the call is kept but a fresh root, which becomes its own. */
static void
finish(struct consul *consul)
{
	struct provider_result result = {.status = consul->status,
	    .why = consul->why,
	    .cert = consul->made_cert,
	    .private_key = consul->made_key};
	char *cert = consul->made_cert, *key = consul->made_key;

	free(consul->subject);
	consul->subject = NULL;
	consul->made_cert = NULL;
	consul->made_key = NULL;
	if (consul->status == OK && consul->compute == compute_root) {
		consul->root = cert;
		consul->key = key;
		cert = NULL; /* moved */
		key = NULL;
	}
	consul->busy = false;
	consul->cb(consul->arg, &result); /* may free the provider */
	free(cert);
	secret_free_text(key);
}

static void
on_work(struct worker_job *job)
{
	struct consul *consul = CONTAINER_OF(job, struct consul, job);

	consul->status = consul->compute(consul);
}

static void
on_done(struct worker_job *job)
{
	finish(CONTAINER_OF(job, struct consul, job));
}

static void
on_refusal(struct loop_task *task)
{
	finish(CONTAINER_OF(task, struct consul, refusal));
}

/* Hand the call to a worker, or report rc from the loop. */
static void
begin(struct consul *consul, enum err rc, enum err (*compute)(struct consul *),
    provider_cb cb, void *arg)
{
	consul->busy = true;
	consul->compute = compute;
	consul->cb = cb;
	consul->arg = arg;
	consul->job = (struct worker_job){
	    .work = on_work, .done = on_done, .home = consul->loop};
	if (rc == OK) {
		rc = worker_submit(consul->worker, &consul->job);
		if (rc == OK)
			return;
		err_set(&consul->why, rc, "the worker queue is full");
	}
	consul->status = rc;
	consul->refusal = (struct loop_task){.run = on_refusal};
	loop_post(consul->loop, &consul->refusal);
}

static void
consul_generate_root(struct provider *provider, uint64_t serial, int64_t now,
    provider_cb cb, void *arg)
{
	struct consul *consul = consul_of(provider);

	assert(!consul->busy);
	assert(consul->root == NULL);
	consul->why = (struct errmsg){""};
	consul->serial = serial;
	consul->not_before = now;
	begin(consul, OK, compute_root, cb, arg);
}

static void
consul_cross_sign(struct provider *provider, const char *root, uint64_t serial,
    int64_t not_before, int64_t not_after, provider_cb cb, void *arg)
{
	struct consul *consul = consul_of(provider);
	enum err rc = OK;

	assert(!consul->busy);
	assert(consul->root != NULL);
	consul->why = (struct errmsg){""};
	consul->serial = serial;
	consul->not_before = not_before;
	consul->not_after = not_after;
	consul->subject = strdup(root);
	if (consul->config.disable_cross_signing)
		rc = err_set(
		    &consul->why, ERR_INVALID, "cross-signing disabled");
	else if (consul->subject == NULL)
		rc = err_set(&consul->why, ERR_NOMEM, "out of memory");
	begin(consul, rc, compute_cross_sign, cb, arg);
}

static void
consul_test_leaf(struct provider *provider, uint64_t serial, int64_t now,
    provider_cb cb, void *arg)
{
	struct consul *consul = consul_of(provider);

	assert(!consul->busy);
	assert(consul->root != NULL);
	consul->why = (struct errmsg){""};
	consul->serial = serial;
	consul->not_before = now - BACKDATE;
	consul->not_after =
	    consul->not_before + consul->config.leaf_ttl / DURATION_SECOND;
	begin(consul, OK, compute_leaf, cb, arg);
}

static bool
consul_supports_cross_signing(const struct provider *provider)
{
	const struct consul *consul = (const struct consul *)provider;

	return !consul->config.disable_cross_signing;
}

static const char *
consul_root(const struct provider *provider)
{
	const struct consul *consul = (const struct consul *)provider;

	return consul->root;
}

static void
consul_free(struct provider *provider)
{
	struct consul *consul;

	if (provider == NULL)
		return;
	consul = consul_of(provider);
	assert(!consul->busy);
	caconfig_free(&consul->config);
	secret_free_text(consul->key);
	free(consul->root);
	free(consul);
}

static const struct provider_ops consul_ops = {
    .name = "consul",
    .generate_root = consul_generate_root,
    .cross_sign = consul_cross_sign,
    .test_leaf = consul_test_leaf,
    .supports_cross_signing = consul_supports_cross_signing,
    .root = consul_root,
    .free = consul_free,
};

/* strdup of what may be absent. */
static bool
copy_text(const char *text, char **out)
{
	*out = text == NULL ? NULL : strdup(text);
	return text == NULL || *out != NULL;
}

enum err
provider_consul_new(struct worker *worker, struct loop *loop,
    const struct caconfig *config, const char *cluster_id, const char *key,
    const char *root, struct provider **out, struct errmsg *why)
{
	struct consul *consul;

	assert((key == NULL) == (root == NULL));
	if (strlen(cluster_id) >= CLUSTER_ID_TEXT)
		return err_set(why, ERR_INVALID, "the cluster id is too long");
	consul = calloc(1, sizeof(*consul));
	if (consul == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	consul->provider.ops = &consul_ops;
	consul->worker = worker;
	consul->loop = loop;
	memcpy(consul->cluster_id, cluster_id, strlen(cluster_id) + 1);
	consul->config = *config;
	consul->config.private_key = NULL;
	consul->config.root_cert = NULL;
	if (!copy_text(config->private_key, &consul->config.private_key) ||
	    !copy_text(config->root_cert, &consul->config.root_cert) ||
	    !copy_text(key, &consul->key) || !copy_text(root, &consul->root)) {
		consul_free(&consul->provider);
		return err_set(why, ERR_NOMEM, "out of memory");
	}
	*out = &consul->provider;
	return OK;
}

enum err
provider_consul_id(const struct caconfig *config,
    char out[static PROVIDER_ID_TEXT], struct errmsg *why)
{
	const char *key = config->private_key, *root = config->root_cert;
	unsigned char hash[32];
	char rest[64];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	snprintf(rest, sizeof(rest), ",%s,%" PRId64 ",true", config->key_type,
	    config->key_bits);
	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	    (key == NULL || EVP_DigestUpdate(ctx, key, strlen(key)) == 1) &&
	    EVP_DigestUpdate(ctx, ",", 1) == 1 &&
	    (root == NULL || EVP_DigestUpdate(ctx, root, strlen(root)) == 1) &&
	    EVP_DigestUpdate(ctx, rest, strlen(rest)) == 1 &&
	    EVP_DigestFinal_ex(ctx, hash, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return err_set(why, ERR_NOMEM, "SHA-256");
	pki_hex(hash, sizeof(hash), out);
	return OK;
}
