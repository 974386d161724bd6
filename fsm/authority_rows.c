#include "fsm/authority_rows.h"

#include <assert.h>

#include "storage/secret.h"

#define CONFIG_KEY      "config"
#define CONFIG_KEY_SIZE (sizeof(CONFIG_KEY) - 1)

static_assert(AUTHORITY_TEXT_MAX <= DB_KEY_MAX, "IDs are keys");
static_assert(AUTHORITY_CONFIG_MAX <= SECRET_SIZE_MAX, "config is a secret");
static_assert(AUTHORITY_KEY_MAX <= SECRET_SIZE_MAX, "so is a key");
static_assert(AUTHORITY_ROW_MAX <= DB_VALUE_MAX, "a row is a value");
static_assert(2 * AUTHORITY_CONFIG_MAX + 8 * AUTHORITY_TEXT_MAX + 1024 <=
	AUTHORITY_ROW_MAX,
    "a configuration fits");
static_assert(
    AUTHORITY_KEY_MAX + 2 * AUTHORITY_CHAIN_MAX + 1024 <= AUTHORITY_ROW_MAX,
    "a provider row fits");

static void
put_secret(struct buf *out, struct span secret)
{
	secret_put(out, secret.data, secret.size);
}

static bool
read_secret(struct reader *in, struct span *out)
{
	const uint8_t *data;

	if (secret_get(in, &data, &out->size, NULL) != OK)
		return false;
	out->data = (const char *)data;
	return true;
}

static void
put_bool(struct buf *out, bool value)
{
	buf_u8(out, value ? 1 : 0);
}

static bool
read_bool(struct reader *in, bool *value)
{
	uint8_t byte;

	if (!read_u8(in, &byte) || byte > 1)
		return false;
	*value = byte == 1;
	return true;
}

/* Seconds since 1970 as two's complement. */
static bool
read_time(struct reader *in, int64_t *value)
{
	uint64_t bits;

	if (!read_u64(in, &bits))
		return false;
	*value = (int64_t)bits;
	return true;
}

/* A text may be as long as the input: the rules judge it. */
static bool
read_any(struct reader *in, struct span *out)
{
	return span_read(in, in->size, out);
}

void
ca_config_encode(const struct ca_config *config, struct buf *out)
{
	span_put(out, config->cluster_id);
	span_put(out, config->provider);
	put_secret(out, config->config);
	span_put(out, config->state);
	put_bool(out, config->force);
}

bool
ca_config_decode(struct reader *in, struct ca_config *out)
{
	out->create_index = 0;
	out->modify_index = 0;
	return read_any(in, &out->cluster_id) && read_any(in, &out->provider) &&
	    read_secret(in, &out->config) && read_any(in, &out->state) &&
	    read_bool(in, &out->force);
}

void
ca_root_encode(const struct ca_root *root, struct buf *out)
{
	assert(root->intermediate_count <= AUTHORITY_INTERMEDIATES_MAX);

	span_put(out, root->id);
	span_put(out, root->name);
	buf_u64(out, root->serial);
	span_put(out, root->signing_key_id);
	span_put(out, root->external_trust_domain);
	buf_u64(out, (uint64_t)root->not_before);
	buf_u64(out, (uint64_t)root->not_after);
	span_put(out, root->cert);
	buf_u32(out, (uint32_t)root->intermediate_count);
	for (size_t i = 0; i < root->intermediate_count; i++)
		span_put(out, root->intermediates[i]);
	put_bool(out, root->active);
	span_put(out, root->key_type);
	buf_u32(out, root->key_bits);
	buf_u64(out, (uint64_t)root->rotated_out);
}

bool
ca_root_decode(struct reader *in, struct ca_root *out)
{
	uint32_t count;

	*out = (struct ca_root){0};
	if (!read_any(in, &out->id) || !read_any(in, &out->name) ||
	    !read_u64(in, &out->serial) ||
	    !read_any(in, &out->signing_key_id) ||
	    !read_any(in, &out->external_trust_domain) ||
	    !read_time(in, &out->not_before) ||
	    !read_time(in, &out->not_after) || !read_any(in, &out->cert) ||
	    !read_u32(in, &count) || count > AUTHORITY_INTERMEDIATES_MAX)
		return false;
	out->intermediate_count = count;
	for (size_t i = 0; i < count; i++) {
		if (!read_any(in, &out->intermediates[i]))
			return false;
	}
	return read_bool(in, &out->active) && read_any(in, &out->key_type) &&
	    read_u32(in, &out->key_bits) && read_time(in, &out->rotated_out);
}

