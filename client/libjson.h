/*
 * libjson - read answers with cJSON without losing what a double cannot hold.
 *
 * cJSON keeps numbers as doubles. Serial numbers and indexes need 64 bits, so
 * integers of more than 15 digits are put between quotes before cJSON sees
 * them, and libjson_u64 reads both. Pure; any thread.
 */
#ifndef CLIENT_LIBJSON_H
#define CLIENT_LIBJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "client/conclave.h"
#include "client/liberror.h"

/* CONCLAVE_MALFORMED, naming what; _NOMEM. Close it with libjson_close. */
LIB_MUST_CHECK enum conclave_err libjson_parse(const char *text, size_t size,
    const char *what, cJSON **out, struct conclave_error *error);

/* Wipe all texts, then free. NULL is allowed. */
void libjson_close(cJSON *json);

/*
 * Members of an object, names in any case, as Go reads them. A member that is
 * absent, null or of another type counts as "", 0 and false: newer and older
 * servers have more and fewer of them.
 */

/* A copy, which the caller frees; NULL: out of memory. */
LIB_MUST_CHECK char *libjson_text(const cJSON *object, const char *name);
uint64_t libjson_u64(const cJSON *object, const char *name);
bool libjson_bool(const cJSON *object, const char *name);

/* An array of texts as copies; false: out of memory, and nothing to free. */
LIB_MUST_CHECK bool libjson_texts(
    const cJSON *array, char ***out, size_t *count);
void libjson_texts_free(char **texts, size_t count);

/*
 * The bytes of a member's value, as they stand in text: an object that
 * libjson_parse has accepted. Copied; "null" if absent. NULL: out of memory.
 */
LIB_MUST_CHECK char *libjson_raw(
    const char *text, size_t size, const char *name);

#endif
