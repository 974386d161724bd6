#include "server/ca/caconfig.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/duration.h"
#include "server/json.h"
#include "storage/secret.h"

#define HOUR            (INT64_C(3600) * DURATION_SECOND)
#define LEAF_TTL_MIN    HOUR
#define LEAF_TTL_MAX    (8760 * HOUR)
#define MIDDLE_TTL_MIN  (3 * HOUR)
#define DEFAULT_MIDDLE  (8760 * HOUR)
#define DEFAULT_ROOT    (87600 * HOUR)
#define DEFAULT_LEAF    (72 * HOUR)
#define DEFAULT_CSR_SEC 50

const char caconfig_default[] = "{\"IntermediateCertTTL\":\"8760h\","
				"\"LeafCertTTL\":\"72h\","
				"\"RootCertTTL\":\"87600h\"}";

/* The map being decoded; the first fault sticks. */
struct decoder {
	const struct json_doc *doc;
	const struct json *map;
	struct errmsg *why;
	enum err rc;
};

/* The value under name; NULL if absent or null: the default stays. */
static const struct json *
find(struct decoder *in, const char *name)
{
	const struct json *value = json_get(in->map, name);

	if (value == NULL)
		value = json_get_fold(in->map, name);
	if (in->rc != OK || value == NULL || json_type(value) == JSON_NULL)
		return NULL;
	return value;
}

static void
fault(struct decoder *in, const char *name, const char *reason)
{
	in->rc = err_set(in->why, ERR_INVALID,
	    "error decoding config: error decoding '%s': %s", name, reason);
}

/* true and false of Go's strconv.ParseBool. */
static bool
parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = {
	    "1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {
	    "", "0", "f", "F", "false", "FALSE", "False"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0) {
			*out = true;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		if (strcmp(text, no[i]) == 0) {
			*out = false;
			return true;
		}
	}
	return false;
}

static bool
parse_integer(const char *text, int64_t *out)
{
	char *end;

	if (text[0] == '\0') {
		*out = 0;
		return true;
	}
	if (strchr("+-0123456789", text[0]) == NULL)
		return false;
	errno = 0;
	*out = strtoll(text, &end, 0);
	return errno == 0 && *end == '\0' && end != text;
}

static bool
parse_real(const char *text, double *out)
{
	char *end;

	if (text[0] == '\0') {
		*out = 0;
		return true;
	}
	if (strchr("+-.0123456789", text[0]) == NULL)
		return false;
	errno = 0;
	*out = strtod(text, &end);
	return errno == 0 && *end == '\0' && isfinite(*out);
}

/* An integer from a number's token; a fraction is cut as in the reference. */
static bool
number_integer(struct decoder *in, const struct json *value, int64_t *out)
{
	double real;

	if (json_i64(in->doc, value, out))
		return true;
	real = json_number(value);
	if (!(real > -9e18 && real < 9e18))
		return false;
	*out = (int64_t)real;
	return true;
}

