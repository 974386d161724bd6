/*
 * Goal: the CA comes up behind a leadership and never in its way: first root,
 * adoption by the next leader, faults that are told and repaired, tasks that a
 * lost leadership leaves without effect.
 * Method: the manager on a fake node with the real state machine; roles, clock
 * and proposals are in the test's hand.
 */
#include "server/ca/manager.h"

#include "server/ca/castore.h"
#include "server/ca/expiry.h"
#include "server/ca/pki.h"
#include "server/ca/prune.h"
#include "tests/unit/fake_node.h"

#define DISABLED "Connect must be enabled in order to use this endpoint"
#define CLUSTER  "ABCDEF01-2222-3333-4444-555555555555"

static struct castore *
stored(struct node *node)
{
	struct castore *store = NULL;
	struct errmsg why;

	assert_int_equal(castore_load(node->db, &store, &why), OK);
	return store;
}

static uint64_t
revision_of(struct node *node)
{
	struct txn *txn = NULL;
	struct errmsg why;
	uint64_t revision;

	assert_int_equal(txn_read(node->db, &txn, &why), OK);
	revision = txn_meta(txn)->revision;
	txn_abort(txn);
	return revision;
}

static void
put(struct node *node, const char *config, struct node_incoming *answer)
{
	const struct manager_put put = {.provider = "consul",
	    .config = config,
	    .config_size = strlen(config),
	    .state = ""};

	fake_put_begin(node, &put, answer);
	fake_put_end(answer);
}

static void
the_first_leader_makes_root_key_and_configuration(void **state)
{
	struct node *node = fake_new();
	struct castore *store;
	struct pki_facts facts;
	struct errmsg why;

	(void)state;
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);
	assert_string_equal(why.text, "");

	store = stored(node);
	assert_true(store->has_config);
	assert_string_equal(store->config.provider.data, "consul");
	assert_string_equal(store->config.config.data, caconfig_default);
	assert_int_equal(store->config.cluster_id.size, 36);
	assert_int_equal(store->root_count, 1);
	assert_int_equal(store->active, 0);
	assert_string_equal(
	    store->roots[0].name.data, "Consul CA Primary Cert");
	assert_true(span_equal(
	    store->roots[0].external_trust_domain, store->config.cluster_id));
	assert_int_equal(store->roots[0].intermediate_count, 0);
	assert_int_equal(store->roots[0].not_before, FAKE_NOW);
	assert_int_equal(
	    store->roots[0].not_after, FAKE_NOW + 87600 * INT64_C(3600));
	assert_true(store->issuers[0].private_key.size > 0);
	assert_int_equal(
	    pki_facts(store->roots[0].cert.data, &facts, &why), OK);
	assert_string_equal(store->roots[0].id.data, facts.id);
	assert_string_equal(
	    store->roots[0].signing_key_id.data, facts.subject_key_id);
	assert_int_equal(store->roots[0].serial, facts.serial);
	castore_free(store);
	fake_free(node);
}

static void
the_next_leader_adopts_and_writes_nothing(void **state)
{
	struct node *node = fake_new();
	struct errmsg why;
	uint64_t before;

	(void)state;
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);
	before = revision_of(node);
	for (int i = 0; i < 3; i++) {
		fake_on_loop(node, fake_lose);
		fake_await(node, "UNINITIALIZED", &why);
		/* The clocks of another leader, even an hour behind. */
		atomic_store(&node->now, FAKE_NOW - 3600);
		fake_on_loop(node, fake_lead);
		fake_await(node, "INITIALIZED", &why);
	}
	assert_int_equal(revision_of(node), before);
	fake_free(node);
}

static void
a_configured_cluster_id_is_kept_in_lower_case(void **state)
{
	struct node *node = fake_new();
	struct castore *store;
	struct pki_facts facts;
	struct errmsg why;

	(void)state;
	node->config.cluster_id = strdup(CLUSTER);
	node->config.ca_config =
	    strdup("{\"PrivateKeyBits\":384,\"LeafCertTTL\":\"1h\"}");
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);
	store = stored(node);
	assert_string_equal(store->config.cluster_id.data,
	    "abcdef01-2222-3333-4444-555555555555");
	/* Completed, and sorted as the reference prints maps. */
	assert_string_equal(store->config.config.data,
	    "{\"IntermediateCertTTL\":\"8760h0m0s\",\"LeafCertTTL\":\"1h\","
	    "\"PrivateKeyBits\":384}");
	assert_int_equal(
	    pki_facts(store->roots[0].cert.data, &facts, &why), OK);
	assert_string_equal(
	    facts.uri, "spiffe://abcdef01-2222-3333-4444-555555555555.consul");
	assert_int_equal(facts.key_bits, 384);
	castore_free(store);
	fake_free(node);
}

