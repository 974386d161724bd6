#include "client/libanswer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define SHOWN_MAX 900 /* bytes of a body in a sentence */

static bool
says(const struct conclave_answer *answer, const char *words)
{
	return answer->body != NULL && strstr(answer->body, words) != NULL;
}

bool
libanswer_is_local(const struct conclave_answer *answer)
{
	return answer->status == 503 ||
	    (answer->status == 500 &&
		(says(answer, "No cluster leader") ||
		    says(answer, "Not ready to serve consistent reads")));
}

static enum conclave_err
kind_of(const struct conclave_answer *answer)
{
	static const struct {
		int status;
		enum conclave_err kind;
	} kinds[] = {
	    {200, CONCLAVE_OK},
	    {400, CONCLAVE_INVALID},
	    {403, CONCLAVE_DENIED},
	    {404, CONCLAVE_NOTFOUND},
	    {409, CONCLAVE_CONFLICT},
	    {429, CONCLAVE_BUSY},
	    {503, CONCLAVE_BUSY},
	};

	for (size_t i = 0; i < LIB_COUNT(kinds); i++) {
		if (kinds[i].status == answer->status)
			return kinds[i].kind;
	}
	if (says(answer, "the outcome is unknown"))
		return CONCLAVE_UNKNOWN;
	if (says(answer, "leadership lost while committing log"))
		return CONCLAVE_UNKNOWN; /* Consul's own words for it */
	if (says(answer, "No cluster leader"))
		return CONCLAVE_NOLEADER;
	if (says(answer, "ModifyIndex did not match existing") ||
	    says(answer, "could not atomically update roots and config"))
		return CONCLAVE_CONFLICT;
	return CONCLAVE_REFUSED;
}

enum conclave_err
conclave_answer_check(
    const struct conclave_answer *answer, struct conclave_error *error)
{
	enum conclave_err rc = kind_of(answer);
	const char *body = answer->body != NULL ? answer->body : "";
	size_t size = strlen(body);

	if (rc == CONCLAVE_OK)
		return CONCLAVE_OK;
	while (size > 0 && strchr("\r\n", body[size - 1]) != NULL)
		size--;
	if (size > SHOWN_MAX)
		size = SHOWN_MAX;
	(void)liberror_set(error, rc, "Unexpected response code: %d (%.*s)",
	    answer->status, (int)size, body);
	if (error != NULL)
		error->status = answer->status;
	return rc;
}

void
conclave_answer_free(struct conclave_answer *answer)
{
	if (answer == NULL)
		return;
	if (answer->body != NULL)
		OPENSSL_cleanse(answer->body, answer->body_size);
	free(answer->body);
	*answer = (struct conclave_answer){.body = NULL};
}

enum conclave_err
libanswer_get(struct conclave *client, const struct conclave_request *request,
    struct conclave_answer *answer, struct conclave_error *error)
{
	enum conclave_err rc = conclave_call(client, request, answer, error);

	if (rc != CONCLAVE_OK)
		return rc;
	rc = conclave_answer_check(answer, error);
	if (rc != CONCLAVE_OK)
		conclave_answer_free(answer);
	return rc;
}

enum conclave_err
libanswer_do(struct conclave *client, const struct conclave_request *request,
    struct conclave_error *error)
{
	struct conclave_answer answer;
	enum conclave_err rc = libanswer_get(client, request, &answer, error);

	if (rc == CONCLAVE_OK)
		conclave_answer_free(&answer);
	return rc;
}
