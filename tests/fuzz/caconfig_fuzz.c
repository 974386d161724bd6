/*
 * Goal: no Config map crashes the decoder, and what it accepts keeps the rules.
 * Method: the input is JSON; what decodes is held against the bounds. Covers
 * json_parse, caconfig_decode, caconfig_has.
 */
#include "server/ca/caconfig.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_doc *doc = NULL;
	struct caconfig config;
	struct errmsg why;

	if (json_parse(data, size, NULL, &doc, &why) != OK)
		return 0;
	if (caconfig_decode(doc, json_root(doc), &config, &why) == OK) {
		assert(config.root_cert == NULL || config.private_key != NULL);
		assert(config.skip_validate ||
		    (config.intermediate_ttl >= 3 * config.leaf_ttl &&
			config.root_ttl >= config.intermediate_ttl));
		assert(memchr(config.key_type, '\0', sizeof(config.key_type)) !=
		    NULL);
		caconfig_free(&config);
	} else {
		assert(why.text[0] != '\0');
	}
	(void)caconfig_has(json_root(doc), "IntermediateCertTTL");
	json_wipe(doc);
	return 0;
}
