#include "server/api/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/body.h"
#include "storage/err.h"

#define BUCKET_BITS   8
#define BUCKETS       (1 << BUCKET_BITS)
#define BODY_SIZE_MAX (CACHE_BYTES_MAX / 2)

struct entry {
	struct entry *next;          /* in the bucket */
	struct entry *older, *newer; /* by age */
	struct cache_key key;        /* object points into text */
	struct cache_value value;
	char text[];
};

struct cache {
	struct entry *buckets[BUCKETS];
	struct entry *oldest, *newest;
	unsigned count;
	size_t bytes;
};

struct cache *
cache_new(void)
{
	return calloc(1, sizeof(struct cache));
}

static struct entry **
bucket_of(struct cache *cache, uint64_t topic)
{
	return &cache->buckets[(topic * UINT64_C(0x9e3779b97f4a7c15)) >>
	    (64 - BUCKET_BITS)];
}

static bool
equal(const struct cache_key *a, const struct cache_key *b)
{
	return a->kind == b->kind && a->variant == b->variant &&
	    a->topic == b->topic && span_equal(a->object, b->object);
}

/* Where the pointer to the entry stands, or the end of its chain. */
static struct entry **
locate(struct cache *cache, const struct cache_key *key)
{
	struct entry **at = bucket_of(cache, key->topic);

	while (*at != NULL && !equal(&(*at)->key, key))
		at = &(*at)->next;
	return at;
}

static void
remove_at(struct cache *cache, struct entry **at)
{
	struct entry *entry = *at;

	assert(entry != NULL);
	*at = entry->next;
	if (entry->older != NULL)
		entry->older->newer = entry->newer;
	else
		cache->oldest = entry->newer;
	if (entry->newer != NULL)
		entry->newer->older = entry->older;
	else
		cache->newest = entry->older;
	cache->count--;
	cache->bytes -= entry->value.body->size;
	body_unref(entry->value.body);
	free(entry);
}

void
cache_free(struct cache *cache)
{
	if (cache == NULL)
		return;
	while (cache->oldest != NULL)
		remove_at(cache, locate(cache, &cache->oldest->key));
	free(cache);
}

const struct cache_value *
cache_find(struct cache *cache, const struct cache_key *key)
{
	struct entry *entry = *locate(cache, key);

	return entry == NULL ? NULL : &entry->value;
}

void
cache_put(struct cache *cache, const struct cache_key *key,
    const struct cache_value *value)
{
	struct entry **at = locate(cache, key), *entry;
	size_t size = value->body->size;

	if (*at != NULL)
		remove_at(cache, at);
	if (size > BODY_SIZE_MAX)
		return;
	while (cache->count >= CACHE_ENTRIES_MAX ||
	    cache->bytes + size > CACHE_BYTES_MAX)
		remove_at(cache, locate(cache, &cache->oldest->key));
	entry = malloc(sizeof(*entry) + key->object.size);
	if (entry == NULL)
		return;
	entry->key = *key;
	if (key->object.size > 0)
		memcpy(entry->text, key->object.data, key->object.size);
	entry->key.object.data = entry->text;
	entry->value = *value;
	body_ref(value->body);
	entry->older = cache->newest;
	entry->newer = NULL;
	if (cache->newest != NULL)
		cache->newest->newer = entry;
	else
		cache->oldest = entry;
	cache->newest = entry;
	at = bucket_of(cache, key->topic);
	entry->next = *at;
	*at = entry;
	cache->count++;
	cache->bytes += size;
}

static void
drop_in_bucket(
    struct cache *cache, struct entry **at, const struct topics *topics)
{
	while (*at != NULL) {
		if (topics_has(topics, (*at)->key.topic))
			remove_at(cache, at);
		else
			at = &(*at)->next;
	}
}

void
cache_drop(struct cache *cache, const struct topics *topics)
{
	if (topics->all) {
		for (size_t i = 0; i < BUCKETS; i++)
			drop_in_bucket(cache, &cache->buckets[i], topics);
		return;
	}
	for (size_t i = 0; i < topics->count; i++) {
		drop_in_bucket(cache, bucket_of(cache, topics->ids[i]), topics);
	}
}

unsigned
cache_count(const struct cache *cache)
{
	return cache->count;
}
