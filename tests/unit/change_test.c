/*
 * Goal: a PUT of the CA configuration is written whole or not at all, with the
 * words of the contract, and a rotation never breaks anybody's trust.
 * Method: PUTs through the manager on a fake node with the real state machine;
 * leaves are signed with the stored keys and verified with OpenSSL under each
 * bundle a client may still hold.
 */
#include "server/ca/castore.h"
#include "server/ca/crosslinks.h"
#include "server/ca/pki.h"
#include "server/duration.h"
#include "server/json.h"
#include "storage/secret.h"
#include "tests/unit/fake_node.h"

#define HOUR    INT64_C(3600)
#define DAY     (24 * HOUR)
#define CLUSTER "11111111-2222-3333-4444-555555555555"
#define URI     "spiffe://" CLUSTER ".consul"
#define NO_CROSS                                                               \
	"The current CA Provider does not support cross-signing. You can try " \
	"again with ForceWithoutCrossSigningSet but this may cause "           \
	"disruption - see documentation for more."

/* A node whose CA is up. */
static struct node *
ready(const char *ca_config)
{
	struct node *node = fake_new();
	struct errmsg why;

	node->config.cluster_id = strdup(CLUSTER);
	if (ca_config != NULL)
		node->config.ca_config = strdup(ca_config);
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);
	return node;
}

static struct castore *
stored(struct node *node)
{
	struct castore *store = NULL;
	struct errmsg why;

	assert_int_equal(castore_load(node->db, &store, &why), OK);
	return store;
}

static struct node_incoming
put_all(struct node *node, struct manager_put put)
{
	struct node_incoming answer;

	if (put.provider == NULL)
		put.provider = "consul";
	if (put.state == NULL)
		put.state = "";
	put.config_size = strlen(put.config);
	fake_put_begin(node, &put, &answer);
	fake_put_end(&answer);
	return answer;
}

static struct node_incoming
put(struct node *node, const char *config)
{
	return put_all(node, (struct manager_put){.config = config});
}

static void
put_ok(struct node *node, const char *config)
{
	struct node_incoming answer = put(node, config);

	if (answer.status != OK)
		fail_msg("%s", answer.why.text);
	assert_int_equal(answer.http, 200);
}

/* {"PrivateKey":key,"RootCert":cert}; cert may be NULL. */
static char *
config_with(const char *key, const char *cert)
{
	struct buf text = buf_new(1 << 16);

	buf_puts(&text, "{\"PrivateKey\":");
	json_put_cstring(&text, key);
	if (cert != NULL) {
		buf_puts(&text, ",\"RootCert\":");
		json_put_cstring(&text, cert);
	}
	buf_raw(&text, "}", 2); /* with its NUL */
	assert_int_equal(text.failed, OK);
	return (char *)text.data;
}

static void
make_pair(const char *cluster, int64_t not_before, int64_t seconds, char **key,
    char **cert)
{
	struct errmsg why;

	assert_int_equal(pki_key_new("ec", 256, key, &why), OK);
	assert_int_equal(pki_root_new(*key, cluster, "testuid0", 5, not_before,
			     seconds, cert, &why),
	    OK);
}

/* A leaf of the active root, and its links as one text. */
static void
sign(const struct castore *store, int64_t now, char **leaf, char *links,
    size_t room)
{
	const struct ca_root *root = &store->roots[store->active];
	struct errmsg why;
	size_t size = 0;
	char *key = NULL;

	assert_int_equal(pki_key_new("ec", 256, &key, &why), OK);
	assert_int_equal(pki_leaf_new(root->cert.data,
			     store->issuers[store->active].private_key.data,
			     key, URI, 1, now - 60, now + HOUR, leaf, &why),
	    OK);
	secret_free_text(key);
	links[0] = '\0';
	for (size_t i = 0; i < root->intermediate_count; i++) {
		assert_true(size + root->intermediates[i].size < room);
		memcpy(links + size, root->intermediates[i].data,
		    root->intermediates[i].size + 1);
		size += root->intermediates[i].size;
	}
}

