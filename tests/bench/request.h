/*
 * request - request templates of the load generators.
 *
 * In path, body and headers stand {conn} {seq} {index} {index+1} as decimal
 * numbers, {key} as eight digits drawn from 0 to keys - 1, {step} as {seq}
 * modulo keys in the same form, {val} as value_size random letters and digits,
 * {token} as given; anything else in braces stands as it is. With sizes that
 * are multiples of four {key} and {val} are valid base64 too, which some JSON
 * gateways want.
 */
#ifndef TESTS_BENCH_REQUEST_H
#define TESTS_BENCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_SIZE_MAX 65536 /* bytes, head and body */

struct template_values {
	uint64_t conn, seq, index;
	uint64_t random; /* state of the generator, not 0 */
	unsigned keys, value_size;
	const char *token;
};

struct request_template {
	const char *method, *path;
	const char *body; /* NULL = none */
	char headers[8192];
};

/* Append one "Name: value" line; ends the program when it does not fit. */
void request_header(struct request_template *request, const char *line);
/* text itself, or the content of the file behind a leading '@'; never freed. */
const char *request_text(const char *text);
/* Fill in a template of any text. The size, without the NUL behind it. */
size_t template_expand(
    char *out, size_t room, const char *text, struct template_values *values);
/* A whole request for host; close asks for an end of the connection. */
size_t request_build(char *out, size_t room,
    const struct request_template *request, const char *host,
    struct template_values *values, bool close);

#endif
