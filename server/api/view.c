#include "server/api/view.h"

#include "server/api/cache.h"
#include "server/api/context.h"
#include "server/api/reply.h"
#include "server/api/zip.h"
#include "server/json.h"
#include "server/net/body.h"

#define PRETTY_INDENT 4
/* A secret's buffer is taken at once: growing would leave copies behind. */
#define SECRET_ROOM ((size_t)256 << 10)

static void
take_value(struct view *out, const struct cache_value *value, unsigned variant)
{
	out->index = value->index;
	out->version = value->version;
	out->zipped = (variant & CACHE_GZIP) != 0;
	out->body = body_ref(value->body);
}

/* Compact text -> body, indented if asked. */
static enum err
make_body(const struct view_kind *kind, struct view_text *text, bool pretty,
    struct body **out, struct errmsg *why)
{
	struct buf indented;
	enum err rc = buf_status(&text->text, why);

	if (rc != OK)
		return rc;
	if (!pretty) {
		*out = body_new(text->text.data, text->text.size);
	} else {
		indented = buf_new(VIEW_TEXT_MAX);
		if (kind->flags & VIEW_SECRET)
			buf_reserve(&indented, SECRET_ROOM);
		json_pretty(&indented, (const char *)text->text.data,
		    text->text.size, PRETTY_INDENT);
		rc = buf_status(&indented, why);
		*out = NULL;
		if (rc == OK)
			*out = body_new(indented.data, indented.size);
		buf_wipe(&indented);
	}
	if (rc == OK && *out == NULL)
		rc = err_set(why, ERR_NOMEM, "out of memory");
	if (rc == OK)
		(*out)->secret = (kind->flags & VIEW_SECRET) != 0;
	return rc;
}

/* From the state. A transaction begun now sees all that was published. */
static enum err
render(struct api *api, const struct view_kind *kind, struct span object,
    bool pretty, struct view *out, struct errmsg *why)
{
	struct view_text text = {.text = buf_new(VIEW_TEXT_MAX)};
	struct txn *txn;
	enum err rc;

	rc = txn_read(node_db(api->server.node), &txn, why);
	if (rc != OK)
		return rc;
	if (kind->flags & VIEW_SECRET)
		buf_reserve(&text.text, SECRET_ROOM);
	rc = kind->render(txn, object, &text, why);
	txn_abort(txn);
	if (rc == ERR_NOTFOUND) {
		out->status = 404;
		out->type = REPLY_PLAIN;
		pretty = false;
	}
	if (rc == OK || rc == ERR_NOTFOUND)
		rc = make_body(kind, &text, pretty, &out->body, why);
	out->index = text.index == 0 ? 1 : text.index;
	out->version = text.version;
	if (kind->flags & VIEW_SECRET)
		buf_wipe(&text.text);
	else
		buf_free(&text.text);
	return rc;
}

static void
keep(struct api *api, const struct cache_key *key, const struct view *view)
{
	struct cache_value value = {view->index, view->version, view->body};

	cache_put(api->cache, key, &value);
}

/* A failure to compress is none: the plain form will do. */
static void
compress(struct api *api, struct view *view)
{
	struct body *small =
	    zip_body(api->zip, view->body->data, view->body->size);

	if (small == NULL)
		return;
	body_unref(view->body);
	view->body = small;
	view->zipped = true;
}

enum err
view_get(struct api *api, const struct view_kind *kind, struct span object,
    bool pretty, bool gzip, struct view *out, struct errmsg *why)
{
	struct cache_key key = {kind, kind->topic(object), object, 0};
	const struct cache_value *value;
	unsigned variant;
	enum err rc = OK;

	*out = (struct view){.status = 200, .type = kind->type};
	pretty = pretty && !(kind->flags & VIEW_PLAIN);
	if (kind->flags & VIEW_SECRET)
		return render(api, kind, object, pretty, out, why);
	variant = (pretty ? CACHE_PRETTY : 0u) | (gzip ? CACHE_GZIP : 0u);
	key.variant = variant;
	value = cache_find(api->cache, &key);
	out->hit = value != NULL;
	if (value != NULL) {
		take_value(out, value, variant);
		return OK;
	}
	if (gzip) { /* the plain form may be there */
		key.variant = variant & ~(unsigned)CACHE_GZIP;
		value = cache_find(api->cache, &key);
	}
	if (value != NULL)
		take_value(out, value, key.variant);
	else
		rc = render(api, kind, object, pretty, out, why);
	if (rc != OK)
		return rc;
	out->hit = value != NULL;
	if (value == NULL && out->status == 200)
		keep(api, &key, out);
	if (gzip) {
		compress(api, out);
		key.variant = variant;
		if (out->zipped && out->status == 200)
			keep(api, &key, out);
	}
	return OK;
}

void
view_done(struct view *view)
{
	body_unref(view->body);
	view->body = NULL;
}