/* Does the active root's leaf verify for who trusts only cert? */
static bool
trusted_by(const struct castore *store, int64_t now, const char *cert)
{
	static char links[AUTHORITY_CHAIN_MAX];
	char *leaf = NULL;
	struct errmsg why;
	bool ok;

	sign(store, now, &leaf, links, sizeof(links));
	ok = pki_verify(leaf, links, cert, now, &why) == OK;
	free(leaf);
	return ok;
}

static char *
active_cert(struct node *node)
{
	struct castore *store = stored(node);
	char *cert = strdup(store->roots[store->active].cert.data);

	castore_free(store);
	return cert;
}

/* -- configuration alone -------------------------------------------------- */

static void
an_equal_put_writes_nothing_whatever_its_index(void **state)
{
	struct node *node = ready(NULL);
	struct castore *before = stored(node), *after;
	struct node_incoming answer;

	(void)state;
	answer = put_all(
	    node, (struct manager_put){.config = caconfig_default, .cas = 999});
	assert_int_equal(answer.status, OK);
	assert_int_equal(answer.http, 200);
	assert_int_equal(answer.revision, 0);
	after = stored(node);
	assert_int_equal(
	    after->config.modify_index, before->config.modify_index);
	castore_free(before);
	castore_free(after);
	fake_free(node);
}

static void
other_ttls_change_the_configuration_and_no_root(void **state)
{
	static const char config[] =
	    "{\"LeafCertTTL\":\"72h\",\"IntermediateCertTTL\":\"288h\"}";
	struct node *node = ready(NULL);
	struct castore *before = stored(node), *after;
	struct node_incoming answer;

	(void)state;
	answer = put_all(
	    node, (struct manager_put){.config = config, .force = true});
	assert_int_equal(answer.status, OK);
	after = stored(node);
	assert_int_equal(after->config.modify_index, answer.revision);
	assert_true(after->config.force);
	assert_string_equal(after->config.config.data,
	    "{\"IntermediateCertTTL\":\"288h\",\"LeafCertTTL\":\"72h\"}");
	assert_true(
	    span_equal(after->config.cluster_id, before->config.cluster_id));
	assert_int_equal(after->root_count, 1);
	assert_int_equal(after->roots_index, before->roots_index);
	assert_int_equal(
	    after->roots[0].modify_index, before->roots[0].modify_index);
	assert_true(after->issuers[0].private_key.size > 0);
	castore_free(before);
	castore_free(after);
	fake_free(node);
}

static void
a_stale_index_is_refused_before_any_key_is_made(void **state)
{
	static const char *const configs[] = {
	    "{\"LeafCertTTL\":\"2h\"}", "{\"PrivateKeyBits\":384}"};
	struct node *node = ready(NULL);
	struct castore *before = stored(node), *after;
	int seen;

	(void)state;
	seen = atomic_load(&node->proposals);
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct node_incoming answer = put_all(node,
		    (struct manager_put){.config = configs[i],
			.cas = before->config.modify_index + 1});

		assert_int_equal(answer.status, ERR_CONFLICT);
		assert_int_equal(answer.http, 500);
		assert_string_equal(
		    answer.why.text, "ModifyIndex did not match existing");
	}
	assert_int_equal(atomic_load(&node->proposals), seen);
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct node_incoming answer;

		after = stored(node);
		answer = put_all(node,
		    (struct manager_put){.config = configs[i],
			.cas = after->config.modify_index});
		assert_int_equal(answer.status, OK);
		castore_free(after);
	}
	castore_free(before);
	fake_free(node);
}

