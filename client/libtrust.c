/* The CA, as typed calls: roots and configuration. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/libanswer.h"
#include "client/libbytes.h"
#include "client/libjson.h"

#define PATH_CONFIG "/v1/connect/ca/configuration"
#define BODY_MAX    ((size_t)8 << 20)

/* -- roots --------------------------------------------------------------- */

static bool
take_root(const cJSON *json, struct conclave_root *out)
{
	const cJSON *chain =
	    cJSON_GetObjectItemCaseSensitive(json, "IntermediateCerts");

	out->id = libjson_text(json, "ID");
	out->name = libjson_text(json, "Name");
	out->serial_number = libjson_u64(json, "SerialNumber");
	out->signing_key_id = libjson_text(json, "SigningKeyID");
	out->external_trust_domain = libjson_text(json, "ExternalTrustDomain");
	out->not_before = libjson_text(json, "NotBefore");
	out->not_after = libjson_text(json, "NotAfter");
	out->root_cert = libjson_text(json, "RootCert");
	out->active = libjson_bool(json, "Active");
	out->private_key_type = libjson_text(json, "PrivateKeyType");
	out->private_key_bits = (unsigned)libjson_u64(json, "PrivateKeyBits");
	out->create_index = libjson_u64(json, "CreateIndex");
	out->modify_index = libjson_u64(json, "ModifyIndex");
	return libjson_texts(
		   chain, &out->intermediate_certs, &out->intermediate_count) &&
	    out->id != NULL && out->name != NULL &&
	    out->signing_key_id != NULL && out->external_trust_domain != NULL &&
	    out->not_before != NULL && out->not_after != NULL &&
	    out->root_cert != NULL && out->private_key_type != NULL;
}

static void
drop_root(struct conclave_root *root)
{
	free(root->id);
	free(root->name);
	free(root->signing_key_id);
	free(root->external_trust_domain);
	free(root->not_before);
	free(root->not_after);
	free(root->root_cert);
	free(root->private_key_type);
	libjson_texts_free(root->intermediate_certs, root->intermediate_count);
}

void
conclave_roots_free(struct conclave_roots *roots)
{
	if (roots == NULL)
		return;
	free(roots->active_root_id);
	free(roots->trust_domain);
	for (size_t i = 0; i < roots->count; i++)
		drop_root(&roots->roots[i]);
	free(roots->roots);
	*roots = (struct conclave_roots){.roots = NULL};
}

static bool
take_roots(const cJSON *json, const cJSON *list, struct conclave_roots *out)
{
	int size = cJSON_GetArraySize(list);
	const cJSON *item;

	out->active_root_id = libjson_text(json, "ActiveRootID");
	out->trust_domain = libjson_text(json, "TrustDomain");
	if (out->active_root_id == NULL || out->trust_domain == NULL)
		return false;
	if (size == 0)
		return true;
	out->roots = calloc((size_t)size, sizeof(*out->roots));
	if (out->roots == NULL)
		return false;
	cJSON_ArrayForEach(item, list)
	{
		if (!take_root(item, &out->roots[out->count++]))
			return false;
	}
	return true;
}

enum conclave_err
conclave_roots_parse(const char *body, size_t size, struct conclave_roots *out,
    struct conclave_error *error)
{
	const cJSON *list;
	cJSON *json;
	enum conclave_err rc =
	    libjson_parse(body, size, "CA roots", &json, error);

	if (rc != CONCLAVE_OK)
		return rc;
	*out = (struct conclave_roots){.roots = NULL};
	list = cJSON_GetObjectItemCaseSensitive(json, "Roots");
	if (!cJSON_IsObject(json) ||
	    !(cJSON_IsArray(list) || cJSON_IsNull(list))) {
		rc = liberror_set(error, CONCLAVE_MALFORMED,
		    "CA roots: the answer has no list of roots");
	} else if (!take_roots(json, list, out)) {
		conclave_roots_free(out);
		rc = liberror_nomem(error);
	}
	libjson_close(json);
	return rc;
}

enum conclave_err
conclave_roots_get(struct conclave *client, enum conclave_mode mode,
    struct conclave_roots *out, struct conclave_error *error)
{
	struct conclave_request request = {
	    .path = CONCLAVE_PATH_ROOTS, .mode = mode};
	struct conclave_answer answer;
	enum conclave_err rc = libanswer_get(client, &request, &answer, error);

	if (rc != CONCLAVE_OK)
		return rc;
	rc = conclave_roots_parse(answer.body, answer.body_size, out, error);
	if (rc == CONCLAVE_OK)
		out->index = answer.index;
	conclave_answer_free(&answer);
	return rc;
}

/* -- configuration ------------------------------------------------------- */

void
conclave_ca_config_free(struct conclave_ca_config *config)
{
	if (config == NULL)
		return;
	free(config->provider);
	libbytes_drop(config->config);
	libbytes_drop(config->state);
	*config = (struct conclave_ca_config){.config = NULL};
}

