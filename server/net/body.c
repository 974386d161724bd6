#include "server/net/body.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/secret.h"

struct body *
body_new(const void *data, size_t size)
{
	struct body *body;

	if (size > SIZE_MAX - sizeof(*body))
		return NULL;
	body = malloc(sizeof(*body) + size);
	if (body == NULL)
		return NULL;
	body->references = 1;
	body->secret = false;
	body->size = size;
	if (size > 0)
		memcpy(body->data, data, size);
	return body;
}

struct body *
body_ref(struct body *body)
{
	assert(body->references > 0);
	assert(body->references < UINT32_MAX);
	body->references++;
	return body;
}

void
body_unref(struct body *body)
{
	if (body == NULL)
		return;
	assert(body->references > 0);
	if (--body->references > 0)
		return;
	if (body->secret)
		secret_wipe(body->data, body->size);
	free(body);
}