static void
refusals_have_the_words_of_the_contract_and_change_nothing(void **state)
{
	static const struct {
		struct manager_put put;
		unsigned http;
		const char *text;
	} cases[] = {
	    {{.provider = "", .config = "{}"}, 500,
		"could not initialize provider: unknown CA provider \"\""},
	    {{.provider = "vault", .config = "{}"}, 500,
		"could not initialize provider: unknown CA provider \"vault\""},
	    {{.config = "{}", .state = "{\"foo\":\"bar\"}"}, 400,
		"Provider State is read-only. It must be omitted or identical "
		"to the current value"},
	    {{.config = "{\"LeafCertTTL\":\"1m\"}"}, 500,
		"error configuring provider: leaf cert TTL must be greater or "
		"equal than 1h0m0s"},
	    {{.config = "{\"LeafCertTTL\":{}}"}, 500,
		"error configuring provider: error decoding config: error "
		"decoding 'LeafCertTTL': not a duration"},
	    {{.config = "{\"RootCert\":\"x\"}"}, 500,
		"error configuring provider: must provide a private key when "
		"providing a root cert"},
	    {{.config = "{\"PrivateKey\":\"SECRET\",\"RootCert\":\"x\"}"}, 500,
		"error configuring provider: RootCert refused: no PEM-encoded "
		"data found"},
	    {{.config = "{\"PrivateKey\":\"SECRET\"}"}, 500,
		"error generating CA root certificate: private key: no "
		"PEM-encoded data found"},
	};
	struct node *node = ready(NULL);
	struct castore *before = stored(node), *after;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct node_incoming answer = put_all(node, cases[i].put);

		assert_int_not_equal(answer.status, OK);
		assert_int_equal(answer.http, cases[i].http);
		assert_string_equal(answer.why.text, cases[i].text);
	}
	after = stored(node);
	assert_int_equal(
	    after->config.modify_index, before->config.modify_index);
	assert_int_equal(after->roots_index, before->roots_index);
	castore_free(before);
	castore_free(after);
	fake_free(node);
}

static void
provider_state_is_passed_through_and_read_only(void **state)
{
	struct node *node = ready(NULL);
	struct node_incoming answer;
	struct castore *store;

	(void)state;
	put_ok(node, "{\"test_state\":{\"foo\":\"bar\"}}");
	answer = put_all(node,
	    (struct manager_put){.config = "{\"LeafCertTTL\":\"2h\"}",
		.state = "{\"foo\":\"bar\"}"});
	assert_int_equal(answer.status, OK);
	answer = put_all(node,
	    (struct manager_put){.config = "{\"LeafCertTTL\":\"3h\"}",
		.state = "{\"foo\":\"baz\"}"});
	assert_int_equal(answer.http, 400);
	answer = put_all(
	    node, (struct manager_put){.config = "{\"LeafCertTTL\":\"3h\"}"});
	assert_int_equal(answer.status, OK);
	/* Another kind of key, and it is still there. */
	put_ok(node, "{\"PrivateKeyBits\":521}");
	store = stored(node);
	assert_string_equal(store->config.state.data, "{\"foo\":\"bar\"}");
	castore_free(store);
	fake_free(node);
}

/* -- rotation ------------------------------------------------------------- */

static void
a_new_key_rotates_and_both_roots_trust_its_leaves(void **state)
{
	static const char *const configs[] = {
	    "{\"PrivateKeyType\":\"rsa\",\"PrivateKeyBits\":\"2048\"}",
	    "{\"PrivateKeyBits\":224}", "{\"PrivateKeyBits\":384}",
	    "{\"PrivateKeyBits\":521}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct node *node = ready(NULL);
		struct castore *before = stored(node), *after;
		const struct ca_root *old, *new;
		struct pki_facts link, first;
		struct errmsg why;

		put_ok(node, configs[i]);
		after = stored(node);
		assert_int_equal(after->root_count, 2);
		new = &after->roots[after->active];
		old = &after->roots[1 - after->active];
		assert_true(span_equal(old->id, before->roots[0].id));
		assert_true(span_equal(old->cert, before->roots[0].cert));
		assert_int_equal(old->intermediate_count, 0);
		assert_false(old->active);
		assert_int_equal(old->rotated_out, FAKE_NOW);
		assert_int_equal(
		    old->create_index, before->roots[0].create_index);
		assert_int_equal(new->rotated_out, 0);
		assert_int_equal(new->intermediate_count, 1);

		assert_int_equal(
		    pki_facts(new->intermediates[0].data, &link, &why), OK);
		assert_int_equal(pki_facts(old->cert.data, &first, &why), OK);
		assert_string_equal(
		    link.authority_key_id, first.subject_key_id);
		assert_string_equal(
		    link.subject_key_id, new->signing_key_id.data);
		assert_true(link.serial > new->serial);
		assert_int_equal(link.not_before, FAKE_NOW - 60);
		assert_int_equal(link.not_after, FAKE_NOW + 7 * DAY);
		assert_true(trusted_by(after, FAKE_NOW, old->cert.data));
		assert_true(trusted_by(after, FAKE_NOW, new->cert.data));
		castore_free(before);
		castore_free(after);
		fake_free(node);
	}
}

