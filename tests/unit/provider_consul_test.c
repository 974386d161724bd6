/*
 * Goal: the built-in provider makes roots, links and leaves that verify, works
 * off the loop, reports every failure by its callback and keeps keys to itself.
 * Method: a loop and a worker of its own; each call is begun on the loop and
 * its outcome waited for.
 */
#include <semaphore.h>

#include "server/ca/pki.h"
#include "server/ca/provider.h"
#include "server/duration.h"
#include "server/loop.h"
#include "server/worker.h"
#include "storage/secret.h"
#include "tests/support/test.h"

#define CLUSTER "11111111-2222-3333-4444-555555555555"
#define NOW     INT64_C(1790000000)
#define DAY     INT64_C(86400)

/* sha256sum of ",,ec,256,true" and "k,c,ec,256,true". */
#define ID_OF_DEFAULTS                                                         \
	"fb:50:9b:45:1a:65:15:c1:68:57:73:5f:da:cd:b8:0d:"                     \
	"0f:e2:26:eb:68:66:43:11:85:9d:67:a9:7a:56:9c:b9"
#define ID_OF_PAIR                                                             \
	"fa:d5:45:99:90:c7:1a:5b:0a:e8:6f:d6:59:86:5b:c2:"                     \
	"fb:e5:18:e1:0c:61:c0:e7:56:68:72:00:a9:16:c5:1c"

static struct loop *loop;
static struct worker *worker;

static int
start(void **state)
{
	struct errmsg why;

	(void)state;
	assert_int_equal(loop_new("test", &loop, &why), OK);
	assert_int_equal(worker_new(1, 4, &worker, &why), OK);
	assert_int_equal(loop_start(loop, &why), OK);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	worker_free(worker);
	loop_stop(loop);
	loop_join(loop);
	loop_free(loop);
	return 0;
}

enum verb { GENERATE, CROSS_SIGN, TEST_LEAF };

/* One call and its outcome, copied. */
struct call {
	struct loop_task task;
	enum verb verb;
	struct provider *provider;
	const char *subject;
	bool returned, on_loop;
	enum err status;
	struct errmsg why;
	char *cert, *key;
	sem_t done;
};

static void
on_result(void *arg, const struct provider_result *result)
{
	struct call *call = arg;

	assert_true(call->returned); /* never from inside the call */
	call->on_loop = loop_here(loop);
	call->status = result->status;
	call->why = result->why;
	if (result->cert != NULL)
		call->cert = strdup(result->cert);
	if (result->private_key != NULL)
		call->key = strdup(result->private_key);
	sem_post(&call->done);
}

static void
begin(struct loop_task *task)
{
	struct call *call = CONTAINER_OF(task, struct call, task);
	struct provider *provider = call->provider;

	switch (call->verb) {
	case GENERATE:
		provider->ops->generate_root(provider, 7, NOW, on_result, call);
		break;
	case CROSS_SIGN:
		provider->ops->cross_sign(provider, call->subject, 8, NOW - 60,
		    NOW + 7 * DAY, on_result, call);
		break;
	case TEST_LEAF:
		provider->ops->test_leaf(provider, 9, NOW, on_result, call);
		break;
	}
	call->returned = true;
}

static void
run(struct call *call)
{
	call->task.run = begin;
	sem_init(&call->done, 0, 0);
	loop_post(loop, &call->task);
	while (sem_wait(&call->done) != 0)
		continue;
	sem_destroy(&call->done);
	assert_true(call->on_loop);
}

static void
call_free(struct call *call)
{
	free(call->cert);
	secret_free_text(call->key);
}

static const struct caconfig defaults = {
    .leaf_ttl = 72 * 3600 * DURATION_SECOND,
    .intermediate_ttl = 8760 * 3600 * DURATION_SECOND,
    .root_ttl = 87600 * 3600 * DURATION_SECOND,
    .key_type = "ec",
    .key_bits = 256};

static struct provider *
provider_of(const struct caconfig *config, const char *key, const char *root)
{
	struct provider *provider = NULL;
	struct errmsg why;

	assert_int_equal(provider_consul_new(worker, loop, config, CLUSTER, key,
			     root, &provider, &why),
	    OK);
	return provider;
}

static void
a_generated_root_signs_leaves_that_verify(void **state)
{
	struct provider *provider = provider_of(&defaults, NULL, NULL);
	struct call root = {.verb = GENERATE, .provider = provider};
	struct call leaf = {.verb = TEST_LEAF, .provider = provider};
	struct pki_facts facts;
	struct errmsg why;

	(void)state;
	assert_null(provider->ops->root(provider));
	run(&root);
	assert_int_equal(root.status, OK);
	assert_non_null(root.key);
	assert_string_equal(provider->ops->root(provider), root.cert);
	assert_int_equal(pki_facts(root.cert, &facts, &why), OK);
	assert_int_equal(facts.serial, 7);
	assert_int_equal(facts.not_before, NOW);
	assert_int_equal(facts.not_after, NOW + 87600 * INT64_C(3600));

	run(&leaf);
	assert_int_equal(leaf.status, OK);
	assert_null(leaf.key);
	assert_int_equal(pki_verify(leaf.cert, "", root.cert, NOW, &why), OK);
	assert_int_equal(pki_facts(leaf.cert, &facts, &why), OK);
	assert_int_equal(facts.not_before, NOW - 60);
	assert_int_equal(facts.not_after, NOW - 60 + 3 * DAY);
	call_free(&root);
	call_free(&leaf);
	provider->ops->free(provider);
}

