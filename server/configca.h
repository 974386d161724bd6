/*
 * configca - connect.ca_config of a file, in the words the API uses.
 *
 * Keys are snake_case in files (leaf_cert_ttl) and CamelCase in the state
 * (LeafCertTTL), contract 3.3; both are taken. Values are kept as they are and
 * not judged: a bad one is the CA's to report, not a reason not to start.
 */
#ifndef SERVER_CONFIGCA_H
#define SERVER_CONFIGCA_H

#include "storage/buf.h"
#include "storage/err.h"

struct json;
struct json_doc;

/*
 * The map as compact JSON, keys sorted, with the defaults of the three TTLs
 * where they are not given. map: an object or NULL for the defaults alone. *out
 * is a C string of the caller's, to be wiped. *culprit: the member that why is
 * about, if it is about one. ERR_INVALID (unknown or double key, a value that
 * is no text, number or bool), ERR_NOMEM.
 */
MUST_CHECK enum err configca_translate(const struct json_doc *doc,
    const struct json *map, char **out, const struct json **culprit,
    struct errmsg *why);

/* Append text (of configca_translate) with the private key masked. */
void configca_put_masked(struct buf *out, const char *text);

#endif