static void
hazard_12_who_holds_only_the_oldest_root_trusts_the_newest(void **state)
{
	static const char *const configs[] = {"{\"PrivateKeyBits\":384}",
	    "{\"PrivateKeyBits\":521}", "{\"PrivateKeyBits\":256}",
	    "{\"PrivateKeyBits\":224}"};
	char *certs[ARRAY_SIZE(configs)];
	struct node *node = ready(NULL);
	struct castore *store;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		certs[i] = active_cert(node);
		/* Beyond the life of a link made five days before. */
		atomic_fetch_add(&node->now, 5 * DAY);
		put_ok(node, configs[i]);
		store = stored(node);
		assert_int_equal(store->root_count, i + 2);
		assert_int_equal(
		    store->roots[store->active].intermediate_count, i + 1);
		for (size_t j = 0; j <= i; j++) {
			assert_true(trusted_by(
			    store, atomic_load(&node->now), certs[j]));
			assert_true(trusted_by(store,
			    atomic_load(&node->now) + 6 * DAY, certs[j]));
		}
		castore_free(store);
	}
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
		free(certs[i]);
	fake_free(node);
}

static void
hazard_12_a_link_lives_as_long_as_two_leaves(void **state)
{
	struct node *node = ready(NULL);
	struct castore *store;
	struct pki_facts link;
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    crosslinks_end(0, 72 * HOUR * DURATION_SECOND), 7 * DAY);
	assert_int_equal(
	    crosslinks_end(0, 73 * HOUR * DURATION_SECOND), 7 * DAY + 2 * HOUR);
	put_ok(node, "{\"PrivateKeyBits\":384,\"LeafCertTTL\":\"240h\"}");
	store = stored(node);
	assert_int_equal(
	    pki_facts(
		store->roots[store->active].intermediates[0].data, &link, &why),
	    OK);
	assert_int_equal(link.not_after, FAKE_NOW + 21 * DAY);
	castore_free(store);
	fake_free(node);
}

static void
a_ninth_link_needs_force(void **state)
{
	struct node *node = ready(NULL);
	struct node_incoming answer;
	struct castore *store;
	static const char *const turns[] = {
	    "{\"PrivateKeyBits\":384}", "{\"PrivateKeyBits\":256}"};

	(void)state;
	for (int i = 0; i < CROSSLINKS_MAX; i++)
		put_ok(node, turns[i % 2]);
	answer = put(node, turns[0]);
	assert_int_equal(answer.status, ERR_LIMIT);
	assert_int_equal(answer.http, 500);
	assert_non_null(strstr(answer.why.text, "more than 8 links"));
	answer = put_all(
	    node, (struct manager_put){.config = turns[0], .force = true});
	assert_int_equal(answer.status, OK);
	store = stored(node);
	assert_int_equal(store->root_count, CROSSLINKS_MAX + 2);
	assert_int_equal(store->roots[store->active].intermediate_count, 0);
	castore_free(store);
	fake_free(node);
}

static void
force_leaves_out_the_link(void **state)
{
	struct node *node = ready(NULL);
	struct node_incoming answer;
	struct castore *store;
	char *old = active_cert(node);

	(void)state;
	answer = put_all(node,
	    (struct manager_put){
		.config = "{\"PrivateKeyBits\":384}", .force = true});
	assert_int_equal(answer.status, OK);
	store = stored(node);
	assert_int_equal(store->root_count, 2);
	assert_int_equal(store->roots[store->active].intermediate_count, 0);
	assert_false(trusted_by(store, FAKE_NOW, old));
	castore_free(store);
	free(old);
	fake_free(node);
}