static void
decode_integer(struct decoder *in, const char *name, int64_t *out)
{
	const struct json *value = find(in, name);
	bool ok = false;

	if (value == NULL)
		return;
	switch (json_type(value)) {
	case JSON_NUMBER:
		ok = number_integer(in, value, out);
		break;
	case JSON_STRING:
		ok = parse_integer(json_string(value), out);
		break;
	case JSON_BOOL:
		*out = json_bool(value);
		ok = true;
		break;
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	if (!ok)
		fault(in, name, "not an integer");
}

static void
decode_real(struct decoder *in, const char *name, double *out)
{
	const struct json *value = find(in, name);
	bool ok = false;

	if (value == NULL)
		return;
	switch (json_type(value)) {
	case JSON_NUMBER:
		*out = json_number(value);
		ok = true;
		break;
	case JSON_STRING:
		ok = parse_real(json_string(value), out);
		break;
	case JSON_BOOL:
		*out = json_bool(value);
		ok = true;
		break;
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	if (!ok)
		fault(in, name, "not a number");
}

static void
decode_bool(struct decoder *in, const char *name, bool *out)
{
	const struct json *value = find(in, name);
	bool ok = false;

	if (value == NULL)
		return;
	switch (json_type(value)) {
	case JSON_BOOL:
		*out = json_bool(value);
		ok = true;
		break;
	case JSON_NUMBER:
		*out = fpclassify(json_number(value)) != FP_ZERO;
		ok = true;
		break;
	case JSON_STRING:
		ok = parse_bool(json_string(value), out);
		break;
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	if (!ok)
		fault(in, name, "not a boolean");
}

/* A string goes through Go's duration syntax; a number is nanoseconds. */
static void
decode_duration(struct decoder *in, const char *name, int64_t *out)
{
	const struct json *value = find(in, name);
	struct errmsg reason;

	if (value == NULL)
		return;
	switch (json_type(value)) {
	case JSON_STRING:
		if (duration_parse(json_string(value), out, &reason) != OK)
			fault(in, name, reason.text);
		break;
	case JSON_NUMBER:
		if (!number_integer(in, value, out))
			fault(in, name, "not a duration");
		break;
	case JSON_BOOL:
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		fault(in, name, "not a duration");
		break;
	}
}

/* The text of a scalar, borrowed; NULL if absent or faulty. */
static const char *
decode_text(struct decoder *in, const char *name)
{
	const struct json *value = find(in, name);

	if (value == NULL)
		return NULL;
	switch (json_type(value)) {
	case JSON_STRING:
		return json_string(value);
	case JSON_NUMBER:
		return json_token(in->doc, value);
	case JSON_BOOL:
		return json_bool(value) ? "1" : "0";
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	fault(in, name, "not a string");
	return NULL;
}

/* A blank text counts as none. */
static void
decode_pem(struct decoder *in, const char *name, char **out)
{
	const char *text = decode_text(in, name);

	if (text == NULL || text[0] == '\0')
		return;
	*out = strdup(text);
	if (*out == NULL)
		in->rc = err_set(in->why, ERR_NOMEM, "out of memory");
}

static void
decode_key_type(struct decoder *in, struct caconfig *out)
{
	const char *text = decode_text(in, "PrivateKeyType");
	size_t size;

	if (text == NULL)
		return;
	size = strlen(text);
	/* What does not fit is no key type; "?" is refused like any other. */
	if (size >= sizeof(out->key_type)) {
		text = "?";
		size = 1;
	}
	memcpy(out->key_type, text, size + 1);
}

static enum err
check_ttls(const struct caconfig *config, struct errmsg *why)
{
	char a[DURATION_TEXT], b[DURATION_TEXT];

	if (config->root_ttl < config->intermediate_ttl) {
		duration_format(config->root_ttl, a);
		duration_format(config->intermediate_ttl, b);
		return err_set(why, ERR_INVALID,
		    "root cert TTL is set and is not greater than intermediate "
		    "cert ttl. root cert ttl: %s, intermediate cert ttl: %s",
		    a, b);
	}
	if (config->leaf_ttl < LEAF_TTL_MIN) {
		duration_format(LEAF_TTL_MIN, a);
		return err_set(why, ERR_INVALID,
		    "leaf cert TTL must be greater or equal than %s", a);
	}
	if (config->leaf_ttl > LEAF_TTL_MAX) {
		duration_format(LEAF_TTL_MAX, a);
		return err_set(
		    why, ERR_INVALID, "leaf cert TTL must be less than %s", a);
	}
	if (config->intermediate_ttl < MIDDLE_TTL_MIN) {
		return err_set(why, ERR_INVALID,
		    "Intermediate Cert TTL must be greater or equal than 3h");
	}
	if (config->intermediate_ttl < 3 * config->leaf_ttl) {
		duration_format(3 * config->leaf_ttl, a);
		return err_set(why, ERR_INVALID,
		    "Intermediate Cert TTL must be greater or equal than 3 * "
		    "LeafCertTTL (>=%s).",
		    a);
	}
	return OK;
}

static enum err
check_key(const struct caconfig *config, struct errmsg *why)
{
	int64_t bits = config->key_bits;

	if (strcmp(config->key_type, "ec") == 0) {
		if (bits == 224 || bits == 256 || bits == 384 || bits == 521)
			return OK;
		return err_set(why, ERR_INVALID,
		    "EC key length must be one of (224, 256, 384, 521) bits");
	}
	if (strcmp(config->key_type, "rsa") == 0) {
		if (bits == 2048 || bits == 4096)
			return OK;
		return err_set(why, ERR_INVALID,
		    "RSA key length must be 2048 or 4096 bits");
	}
	return err_set(
	    why, ERR_INVALID, "private key type must be either 'ec' or 'rsa'");
}

static enum err
check(const struct caconfig *config, struct errmsg *why)
{
	enum err rc;

	if (config->root_cert != NULL && config->private_key == NULL) {
		return err_set(why, ERR_INVALID,
		    "must provide a private key when providing a root cert");
	}
	if (config->skip_validate)
		return OK;
	rc = check_ttls(config, why);
	if (rc == OK)
		rc = check_key(config, why);
	return rc;
}

enum err
caconfig_decode(const struct json_doc *doc, const struct json *map,
    struct caconfig *out, struct errmsg *why)
{
	struct decoder in = {doc, map, why, OK};
	struct caconfig config = {.leaf_ttl = DEFAULT_LEAF,
	    .intermediate_ttl = DEFAULT_MIDDLE,
	    .root_ttl = DEFAULT_ROOT,
	    .key_type = "ec",
	    .key_bits = 256,
	    .csr_per_second = DEFAULT_CSR_SEC};
	enum err rc;

	if (json_type(map) != JSON_OBJECT) {
		return err_set(
		    why, ERR_INVALID, "error decoding config: expected a map");
	}
	decode_duration(&in, "LeafCertTTL", &config.leaf_ttl);
	decode_duration(&in, "IntermediateCertTTL", &config.intermediate_ttl);
	decode_duration(&in, "RootCertTTL", &config.root_ttl);
	decode_key_type(&in, &config);
	decode_integer(&in, "PrivateKeyBits", &config.key_bits);
	decode_real(&in, "CSRMaxPerSecond", &config.csr_per_second);
	decode_integer(&in, "CSRMaxConcurrent", &config.csr_concurrent);
	decode_pem(&in, "PrivateKey", &config.private_key);
	decode_pem(&in, "RootCert", &config.root_cert);
	decode_bool(&in, "DisableCrossSigning", &config.disable_cross_signing);
	decode_bool(&in, "SkipValidate", &config.skip_validate);
	rc = in.rc;
	if (rc == OK)
		rc = check(&config, why);
	if (rc != OK) {
		caconfig_free(&config);
		return rc;
	}
	*out = config;
	return OK;
}

void
caconfig_free(struct caconfig *config)
{
	secret_free_text(config->private_key);
	free(config->root_cert);
	*config = (struct caconfig){0};
}

bool
caconfig_has(const struct json *map, const char *name)
{
	return json_get_fold(map, name) != NULL;
}
