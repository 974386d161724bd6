/*
 * Goal: the one command that changes the roots loses no trust and no key, and
 * is guarded by the index that was read.
 * Method: hand-made stored states in, the command looked at field by field.
 */
#include "server/ca/rootset.h"

#include <stdio.h>

#include "server/duration.h"
#include "tests/support/test.h"

#define NOW      INT64_C(1790000000)
#define HOUR     INT64_C(3600)
#define LEAF_TTL (72 * HOUR * DURATION_SECOND)

/* count roots, the last one active, all with keys. */
static struct castore *
store_of(size_t count)
{
	static char ids[AUTHORITY_ROOTS_MAX][24];
	struct castore *store = calloc(1, sizeof(*store));

	assert_non_null(store);
	store->has_config = true;
	store->config.modify_index = 40;
	store->roots_index = 41;
	store->root_count = count;
	store->active = count == 0 ? CASTORE_NONE : count - 1;
	store->settings.leaf_ttl = LEAF_TTL;
	memcpy(store->provider_id, "old", 4);
	for (size_t i = 0; i < count; i++) {
		snprintf(ids[i], sizeof(ids[i]), "id%02zu", i);
		store->roots[i].id = span_of(ids[i]);
		store->roots[i].cert = span_of("cert\n");
		store->roots[i].active = i == store->active;
		store->roots[i].rotated_out =
		    i == store->active ? 0 : NOW - 1000;
		store->roots[i].intermediates[0] = span_of("link\n");
		store->roots[i].intermediate_count = 1;
		store->issuers[i].private_key = span_of("key\n");
		store->issuers[i].root_cert = span_of("cert\n");
	}
	return store;
}

static const struct ca_config_set new_config = {
    .config = {.provider = {"consul", 6}, .config = {"{}", 2}}, .cas = 40};

static struct rootset_change
change_to(const struct ca_root *root, const char *id)
{
	return (struct rootset_change){.root = root,
	    .row = {.id = span_of(id),
		.private_key = span_of("new key"),
		.root_cert = root->cert},
	    .config = &new_config,
	    .now = NOW};
}

static bool
deletes(const struct rootset *set, const char *id)
{
	for (size_t i = 0; i < set->set.delete_count; i++) {
		if (span_equal(set->set.deletes[i], span_of(id)))
			return true;
	}
	return false;
}

static void
the_first_root_brings_its_key(void **state)
{
	struct castore *store = store_of(0);
	struct rootset *set = malloc(sizeof(*set));
	struct ca_root root = {.id = span_of("first"), .active = true};
	struct rootset_change change = change_to(&root, "old");
	struct errmsg why;

	(void)state;
	store->roots_index = 0;
	change.config = NULL;
	assert_int_equal(rootset_activate(store, &change, set, &why), OK);
	assert_int_equal(set->set.expected_roots, 0);
	assert_int_equal(set->set.root_count, 1);
	assert_false(set->set.has_config);
	assert_int_equal(set->set.row_count, 1);
	assert_true(span_equal(set->set.rows[0].id, span_of("old")));
	assert_int_equal(set->set.delete_count, 0);
	free(set);
	free(store);
}

static void
rotation_keeps_old_roots_and_only_marks_the_active_one(void **state)
{
	struct castore *store = store_of(2);
	struct rootset *set = malloc(sizeof(*set));
	struct ca_root root = {.id = span_of("new"), .active = true};
	struct rootset_change change = change_to(&root, "next");
	struct errmsg why;

	(void)state;
	assert_int_equal(rootset_activate(store, &change, set, &why), OK);
	assert_int_equal(set->set.expected_roots, 41);
	assert_int_equal(set->set.root_count, 3);
	assert_true(set->set.has_config);
	assert_int_equal(set->set.config.cas, 40);
	assert_false(set->set.roots[0].active);
	assert_int_equal(set->set.roots[0].rotated_out, NOW - 1000);
	assert_false(set->set.roots[1].active);
	assert_int_equal(set->set.roots[1].rotated_out, NOW);
	assert_int_equal(set->set.roots[1].intermediate_count, 1);
	assert_true(set->set.roots[2].active);
	assert_int_equal(set->set.roots[2].rotated_out, 0);
	free(set);
	free(store);
}

