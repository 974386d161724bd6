/*
 * view - one object as an answer: from the cache, or rendered from the state.
 *
 * A renderer turns the rows of one transaction into the compact text of an
 * answer and the index it stands for; what comes after (pretty, gzip, keeping
 * it for the next reader) is done here once for all kinds. A hit opens no
 * transaction. Client loop.
 */
#ifndef SERVER_API_VIEW_H
#define SERVER_API_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "fsm/span.h"
#include "storage/buf.h"
#include "storage/err.h"
#include "storage/txn.h"

#define VIEW_TEXT_MAX ((size_t)64 << 20) /* bytes of one rendered answer */

struct api;
struct body;

/* What a renderer yields. */
struct view_text {
	struct buf text;  /* given empty with its limit; wiped if secret */
	uint64_t index;   /* 0 is sent as 1 */
	uint64_t version; /* ETag, 0 = none */
};

/*
 * ERR_NOTFOUND: the object is absent, text says so, index is set. Any other
 * failure is answered as 500 with why's text. object is borrowed.
 */
typedef enum err (*view_render)(struct txn *txn, struct span object,
    struct view_text *out, struct errmsg *why);

enum view_flags {
	VIEW_SECRET = 1, /* never kept, never compressed, wiped */
	VIEW_BARE = 2,   /* no index headers */
	VIEW_AGE = 4,    /* X-Cache and Age (contract 2.4) */
	VIEW_PLAIN = 8   /* not JSON: never made pretty */
};

/* One per kind of read, static const. */
struct view_kind {
	view_render render;
	uint64_t (*topic)(struct span object);
	const char *type; /* content type */
	unsigned flags;
};

struct view {
	int status; /* 200 or 404 */
	uint64_t index, version;
	bool hit, zipped;
	const char *type;
	struct body *body; /* a reference for the caller: view_done or sent */
};

/* ERR_NOMEM and what the renderer failed with. On error nothing is owed. */
MUST_CHECK enum err view_get(struct api *api, const struct view_kind *kind,
    struct span object, bool pretty, bool gzip, struct view *out,
    struct errmsg *why);
/* Not sent after all. */
void view_done(struct view *view);

#endif
