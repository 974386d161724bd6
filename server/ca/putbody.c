#include "server/ca/putbody.h"

#include <stdlib.h>
#include <string.h>

#include "server/ca/manager.h"
#include "server/json.h"

#define PROVIDER_MAX 255 /* bytes of a provider's name */

void
manager_put_encode(const struct manager_put *put, struct buf *out)
{
	buf_text(out, put->provider);
	buf_bytes(out, put->config, put->config_size);
	buf_text(out, put->state);
	buf_u8(out, put->force ? 1 : 0);
	buf_u64(out, put->cas);
}

bool
manager_reply_decode(
    const struct buf *reply, unsigned *http_status, uint64_t *revision)
{
	struct reader in = {reply->data, reply->size};
	uint16_t status;
	uint64_t value;

	if (!read_u16(&in, &status) || !read_u64(&in, &value) || in.size != 0)
		return false;
	*http_status = status;
	*revision = value;
	return true;
}

void
putbody_reply(struct buf *out, unsigned http_status, uint64_t revision)
{
	buf_u16(out, (uint16_t)http_status);
	buf_u64(out, revision);
}

static enum err
decode_object(
    const uint8_t *data, size_t size, struct json_doc **out, struct errmsg *why)
{
	enum err rc;

	rc = json_parse(data, size, NULL, out, why);
	if (rc != OK)
		return rc;
	if (json_type(json_root(*out)) == JSON_OBJECT)
		return OK;
	json_wipe(*out);
	*out = NULL;
	return err_set(why, ERR_INVALID, "expected a JSON object");
}

static enum err
decode(struct reader *in, struct putbody *out, struct errmsg *why)
{
	const uint8_t *config, *state;
	size_t config_size, state_size;
	uint8_t force;
	enum err rc;

	rc = read_text(in, PROVIDER_MAX, &out->provider);
	if (rc == ERR_NOMEM)
		return err_set(why, rc, "out of memory");
	if (rc != OK || !read_bytes(in, JSON_SIZE_MAX, &config, &config_size) ||
	    !read_bytes(in, JSON_SIZE_MAX, &state, &state_size) ||
	    !read_u8(in, &force) || !read_u64(in, &out->cas) || in->size != 0 ||
	    force > 1) {
		return err_set(why, ERR_CORRUPT,
		    "not a request to set the CA configuration");
	}
	out->force = force == 1;
	rc = decode_object(config, config_size, &out->config_doc, why);
	if (rc == OK && state_size > 0)
		rc = decode_object(state, state_size, &out->state_doc, why);
	return rc;
}

enum err
putbody_decode(
    const uint8_t *data, size_t size, struct putbody *out, struct errmsg *why)
{
	struct reader in = {data, size};
	struct putbody put = {0};
	enum err rc;

	rc = decode(&in, &put, why);
	if (rc != OK) {
		putbody_free(&put);
		return rc;
	}
	*out = put;
	return OK;
}

void
putbody_free(struct putbody *put)
{
	free(put->provider);
	json_wipe(put->config_doc);
	json_wipe(put->state_doc);
	*put = (struct putbody){0};
}

const struct json *
putbody_config(const struct putbody *put)
{
	return json_root(put->config_doc);
}

const struct json *
putbody_state(const struct putbody *put)
{
	const struct json *state;

	if (put->state_doc == NULL)
		return NULL;
	state = json_root(put->state_doc);
	return json_first(state) == NULL ? NULL : state;
}