/* Consul's own tool writes the flag in either way. */
static bool
take_force(const cJSON *json)
{
	return libjson_bool(json, "ForceWithoutCrossSigning") ||
	    libjson_bool(json, "force_without_cross_signing");
}

enum conclave_err
conclave_ca_config_parse(const char *body, size_t size,
    struct conclave_ca_config *out, struct conclave_error *error)
{
	cJSON *json;
	enum conclave_err rc =
	    libjson_parse(body, size, "CA configuration", &json, error);

	if (rc != CONCLAVE_OK)
		return rc;
	*out = (struct conclave_ca_config){.config = NULL};
	if (!cJSON_IsObject(json)) {
		libjson_close(json);
		return liberror_set(error, CONCLAVE_MALFORMED,
		    "CA configuration: this is no JSON object");
	}
	out->provider = libjson_text(json, "Provider");
	out->config = libjson_raw(body, size, "Config");
	out->state = libjson_raw(body, size, "State");
	out->force_without_cross_signing = take_force(json);
	out->create_index = libjson_u64(json, "CreateIndex");
	out->modify_index = libjson_u64(json, "ModifyIndex");
	if (out->provider == NULL || out->config == NULL ||
	    out->state == NULL) {
		conclave_ca_config_free(out);
		rc = liberror_nomem(error);
	}
	libjson_close(json);
	return rc;
}

enum conclave_err
conclave_ca_config_get(struct conclave *client, struct conclave_ca_config *out,
    struct conclave_error *error)
{
	struct conclave_request request = {.path = PATH_CONFIG};
	struct conclave_answer answer;
	enum conclave_err rc = libanswer_get(client, &request, &answer, error);

	if (rc != CONCLAVE_OK)
		return rc;
	rc =
	    conclave_ca_config_parse(answer.body, answer.body_size, out, error);
	conclave_answer_free(&answer);
	return rc;
}

/* What the caller gave must be one object, or it could bring members of its
 * own along. */
static enum conclave_err
check_object(const char *text, const char *what, struct conclave_error *error)
{
	cJSON *json = NULL;
	enum conclave_err rc = CONCLAVE_INVALID;

	if (text != NULL)
		rc = libjson_parse(text, strlen(text), what, &json, error);
	if (rc == CONCLAVE_NOMEM)
		return rc;
	if (rc != CONCLAVE_OK || !cJSON_IsObject(json)) {
		rc = liberror_set(error, CONCLAVE_INVALID,
		    "%s of the CA must be a JSON object", what);
	}
	libjson_close(json);
	return rc;
}

/* The body of a PUT. state NULL: not sent. */
static void
put_body(struct libbytes *body, const char *provider, const char *state,
    const struct conclave_ca_config *config)
{
	libbytes_puts(body, "{\"Provider\":");
	libbytes_puts(body, provider);
	libbytes_puts(body, ",\"Config\":");
	libbytes_puts(body, config->config);
	if (state != NULL) {
		libbytes_puts(body, ",\"State\":");
		libbytes_puts(body, state);
	}
	if (config->force_without_cross_signing)
		libbytes_puts(body, ",\"ForceWithoutCrossSigning\":true");
	if (config->modify_index > 0)
		libbytes_printf(
		    body, ",\"ModifyIndex\":%" PRIu64, config->modify_index);
	libbytes_puts(body, "}");
}

enum conclave_err
conclave_ca_config_set(struct conclave *client,
    const struct conclave_ca_config *config, struct conclave_error *error)
{
	struct conclave_request request = {
	    .method = "PUT", .path = PATH_CONFIG};
	struct libbytes body = libbytes_new(BODY_MAX);
	const char *state = config->state;
	cJSON *provider;
	char *quoted;
	enum conclave_err rc =
	    check_object(config->config, "the configuration", error);

	if (state != NULL && strcmp(state, "null") == 0)
		state = NULL;
	if (rc == CONCLAVE_OK && state != NULL)
		rc = check_object(state, "the state", error);
	if (rc != CONCLAVE_OK)
		return rc;
	provider = cJSON_CreateString(
	    config->provider != NULL ? config->provider : "");
	quoted = cJSON_PrintUnformatted(provider);
	cJSON_Delete(provider);
	if (quoted == NULL)
		return liberror_nomem(error);
	put_body(&body, quoted, state, config);
	cJSON_free(quoted);
	request.body = body.data;
	request.body_size = body.size;
	if (body.state == LIBBYTES_GOOD)
		rc = libanswer_do(client, &request, error);
	else if (body.state == LIBBYTES_NOMEM)
		rc = liberror_nomem(error);
	else
		rc = liberror_set(error, CONCLAVE_INVALID,
		    "the configuration of the CA is above 8 MiB");
	libbytes_free(&body);
	return rc;
}
