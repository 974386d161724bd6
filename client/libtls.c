/* TLS configuration documents, as typed calls. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/libanswer.h"
#include "client/libbytes.h"
#include "client/libjson.h"

#define SCOPE_MAX 64 /* bytes */
#define CAS_TEXT  32

/* The path of a scope; the caller frees it. */
static enum conclave_err
make_path(const char *scope, char **out, struct conclave_error *error)
{
	char *escaped;
	int size = -1;

	if (scope == NULL || scope[0] == '\0' || strlen(scope) > SCOPE_MAX) {
		return liberror_set(error, CONCLAVE_INVALID,
		    "the scope must be 1 to 64 bytes of a-z 0-9 _ -");
	}
	escaped = conclave_escape(scope);
	if (escaped != NULL)
		size = asprintf(out, "/v1/tls/config/%s", escaped);
	free(escaped);
	return size < 0 ? liberror_nomem(error) : CONCLAVE_OK;
}

static const char *
make_cas(uint64_t cas, char out[static CAS_TEXT])
{
	if (cas == CONCLAVE_CAS_ANY)
		return NULL;
	(void)snprintf(out, CAS_TEXT, "cas=%" PRIu64, cas);
	return out;
}

void
conclave_tls_config_free(struct conclave_tls_config *config)
{
	if (config == NULL)
		return;
	free(config->document);
	*config = (struct conclave_tls_config){.document = NULL};
}

/* Without the indexes, so that what was got can be put. */
static enum conclave_err
take_document(const struct conclave_answer *answer,
    struct conclave_tls_config *out, struct conclave_error *error)
{
	cJSON *json;
	enum conclave_err rc = libjson_parse(
	    answer->body, answer->body_size, "TLS configuration", &json, error);

	if (rc != CONCLAVE_OK)
		return rc;
	if (!cJSON_IsObject(json)) {
		libjson_close(json);
		return liberror_set(error, CONCLAVE_MALFORMED,
		    "TLS configuration: the answer is no object");
	}
	out->create_index = libjson_u64(json, "CreateIndex");
	out->modify_index = libjson_u64(json, "ModifyIndex");
	out->index = answer->index;
	cJSON_DeleteItemFromObjectCaseSensitive(json, "CreateIndex");
	cJSON_DeleteItemFromObjectCaseSensitive(json, "ModifyIndex");
	out->document = cJSON_PrintUnformatted(json);
	libjson_close(json);
	return out->document == NULL ? liberror_nomem(error) : CONCLAVE_OK;
}

enum conclave_err
conclave_tls_config_get(struct conclave *client, const char *scope,
    enum conclave_mode mode, struct conclave_tls_config *out,
    struct conclave_error *error)
{
	struct conclave_request request = {.mode = mode};
	struct conclave_answer answer;
	char *path = NULL;
	enum conclave_err rc = make_path(scope, &path, error);

	if (rc != CONCLAVE_OK)
		return rc;
	request.path = path;
	rc = libanswer_get(client, &request, &answer, error);
	if (rc == CONCLAVE_OK) {
		rc = take_document(&answer, out, error);
		conclave_answer_free(&answer);
	}
	free(path);
	return rc;
}

enum conclave_err
conclave_tls_config_put(struct conclave *client, const char *scope,
    const char *document, uint64_t cas, uint64_t *modify_index,
    struct conclave_error *error)
{
	struct conclave_request request = {
	    .method = "PUT", .body = document, .body_size = strlen(document)};
	struct conclave_answer answer;
	char *path = NULL, query[CAS_TEXT];
	cJSON *json;
	enum conclave_err rc = make_path(scope, &path, error);

	if (rc != CONCLAVE_OK)
		return rc;
	request.path = path;
	request.query = make_cas(cas, query);
	rc = libanswer_get(client, &request, &answer, error);
	free(path);
	if (rc != CONCLAVE_OK)
		return rc;
	if (modify_index != NULL) {
		rc = libjson_parse(answer.body, answer.body_size,
		    "TLS configuration", &json, error);
		if (rc == CONCLAVE_OK) {
			*modify_index = libjson_u64(json, "ModifyIndex");
			libjson_close(json);
		}
	}
	conclave_answer_free(&answer);
	return rc;
}

enum conclave_err
conclave_tls_config_delete(struct conclave *client, const char *scope,
    uint64_t cas, struct conclave_error *error)
{
	struct conclave_request request = {.method = "DELETE"};
	char *path = NULL, query[CAS_TEXT];
	enum conclave_err rc = make_path(scope, &path, error);

	if (rc != CONCLAVE_OK)
		return rc;
	request.path = path;
	request.query = make_cas(cas, query);
	rc = libanswer_do(client, &request, error);
	free(path);
	return rc;
}
