#include "server/ca/overdue.h"

#include <string.h>

#include "server/duration.h"

bool
overdue_root(const struct ca_root *root, int64_t leaf_ttl, int64_t now)
{
	int64_t seconds = leaf_ttl / DURATION_SECOND;

	return !root->active && root->rotated_out > 0 &&
	    now - root->rotated_out > 2 * seconds;
}

static const struct overdue_mark *
find(const struct overdue *overdue, struct span id)
{
	for (size_t i = 0; i < overdue->count; i++) {
		if (span_equal(span_of(overdue->marks[i].id), id))
			return &overdue->marks[i];
	}
	return NULL;
}

size_t
overdue_check(struct overdue *overdue, const struct castore *store, int64_t now,
    uint64_t mono_ms, bool drop[static AUTHORITY_ROOTS_MAX])
{
	static const bool none[AUTHORITY_ROOTS_MAX];
	const struct overdue before = *overdue;
	size_t count = 0;

	memcpy(drop, none, sizeof(none));
	overdue->count = 0;
	for (size_t i = 0; i < store->root_count; i++) {
		const struct ca_root *root = &store->roots[i];
		const struct overdue_mark *old = find(&before, root->id);
		struct overdue_mark *mark;

		if (root->id.size >= OVERDUE_ID_TEXT ||
		    !overdue_root(root, store->settings.leaf_ttl, now))
			continue;
		mark = &overdue->marks[overdue->count++];
		memcpy(mark->id, root->id.data, root->id.size);
		mark->id[root->id.size] = '\0';
		mark->since_ms = old == NULL ? mono_ms : old->since_ms;
		drop[i] = mono_ms - mark->since_ms >= OVERDUE_PATIENCE_MS;
		count += drop[i] ? 1 : 0;
	}
	return count;
}
