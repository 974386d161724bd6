#include "tests/support/draft.h"

#include "tests/support/test.h"

struct draft
draft_at(struct state *s, uint64_t index)
{
	struct draft draft = {buf_new(ENTRY_SIZE_MAX), 0};

	entry_begin(&draft.bytes, index, 3, txn_meta(s->txn)->chain);
	return draft;
}

void
draft_raw(
    struct draft *draft, struct request_id id, const void *data, size_t size)
{
	entry_add(&draft->bytes, &id, data, size);
	draft->count++;
}

void
draft_add(
    struct draft *draft, struct request_id id, const struct command *command)
{
	struct buf out = buf_new(COMMAND_SIZE_MAX);
	struct errmsg why;

	assert_int_equal(command_encode(command, &out, &why), OK);
	draft_raw(draft, id, out.data, out.size);
	buf_free(&out);
}

void
draft_end(struct draft *draft)
{
	uint8_t hash[DB_HASH_SIZE];
	struct errmsg why;

	assert_int_equal(
	    entry_end(&draft->bytes, draft->count, hash, &why), OK);
}

void
draft_apply(struct state *s, uint64_t index, const struct draft *draft)
{
	assert_int_equal(fsm_apply(s->txn, index, draft->bytes.data,
			     draft->bytes.size, &s->outcome, &s->topics),
	    OK);
}

void
draft_end_and_apply(struct state *s, uint64_t index, struct draft *draft)
{
	draft_end(draft);
	draft_apply(s, index, draft);
	buf_free(&draft->bytes);
}

void
draft_apply_one(
    struct state *s, struct request_id id, const struct command *command)
{
	uint64_t index = txn_meta(s->txn)->index + 1;
	struct draft draft = draft_at(s, index);

	draft_add(&draft, id, command);
	draft_end_and_apply(s, index, &draft);
	assert_false(s->outcome.refused);
	assert_int_equal(s->outcome.count, 1);
}

struct command
draft_tlsconf(const char *scope, const char *document)
{
	return (struct command){.type = COMMAND_TLSCONF_SET,
	    .tlsconf_set = {span_of(scope), span_of(document), false, 0}};
}