void
ca_provider_encode(const struct ca_provider_row *row, struct buf *out)
{
	span_put(out, row->id);
	put_secret(out, row->private_key);
	span_put(out, row->root_cert);
	span_put(out, row->intermediate_cert);
}

bool
ca_provider_decode(struct reader *in, struct ca_provider_row *out)
{
	out->create_index = 0;
	out->modify_index = 0;
	return read_any(in, &out->id) && read_secret(in, &out->private_key) &&
	    read_any(in, &out->root_cert) &&
	    read_any(in, &out->intermediate_cert);
}

enum err
ca_config_get(struct txn *txn, struct ca_config *out)
{
	uint64_t create_index, modify_index;
	struct reader in;
	enum err rc;

	rc = txn_get(txn, TABLE_CACONFIG, CONFIG_KEY, CONFIG_KEY_SIZE, &in.data,
	    &in.size);
	if (rc != OK)
		return rc;
	if (!read_u64(&in, &create_index) || !read_u64(&in, &modify_index) ||
	    !ca_config_decode(&in, out) || in.size != 0)
		return ERR_CORRUPT;
	out->create_index = create_index;
	out->modify_index = modify_index;
	return OK;
}

enum err
ca_provider_get(struct txn *txn, struct span id, struct ca_provider_row *out)
{
	uint64_t create_index, modify_index;
	struct reader in;
	enum err rc;

	rc = txn_get(txn, TABLE_PROVIDER, id.data, id.size, &in.data, &in.size);
	if (rc != OK)
		return rc;
	if (!read_u64(&in, &create_index) || !read_u64(&in, &modify_index) ||
	    !ca_provider_decode(&in, out) || in.size != 0)
		return ERR_CORRUPT;
	out->id = id;
	out->create_index = create_index;
	out->modify_index = modify_index;
	return OK;
}

bool
ca_root_row_decode(struct reader in, struct ca_root *out)
{
	uint64_t create_index, modify_index;

	if (!read_u64(&in, &create_index) || !read_u64(&in, &modify_index) ||
	    !ca_root_decode(&in, out) || in.size != 0)
		return false;
	out->create_index = create_index;
	out->modify_index = modify_index;
	return true;
}

static void
row_begin(struct buf *row, uint64_t create_index, uint64_t modify_index)
{
	*row = buf_new(AUTHORITY_ROW_MAX);
	buf_u64(row, create_index);
	buf_u64(row, modify_index);
}

static enum err
row_end(struct txn *txn, enum table table, const void *key, size_t key_size,
    struct buf *row)
{
	enum err rc;

	rc = buf_status(row, NULL);
	if (rc == OK) {
		rc = txn_put(
		    txn, (uint8_t)table, key, key_size, row->data, row->size);
	}
	buf_wipe(row);
	return rc;
}

enum err
ca_config_put(struct txn *txn, const struct ca_config *config)
{
	struct buf row;

	row_begin(&row, config->create_index, config->modify_index);
	ca_config_encode(config, &row);
	return row_end(txn, TABLE_CACONFIG, CONFIG_KEY, CONFIG_KEY_SIZE, &row);
}

enum err
ca_root_put(struct txn *txn, const struct ca_root *root)
{
	struct buf row;

	row_begin(&row, root->create_index, root->modify_index);
	ca_root_encode(root, &row);
	return row_end(txn, TABLE_ROOT, root->id.data, root->id.size, &row);
}

enum err
ca_provider_put(struct txn *txn, const struct ca_provider_row *provider)
{
	struct buf row;

	row_begin(&row, provider->create_index, provider->modify_index);
	ca_provider_encode(provider, &row);
	return row_end(
	    txn, TABLE_PROVIDER, provider->id.data, provider->id.size, &row);
}
