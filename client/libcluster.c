/* Members, leader and Raft's servers, as typed calls. */
#include <stdlib.h>
#include <string.h>

#include "client/libanswer.h"
#include "client/libbytes.h"
#include "client/libjson.h"

/* A GET and its body as JSON. */
static enum conclave_err
get_json(struct conclave *client, const struct conclave_request *request,
    const char *what, cJSON **out, struct conclave_error *error)
{
	struct conclave_answer answer;
	enum conclave_err rc = libanswer_get(client, request, &answer, error);

	if (rc != CONCLAVE_OK)
		return rc;
	rc = libjson_parse(answer.body, answer.body_size, what, out, error);
	conclave_answer_free(&answer);
	return rc;
}

static enum conclave_err
no_list(const char *what, struct conclave_error *error)
{
	return liberror_set(
	    error, CONCLAVE_MALFORMED, "%s: the answer is no list", what);
}

/* -- members ------------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	const struct conclave_tag *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool
take_tags(const cJSON *tags, struct conclave_member *out)
{
	int size = cJSON_GetArraySize(tags);
	const cJSON *item;

	if (!cJSON_IsObject(tags) || size == 0)
		return true;
	out->tags = calloc((size_t)size, sizeof(*out->tags));
	if (out->tags == NULL)
		return false;
	cJSON_ArrayForEach(item, tags)
	{
		struct conclave_tag *tag = &out->tags[out->tag_count++];

		tag->name = strdup(item->string);
		tag->value =
		    strdup(cJSON_IsString(item) ? item->valuestring : "");
		if (tag->name == NULL || tag->value == NULL)
			return false;
	}
	qsort(out->tags, out->tag_count, sizeof(*out->tags), by_name);
	return true;
}

static bool
take_member(const cJSON *json, struct conclave_member *out)
{
	uint64_t status = libjson_u64(json, "Status");

	out->name = libjson_text(json, "Name");
	out->addr = libjson_text(json, "Addr");
	out->port = (unsigned)libjson_u64(json, "Port");
	out->protocol = (unsigned)libjson_u64(json, "ProtocolCur");
	if (status <= CONCLAVE_MEMBER_FAILED)
		out->status = (enum conclave_member_status)status;
	return out->name != NULL && out->addr != NULL &&
	    take_tags(cJSON_GetObjectItemCaseSensitive(json, "Tags"), out);
}

void
conclave_members_free(struct conclave_members *members)
{
	if (members == NULL)
		return;
	for (size_t i = 0; i < members->count; i++) {
		struct conclave_member *member = &members->members[i];

		for (size_t t = 0; t < member->tag_count; t++) {
			free(member->tags[t].name);
			free(member->tags[t].value);
		}
		free(member->tags);
		free(member->name);
		free(member->addr);
	}
	free(members->members);
	*members = (struct conclave_members){.members = NULL};
}

static enum conclave_err
take_members(const cJSON *json, struct conclave_members *out,
    struct conclave_error *error)
{
	const cJSON *item;

	*out = (struct conclave_members){.members = NULL};
	if (!cJSON_IsArray(json))
		return no_list("members", error);
	if (cJSON_GetArraySize(json) == 0)
		return CONCLAVE_OK;
	out->members =
	    calloc((size_t)cJSON_GetArraySize(json), sizeof(*out->members));
	if (out->members == NULL)
		return liberror_nomem(error);
	cJSON_ArrayForEach(item, json)
	{
		if (!take_member(item, &out->members[out->count++])) {
			conclave_members_free(out);
			return liberror_nomem(error);
		}
	}
	return CONCLAVE_OK;
}

enum conclave_err
conclave_members_parse(const char *body, size_t size,
    struct conclave_members *out, struct conclave_error *error)
{
	cJSON *json;
	enum conclave_err rc =
	    libjson_parse(body, size, "members", &json, error);

	if (rc == CONCLAVE_OK) {
		rc = take_members(json, out, error);
		libjson_close(json);
	}
	return rc;
}

enum conclave_err
conclave_members_get(struct conclave *client, bool wan,
    struct conclave_members *out, struct conclave_error *error)
{
	struct conclave_request request = {
	    .path = "/v1/agent/members", .query = wan ? "wan=1" : NULL};
	cJSON *json;
	enum conclave_err rc =
	    get_json(client, &request, "members", &json, error);

	if (rc == CONCLAVE_OK) {
		rc = take_members(json, out, error);
		libjson_close(json);
	}
	return rc;
}

const char *
conclave_member_tag(const struct conclave_member *member, const char *name)
{
	for (size_t i = 0; i < member->tag_count; i++) {
		if (strcmp(member->tags[i].name, name) == 0)
			return member->tags[i].value;
	}
	return NULL;
}

/* -- status -------------------------------------------------------------- */

void
conclave_status_free(struct conclave_status *status)
{
	if (status == NULL)
		return;
	free(status->leader);
	libjson_texts_free(status->peers, status->peer_count);
	*status = (struct conclave_status){.leader = NULL};
}

enum conclave_err
conclave_status_get(struct conclave *client, struct conclave_status *out,
    struct conclave_error *error)
{
	struct conclave_request leader = {.path = "/v1/status/leader"};
	struct conclave_request peers = {.path = "/v1/status/peers"};
	cJSON *json = NULL;
	enum conclave_err rc =
	    get_json(client, &leader, "leader", &json, error);