static void
a_provider_that_cannot_cross_sign_needs_force(void **state)
{
	struct node *node = ready("{\"DisableCrossSigning\":true,"
				  "\"IntermediateCertTTL\":\"8760h\"}");
	struct node_incoming answer;
	struct castore *store;

	(void)state;
	answer = put(node, "{\"PrivateKeyBits\":384}");
	assert_int_not_equal(answer.status, OK);
	assert_int_equal(answer.http, 500);
	assert_string_equal(answer.why.text, NO_CROSS);
	store = stored(node);
	assert_int_equal(store->root_count, 1);
	castore_free(store);
	answer = put_all(node,
	    (struct manager_put){
		.config = "{\"PrivateKeyBits\":384}", .force = true});
	assert_int_equal(answer.status, OK);
	store = stored(node);
	assert_int_equal(store->root_count, 2);
	castore_free(store);
	fake_free(node);
}

static void
an_expired_root_is_replaced_without_force(void **state)
{
	struct node *node = ready(NULL);
	struct castore *store;
	struct errmsg why;

	(void)state;
	atomic_fetch_add(&node->now, 4000 * DAY);
	/* The next leader takes it up all the same. */
	fake_on_loop(node, fake_lose);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);
	put_ok(node, "{\"PrivateKeyBits\":384}");
	store = stored(node);
	assert_int_equal(store->root_count, 2);
	assert_int_equal(store->roots[store->active].intermediate_count, 0);
	assert_true(trusted_by(store, atomic_load(&node->now),
	    store->roots[store->active].cert.data));
	castore_free(store);
	fake_free(node);
}

/* -- supplied keys and roots ---------------------------------------------- */

static void
a_supplied_root_is_served_as_it_is(void **state)
{
	struct node *node = ready(NULL);
	char *key, *cert, *config, *old = active_cert(node);
	struct castore *store;

	(void)state;
	make_pair(CLUSTER, FAKE_NOW - DAY, 1000 * DAY, &key, &cert);
	cert[strlen(cert) - 1] = '\0'; /* the final newline is added */
	config = config_with(key, cert);
	put_ok(node, config);
	store = stored(node);
	assert_int_equal(store->root_count, 2);
	assert_memory_equal(
	    store->roots[store->active].cert.data, cert, strlen(cert));
	assert_int_equal(
	    store->roots[store->active].cert.size, strlen(cert) + 1);
	assert_true(trusted_by(store, FAKE_NOW, old));
	castore_free(store);

	/* Back to blank: a brand-new key. */
	put_ok(node, caconfig_default);
	store = stored(node);
	assert_int_equal(store->root_count, 3);
	assert_string_not_equal(store->roots[store->active].cert.data, old);
	assert_int_equal(store->roots[store->active].intermediate_count, 2);
	assert_true(trusted_by(store, FAKE_NOW, old));
	castore_free(store);
	free(old);
	free(key);
	free(cert);
	free(config);
	fake_free(node);
}

static void
a_supplied_root_that_would_break_trust_is_refused(void **state)
{
	struct node *node = ready(NULL);
	char *key, *cert, *other_key, *other_cert, *configs[3];
	static const char *const reasons[] = {
	    "the private key does not belong to it",
	    "it names another trust domain, ours is " URI, "it has expired"};
	struct castore *store;

	(void)state;
	make_pair("99999999-2222-3333-4444-555555555555", FAKE_NOW - DAY,
	    100 * DAY, &key, &cert);
	make_pair(CLUSTER, FAKE_NOW - 9 * DAY, DAY, &other_key, &other_cert);
	configs[0] = config_with(other_key, cert);
	configs[1] = config_with(key, cert);
	configs[2] = config_with(other_key, other_cert);
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct node_incoming answer = put(node, configs[i]);
		char text[ERRMSG_SIZE];

		assert_int_equal(answer.http, 500);
		snprintf(text, sizeof(text),
		    "error configuring provider: RootCert refused: %s",
		    reasons[i]);
		assert_string_equal(answer.why.text, text);
		free(configs[i]);
	}
	store = stored(node);
	assert_int_equal(store->root_count, 1);
	castore_free(store);
	free(key);
	free(cert);
	free(other_key);
	free(other_cert);
	fake_free(node);
}

