#include "server/configcheck.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/configrule.h"
#include "server/configslot.h"
#include "server/configvalue.h"

#define ELECTION_MS  500 /* at raft_multiplier 1 */
#define HEARTBEAT_MS 50
#define HOST_SIZE    256

static bool
given(const struct config_draft *draft, const struct config_option *option)
{
	return draft->set[option - config_options];
}

/* Options not given take the value of the next one in their chain. */
static enum err
fall_back(struct config_draft *draft, struct errmsg *why)
{
	const struct config_option *option, *source;
	enum err rc = OK;

	for (size_t i = 0; i < config_options_count && rc == OK; i++) {
		option = source = &config_options[i];
		while (!given(draft, source) && source->fallback != NULL) {
			source = config_option_named(source->fallback);
			assert(source != NULL);
		}
		if (source != option)
			rc = config_copy(source, option, draft, why);
	}
	return rc;
}

/* The deprecated key knows versions by other names. */
static enum err
translate_version(const char *name, const char *version,
    struct config_draft *draft, struct errmsg *why)
{
	const char *modern = NULL;

	if (strcmp(version, "tls12") == 0)
		modern = "TLSv1_2";
	else if (strcmp(version, "tls13") == 0)
		modern = "TLSv1_3";
	if (modern == NULL)
		return OK;
	return config_set_text(
	    config_option_named(name), draft, modern, false, why);
}

static enum err
name_node(struct config *config, struct errmsg *why)
{
	char host[HOST_SIZE];

	if (config->node_name != NULL)
		return OK;
	if (gethostname(host, sizeof(host)) != 0)
		return err_set(why, ERR_IO, "cannot read the host name");
	host[sizeof(host) - 1] = '\0';
	if (configrule_node(host) != NULL) {
		return err_set(why, ERR_INVALID,
		    "the host name \"%s\" will not do as node_name, which must "
		    "be %s: set node_name (-node)",
		    host, configrule_node(host));
	}
	config->node_name = strdup(host);
	if (config->node_name == NULL)
		return err_set(why, ERR_NOMEM, "out of memory");
	return OK;
}

static enum err
check_cluster(struct config_draft *draft, struct errmsg *why)
{
	struct config *config = &draft->config;

	if (draft->bootstrap && config->bootstrap_expect > 1) {
		return err_set(why, ERR_INVALID,
		    "bootstrap and bootstrap_expect %u cannot both be given",
		    config->bootstrap_expect);
	}
	if (config->dev && config->bootstrap_expect > 1) {
		return err_set(why, ERR_INVALID,
		    "-dev is a single server, bootstrap_expect is %u",
		    config->bootstrap_expect);
	}
	if (config->dev && config->retry_join_count > 0) {
		return err_set(why, ERR_INVALID,
		    "-dev is a single server, retry_join has no meaning");
	}
	if (draft->bootstrap || config->dev)
		config->bootstrap_expect = 1;
	if (config->bootstrap_expect > 1 && config->bootstrap_expect % 2 == 0) {
		return err_set(why, ERR_INVALID,
		    "bootstrap_expect is %u, must be 0, 1, 3 or 5",
		    config->bootstrap_expect);
	}
	if (config->data_dir == NULL && !config->dev) {
		return err_set(why, ERR_INVALID,
		    "data_dir (-data-dir) must be given, unless with -dev");
	}
	return OK;
}

static enum err
check_pair(const struct config_tls *tls, const char *stanza, struct errmsg *why)
{
	if ((tls->cert_file == NULL) == (tls->key_file == NULL))
		return OK;
	return err_set(why, ERR_INVALID, "%s.%s is given without %s.%s", stanza,
	    tls->cert_file != NULL ? "cert_file" : "key_file", stanza,
	    tls->cert_file != NULL ? "key_file" : "cert_file");
}

/* Servers trust each other's words, so beyond loopback they prove who they
 * are, or the operator has said by name that they need not. */
static enum err
check_rpc(const struct config *config, struct errmsg *why)
{
	const struct config_tls *tls = &config->tls_internal_rpc;

	if (configrule_is_any(config->advertise)) {
		return err_set(why, ERR_INVALID,
		    "advertise_addr (-advertise) must be an address that other "
		    "servers can reach, not %s",
		    config->advertise);
	}
	if (configrule_is_loopback(config->bind) || config->allow_plaintext)
		return OK;
	if (tls->cert_file != NULL && tls->key_file != NULL &&
	    (tls->ca_file != NULL || tls->ca_path != NULL))
		return OK;
	return err_set(why, ERR_INVALID,
	    "bind_addr %s is not loopback: give tls.internal_rpc.ca_file, "
	    "cert_file and key_file, or set allow_plaintext to true",
	    config->bind);
}

static enum err
check_https(const struct config *config, struct errmsg *why)
{
	if (config->port_https < 0)
		return OK;
	if (config->tls_https.cert_file == NULL) {
		return err_set(why, ERR_INVALID,
		    "ports.https is %d, which needs tls.https.cert_file and "
		    "key_file",
		    config->port_https);
	}
	for (unsigned i = 0; i < config->client_count; i++) {
		for (unsigned j = 0; j < config->client_https_count; j++) {
			const char *one = config->client[i];

			if (strcmp(one, config->client_https[j]) != 0)
				continue;
			if (*one == 'u') {
				return err_set(why, ERR_INVALID,
				    "%s cannot serve HTTP and HTTPS both, set "
				    "addresses.https",
				    one);
			}
			if (config->port_http == config->port_https) {
				return err_set(why, ERR_INVALID,
				    "ports.http and ports.https are both %d",
				    config->port_http);
			}
		}
	}
	return OK;
}

enum err
configcheck(struct config_draft *draft, struct errmsg *why)
{
	struct config *config = &draft->config;
	enum err rc;

	rc = fall_back(draft, why);
	if (rc == OK)
		rc = translate_version("tls.internal_rpc.tls_min_version",
		    config->tls_internal_rpc.min_version, draft, why);
	if (rc == OK)
		rc = translate_version("tls.https.tls_min_version",
		    config->tls_https.min_version, draft, why);
	if (rc == OK)
		rc = name_node(config, why);
	if (rc == OK)
		rc = check_cluster(draft, why);
	if (rc == OK)
		rc = check_pair(
		    &config->tls_internal_rpc, "tls.internal_rpc", why);
	if (rc == OK)
		rc = check_pair(&config->tls_https, "tls.https", why);
	if (rc == OK)
		rc = check_rpc(config, why);
	if (rc == OK)
		rc = check_https(config, why);
	if (rc != OK)
		return rc;
	config->election_ms = ELECTION_MS * config->raft_multiplier;
	config->heartbeat_ms = HEARTBEAT_MS * config->raft_multiplier;
	return OK;
}