static void
garbage_in_the_node_configuration_is_told_and_a_put_repairs(void **state)
{
	struct node *node = fake_new();
	struct node_incoming answer;
	struct castore *store;
	struct errmsg why;

	(void)state;
	node->config.ca_config =
	    strdup("{\"IntermediateCertTTL\":\"8760h\","
		   "\"PrivateKey\":\"SECRET\",\"RootCert\":\"garbage\"}");
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	do
		fake_await(node, "UNINITIALIZED", &why);
	while (why.text[0] == '\0');
	assert_string_equal(why.text,
	    "error configuring provider: RootCert refused: no PEM-encoded data "
	    "found");
	store = stored(node);
	assert_true(store->has_config);
	assert_int_equal(store->root_count, 0);
	castore_free(store);

	put(node, "{\"LeafCertTTL\":\"80h\",\"PrivateKeyBits\":3}", &answer);
	assert_int_equal(answer.http, 500);
	put(node, "{\"LeafCertTTL\":\"80h\"}", &answer);
	assert_int_equal(answer.status, OK);
	assert_int_equal(answer.http, 200);
	assert_int_equal(answer.revision, revision_of(node));
	fake_await(node, "INITIALIZED", &why);
	assert_string_equal(why.text, "");
	store = stored(node);
	assert_int_equal(store->root_count, 1);
	assert_string_equal(
	    store->config.config.data, "{\"LeafCertTTL\":\"80h\"}");
	castore_free(store);
	fake_free(node);
}

static void
an_unknown_provider_is_told(void **state)
{
	struct node *node = fake_new();
	struct errmsg why;

	(void)state;
	free(node->config.ca_provider);
	node->config.ca_provider = strdup("vault");
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	do
		fake_await(node, "UNINITIALIZED", &why);
	while (why.text[0] == '\0');
	assert_string_equal(why.text,
	    "could not initialize provider: unknown CA provider \"vault\"");
	fake_free(node);
}

static void
without_a_sure_clock_no_root_is_made(void **state)
{
	const struct timespec pause = {.tv_nsec = 200000000};
	struct node *node = fake_new();
	struct castore *store;
	struct errmsg why;

	(void)state;
	atomic_store(&node->sure, false);
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	nanosleep(&pause, NULL);
	store = stored(node);
	assert_int_equal(store->root_count, 0);
	castore_free(store);
	atomic_store(&node->sure, true);
	fake_await(node, "INITIALIZED", &why);
	fake_free(node);
}

static void
a_disabled_ca_answers_so_and_does_nothing(void **state)
{
	struct node *node = fake_new();
	struct node_incoming answer;

	(void)state;
	node->config.connect_enabled = false;
	fake_manage(node);
	assert_null(node->role);
	put(node, "{}", &answer);
	assert_int_equal(answer.status, ERR_BADSTATE);
	assert_int_equal(answer.http, 500);
	assert_string_equal(answer.why.text, DISABLED);
	fake_free(node);
}

static void
who_does_not_lead_says_so(void **state)
{
	struct node *node = fake_new();
	struct node_incoming answer;

	(void)state;
	fake_manage(node);
	put(node, "{}", &answer);
	assert_int_equal(answer.status, ERR_NOLEADER);
	assert_int_equal(answer.http, 0);
	fake_free(node);
}

/* Let the loop turn once. */
static void
do_nothing(struct node *node)
{
	(void)node;
}

/* Is the state such that nothing may begin now? */
static void
refused_in(struct node *node, const char *phase)
{
	struct node_incoming answer;
	char text[64];

	put(node, "{\"LeafCertTTL\":\"2h\"}", &answer);
	assert_int_equal(answer.status, ERR_BADSTATE);
	assert_int_equal(answer.http, 500);
	snprintf(text, sizeof(text), "CA is already in state \"%s\"", phase);
	assert_string_equal(answer.why.text, text);
}