static void
two_generated_roots_differ_in_name_and_key(void **state)
{
	struct pki_facts facts[2];
	struct errmsg why;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct provider *provider = provider_of(&defaults, NULL, NULL);
		struct call root = {.verb = GENERATE, .provider = provider};

		run(&root);
		assert_int_equal(root.status, OK);
		assert_int_equal(pki_facts(root.cert, &facts[i], &why), OK);
		assert_int_equal(strlen(facts[i].common_name), 38);
		call_free(&root);
		provider->ops->free(provider);
	}
	assert_string_not_equal(facts[0].common_name, facts[1].common_name);
	assert_string_not_equal(
	    facts[0].subject_key_id, facts[1].subject_key_id);
}

static void
a_supplied_key_is_used_and_a_bad_one_is_not_echoed(void **state)
{
	struct caconfig config = defaults;
	struct provider *provider;
	struct call good = {.verb = GENERATE}, bad = {.verb = GENERATE};
	struct pki_facts facts;
	struct errmsg why;

	(void)state;
	assert_int_equal(pki_key_new("ec", 384, &config.private_key, &why), OK);
	provider = provider_of(&config, NULL, NULL);
	good.provider = provider;
	run(&good);
	assert_int_equal(good.status, OK);
	assert_string_equal(good.key, config.private_key);
	assert_int_equal(pki_facts(good.cert, &facts, &why), OK);
	assert_int_equal(facts.key_bits, 384);
	provider->ops->free(provider);
	caconfig_free(&config);

	config = defaults;
	config.private_key = strdup("-----BEGIN EC PRIVATE KEY-----\nSECRET\n");
	provider = provider_of(&config, NULL, NULL);
	bad.provider = provider;
	run(&bad);
	assert_int_equal(bad.status, ERR_INVALID);
	assert_null(bad.cert);
	assert_null(strstr(bad.why.text, "SECRET"));
	assert_null(provider->ops->root(provider));
	provider->ops->free(provider);
	caconfig_free(&config);
	call_free(&good);
	call_free(&bad);
}

static void
an_old_provider_links_a_new_root(void **state)
{
	struct caconfig config = defaults;
	struct provider *old = provider_of(&defaults, NULL, NULL);
	struct provider *new, *again;
	struct call first = {.verb = GENERATE, .provider = old};
	struct call second = {.verb = GENERATE}, link = {.verb = CROSS_SIGN};
	struct call leaf = {.verb = TEST_LEAF};
	struct errmsg why;

	(void)state;
	config.key_bits = 521;
	new = provider_of(&config, NULL, NULL);
	second.provider = new;
	leaf.provider = new;
	run(&first);
	run(&second);
	run(&leaf);
	/* As a new leader does: from the stored row. */
	again = provider_of(&defaults, first.key, first.cert);
	link.provider = again;
	link.subject = second.cert;
	run(&link);
	assert_int_equal(link.status, OK);
	assert_int_equal(
	    pki_verify(leaf.cert, link.cert, first.cert, NOW, &why), OK);
	assert_int_equal(pki_verify(leaf.cert, "", second.cert, NOW, &why), OK);
	old->ops->free(old);
	new->ops->free(new);
	again->ops->free(again);
	call_free(&first);
	call_free(&second);
	call_free(&link);
	call_free(&leaf);
}

static void
cross_signing_can_be_disabled(void **state)
{
	struct caconfig config = defaults;
	struct provider *provider;
	struct call root = {.verb = GENERATE}, link = {.verb = CROSS_SIGN};

	(void)state;
	config.disable_cross_signing = true;
	provider = provider_of(&config, NULL, NULL);
	root.provider = provider;
	link.provider = provider;
	assert_false(provider->ops->supports_cross_signing(provider));
	run(&root);
	assert_int_equal(root.status, OK);
	link.subject = root.cert;
	run(&link);
	assert_int_not_equal(link.status, OK);
	assert_string_equal(link.why.text, "cross-signing disabled");
	provider->ops->free(provider);
	call_free(&root);
	call_free(&link);
}

static void
provider_state_id_is_the_hash_of_the_settings(void **state)
{
	struct caconfig config = defaults;
	char id[PROVIDER_ID_TEXT], other[PROVIDER_ID_TEXT];
	struct errmsg why;

	(void)state;
	assert_int_equal(provider_consul_id(&config, id, &why), OK);
	assert_string_equal(id, ID_OF_DEFAULTS);
	config.leaf_ttl = 3600 * DURATION_SECOND;
	assert_int_equal(provider_consul_id(&config, other, &why), OK);
	assert_string_equal(id, other);
	config.key_bits = 384;
	assert_int_equal(provider_consul_id(&config, other, &why), OK);
	assert_string_not_equal(id, other);
	config = defaults;
	config.private_key = strdup("k");
	config.root_cert = strdup("c");
	assert_int_equal(provider_consul_id(&config, id, &why), OK);
	assert_string_equal(id, ID_OF_PAIR);
	caconfig_free(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_generated_root_signs_leaves_that_verify),
	    cmocka_unit_test(two_generated_roots_differ_in_name_and_key),
	    cmocka_unit_test(
		a_supplied_key_is_used_and_a_bad_one_is_not_echoed),
	    cmocka_unit_test(an_old_provider_links_a_new_root),
	    cmocka_unit_test(cross_signing_can_be_disabled),
	    cmocka_unit_test(provider_state_id_is_the_hash_of_the_settings),
	};

	return cmocka_run_group_tests_name(
	    "provider_consul", tests, start, stop);
}
