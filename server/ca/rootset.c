#include "server/ca/rootset.h"

#include <assert.h>

void
rootset_entry(const struct pki_facts *facts, const char *cert, const char *name,
    const char *cluster_id, struct ca_root *out)
{
	*out = (struct ca_root){
	    .id = span_of(facts->id),
	    .name = span_of(name),
	    .serial = facts->serial,
	    .signing_key_id = span_of(facts->subject_key_id),
	    .external_trust_domain = span_of(cluster_id),
	    .not_before = facts->not_before,
	    .not_after = facts->not_after,
	    .cert = span_of(cert),
	    .active = true,
	    .key_type = span_of(facts->key_type),
	    .key_bits = facts->key_bits,
	};
}

static void
begin(const struct castore *store, struct rootset *out)
{
	*out = (struct rootset){0};
	out->set.expected_roots = store->roots_index;
	out->set.roots = out->roots;
	out->set.rows = out->rows;
	out->set.deletes = out->deletes;
}

static void
add_delete(struct rootset *out, struct span id)
{
	assert(out->set.delete_count < ARRAY_SIZE(out->deletes));
	out->deletes[out->set.delete_count++] = id;
}

static void
add_config(struct rootset *out, const struct ca_config_set *config)
{
	out->set.has_config = config != NULL;
	if (config != NULL)
		out->set.config = *config;
}

/* The key of the root that was active so far goes with its root. */
static void
keep_old_issuer(
    const struct castore *store, struct span new_id, struct rootset *out)
{
	struct span old_id = span_of(store->provider_id);
	struct ca_provider_row *row;

	if (store->active != CASTORE_NONE &&
	    store->issuers[store->active].private_key.size > 0) {
		row = &out->rows[out->set.row_count++];
		*row = store->issuers[store->active];
		row->id = store->roots[store->active].id;
	}
	/* What lay there has moved, or led nowhere. */
	if (old_id.size > 0 && !span_equal(old_id, new_id))
		add_delete(out, old_id);
}

enum err
rootset_activate(const struct castore *store,
    const struct rootset_change *change, struct rootset *out,
    struct errmsg *why)
{
	size_t count = 0;

	assert(change->root->active);
	begin(store, out);
	out->rows[out->set.row_count++] = change->row;
	for (size_t i = 0; i < store->root_count; i++) {
		struct ca_root root = store->roots[i];

		if (span_equal(root.id, change->root->id)) {
			assert(!root.active);
			add_delete(out, root.id);
			continue;
		}
		if (count == AUTHORITY_ROOTS_MAX - 1) {
			return err_set(why, ERR_LIMIT,
			    "%zu CA roots are listed and the limit is %d: wait "
			    "until an old one is pruned",
			    store->root_count, AUTHORITY_ROOTS_MAX);
		}
		if (root.active) {
			root.active = false;
			root.rotated_out = change->now;
		}
		out->roots[count++] = root;
	}
	out->roots[count++] = *change->root;
	out->set.root_count = count;
	keep_old_issuer(store, change->row.id, out);
	add_config(out, change->config);
	return OK;
}

void
rootset_rename(const struct castore *store, const struct rootset_change *change,
    struct rootset *out)
{
	struct span old_id = span_of(store->provider_id);

	begin(store, out);
	for (size_t i = 0; i < store->root_count; i++)
		out->roots[i] = store->roots[i];
	out->set.root_count = store->root_count;
	out->rows[out->set.row_count++] = change->row;
	if (old_id.size > 0 && !span_equal(old_id, change->row.id))
		add_delete(out, old_id);
	add_config(out, change->config);
}

void
rootset_prune(const struct castore *store,
    const bool drop[static AUTHORITY_ROOTS_MAX], struct rootset *out)
{
	begin(store, out);
	for (size_t i = 0; i < store->root_count; i++) {
		if (!drop[i]) {
			out->roots[out->set.root_count++] = store->roots[i];
			continue;
		}
		assert(!store->roots[i].active);
		add_delete(out, store->roots[i].id);
	}
}