static void
one_operation_at_a_time_holds_the_ca(void **state)
{
	const struct manager_put first = {.provider = "consul",
	    .config = "{\"PrivateKeyBits\":384}",
	    .config_size = 22,
	    .state = ""};
	struct node *node = fake_new();
	struct node_incoming answer;
	struct errmsg why;

	(void)state;
	atomic_store(&node->hold, true);
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZING", &why);
	refused_in(node, "INITIALIZING");
	fake_on_loop(node, fake_release);
	fake_await(node, "INITIALIZED", &why);

	atomic_store(&node->hold, true);
	fake_put_begin(node, &first, &answer);
	fake_await(node, "RECONFIGURING", &why);
	refused_in(node, "RECONFIGURING");
	while (atomic_load(&node->held) == NULL)
		fake_on_loop(node, do_nothing);
	fake_on_loop(node, fake_release);
	fake_put_end(&answer);
	assert_int_equal(answer.status, OK);
	fake_await(node, "INITIALIZED", &why);
	fake_free(node);
}

/* Bootstrap cut at every proposal, then led again: always one root. */
static void
bootstrap_goes_on_where_a_lost_leadership_left_it(void **state)
{
	(void)state;
	for (int cut = 1; cut <= 3; cut++) {
		for (int applied = 0; applied <= 1; applied++) {
			struct node *node = fake_new();
			struct castore *store;
			struct errmsg why;

			atomic_store(&node->fail_at, cut);
			atomic_store(&node->fail_with, ERR_UNKNOWN);
			atomic_store(&node->fail_applied, applied == 1);
			fake_manage(node);
			fake_on_loop(node, fake_lead);
			do
				fake_await(node, "UNINITIALIZED", &why);
			while (why.text[0] == '\0');
			fake_on_loop(node, fake_lose);
			fake_on_loop(node, fake_lead);
			fake_await(node, "INITIALIZED", &why);
			store = stored(node);
			assert_int_equal(store->root_count, 1);
			castore_free(store);
			fake_free(node);
		}
	}
}

static void
a_change_under_way_when_leadership_is_lost_changes_nothing(void **state)
{
	const struct manager_put rotation = {.provider = "consul",
	    .config = "{\"PrivateKeyBits\":384}",
	    .config_size = 22,
	    .state = ""};
	struct node *node = fake_new();
	struct node_incoming answer;
	struct castore *store;
	struct errmsg why;

	(void)state;
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);

	/* Held at its first commit, the serial. */
	atomic_store(&node->hold, true);
	fake_put_begin(node, &rotation, &answer);
	while (atomic_load(&node->held) == NULL)
		fake_on_loop(node, do_nothing);
	fake_on_loop(node, fake_lose);
	fake_on_loop(node, fake_lead); /* the next one begins at once */
	fake_on_loop(node, fake_release);
	fake_put_end(&answer);
	assert_int_equal(answer.status, ERR_NOLEADER);
	assert_int_equal(answer.http, 0);
	fake_await(node, "INITIALIZED", &why);
	store = stored(node);
	assert_int_equal(store->root_count, 1);
	assert_string_equal(store->config.config.data, caconfig_default);
	castore_free(store);
	fake_free(node);
}

static void
an_unknown_outcome_is_passed_on_and_the_stored_one_adopted(void **state)
{
	(void)state;
	for (int applied = 0; applied <= 1; applied++) {
		struct node *node = fake_new();
		struct node_incoming answer;
		struct castore *store;
		struct errmsg why;

		fake_manage(node);
		fake_on_loop(node, fake_lead);
		fake_await(node, "INITIALIZED", &why);
		atomic_store(&node->fail_at, 3); /* serial, serial, roots */
		atomic_store(&node->fail_with, ERR_UNKNOWN);
		atomic_store(&node->fail_applied, applied == 1);
		put(node, "{\"PrivateKeyBits\":384}", &answer);
		assert_int_equal(answer.status, ERR_UNKNOWN);
		assert_int_equal(answer.http, 0);
		fake_await(node, "INITIALIZED", &why);
		store = stored(node);
		assert_int_equal(store->root_count, applied == 1 ? 2 : 1);
		castore_free(store);
		put(node, "{\"LeafCertTTL\":\"2h\",\"PrivateKeyBits\":384}",
		    &answer);
		assert_int_equal(answer.status, OK);
		fake_free(node);
	}
}

static struct overdue overdue; /* large */
static struct prune *pruning;
static enum err prune_rc;
static sem_t pruned;

static void
on_pruned(void *arg, struct prune *prune)
{
	(void)arg;
	assert_ptr_equal(prune, pruning);
	sem_post(&pruned);
}

