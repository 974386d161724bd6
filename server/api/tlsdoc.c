#include "server/api/tlsdoc.h"

#include <string.h>
#include <strings.h>

#include "server/api/decode.h"
#include "server/api/jsonout.h"
#include "server/json.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

enum kind { BOOL, CHOICE, NAMES, FORM, TEXT };

/* One field; what its kind needs besides. */
struct field {
	const char *name;
	enum kind kind;
	const char *const *words; /* CHOICE, NAMES: allowed; NULL ends */
	const char *separators;   /* NAMES */
	const char *bytes;        /* FORM: allowed bytes */
	const char *what;         /* NAMES: what an unknown one is */
};

static const char *const versions[] = {
    "", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3", NULL};
static const char *const suites[] = {
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", NULL};
static const char *const suites13[] = {"TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256", NULL};
static const char *const modes[] = {"full", "certificate", "none", NULL};
static const char *const auths[] = {"required", "optional", "none", NULL};
static const char *const switches[] = {"enabled", "disabled", NULL};

enum { F_VERIFY_INCOMING = 2, F_CLIENT_AUTHENTICATION = 6, FIELDS = 12 };

/* In the order in which a document is stored. */
static const struct field fields[FIELDS] = {
    {.name = "tls_min_version", .kind = CHOICE, .words = versions},
    {"tls_cipher_suites", NAMES, suites, ",", NULL, "cipher"},
    [F_VERIFY_INCOMING] = {.name = "verify_incoming", .kind = BOOL},
    {.name = "verify_outgoing", .kind = BOOL},
    {.name = "verify_server_hostname", .kind = BOOL},
    {.name = "verification_mode", .kind = CHOICE, .words = modes},
    [F_CLIENT_AUTHENTICATION] = {.name = "client_authentication",
	.kind = CHOICE,
	.words = auths},
    {.name = "cipher_list", .kind = FORM, .bytes = LETTERS DIGITS "+:!@=_-"},
    {.name = "http_support", .kind = CHOICE, .words = switches},
    {"tls13_cipher_suites", NAMES, suites13, ",:", NULL, "TLS 1.3 cipher"},
    {.name = "curves", .kind = FORM, .bytes = LETTERS DIGITS ":_-"},
    {.name = "note", .kind = TEXT},
};

static bool
known(const char *const *words, const char *text, size_t size)
{
	for (; *words != NULL; words++) {
		if (strlen(*words) == size && memcmp(*words, text, size) == 0)
			return true;
	}
	return false;
}

static enum err
check_choice(const struct field *field, const char *text, struct errmsg *why)
{
	struct buf list;
	enum err rc;

	if (known(field->words, text, strlen(text)))
		return OK;
	list = buf_new(256);
	for (const char *const *word = field->words; *word != NULL; word++) {
		if (list.size > 0)
			buf_puts(&list, ", ");
		buf_puts(&list, *word);
	}
	rc = err_set(why, ERR_INVALID, "%s: \"%.64s\" is not one of: %.*s",
	    field->name, text, (int)list.size,
	    list.size > 0 ? (const char *)list.data : "");
	buf_free(&list);
	return rc;
}

/* Names with separators between, blanks around them allowed; "" is none. */
static enum err
check_names(const struct field *field, const char *text, struct errmsg *why)
{
	const char *at = text;

	if (*text == '\0')
		return OK;
	for (;;) {
		size_t size, next = strcspn(at, field->separators);
		const char *end = at + next;

		at += strspn(at, " ");
		size = at < end ? (size_t)(end - at) : 0;
		while (size > 0 && at[size - 1] == ' ')
			size--;
		if (!known(field->words, at, size)) {
			return err_set(why, ERR_INVALID,
			    "%s: unsupported %s \"%.*s\"", field->name,
			    field->what, (int)(size > 64 ? 64 : size), at);
		}
		if (*end == '\0')
			return OK;
		at = end + 1;
	}
}

static enum err
check_text(const struct field *field, const char *text, struct errmsg *why)
{
	size_t size = strlen(text), good;

	if (field->kind == CHOICE)
		return check_choice(field, text, why);
	if (field->kind == NAMES)
		return check_names(field, text, why);
	if (field->kind == TEXT) {
		if (size <= TLSDOC_NOTE_MAX)
			return OK;
		return err_set(why, ERR_INVALID,
		    "%s: %zu bytes, at most %d are allowed", field->name, size,
		    TLSDOC_NOTE_MAX);
	}
	good = strspn(text, field->bytes);
	if (good == size)
		return OK;
	return err_set(why, ERR_INVALID,
	    "%s: byte %zu (0x%02x) is not allowed there", field->name, good + 1,
	    (unsigned char)text[good]);
}

static enum err
check_value(
    const struct field *field, const struct json *value, struct errmsg *why)
{
	if (field->kind == BOOL) {
		if (json_type(value) != JSON_BOOL)
			return decode_mismatch(value, "bool", why);
		return OK;
	}
	if (json_type(value) != JSON_STRING)
		return decode_mismatch(value, "string", why);
	return check_text(field, json_string(value), why);
}

/* Sort the members into values[], by field. null means absent, as in Go. */
static enum err
take_members(const struct json *root, const struct json *values[FIELDS],
    struct errmsg *why)
{
	for (const struct json *m = json_first(root); m != NULL;
	     m = json_next(m)) {
		enum err rc;
		size_t i = 0;

		while (
		    i < FIELDS && strcasecmp(fields[i].name, json_key(m)) != 0)
			i++;
		if (i == FIELDS)
			return decode_unknown(m, why);
		if (values[i] != NULL) {
			return err_set(why, ERR_INVALID,
			    "Request decode failed: json: field \"%s\" is "
			    "given twice",
			    fields[i].name);
		}
		if (json_type(m) == JSON_NULL)
			continue;
		rc = check_value(&fields[i], m, why);
		if (rc != OK)
			return rc;
		values[i] = m;
	}
	return OK;
}

/* Two fields that say the same must not say different things. */
static enum err
check_together(const struct json *const values[FIELDS], struct errmsg *why)
{
	const struct json *incoming = values[F_VERIFY_INCOMING];
	const struct json *client = values[F_CLIENT_AUTHENTICATION];
	const char *auth;

	if (incoming == NULL || client == NULL)
		return OK;
	auth = json_string(client);
	if (json_bool(incoming) == (strcmp(auth, "required") == 0))
		return OK;
	return err_set(why, ERR_INVALID,
	    "verify_incoming %s contradicts client_authentication \"%s\"",
	    json_bool(incoming) ? "true" : "false", auth);
}

enum err
tlsdoc_decode(struct http_slice body, struct buf *out, struct errmsg *why)
{
	const struct json *values[FIELDS] = {NULL};
	struct json_doc *doc;
	enum err rc;

	rc = decode_object(body, &doc, why);
	if (rc != OK)
		return rc;
	rc = take_members(json_root(doc), values, why);
	if (rc == OK)
		rc = check_together(values, why);
	if (rc == OK) {
		jsonout_open(out, NULL, '{');
		for (size_t i = 0; i < FIELDS; i++) {
			if (values[i] == NULL)
				continue;
			jsonout_key(out, fields[i].name);
			json_put(out, doc, values[i], false);
		}
		jsonout_close(out, '{');
		rc = buf_status(out, NULL);
		if (rc == ERR_LIMIT) {
			(void)err_set(why, rc,
			    "the document is larger than %d bytes",
			    TLSCONF_DOCUMENT_MAX);
		}
	}
	json_free(doc);
	return rc;
}

void
tlsdoc_put(struct buf *out, const struct tlsconf *conf, bool with_scope)
{
	struct span fields_only = conf->document;

	jsonout_open(out, NULL, '{');
	if (with_scope)
		jsonout_span(out, "scope", conf->scope);
	if (fields_only.size > 2) { /* more than {} */
		jsonout_key(out, NULL);
		buf_raw(out, fields_only.data + 1, fields_only.size - 2);
	}
	jsonout_u64(out, "CreateIndex", conf->create_index);
	jsonout_u64(out, "ModifyIndex", conf->modify_index);
	jsonout_close(out, '{');
}
