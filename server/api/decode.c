#include "server/api/decode.h"

#define PREFIX "Request decode failed: "

static const char *
type_name(enum json_type type)
{
	static const char *const names[] = {[JSON_NULL] = "null",
	    [JSON_BOOL] = "bool",
	    [JSON_NUMBER] = "number",
	    [JSON_STRING] = "string",
	    [JSON_ARRAY] = "array",
	    [JSON_OBJECT] = "object"};

	return names[type];
}

enum err
decode_object(struct http_slice body, struct json_doc **out, struct errmsg *why)
{
	struct json_doc *doc;
	struct errmsg reason;
	size_t rest;
	enum err rc;

	rc = json_parse(body.data, body.size, &rest, &doc, &reason);
	if (rc != OK)
		return err_set(why, rc, PREFIX "%s", reason.text);
	if (json_type(json_root(doc)) != JSON_OBJECT) {
		rc = err_set(why, ERR_INVALID,
		    PREFIX "json: cannot unmarshal %s into an object",
		    type_name(json_type(json_root(doc))));
		json_free(doc);
		return rc;
	}
	*out = doc;
	return OK;
}

enum err
decode_unknown(const struct json *member, struct errmsg *why)
{
	return err_set(why, ERR_INVALID, PREFIX "json: unknown field \"%s\"",
	    json_key(member));
}

enum err
decode_mismatch(const struct json *member, const char *want, struct errmsg *why)
{
	return err_set(why, ERR_INVALID,
	    PREFIX "json: cannot unmarshal %s into field \"%s\" of type %s",
	    type_name(json_type(member)), json_key(member), want);
}