static void
begin_prune(struct node *node)
{
	static struct ca_env env;
	struct errmsg why;

	env = (struct ca_env){&node->config, node, node->loop, node->worker};
	prune_rc = prune_start(&env, &overdue, on_pruned, NULL, &pruning, &why);
}

static void
a_pruned_root_takes_its_key_with_it(void **state)
{
	struct node *node = fake_new();
	struct node_incoming answer;
	struct castore *store;
	struct ca_provider_row row;
	struct txn *txn = NULL;
	struct errmsg why;
	char *id;

	(void)state;
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZED", &why);
	store = stored(node);
	id = strdup(store->roots[0].id.data);
	castore_free(store);
	put(node, "{\"PrivateKeyBits\":384}", &answer);
	assert_int_equal(answer.status, OK);

	/* The settings do not say how long leaves live: 72 hours. */
	atomic_fetch_add(&node->now, 144 * 3600);
	fake_on_loop(node, begin_prune);
	assert_int_equal(prune_rc, ERR_NOTFOUND);
	assert_int_equal(overdue.count, 0);
	atomic_fetch_add(&node->now, 1);
	fake_on_loop(node, begin_prune);
	assert_int_equal(prune_rc, ERR_NOTFOUND);
	assert_int_equal(overdue.count, 1);
	atomic_store(&node->sure, false);
	fake_on_loop(node, begin_prune);
	assert_int_equal(prune_rc, ERR_BUSY);
	atomic_store(&node->sure, true);

	overdue.marks[0].since_ms -= OVERDUE_PATIENCE_MS;
	sem_init(&pruned, 0, 0);
	fake_on_loop(node, begin_prune);
	assert_int_equal(prune_rc, OK);
	fake_wait(&pruned);
	sem_destroy(&pruned);
	store = stored(node);
	assert_int_equal(store->root_count, 1);
	assert_int_equal(store->active, 0);
	assert_string_not_equal(store->roots[0].id.data, id);
	assert_true(store->issuers[0].private_key.size > 0);
	castore_free(store);
	assert_int_equal(txn_read(node->db, &txn, &why), OK);
	assert_int_equal(
	    authority_provider(txn, span_of(id), &row, &why), ERR_NOTFOUND);
	txn_abort(txn);
	free(id);
	fake_free(node);
}

static void
the_log_warns_of_a_near_end(void **state)
{
	const int64_t day = 86400;

	(void)state;
	assert_false(expiry_is_near(0, 3650 * day, 3622 * day));
	assert_true(expiry_is_near(0, 3650 * day, 3622 * day + 1));
	assert_false(expiry_is_near(0, 10 * day, 6 * day));
	assert_true(expiry_is_near(0, 10 * day, 6 * day + 1));
	assert_true(expiry_is_near(0, 10 * day, 11 * day));
}

static void
stopping_waits_for_what_is_under_way(void **state)
{
	struct node *node = fake_new();
	struct errmsg why;

	(void)state;
	atomic_store(&node->hold, true);
	fake_manage(node);
	fake_on_loop(node, fake_lead);
	fake_await(node, "INITIALIZING", &why);
	fake_free(node); /* releases it while it stops */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_leader_makes_root_key_and_configuration),
	    cmocka_unit_test(the_next_leader_adopts_and_writes_nothing),
	    cmocka_unit_test(a_configured_cluster_id_is_kept_in_lower_case),
	    cmocka_unit_test(
		garbage_in_the_node_configuration_is_told_and_a_put_repairs),
	    cmocka_unit_test(an_unknown_provider_is_told),
	    cmocka_unit_test(without_a_sure_clock_no_root_is_made),
	    cmocka_unit_test(a_disabled_ca_answers_so_and_does_nothing),
	    cmocka_unit_test(who_does_not_lead_says_so),
	    cmocka_unit_test(one_operation_at_a_time_holds_the_ca),
	    cmocka_unit_test(bootstrap_goes_on_where_a_lost_leadership_left_it),
	    cmocka_unit_test(
		a_change_under_way_when_leadership_is_lost_changes_nothing),
	    cmocka_unit_test(
		an_unknown_outcome_is_passed_on_and_the_stored_one_adopted),
	    cmocka_unit_test(a_pruned_root_takes_its_key_with_it),
	    cmocka_unit_test(the_log_warns_of_a_near_end),
	    cmocka_unit_test(stopping_waits_for_what_is_under_way),
	};

	return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
