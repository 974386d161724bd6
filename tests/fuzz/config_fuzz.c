/*
 * Goal: no configuration hurts its reader, and what is taken obeys the bounds.
 * Method: config_decode, then config_json; what it prints must reload onto
 * itself without a change.
 */
#include "server/config.h"

#include <stdlib.h>
#include <string.h>

#include "server/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool good)
{
	if (!good)
		abort();
}

static void
check(struct config *config)
{
	struct buf text = buf_new(16 * JSON_SIZE_MAX);
	struct json_doc *doc = NULL;
	struct errmsg why;

	expect(config->node_name != NULL && config->datacenter != NULL);
	expect(config->bind != NULL && config->advertise != NULL);
	expect(config->ca_config != NULL);
	expect(config->client_count <= CONFIG_ADDRESS_MAX);
	expect(config->retry_join_count <= CONFIG_JOIN_MAX);
	expect(config->header_count <= CONFIG_HEADERS_MAX);
	expect(config->raft_multiplier >= 1 && config->raft_multiplier <= 10);
	expect(config->body_max <= JSON_SIZE_MAX);
	config_json(config, &text);
	expect(text.failed == OK);
	if (text.size <= JSON_SIZE_MAX) {
		expect(
		    json_parse(text.data, text.size, NULL, &doc, &why) == OK);
		json_free(doc);
	}
	buf_reset(&text);
	config_reload(config, config, &text);
	expect(text.size == 0);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct errmsg why = {""};

	if (config_decode("fuzz.json", data, size, &config, &why) != OK) {
		expect(config == NULL);
		expect(why.text[0] != '\0');
		return 0;
	}
	check(config);
	config_free(config);
	return 0;
}
