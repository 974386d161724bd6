#include "server/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define QUOTED_MAX 128 /* bytes of a refused text that are repeated */
#define INT64_SIZE UINT64_C(0x8000000000000000) /* magnitude of INT64_MIN */

enum { UNIT_NS, UNIT_MICRO, UNIT_MU, UNIT_US, UNIT_MS };

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
    [UNIT_NS] = {"ns", 1},
    [UNIT_MICRO] = {"us", 1000},
    [UNIT_MU] = {"\u03bcs", 1000}, /* Greek letter mu */
    [UNIT_US] = {"\u00b5s", 1000}, /* micro sign, as Go prints it */
    [UNIT_MS] = {"ms", 1000000},
    {"s", UINT64_C(1000000000)},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
};

/* As Go quotes in these errors: " and \ escaped, the rest of it as \xNN. */
static void
quote(const char *text, size_t size, char out[static QUOTED_MAX])
{
	size_t at = 0;

	out[at++] = '"';
	for (size_t i = 0; i < size && at + 6 < QUOTED_MAX; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c >= 0x7f) {
			at += (size_t)snprintf(
			    out + at, QUOTED_MAX - at, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			out[at++] = '\\';
		out[at++] = (char)c;
	}
	out[at++] = '"';
	out[at] = '\0';
}

static enum err
refuse(const char *text, enum err code, struct errmsg *why)
{
	char quoted[QUOTED_MAX];

	quote(text, strlen(text), quoted);
	return err_set(why, code, "time: invalid duration %s", quoted);
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* [0-9]* at *text, moved past; false if above 2^63. */
static bool
read_whole(const char **text, uint64_t *value)
{
	*value = 0;
	for (; digit(**text); (*text)++) {
		if (*value > INT64_SIZE / 10)
			return false;
		*value = *value * 10 + (uint64_t)(**text - '0');
		if (*value > INT64_SIZE)
			return false;
	}
	return true;
}

/* [0-9]* after a point; digits beyond what 63 bits hold do not count. */
static void
read_fraction(const char **text, uint64_t *value, double *scale)
{
	bool full = false;

	*value = 0;
	*scale = 1;
	for (; digit(**text); (*text)++) {
		uint64_t next = *value * 10 + (uint64_t)(**text - '0');

		if (full || *value > (INT64_SIZE - 1) / 10 ||
		    next > INT64_SIZE) {
			full = true;
			continue;
		}
		*value = next;
		*scale *= 10;
	}
}

static enum err
read_unit(const char *text, const char **at, uint64_t *ns, struct errmsg *why)
{
	char whole[QUOTED_MAX], name[QUOTED_MAX];
	const char *start = *at;
	size_t size;

	while (**at != '\0' && **at != '.' && !digit(**at))
		(*at)++;
	size = (size_t)(*at - start);
	quote(text, strlen(text), whole);
	if (size == 0) {
		return err_set(why, ERR_INVALID,
		    "time: missing unit in duration %s", whole);
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].name) == size &&
		    memcmp(units[i].name, start, size) == 0) {
			*ns = units[i].ns;
			return OK;
		}
	}
	quote(start, size, name);
	return err_set(why, ERR_INVALID, "time: unknown unit %s in duration %s",
	    name, whole);
}

/* One number with its unit, added to *sum. */
static enum err
read_part(const char *text, const char **at, uint64_t *sum, struct errmsg *why)
{
	uint64_t whole, fraction = 0, unit = 0;
	const char *start = *at;
	size_t digits;
	double scale = 1;
	enum err rc;

	if (**at != '.' && !digit(**at))
		return refuse(text, ERR_INVALID, why);
	if (!read_whole(at, &whole))
		return refuse(text, ERR_LIMIT, why);
	digits = (size_t)(*at - start);
	if (**at == '.') {
		start = ++*at;
		read_fraction(at, &fraction, &scale);
		digits += (size_t)(*at - start);
	}
	if (digits == 0)
		return refuse(text, ERR_INVALID, why);
	rc = read_unit(text, at, &unit, why);
	if (rc != OK)
		return rc;
	if (whole > INT64_SIZE / unit)
		return refuse(text, ERR_LIMIT, why);
	whole *= unit;
	/* Below one unit, so it neither overflows nor loses a nanosecond. */
	whole += (uint64_t)((double)fraction * ((double)unit / scale));
	if (whole > INT64_SIZE || *sum > INT64_SIZE - whole)
		return refuse(text, ERR_LIMIT, why);
	*sum += whole;
	return OK;
}

enum err
duration_parse(const char *text, int64_t *nanoseconds, struct errmsg *why)
{
	const char *at = text;
	bool negative = *at == '-';
	uint64_t sum = 0;
	enum err rc;

	if (*at == '-' || *at == '+')
		at++;
	if (strcmp(at, "0") == 0) {
		*nanoseconds = 0;
		return OK;
	}
	if (*at == '\0')
		return refuse(text, ERR_INVALID, why);
	while (*at != '\0') {
		rc = read_part(text, &at, &sum, why);
		if (rc != OK)
			return rc;
	}
	if (sum == INT64_SIZE && !negative)
		return refuse(text, ERR_LIMIT, why);
	if (sum == INT64_SIZE)
		*nanoseconds = INT64_MIN;
	else
		*nanoseconds = negative ? -(int64_t)sum : (int64_t)sum;
	return OK;
}

/* ".291304" of value/scale (scale a power of ten), "" if it is whole. */
static void
fraction_text(uint64_t value, uint64_t scale, char out[static 12])
{
	size_t at = 1;

	value %= scale;
	out[0] = '.';
	for (scale /= 10; value != 0; scale /= 10) {
		out[at++] = (char)('0' + value / scale);
		value %= scale;
	}
	out[at == 1 ? 0 : at] = '\0';
}

void
duration_format(int64_t nanoseconds, char text[static DURATION_TEXT])
{
	bool negative = nanoseconds < 0;
	uint64_t ns = negative ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;
	uint64_t second = DURATION_SECOND, seconds = ns / second;
	const char *sign = negative ? "-" : "";
	char fraction[12];

	if (ns == 0) {
		snprintf(text, DURATION_TEXT, "0s");
		return;
	}
	if (ns < second) {
		const struct unit *u = &units[ns < 1000 ? UNIT_NS
			: ns < 1000000                  ? UNIT_US
							: UNIT_MS];

		fraction_text(ns, u->ns, fraction);
		snprintf(text, DURATION_TEXT, "%s%" PRIu64 "%s%s", sign,
		    ns / u->ns, fraction, u->name);
		return;
	}
	fraction_text(ns, second, fraction);
	if (seconds < 60) {
		snprintf(text, DURATION_TEXT, "%s%" PRIu64 "%ss", sign, seconds,
		    fraction);
	} else if (seconds < 3600) {
		snprintf(text, DURATION_TEXT, "%s%" PRIu64 "m%" PRIu64 "%ss",
		    sign, seconds / 60, seconds % 60, fraction);
	} else {
		snprintf(text, DURATION_TEXT,
		    "%s%" PRIu64 "h%" PRIu64 "m%" PRIu64 "%ss", sign,
		    seconds / 3600, seconds / 60 % 60, seconds % 60, fraction);
	}
}

void
time_format(int64_t seconds, char text[static DURATION_TEXT])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	/* Only a year beyond int makes it fail: say it as the last one. */
	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(text, DURATION_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(text, DURATION_TEXT, "9999-12-31T23:59:59Z");
}

int64_t
time_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t
time_mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
