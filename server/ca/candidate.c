#include "server/ca/candidate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/log.h"
#include "storage/secret.h"

#define LEAF_SERIAL 1 /* of a leaf that nobody ever sees */

static void
end(struct candidate *candidate, enum err status)
{
	candidate->status = status;
	candidate->cb(candidate);
}

static struct candidate *
candidate_of(struct castep *step)
{
	return CONTAINER_OF(step, struct candidate, step);
}

/* A PEM text that ends in a newline; NULL when memory is out. */
static char *
with_newline(const char *pem)
{
	size_t size = strlen(pem);
	char *copy = malloc(size + 2);

	if (copy == NULL)
		return NULL;
	memcpy(copy, pem, size + 1);
	if (size > 0 && pem[size - 1] != '\n')
		memcpy(copy + size, "\n", 2);
	return copy;
}

static enum err
set_pair(struct candidate *candidate, const char *key, const char *cert)
{
	candidate->key = strdup(key);
	candidate->cert = with_newline(cert);
	if (candidate->key == NULL || candidate->cert == NULL) {
		return err_set(&candidate->why, ERR_NOMEM, "out of memory");
	}
	return OK;
}

static void
on_proven(struct castep *step)
{
	struct candidate *candidate = candidate_of(step);

	if (step->status != OK) {
		err_set(&candidate->why, step->status,
		    "error verifying the CA root certificate: %s",
		    step->why.text);
	}
	end(candidate, step->status);
}

static enum err
prove(struct castep *step)
{
	struct candidate *candidate = candidate_of(step);
	enum err rc;

	rc = pki_facts(candidate->cert, &candidate->facts, &step->why);
	if (rc == OK)
		rc = pki_verify(candidate->leaf, "", candidate->cert,
		    candidate->now, &step->why);
	return rc;
}

static void
on_leaf(void *arg, const struct provider_result *result)
{
	struct candidate *candidate = arg;

	if (result->status != OK) {
		err_set(&candidate->why, result->status,
		    "error signing with the CA root certificate: %s",
		    result->why.text);
		end(candidate, result->status);
		return;
	}
	candidate->leaf = strdup(result->cert);
	if (candidate->leaf == NULL) {
		end(candidate,
		    err_set(&candidate->why, ERR_NOMEM, "out of memory"));
		return;
	}
	castep_compute(&candidate->step, prove, on_proven);
}

static void
sign_leaf(struct candidate *candidate)
{
	struct provider *provider = candidate->provider;

	provider->ops->test_leaf(
	    provider, LEAF_SERIAL, candidate->now, on_leaf, candidate);
}

static void
on_generated(void *arg, const struct provider_result *result)
{
	struct candidate *candidate = arg;
	enum err rc = result->status;

	if (rc != OK) {
		err_set(&candidate->why, rc,
		    "error generating CA root certificate: %s",
		    result->why.text);
	} else {
		rc = set_pair(candidate, result->private_key, result->cert);
	}
	if (rc != OK)
		end(candidate, rc);
	else
		sign_leaf(candidate);
}

static void
on_serial(struct castep *step)
{
	struct candidate *candidate = candidate_of(step);
	struct provider *provider = candidate->provider;

	if (step->status != OK) {
		candidate->why = step->why;
		end(candidate, step->status);
		return;
	}
	provider->ops->generate_root(
	    provider, step->value, candidate->now, on_generated, candidate);
}

static enum err
check_supplied(struct castep *step)
{
	struct candidate *candidate = candidate_of(step);
	char uri[PKI_URI_TEXT];
	enum err rc;

	rc = pki_uri(candidate->cluster_id, uri, &step->why);
	if (rc != OK)
		return rc;
	return pki_root_check(candidate->cert, candidate->key, uri,
	    candidate->now, &candidate->warnings, &step->why);
}

static void
on_checked(struct castep *step)
{
	struct candidate *candidate = candidate_of(step);

	if (step->status != OK) {
		err_set(&candidate->why, step->status,
		    "error configuring provider: RootCert refused: %s",
		    step->why.text);
		end(candidate, step->status);
		return;
	}
	if (candidate->warnings.text[0] != '\0') {
		log_event(LOG_WARN, "connect.ca",
		    "the supplied RootCert is unusual: %s",
		    candidate->warnings.text);
	}
	sign_leaf(candidate);
}

/* The pair that is there already, if any. */
static enum err
begin(struct candidate *candidate, const char *key, const char *cert)
{
	const struct caconfig *settings = candidate->settings;
	const struct ca_env *env = candidate->task->env;
	enum err rc;

	rc = provider_consul_id(
	    settings, candidate->provider_id, &candidate->why);
	if (rc == OK && settings->root_cert != NULL)
		rc = set_pair(
		    candidate, settings->private_key, settings->root_cert);
	else if (rc == OK && key != NULL)
		rc = set_pair(candidate, key, cert);
	if (rc == OK)
		rc = provider_consul_new(env->worker, env->loop, settings,
		    candidate->cluster_id, candidate->key, candidate->cert,
		    &candidate->provider, &candidate->why);
	if (rc == OK) {
		const char *name = candidate->provider->ops->name;

		snprintf(candidate->name, sizeof(candidate->name),
		    "%c%s CA Primary Cert", toupper((unsigned char)name[0]),
		    name + 1);
	}
	return rc;
}

static void
on_refused(struct castep *step)
{
	end(candidate_of(step), step->status);
}

void
candidate_prepare(struct candidate *candidate, const char *key,
    const char *cert, candidate_cb cb)
{
	const struct command serial = {
	    .type = COMMAND_CA_SERIAL, .ca_serial = {.count = 1}};
	struct castep *step = &candidate->step;
	enum err rc;

	candidate->cb = cb;
	step->task = candidate->task;
	rc = begin(candidate, key, cert);
	if (rc != OK)
		castep_later(step, rc, on_refused);
	else if (candidate->settings->root_cert != NULL)
		castep_compute(step, check_supplied, on_checked);
	else if (candidate->cert != NULL)
		sign_leaf(candidate);
	else
		castep_propose(step, &serial, on_serial);
}

void
candidate_free(struct candidate *candidate)
{
	if (candidate->provider != NULL)
		candidate->provider->ops->free(candidate->provider);
	secret_free_text(candidate->key);
	free(candidate->cert);
	free(candidate->leaf);
	*candidate = (struct candidate){0};
}