	*out = (struct conclave_status){.leader = NULL};
	if (rc != CONCLAVE_OK)
		return rc;
	out->leader = strdup(cJSON_IsString(json) ? json->valuestring : "");
	libjson_close(json);
	if (out->leader == NULL)
		return liberror_nomem(error);
	json = NULL;
	rc = get_json(client, &peers, "peers", &json, error);
	if (rc == CONCLAVE_OK && !cJSON_IsArray(json))
		rc = no_list("peers", error);
	if (rc == CONCLAVE_OK &&
	    !libjson_texts(json, &out->peers, &out->peer_count))
		rc = liberror_nomem(error);
	libjson_close(json);
	if (rc != CONCLAVE_OK)
		conclave_status_free(out);
	return rc;
}

/* -- Raft ---------------------------------------------------------------- */

void
conclave_raft_free(struct conclave_raft *raft)
{
	if (raft == NULL)
		return;
	for (size_t i = 0; i < raft->count; i++) {
		struct conclave_raft_server *server = &raft->servers[i];

		free(server->id);
		free(server->node);
		free(server->address);
		free(server->protocol_version);
	}
	free(raft->servers);
	*raft = (struct conclave_raft){.servers = NULL};
}

static bool
take_server(const cJSON *json, struct conclave_raft_server *out)
{
	out->id = libjson_text(json, "ID");
	out->node = libjson_text(json, "Node");
	out->address = libjson_text(json, "Address");
	out->protocol_version = libjson_text(json, "ProtocolVersion");
	out->leader = libjson_bool(json, "Leader");
	out->voter = libjson_bool(json, "Voter");
	out->last_index = libjson_u64(json, "LastIndex");
	return out->id != NULL && out->node != NULL && out->address != NULL &&
	    out->protocol_version != NULL;
}

static enum conclave_err
take_raft(
    const cJSON *json, struct conclave_raft *out, struct conclave_error *error)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "Servers");
	int size = cJSON_GetArraySize(list);
	const cJSON *item;

	*out = (struct conclave_raft){.index = libjson_u64(json, "Index")};
	if (!cJSON_IsArray(list) && !cJSON_IsNull(list))
		return no_list("Raft configuration", error);
	if (size == 0)
		return CONCLAVE_OK;
	out->servers = calloc((size_t)size, sizeof(*out->servers));
	if (out->servers == NULL)
		return liberror_nomem(error);
	cJSON_ArrayForEach(item, list)
	{
		if (!take_server(item, &out->servers[out->count++])) {
			conclave_raft_free(out);
			return liberror_nomem(error);
		}
	}
	return CONCLAVE_OK;
}

enum conclave_err
conclave_raft_parse(const char *body, size_t size, struct conclave_raft *out,
    struct conclave_error *error)
{
	cJSON *json;
	enum conclave_err rc =
	    libjson_parse(body, size, "Raft configuration", &json, error);

	if (rc == CONCLAVE_OK) {
		rc = take_raft(json, out, error);
		libjson_close(json);
	}
	return rc;
}

enum conclave_err
conclave_raft_get(struct conclave *client, enum conclave_mode mode,
    struct conclave_raft *out, struct conclave_error *error)
{
	struct conclave_request request = {
	    .path = "/v1/operator/raft/configuration", .mode = mode};
	cJSON *json;
	enum conclave_err rc =
	    get_json(client, &request, "Raft configuration", &json, error);

	if (rc == CONCLAVE_OK) {
		rc = take_raft(json, out, error);
		libjson_close(json);
	}
	return rc;
}

/* A call with "name=value" as its query; value NULL: without. */
static enum conclave_err
call_named(struct conclave *client, const char *method, const char *path,
    const char *name, const char *value, struct conclave_error *error)
{
	struct conclave_request request = {.method = method, .path = path};
	struct libbytes query = libbytes_new(4096);
	enum conclave_err rc;

	if (value != NULL) {
		char *escaped = conclave_escape(value);

		libbytes_puts(&query, name);
		libbytes_puts(&query, "=");
		libbytes_puts(&query, escaped != NULL ? escaped : "");
		if (escaped == NULL)
			query.state = LIBBYTES_NOMEM;
		free(escaped);
		request.query = query.data;
	}
	if (query.state == LIBBYTES_NOMEM)
		rc = liberror_nomem(error);
	else if (query.state == LIBBYTES_FULL)
		rc = liberror_set(
		    error, CONCLAVE_INVALID, "%s is too long", name);
	else
		rc = libanswer_do(client, &request, error);
	libbytes_free(&query);
	return rc;
}

enum conclave_err
conclave_raft_transfer(
    struct conclave *client, const char *id, struct conclave_error *error)
{
	return call_named(client, "POST", "/v1/operator/raft/transfer-leader",
	    "id", id, error);
}

enum conclave_err
conclave_raft_remove(struct conclave *client, const char *id,
    const char *address, struct conclave_error *error)
{
	if ((id == NULL) == (address == NULL)) {
		return liberror_set(error, CONCLAVE_INVALID,
		    id == NULL ? "an address or id is required for the peer to "
				 "remove"
			       : "cannot give both an address and id");
	}
	return call_named(client, "DELETE", "/v1/operator/raft/peer",
	    id != NULL ? "id" : "address", id != NULL ? id : address, error);
}