static void
hazard_11_key_of_a_rotated_out_root_moves_under_its_id(void **state)
{
	struct castore *store = store_of(1);
	struct rootset *set = malloc(sizeof(*set));
	struct ca_root root = {.id = span_of("new"), .active = true};
	struct rootset_change change = change_to(&root, "next");
	struct errmsg why;

	(void)state;
	assert_int_equal(rootset_activate(store, &change, set, &why), OK);
	assert_int_equal(set->set.row_count, 2);
	assert_true(span_equal(set->set.rows[0].id, span_of("next")));
	assert_true(span_equal(set->set.rows[1].id, span_of("id00")));
	assert_true(span_equal(set->set.rows[1].private_key, span_of("key\n")));
	assert_int_equal(set->set.delete_count, 1);
	assert_true(deletes(set, "old"));

	/* The same provider-state ID again: its row is written over. */
	change.row.id = span_of("old");
	assert_int_equal(rootset_activate(store, &change, set, &why), OK);
	assert_int_equal(set->set.row_count, 2);
	assert_int_equal(set->set.delete_count, 0);
	free(set);
	free(store);
}

static void
a_return_to_a_listed_root_takes_its_place(void **state)
{
	struct castore *store = store_of(3);
	struct rootset *set = malloc(sizeof(*set));
	struct ca_root root = {.id = span_of("id00"), .active = true};
	struct rootset_change change = change_to(&root, "next");
	struct errmsg why;

	(void)state;
	assert_int_equal(rootset_activate(store, &change, set, &why), OK);
	assert_int_equal(set->set.root_count, 3);
	assert_true(span_equal(set->set.roots[2].id, span_of("id00")));
	assert_true(set->set.roots[2].active);
	assert_int_equal(set->set.roots[2].rotated_out, 0);
	assert_true(deletes(set, "id00")); /* its key is active again */
	free(set);
	free(store);
}

static void
too_many_roots_are_refused_naming_the_limit(void **state)
{
	struct castore *store = store_of(AUTHORITY_ROOTS_MAX);
	struct rootset *set = malloc(sizeof(*set));
	struct ca_root root = {.id = span_of("new"), .active = true};
	struct rootset_change change = change_to(&root, "next");
	struct errmsg why;

	(void)state;
	assert_int_equal(
	    rootset_activate(store, &change, set, &why), ERR_LIMIT);
	assert_non_null(strstr(why.text, "limit is 64"));
	root.id = span_of("id07"); /* listed already: no more than before */
	assert_int_equal(rootset_activate(store, &change, set, &why), OK);
	assert_int_equal(set->set.root_count, AUTHORITY_ROOTS_MAX);
	free(set);
	free(store);
}

static void
renaming_moves_the_row_and_leaves_the_roots(void **state)
{
	struct castore *store = store_of(2);
	struct rootset *set = malloc(sizeof(*set));
	struct rootset_change change = change_to(&store->roots[1], "next");

	(void)state;
	rootset_rename(store, &change, set);
	assert_int_equal(set->set.root_count, 2);
	assert_true(set->set.roots[1].active);
	assert_int_equal(set->set.roots[1].rotated_out, 0);
	assert_int_equal(set->set.row_count, 1);
	assert_true(deletes(set, "old"));
	assert_true(set->set.has_config);
	free(set);
	free(store);
}

static void
pruning_removes_the_root_and_its_key(void **state)
{
	struct castore *store = store_of(3);
	struct rootset *set = malloc(sizeof(*set));
	bool drop[AUTHORITY_ROOTS_MAX] = {false, true};

	(void)state;
	rootset_prune(store, drop, set);
	assert_int_equal(set->set.expected_roots, 41);
	assert_false(set->set.has_config);
	assert_int_equal(set->set.root_count, 2);
	assert_true(span_equal(set->set.roots[0].id, span_of("id00")));
	assert_true(span_equal(set->set.roots[1].id, span_of("id02")));
	assert_int_equal(set->set.delete_count, 1);
	assert_true(deletes(set, "id01"));
	free(set);
	free(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_root_brings_its_key),
	    cmocka_unit_test(
		rotation_keeps_old_roots_and_only_marks_the_active_one),
	    cmocka_unit_test(
		hazard_11_key_of_a_rotated_out_root_moves_under_its_id),
	    cmocka_unit_test(a_return_to_a_listed_root_takes_its_place),
	    cmocka_unit_test(too_many_roots_are_refused_naming_the_limit),
	    cmocka_unit_test(renaming_moves_the_row_and_leaves_the_roots),
	    cmocka_unit_test(pruning_removes_the_root_and_its_key),
	};

	return cmocka_run_group_tests_name("rootset", tests, NULL, NULL);
}
