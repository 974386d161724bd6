/*
 * Goal: no two bootstraps can both collect all the promises they need
 * (hazard 6), whatever each server sees of the others.
 * Method: tables for the rules; every assignment of views to coordinators over
 * five servers, every order of asking among two rivals.
 */
#include "server/cluster/promise.h"

#include <stdio.h>

#include "tests/support/test.h"

#define ID_A "aaaaaaaa-0000-4000-8000-000000000000"
#define ID_B "bbbbbbbb-0000-4000-8000-000000000000"

static struct promise
promise_of(const char *cluster, unsigned count, const uint64_t *ids)
{
	struct promise promise = {.count = count};

	assert_true(count <= PROMISE_SERVERS_MAX);
	snprintf(promise.cluster_id, sizeof(promise.cluster_id), "%s", cluster);
	memcpy(promise.ids, ids, count * sizeof(ids[0]));
	return promise;
}

static void
hazard_06_a_server_promises_once_and_only_where_it_belongs(void **state)
{
	static const struct {
		uint64_t self;
		unsigned expect;
		bool given; /* already promised to cluster A, {1, 2, 3} */
		const char *cluster;
		unsigned count;
		uint64_t ids[PROMISE_SERVERS_MAX];
		enum err want;
	} cases[] = {
	    {1, 3, false, ID_A, 3, {1, 2, 3}, OK},
	    {3, 3, false, ID_A, 3, {1, 2, 3}, OK},
	    {1, 1, false, ID_A, 1, {1}, OK},
	    {1, 3, true, ID_A, 3, {1, 2, 3}, OK},          /* repeated */
	    {1, 3, true, ID_B, 3, {1, 2, 3}, ERR_DENIED},  /* another id */
	    {1, 3, true, ID_A, 3, {1, 2, 4}, ERR_DENIED},  /* another list */
	    {1, 2, true, ID_A, 2, {1, 2}, ERR_DENIED},     /* shorter list */
	    {4, 3, false, ID_A, 3, {1, 2, 3}, ERR_DENIED}, /* not listed */
	    {1, 5, false, ID_A, 3, {1, 2, 3}, ERR_DENIED}, /* expects 5 */
	    {1, 0, false, ID_A, 3, {1, 2, 3}, ERR_DENIED}, /* joins only */
	    {1, 3, false, ID_A, 3, {1, 3, 2}, ERR_DENIED}, /* unsorted */
	    {1, 3, false, ID_A, 3, {1, 1, 2}, ERR_DENIED}, /* doubled */
	    {0, 3, false, ID_A, 3, {0, 1, 2}, ERR_DENIED}, /* no id */
	    {1, 0, false, ID_A, 0, {0}, ERR_DENIED},       /* empty */
	    {1, 3, false, "", 3, {1, 2, 3}, ERR_DENIED},   /* no cluster */
	};
	const struct promise given =
	    promise_of(ID_A, 3, (const uint64_t[]){1, 2, 3});

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct promise asked =
		    promise_of(cases[i].cluster, cases[i].count, cases[i].ids);
		struct errmsg why;

		assert_int_equal(
		    promise_judge(cases[i].self, cases[i].expect,
			cases[i].given ? &given : NULL, &asked, &why),
		    cases[i].want);
	}
}

