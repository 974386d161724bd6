/*
 * Goal: a cached answer is found under its own key only, goes when its topic
 * is published, and the cache stays within its bounds.
 * Method: entries that differ in one part of the key; floods.
 */
#include "server/api/cache.h"

#include "server/net/body.h"
#include "tests/support/test.h"

static const char kind_a, kind_b;

static struct cache_key
key(const void *kind, uint64_t topic, const char *object, unsigned variant)
{
	return (struct cache_key){kind, topic, span_of(object), variant};
}

static void
put(struct cache *cache, struct cache_key k, uint64_t index, size_t size)
{
	char *bytes = calloc(1, size + 1);
	struct cache_value value = {.index = index};

	assert_non_null(bytes);
	value.body = body_new(bytes, size);
	assert_non_null(value.body);
	cache_put(cache, &k, &value);
	body_unref(value.body); /* the cache keeps its own */
	free(bytes);
}

static void
find(struct cache *cache, struct cache_key k, uint64_t index)
{
	const struct cache_value *value = cache_find(cache, &k);

	if (index == 0) {
		assert_null(value);
	} else {
		assert_non_null(value);
		assert_int_equal(value->index, index);
	}
}

/* Two objects may share a topic: hashes collide. */
static void
every_part_of_the_key_counts(void **state)
{
	struct cache *cache = cache_new();

	(void)state;
	assert_non_null(cache);
	put(cache, key(&kind_a, 1, "x", 0), 1, 10);
	put(cache, key(&kind_b, 1, "x", 0), 2, 10);
	put(cache, key(&kind_a, 1, "y", 0), 3, 10);
	put(cache, key(&kind_a, 1, "x", CACHE_PRETTY), 4, 10);
	put(cache, key(&kind_a, 1, "x", CACHE_GZIP), 5, 10);
	put(cache, key(&kind_a, 2, "x", 0), 6, 10);
	find(cache, key(&kind_a, 1, "x", 0), 1);
	find(cache, key(&kind_b, 1, "x", 0), 2);
	find(cache, key(&kind_a, 1, "y", 0), 3);
	find(cache, key(&kind_a, 1, "x", CACHE_PRETTY), 4);
	find(cache, key(&kind_a, 1, "x", CACHE_GZIP), 5);
	find(cache, key(&kind_a, 2, "x", 0), 6);
	find(cache, key(&kind_a, 1, "", 0), 0);
	find(cache, key(&kind_b, 2, "x", 0), 0);
	put(cache, key(&kind_a, 1, "x", 0), 7, 10); /* replaces */
	find(cache, key(&kind_a, 1, "x", 0), 7);
	assert_int_equal(cache_count(cache), 6);
	cache_free(cache);
}

static void
a_published_topic_drops_its_answers_and_no_other(void **state)
{
	struct cache *cache = cache_new();
	struct topics topics = {0};

	(void)state;
	assert_non_null(cache);
	for (uint64_t t = 1; t <= 500; t++) {
		put(cache, key(&kind_a, t, "x", 0), t, 10);
		put(cache, key(&kind_a, t, "x", CACHE_GZIP), t, 10);
	}
	topics_add(&topics, 7);
	topics_add(&topics, 400);
	topics_add(&topics, 9999);
	cache_drop(cache, &topics);
	assert_int_equal(cache_count(cache), 996);
	for (uint64_t t = 1; t <= 500; t++)
		find(
		    cache, key(&kind_a, t, "x", 0), t == 7 || t == 400 ? 0 : t);
	topics = (struct topics){.all = true};
	cache_drop(cache, &topics);
	assert_int_equal(cache_count(cache), 0);
	cache_free(cache);
}

static void
the_oldest_make_room(void **state)
{
	struct cache *cache = cache_new();

	(void)state;
	assert_non_null(cache);
	for (uint64_t t = 1; t <= CACHE_ENTRIES_MAX + 10; t++)
		put(cache, key(&kind_a, t, "x", 0), t, 10);
	assert_int_equal(cache_count(cache), CACHE_ENTRIES_MAX);
	find(cache, key(&kind_a, 10, "x", 0), 0);
	find(cache, key(&kind_a, 11, "x", 0), 11);
	/* Two of 13 MiB fit beside each other, three do not. */
	for (uint64_t t = 1; t <= 3; t++)
		put(cache, key(&kind_b, t, "x", 0), t, (size_t)13 << 20);
	find(cache, key(&kind_b, 1, "x", 0), 0);
	find(cache, key(&kind_b, 2, "x", 0), 2);
	find(cache, key(&kind_b, 3, "x", 0), 3);
	/* One that would push out everything is not kept. */
	put(cache, key(&kind_b, 4, "x", 0), 4, CACHE_BYTES_MAX / 2 + 1);
	find(cache, key(&kind_b, 4, "x", 0), 0);
	find(cache, key(&kind_b, 3, "x", 0), 3);
	cache_free(cache);
}

/* A reader may hold the body when it is dropped. */
static void
a_dropped_body_lives_for_its_readers(void **state)
{
	struct cache *cache = cache_new();
	struct cache_key k = key(&kind_a, 1, "x", 0);
	struct topics all = {.all = true};
	struct body *body;

	(void)state;
	assert_non_null(cache);
	put(cache, k, 1, 100);
	body = body_ref(cache_find(cache, &k)->body);
	cache_drop(cache, &all);
	assert_int_equal(body->references, 1);
	assert_int_equal(body->data[99], 0);
	body_unref(body);
	cache_free(cache);
	cache_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_part_of_the_key_counts),
	    cmocka_unit_test(a_published_topic_drops_its_answers_and_no_other),
	    cmocka_unit_test(the_oldest_make_room),
	    cmocka_unit_test(a_dropped_body_lives_for_its_readers),
	};

	return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
