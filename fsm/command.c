#include "fsm/command.h"

#include <assert.h>
#include <stdlib.h>

#include "fsm/authority_rows.h"

/* One piece of the arena; they form a list. */
struct chunk {
	struct chunk *next;
	max_align_t items[];
};

/* Zeroed room for count items, owned by the command. */
static void *
arena_get(struct command *command, size_t count, size_t size)
{
	struct chunk *chunk;

	if (count > (SIZE_MAX - sizeof(*chunk)) / size)
		return NULL;
	chunk = calloc(1, sizeof(*chunk) + count * size);
	if (chunk == NULL)
		return NULL;
	chunk->next = command->arena;
	command->arena = chunk;
	return chunk->items;
}

void
command_free(struct command *command)
{
	struct chunk *chunk = command->arena, *next;

	for (; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	command->arena = NULL;
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

/* A text may be as long as the input: the rules judge it. */
static bool
read_any(struct reader *in, struct span *out)
{
	return span_read(in, in->size, out);
}

static enum err
answer(bool good)
{
	return good ? OK : ERR_CORRUPT;
}

/*
 * Below, a pair of functions per command. A decoder answers OK, ERR_CORRUPT or
 * ERR_NOMEM; what is left over is judged once, by command_decode.
 */
static void
init_encode(const struct command *command, struct buf *out)
{
	span_put(out, command->cluster_init.cluster_id);
	span_put(out, command->cluster_init.datacenter);
}

static enum err
init_decode(struct reader *in, struct command *out)
{
	return answer(read_any(in, &out->cluster_init.cluster_id) &&
	    read_any(in, &out->cluster_init.datacenter));
}

static void
quota_encode(const struct command *command, struct buf *out)
{
	buf_u64(out, command->cluster_quota.bytes);
}

static enum err
quota_decode(struct reader *in, struct command *out)
{
	return answer(read_u64(in, &out->cluster_quota.bytes));
}

static void
member_encode(const struct command *command, struct buf *out)
{
	const struct member *member = &command->member_set;

	buf_u64(out, member->id);
	span_put(out, member->node_id);
	span_put(out, member->name);
	span_put(out, member->address);
	span_put(out, member->version);
}

static enum err
member_decode(struct reader *in, struct command *out)
{
	struct member *member = &out->member_set;

	return answer(read_u64(in, &member->id) &&
	    read_any(in, &member->node_id) && read_any(in, &member->name) &&
	    read_any(in, &member->address) && read_any(in, &member->version));
}

static void
member_delete_encode(const struct command *command, struct buf *out)
{
	buf_u64(out, command->member_delete);
}

static enum err
member_delete_decode(struct reader *in, struct command *out)
{
	return answer(read_u64(in, &out->member_delete));
}

static void
config_set_encode(const struct ca_config_set *set, struct buf *out)
{
	ca_config_encode(&set->config, out);
	buf_u64(out, set->cas);
}

static bool
config_set_decode(struct reader *in, struct ca_config_set *out)
{
	return ca_config_decode(in, &out->config) && read_u64(in, &out->cas);
}

static void
config_encode(const struct command *command, struct buf *out)
{
	config_set_encode(&command->ca_config, out);
}

static enum err
config_decode(struct reader *in, struct command *out)
{
	return answer(config_set_decode(in, &out->ca_config));
}

static void
roots_encode(const struct command *command, struct buf *out)
{
	const struct ca_roots_set *set = &command->ca_roots;

	assert(set->root_count <= UINT32_MAX && set->row_count <= UINT32_MAX &&
	    set->delete_count <= UINT32_MAX);

	buf_u64(out, set->expected_roots);
	buf_u32(out, (uint32_t)set->root_count);
	for (size_t i = 0; i < set->root_count; i++)
		ca_root_encode(&set->roots[i], out);
	put_bool(out, set->has_config);
	if (set->has_config)
		config_set_encode(&set->config, out);
	buf_u32(out, (uint32_t)set->row_count);
	for (size_t i = 0; i < set->row_count; i++)
		ca_provider_encode(&set->rows[i], out);
	buf_u32(out, (uint32_t)set->delete_count);
	for (size_t i = 0; i < set->delete_count; i++)
		span_put(out, set->deletes[i]);
}

/*
 * The count of a list whose items are at least least bytes each, and room for
 * them: never more than the input could fill.
 */
static enum err
list_decode(struct reader *in, struct command *out, size_t least, size_t size,
    size_t *count, void **items)
{
	uint32_t value;

	if (!read_u32(in, &value) || value > in->size / least)
		return ERR_CORRUPT;
	*count = value;
	*items = NULL;
	if (value == 0)
		return OK;
	*items = arena_get(out, value, size);
	return *items == NULL ? ERR_NOMEM : OK;
}

/* Bytes of an object with all texts and lists empty. */
#define TEXT_LEAST     4
#define ENVELOPE_LEAST (1 + 4 + 4)
#define ROOT_LEAST     (6 * TEXT_LEAST + 4 * 8 + 4 + 1 + 4)
#define PROVIDER_LEAST (3 * TEXT_LEAST + ENVELOPE_LEAST)

static enum err
roots_decode(struct reader *in, struct command *out)
{
	struct ca_roots_set *set = &out->ca_roots;
	void *items;
	enum err rc;

	if (!read_u64(in, &set->expected_roots))
		return ERR_CORRUPT;
	rc = list_decode(
	    in, out, ROOT_LEAST, sizeof(*set->roots), &set->root_count, &items);
	if (rc != OK)
		return rc;
	set->roots = items;
	for (size_t i = 0; i < set->root_count; i++) {
		if (!ca_root_decode(in, &set->roots[i]))
			return ERR_CORRUPT;
	}
	if (!read_bool(in, &set->has_config) ||
	    (set->has_config && !config_set_decode(in, &set->config)))
		return ERR_CORRUPT;

	rc = list_decode(in, out, PROVIDER_LEAST, sizeof(*set->rows),
	    &set->row_count, &items);
	if (rc != OK)
		return rc;
	set->rows = items;
	for (size_t i = 0; i < set->row_count; i++) {
		if (!ca_provider_decode(in, &set->rows[i]))
			return ERR_CORRUPT;
	}
	rc = list_decode(in, out, TEXT_LEAST, sizeof(*set->deletes),
	    &set->delete_count, &items);
	if (rc != OK)
		return rc;
	set->deletes = items;
	for (size_t i = 0; i < set->delete_count; i++) {
		if (!read_any(in, &set->deletes[i]))
			return ERR_CORRUPT;
	}
	return OK;
}

static void
provider_encode(const struct command *command, struct buf *out)
{
	ca_provider_encode(&command->ca_provider_set, out);
}

static enum err
provider_decode(struct reader *in, struct command *out)
{
	return answer(ca_provider_decode(in, &out->ca_provider_set));
}

static void
provider_delete_encode(const struct command *command, struct buf *out)
{
	span_put(out, command->ca_provider_delete);
}

static enum err
provider_delete_decode(struct reader *in, struct command *out)
{
	return answer(read_any(in, &out->ca_provider_delete));
}

static void
serial_encode(const struct command *command, struct buf *out)
{
	buf_u32(out, command->ca_serial.count);
}

static enum err
serial_decode(struct reader *in, struct command *out)
{
	return answer(read_u32(in, &out->ca_serial.count));
}

static void
tlsconf_encode(const struct command *command, struct buf *out)
{
	span_put(out, command->tlsconf_set.scope);
	span_put(out, command->tlsconf_set.document);
	put_bool(out, command->tlsconf_set.has_cas);
	buf_u64(out, command->tlsconf_set.cas);
}

static enum err
tlsconf_decode(struct reader *in, struct command *out)
{
	struct tlsconf_set *set = &out->tlsconf_set;

	return answer(read_any(in, &set->scope) &&
	    read_any(in, &set->document) && read_bool(in, &set->has_cas) &&
	    read_u64(in, &set->cas));
}

static void
tlsconf_delete_encode(const struct command *command, struct buf *out)
{
	span_put(out, command->tlsconf_delete.scope);
	put_bool(out, command->tlsconf_delete.has_cas);
	buf_u64(out, command->tlsconf_delete.cas);
}

static enum err
tlsconf_delete_decode(struct reader *in, struct command *out)
{
	struct tlsconf_delete *del = &out->tlsconf_delete;

	return answer(read_any(in, &del->scope) &&
	    read_bool(in, &del->has_cas) && read_u64(in, &del->cas));
}

static const struct kind {
	enum command_type type;
	bool removal;
	const char *name;
	void (*encode)(const struct command *command, struct buf *out);
	enum err (*decode)(struct reader *in, struct command *out);
} kinds[] = {
    {COMMAND_TLSCONF_SET, false, "tlsconf-set", tlsconf_encode,
	tlsconf_decode}, /* the frequent one first */
    {COMMAND_TLSCONF_DELETE, true, "tlsconf-delete", tlsconf_delete_encode,
	tlsconf_delete_decode},
    {COMMAND_CLUSTER_INIT, false, "cluster-init", init_encode, init_decode},
    {COMMAND_CLUSTER_QUOTA, true, "cluster-quota", quota_encode, quota_decode},
    {COMMAND_MEMBER_SET, false, "member-set", member_encode, member_decode},
    {COMMAND_MEMBER_DELETE, true, "member-delete", member_delete_encode,
	member_delete_decode},
    {COMMAND_CA_CONFIG, false, "ca-config", config_encode, config_decode},
    {COMMAND_CA_ROOTS, false, "ca-roots", roots_encode, roots_decode},
    {COMMAND_CA_PROVIDER_SET, false, "ca-provider-set", provider_encode,
	provider_decode},
    {COMMAND_CA_PROVIDER_DELETE, true, "ca-provider-delete",
	provider_delete_encode, provider_delete_decode},
    {COMMAND_CA_SERIAL, false, "ca-serial", serial_encode, serial_decode},
};

static const struct kind *
kind_find(unsigned type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if ((unsigned)kinds[i].type == type)
			return &kinds[i];
	}
	return NULL;
}

enum err
command_encode(
    const struct command *command, struct buf *out, struct errmsg *why)
{
	const struct kind *kind = kind_find(command->type);
	size_t before = out->size;
	enum err rc;

	assert(kind != NULL);

	buf_u8(out, (uint8_t)command->type);
	kind->encode(command, out);
	rc = buf_status(out, why);
	if (rc == OK && out->size - before > COMMAND_SIZE_MAX) {
		rc = err_set(why, ERR_LIMIT,
		    "command is %zu bytes, at most %d are allowed",
		    out->size - before, COMMAND_SIZE_MAX);
	}
	if (rc != OK)
		out->size = before;
	return rc;
}

enum err
command_decode(
    const uint8_t *data, size_t size, struct command *out, struct errmsg *why)
{
	struct reader in = {data, size};
	const struct kind *kind;
	uint8_t type;
	enum err rc;

	if (size > COMMAND_SIZE_MAX) {
		return err_set(why, ERR_CORRUPT,
		    "command is %zu bytes, at most %d are allowed", size,
		    COMMAND_SIZE_MAX);
	}
	if (!read_u8(&in, &type))
		return err_set(why, ERR_CORRUPT, "command is empty");
	kind = kind_find(type);
	if (kind == NULL) {
		return err_set(
		    why, ERR_CORRUPT, "command type %u is not known", type);
	}
	*out = (struct command){.type = kind->type};
	rc = kind->decode(&in, out);
	if (rc == OK && in.size != 0)
		rc = ERR_CORRUPT;
	if (rc == OK)
		return OK;
	command_free(out);
	if (rc == ERR_NOMEM)
		return err_set(why, rc, "out of memory");
	return err_set(why, rc, "command %s is damaged", kind->name);
}

bool
command_is_removal(const uint8_t *data, size_t size)
{
	const struct kind *kind = size > 0 ? kind_find(data[0]) : NULL;

	return kind != NULL && kind->removal;
}

const char *
command_name(enum command_type type)
{
	const struct kind *kind = kind_find(type);

	return kind != NULL ? kind->name : "unknown";
}