static void
the_lowest_of_exactly_the_expected_servers_coordinates(void **state)
{
	static const struct {
		uint64_t self;
		unsigned expect, count;
		uint64_t seen[8];
		enum err want;
		bool coordinator;
		const char *words;
	} cases[] = {
	    {2, 3, 3, {9, 2, 5}, OK, true, ""},
	    {5, 3, 3, {9, 2, 5}, OK, false, ""},
	    {7, 1, 1, {7}, OK, true, ""},
	    {2, 3, 2, {9, 2}, ERR_BUSY, false, "1 more needed"},
	    {2, 3, 4, {9, 2, 5, 6}, ERR_LIMIT, false, "9, 2, 5, 6"},
	    {2, 3, 3, {9, 2, 9}, ERR_INVALID, false, "doubles"},
	    {1, 3, 3, {9, 2, 5}, ERR_INVALID, false, "lack server 1"},
	    {2, 0, 1, {2}, ERR_INVALID, false, "bootstrap_expect"},
	    {2, 6, 6, {1, 2, 3, 4, 5, 6}, ERR_INVALID, false, "1 to 5"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool coordinator = !cases[i].coordinator;
		struct promise out;
		struct errmsg why;
		enum err rc;

		rc = promise_elect(cases[i].self, cases[i].expect,
		    cases[i].seen, cases[i].count, &coordinator, &out, &why);
		assert_int_equal(rc, cases[i].want);
		if (rc != OK) {
			assert_non_null(strstr(why.text, cases[i].words));
			continue;
		}
		assert_int_equal(coordinator, cases[i].coordinator);
		assert_int_equal(out.count, cases[i].expect);
		for (unsigned j = 1; j < out.count; j++)
			assert_true(out.ids[j - 1] < out.ids[j]);
	}
}

/* Ids 1..5; bit i-1 of mask says that server i is in sight. */
static unsigned
seen_of(unsigned mask, uint64_t ids[static 5])
{
	unsigned count = 0;

	for (uint64_t id = 1; id <= 5; id++) {
		if ((mask >> (id - 1) & 1) != 0)
			ids[count++] = id;
	}
	return count;
}

/*
 * Two rivals with the given views ask their lists for promises, one step of
 * either at a time: bit k of order tells who makes step k. How many get all?
 */
static unsigned
rivalry(const struct promise rivals[2], unsigned expect, unsigned order)
{
	struct promise given[6] = {{.count = 0}};
	unsigned next[2] = {0, 0}, won = 0;
	bool lost[2] = {false, false};
	struct errmsg why;

	for (unsigned step = 0; step < 10; step++) {
		unsigned who = order >> step & 1;
		const struct promise *asked = &rivals[who];
		uint64_t id;

		if (lost[who] || next[who] == asked->count)
			continue;
		id = asked->ids[next[who]];
		if (promise_judge(id, expect,
			given[id].count == 0 ? NULL : &given[id], asked,
			&why) != OK) {
			lost[who] = true;
			continue;
		}
		given[id] = *asked;
		next[who]++;
	}
	for (unsigned who = 0; who < 2; who++)
		won += !lost[who] && next[who] == rivals[who].count;
	return won;
}

static void
hazard_06_overlapping_join_lists_never_make_two_majorities(void **state)
{
	static const char *const names[2] = {ID_A, ID_B};
	unsigned rivalries = 0;

	(void)state;
	for (unsigned expect = 3; expect <= 5; expect++) {
		for (unsigned views = 0; views < 1024; views++) {
			unsigned masks[2] = {views & 31, views >> 5};
			struct promise rivals[2];
			bool all = true;

			for (unsigned who = 0; who < 2 && all; who++) {
				uint64_t ids[5] = {0};
				unsigned count = seen_of(masks[who], ids);
				bool coordinator = false;
				struct errmsg why;

				all = count > 0 &&
				    promise_elect(ids[0], expect, ids, count,
					&coordinator, &rivals[who],
					&why) == OK &&
				    coordinator;
				if (all) {
					memcpy(rivals[who].cluster_id,
					    names[who], NODE_UUID_SIZE);
				}
			}
			/* 5 servers: lists of 3 and more always overlap */
			for (unsigned order = 0; all && order < 1024; order++) {
				assert_true(
				    rivalry(rivals, expect, order) <= 1);
				rivalries++;
			}
		}
	}
	assert_true(rivalries > 10000);
}

static void
a_promise_survives_and_is_never_believed_damaged(void **state)
{
	const struct promise given =
	    promise_of(ID_A, 3, (const uint64_t[]){4, 5, INT64_MAX});
	struct promise got;
	struct errmsg why;
	char *dir = test_tmpdir(), path[4096];
	FILE *file;

	(void)state;
	assert_int_equal(promise_load(dir, &got, &why), ERR_NOTFOUND);
	assert_int_equal(promise_store(dir, &given, &why), OK);
	assert_int_equal(promise_load(dir, &got, &why), OK);
	assert_string_equal(got.cluster_id, given.cluster_id);
	assert_int_equal(got.count, 3);
	assert_memory_equal(got.ids, given.ids, 3 * sizeof(uint64_t));

	snprintf(path, sizeof(path), "%s/promise", dir);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, 30, SEEK_SET), 0);
	assert_int_equal(fputc('!', file), '!');
	fclose(file);
	assert_int_equal(promise_load(dir, &got, &why), ERR_CORRUPT);
	test_rmdir(dir);
}

static void
decode_refuses_every_prefix_and_every_broken_list(void **state)
{
	const struct promise good =
	    promise_of(ID_A, 3, (const uint64_t[]){1, 2, 3});
	static const struct {
		unsigned count;
		uint64_t ids[PROMISE_SERVERS_MAX];
	} lists[] = {
	    {0, {0}}, {1, {0}}, {2, {2, 1}}, {2, {2, 2}}, {3, {1, 3, 2}}};
	struct buf bytes = buf_new(256);
	struct promise got;
	struct errmsg why;

	(void)state;
	promise_encode(&good, &bytes);
	for (size_t size = 0; size < bytes.size; size++) {
		assert_int_equal(
		    promise_decode(bytes.data, size, &got, &why), ERR_CORRUPT);
	}
	assert_int_equal(
	    promise_decode(bytes.data, bytes.size, &got, &why), OK);
	buf_u8(&bytes, 0);
	assert_int_equal(
	    promise_decode(bytes.data, bytes.size, &got, &why), ERR_CORRUPT);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct promise bad =
		    promise_of(ID_A, lists[i].count, lists[i].ids);

		buf_reset(&bytes);
		promise_encode(&bad, &bytes);
		assert_int_equal(
		    promise_decode(bytes.data, bytes.size, &got, &why),
		    ERR_CORRUPT);
	}
	buf_free(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		hazard_06_a_server_promises_once_and_only_where_it_belongs),
	    cmocka_unit_test(
		the_lowest_of_exactly_the_expected_servers_coordinates),
	    cmocka_unit_test(
		hazard_06_overlapping_join_lists_never_make_two_majorities),
	    cmocka_unit_test(a_promise_survives_and_is_never_believed_damaged),
	    cmocka_unit_test(decode_refuses_every_prefix_and_every_broken_list),
	};

	return cmocka_run_group_tests_name("promise", tests, NULL, NULL);
}
