#include "fsm/fsm.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "fsm/authority.h"
#include "fsm/cluster.h"
#include "fsm/command.h"
#include "fsm/request.h"
#include "fsm/tlsconf.h"
#include "storage/hash.h"

struct item {
	struct request_id id;
	const uint8_t *data; /* borrowed from the entry */
	size_t size;
};

/* An entry taken apart: nothing is applied before all of it was read. */
struct parsed {
	struct entry_head head;
	bool has_head;
	struct item items[ENTRY_COMMANDS_MAX];
};

static enum err
entry_parse(
    const uint8_t *data, size_t size, struct parsed *out, struct errmsg *why)
{
	struct reader in = {data, size};
	enum err rc;

	out->has_head = false;
	rc = entry_open(&in, &out->head, why);
	if (rc != OK)
		return rc;
	out->has_head = true;
	for (size_t i = 0; i < out->head.count; i++) {
		struct item *item = &out->items[i];

		rc = entry_next(&in, &item->id, &item->data, &item->size, why);
		if (rc != OK)
			return rc;
	}
	return entry_close(&in, why);
}

/* The guards of hazard 3: was this entry made for this place in the log? */
static enum err
guards_check(const struct entry_head *head, const struct db_meta *meta,
    uint64_t index, struct errmsg *why)
{
	if (head->index != index) {
		return err_set(why, ERR_CONFLICT,
		    "chain expects index %" PRIu64 ", applied at %" PRIu64,
		    head->index, index);
	}
	if (memcmp(head->previous, meta->chain, DB_HASH_SIZE) != 0) {
		return err_set(why, ERR_CONFLICT,
		    "chain carries another hash of the entry before it");
	}
	return OK;
}

static void
touch_tlsconf(struct topics *topics, struct span scope)
{
	topics_add(topics, topic_of(TABLE_TLSCONF, scope.data, scope.size));
	topics_add(topics, topic_of(TABLE_TLSCONF, NULL, 0));
}

/* What a command that changed the state wakes. */
static void
touch(struct topics *topics, const struct command *command)
{
	switch (command->type) {
	case COMMAND_CLUSTER_INIT:
	case COMMAND_CLUSTER_QUOTA:
	case COMMAND_MEMBER_SET:
	case COMMAND_MEMBER_DELETE:
		topics_add(topics, topic_of(TABLE_MEMBER, NULL, 0));
		break;
	case COMMAND_CA_CONFIG:
	case COMMAND_CA_ROOTS:
		topics_add(topics, AUTHORITY_TOPIC);
		break;
	case COMMAND_CA_PROVIDER_SET:
	case COMMAND_CA_PROVIDER_DELETE:
	case COMMAND_CA_SERIAL:
		break; /* nobody waits for these */
	case COMMAND_TLSCONF_SET:
		touch_tlsconf(topics, command->tlsconf_set.scope);
		break;
	case COMMAND_TLSCONF_DELETE:
		touch_tlsconf(topics, command->tlsconf_delete.scope);
		break;
	}
}

static enum err
member_delete(
    struct txn *txn, uint64_t revision, uint64_t id, struct fsm_result *result)
{
	enum err rc;

	rc = cluster_apply_member_delete(txn, revision, id, result);
	if (rc != OK || !result->changed)
		return rc;
	return request_forget(txn, id);
}

static enum err
rule_apply(struct txn *txn, uint64_t revision, const struct command *command,
    struct fsm_result *result)
{
	switch (command->type) {
	case COMMAND_CLUSTER_INIT:
		return cluster_apply_init(
		    txn, revision, &command->cluster_init, result);
	case COMMAND_CLUSTER_QUOTA:
		return cluster_apply_quota(
		    txn, revision, &command->cluster_quota, result);
	case COMMAND_MEMBER_SET:
		return cluster_apply_member(
		    txn, revision, &command->member_set, result);
	case COMMAND_MEMBER_DELETE:
		return member_delete(
		    txn, revision, command->member_delete, result);
	case COMMAND_CA_CONFIG:
		return authority_apply_config(
		    txn, revision, &command->ca_config, result);
	case COMMAND_CA_ROOTS:
		return authority_apply_roots(
		    txn, revision, &command->ca_roots, result);
	case COMMAND_CA_PROVIDER_SET:
		return authority_apply_provider(
		    txn, revision, &command->ca_provider_set, result);
	case COMMAND_CA_PROVIDER_DELETE:
		return authority_apply_provider_delete(
		    txn, revision, command->ca_provider_delete, result);
	case COMMAND_CA_SERIAL:
		return authority_apply_serial(
		    txn, revision, &command->ca_serial, result);
	case COMMAND_TLSCONF_SET:
		return tlsconf_apply_set(
		    txn, revision, &command->tlsconf_set, result);
	case COMMAND_TLSCONF_DELETE:
		return tlsconf_apply_delete(
		    txn, revision, &command->tlsconf_delete, result);
	}
	return ERR_INTERNAL; /* command_decode lets no other type pass */
}

static enum err
command_apply(struct txn *txn, const struct item *item,
    struct fsm_result *result, struct topics *topics)
{
	struct db_meta *meta = txn_meta_change(txn);
	struct command command;
	struct errmsg why;
	enum err rc;

	if (meta->revision >= FSM_REVISION_MAX) {
		fsm_result_refuse(result, ERR_LIMIT,
		    "the state revision has reached its limit");
		return OK;
	}
	rc = command_decode(item->data, item->size, &command, &why);
	if (rc == ERR_CORRUPT) {
		fsm_result_refuse(result, rc, "%s", why.text);
		return OK;
	}
	if (rc != OK)
		return rc;
	rc = rule_apply(txn, meta->revision + 1, &command, result);
	if (rc == OK && result->changed) {
		assert(result->code == OK);
		meta->revision++;
		touch(topics, &command);
	}
	command_free(&command);
	return rc;
}

/* One command, unless it was applied before. */
static enum err
item_apply(struct txn *txn, const struct item *item, struct fsm_result *result,
    struct topics *topics)
{
	bool known;
	enum err rc;

	*result = (struct fsm_result){.revision = txn_meta(txn)->revision};
	rc = request_find(txn, &item->id, &known, result);
	if (rc != OK || known)
		return rc;
	rc = command_apply(txn, item, result, topics);
	if (rc != OK)
		return rc;
	result->revision = txn_meta(txn)->revision;
	return request_remember(txn, &item->id, result);
}

enum err
fsm_apply(struct txn *txn, uint64_t index, const uint8_t *data, size_t size,
    struct fsm_outcome *outcome, struct topics *topics)
{
	struct db_meta *meta = txn_meta_change(txn);
	struct parsed parsed;
	struct errmsg why;
	enum err rc;

	assert(index > meta->index); /* the caller skips the others */

	outcome->count = 0;
	outcome->refused = false;
	outcome->why.text[0] = '\0';
	rc = entry_parse(data, size, &parsed, &why);
	if (rc == OK)
		rc = guards_check(&parsed.head, meta, index, &why);
	if (rc != OK) {
		outcome->refused = true;
		(void)err_set(&outcome->why, rc, "refused: %s", why.text);
	}
	for (size_t i = 0; rc == OK && i < parsed.head.count; i++) {
		rc = item_apply(
		    txn, &parsed.items[i], &outcome->results[i], topics);
		if (rc != OK)
			return rc;
		outcome->count++;
	}
	meta->index = index;
	if (parsed.has_head)
		meta->term = parsed.head.term;
	hash_bytes(data, size, meta->chain);
	return OK;
}
