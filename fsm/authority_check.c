#include "fsm/authority_check.h"

static bool
size_check(
    struct span text, size_t max, const char *name, struct fsm_result *result)
{
	if (text.size <= max)
		return true;
	fsm_result_refuse(result, ERR_LIMIT,
	    "%s is %zu bytes, at most %zu are allowed", name, text.size, max);
	return false;
}

bool
ca_config_check(const struct ca_config *config, struct fsm_result *result)
{
	if (config->provider.size == 0) {
		fsm_result_refuse(
		    result, ERR_INVALID, "CA provider is missing");
		return false;
	}
	if (config->config.size == 0) {
		fsm_result_refuse(
		    result, ERR_INVALID, "CA configuration is missing");
		return false;
	}
	return size_check(config->cluster_id, AUTHORITY_TEXT_MAX,
		   "CA cluster ID", result) &&
	    size_check(
		config->provider, AUTHORITY_TEXT_MAX, "CA provider", result) &&
	    size_check(config->config, AUTHORITY_CONFIG_MAX, "CA configuration",
		result) &&
	    size_check(config->state, AUTHORITY_CONFIG_MAX, "CA state", result);
}

bool
ca_provider_id_check(struct span id, struct fsm_result *result)
{
	if (id.size > 0 && id.size <= AUTHORITY_TEXT_MAX)
		return true;
	fsm_result_refuse(result, ERR_INVALID,
	    "provider state ID is %zu bytes, must be 1 to %d", id.size,
	    AUTHORITY_TEXT_MAX);
	return false;
}

bool
ca_provider_check(const struct ca_provider_row *row, struct fsm_result *result)
{
	return ca_provider_id_check(row->id, result) &&
	    size_check(
		row->private_key, AUTHORITY_KEY_MAX, "private key", result) &&
	    size_check(row->root_cert, AUTHORITY_CHAIN_MAX, "root certificate",
		result) &&
	    size_check(row->intermediate_cert, AUTHORITY_CHAIN_MAX,
		"intermediate certificate", result);
}

static bool
root_check(const struct ca_root *root, struct fsm_result *result)
{
	size_t chain;

	if (root->id.size == 0) {
		fsm_result_refuse(result, ERR_INVALID, "root ID is missing");
		return false;
	}
	if (!size_check(root->id, AUTHORITY_TEXT_MAX, "root ID", result) ||
	    !size_check(root->name, AUTHORITY_TEXT_MAX, "root name", result) ||
	    !size_check(root->signing_key_id, AUTHORITY_TEXT_MAX,
		"signing key ID", result) ||
	    !size_check(root->external_trust_domain, AUTHORITY_TEXT_MAX,
		"external trust domain", result) ||
	    !size_check(root->key_type, AUTHORITY_TEXT_MAX, "key type", result))
		return false;
	if (root->intermediate_count > AUTHORITY_INTERMEDIATES_MAX) {
		fsm_result_refuse(result, ERR_LIMIT,
		    "root has %zu intermediate certificates, at most %d are "
		    "allowed",
		    root->intermediate_count, AUTHORITY_INTERMEDIATES_MAX);
		return false;
	}
	/* All of them are in memory at once, so the sum cannot wrap. */
	chain = root->cert.size;
	for (size_t i = 0; i < root->intermediate_count; i++)
		chain += root->intermediates[i].size;
	if (chain > AUTHORITY_CHAIN_MAX) {
		fsm_result_refuse(result, ERR_LIMIT,
		    "certificates of a root are %zu bytes, at most %d are "
		    "allowed",
		    chain, AUTHORITY_CHAIN_MAX);
		return false;
	}
	return true;
}

static bool
roots_check(const struct ca_roots_set *set, struct fsm_result *result)
{
	size_t active = 0;

	if (set->root_count > AUTHORITY_ROOTS_MAX) {
		fsm_result_refuse(result, ERR_LIMIT,
		    "%zu CA roots, at most %d are allowed", set->root_count,
		    AUTHORITY_ROOTS_MAX);
		return false;
	}
	for (size_t i = 0; i < set->root_count; i++) {
		if (!root_check(&set->roots[i], result))
			return false;
		for (size_t j = 0; j < i; j++) {
			if (!span_equal(set->roots[i].id, set->roots[j].id))
				continue;
			fsm_result_refuse(result, ERR_INVALID,
			    "a root ID stands there twice");
			return false;
		}
		active += set->roots[i].active ? 1 : 0;
	}
	if (active != 1) {
		fsm_result_refuse(
		    result, ERR_INVALID, "there must be exactly one active CA");
		return false;
	}
	return true;
}

bool
ca_roots_check(const struct ca_roots_set *set, struct fsm_result *result)
{
	if (!roots_check(set, result) ||
	    (set->has_config && !ca_config_check(&set->config.config, result)))
		return false;
	for (size_t i = 0; i < set->row_count; i++) {
		if (!ca_provider_check(&set->rows[i], result))
			return false;
	}
	for (size_t i = 0; i < set->delete_count; i++) {
		if (!ca_provider_id_check(set->deletes[i], result))
			return false;
	}
	return true;
}
