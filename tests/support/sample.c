#include "tests/support/sample.h"

struct ca_config
sample_config(const char *config)
{
	return (struct ca_config){.cluster_id = {"uuid", 4},
	    .provider = {"consul", 6},
	    .config = span_of(config),
	    .state = {"{\"a\":\"b\"}", 9},
	    .force = true};
}

struct ca_root
sample_root(const char *id, bool active)
{
	return (struct ca_root){.id = span_of(id),
	    .name = {"name", 4},
	    .serial = UINT64_C(16238269036752183483),
	    .signing_key_id = {"cc", 2},
	    .external_trust_domain = {"uuid", 4},
	    .not_before = -5,
	    .not_after = 1000,
	    .cert = {"PEM\n", 4},
	    .intermediates = {{"I1\n", 3}, {"I2\n", 3}},
	    .intermediate_count = 2,
	    .active = active,
	    .key_type = {"ec", 2},
	    .key_bits = 256,
	    .rotated_out = active ? 0 : 77};
}

struct ca_provider_row
sample_row(const char *id, const char *key)
{
	return (struct ca_provider_row){.id = span_of(id),
	    .private_key = span_of(key),
	    .root_cert = {"ROOT", 4},
	    .intermediate_cert = {"INT", 3}};
}
