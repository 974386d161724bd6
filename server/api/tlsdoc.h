/*
 * tlsdoc - the TLS configuration document of contract 8.3: checked, rendered.
 *
 * In: a request body. Out: the same as compact JSON with its fields in one
 * fixed order, which is what the cluster stores. Cipher names are checked
 * against the list of contract 5.1, OpenSSL's own syntax for its form only.
 * Pure; any thread. [fuzz]
 */
#ifndef SERVER_API_TLSDOC_H
#define SERVER_API_TLSDOC_H

#include <stdint.h>

#include "fsm/span.h"
#include "fsm/tlsconf.h"
#include "server/net/http.h"
#include "storage/buf.h"
#include "storage/err.h"

#define TLSDOC_NOTE_MAX 1024 /* bytes */

/*
 * Append the checked document to out, whose limit is TLSCONF_DOCUMENT_MAX.
 * ERR_INVALID, ERR_LIMIT (above 16 KiB): the words of a 400 in why. ERR_NOMEM.
 */
MUST_CHECK enum err tlsdoc_decode(
    struct http_slice body, struct buf *out, struct errmsg *why);

/*
 * A stored document as it is answered: its fields between "scope" (if
 * with_scope, as in listings) and the two indexes.
 */
void tlsdoc_put(struct buf *out, const struct tlsconf *conf, bool with_scope);

#endif