static void
naming_the_active_key_and_root_outright_rotates_nothing(void **state)
{
	struct node *node = ready(NULL);
	struct castore *before = stored(node), *after;
	char *config = config_with(
	    before->issuers[0].private_key.data, before->roots[0].cert.data);
	struct errmsg why;

	(void)state;
	put_ok(node, config);
	after = stored(node);
	assert_int_equal(after->root_count, 1);
	assert_string_not_equal(after->provider_id, before->provider_id);
	assert_true(after->issuers[0].private_key.size > 0);
	castore_free(after);
	fake_on_loop(node, fake_lose);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);
	put_ok(node, "{\"PrivateKeyBits\":384}");
	after = stored(node);
	assert_int_equal(after->root_count, 2);
	assert_true(trusted_by(after, FAKE_NOW, before->roots[0].cert.data));
	castore_free(before);
	castore_free(after);
	free(config);
	fake_free(node);
}

static void
a_return_to_an_old_root_keeps_everybodys_trust(void **state)
{
	struct node *node = ready(NULL);
	char *key, *cert, *config, *first = active_cert(node), *third;
	struct castore *store;

	(void)state;
	make_pair(CLUSTER, FAKE_NOW - DAY, 1000 * DAY, &key, &cert);
	config = config_with(key, cert);
	put_ok(node, config);                     /* first, A */
	put_ok(node, "{\"PrivateKeyBits\":384}"); /* first, A, third */
	third = active_cert(node);
	put_ok(node, config); /* A again */
	store = stored(node);
	assert_int_equal(store->root_count, 3);
	assert_string_equal(store->roots[store->active].cert.data, cert);
	assert_int_equal(store->roots[store->active].rotated_out, 0);
	assert_true(trusted_by(store, FAKE_NOW, first));
	assert_true(trusted_by(store, FAKE_NOW, cert));
	assert_true(trusted_by(store, FAKE_NOW, third));
	castore_free(store);
	free(first);
	free(third);
	free(key);
	free(cert);
	free(config);
	fake_free(node);
}

static void
a_new_leader_goes_on_with_the_same_roots(void **state)
{
	struct node *node = ready(NULL);
	struct castore *before, *after;
	struct errmsg why;

	(void)state;
	put_ok(node,
	    "{\"PrivateKeyBits\":384,\"IntermediateCertTTL\":"
	    "\"8760h\"}");
	before = stored(node);
	fake_on_loop(node, fake_lose);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);
	after = stored(node);
	assert_int_equal(after->roots_index, before->roots_index);
	assert_string_equal(after->roots[after->active].intermediates[0].data,
	    before->roots[before->active].intermediates[0].data);
	castore_free(before);
	castore_free(after);
	fake_free(node);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_equal_put_writes_nothing_whatever_its_index),
	    cmocka_unit_test(other_ttls_change_the_configuration_and_no_root),
	    cmocka_unit_test(a_stale_index_is_refused_before_any_key_is_made),
	    cmocka_unit_test(
		refusals_have_the_words_of_the_contract_and_change_nothing),
	    cmocka_unit_test(provider_state_is_passed_through_and_read_only),
	    cmocka_unit_test(a_new_key_rotates_and_both_roots_trust_its_leaves),
	    cmocka_unit_test(
		hazard_12_who_holds_only_the_oldest_root_trusts_the_newest),
	    cmocka_unit_test(hazard_12_a_link_lives_as_long_as_two_leaves),
	    cmocka_unit_test(a_ninth_link_needs_force),
	    cmocka_unit_test(force_leaves_out_the_link),
	    cmocka_unit_test(a_provider_that_cannot_cross_sign_needs_force),
	    cmocka_unit_test(an_expired_root_is_replaced_without_force),
	    cmocka_unit_test(a_supplied_root_is_served_as_it_is),
	    cmocka_unit_test(a_supplied_root_that_would_break_trust_is_refused),
	    cmocka_unit_test(
		naming_the_active_key_and_root_outright_rotates_nothing),
	    cmocka_unit_test(a_return_to_an_old_root_keeps_everybodys_trust),
	    cmocka_unit_test(a_new_leader_goes_on_with_the_same_roots),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
