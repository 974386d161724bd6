/*
 * draft - a log entry built command by command, and applied to a test's state.
 */
#ifndef TESTS_SUPPORT_DRAFT_H
#define TESTS_SUPPORT_DRAFT_H

#include "fsm/command.h"
#include "fsm/entry.h"
#include "tests/support/state.h"

struct draft {
	struct buf bytes;
	uint16_t count;
};

/* Each aborts the test on failure. Begin at index, chained on the state. */
struct draft draft_at(struct state *s, uint64_t index);
void draft_raw(
    struct draft *draft, struct request_id id, const void *data, size_t size);
void draft_add(
    struct draft *draft, struct request_id id, const struct command *command);
void draft_end(struct draft *draft);

/* Apply; the answers are in s->outcome, what was touched is added to
 * s->topics. The caller releases draft->bytes. */
void draft_apply(struct state *s, uint64_t index, const struct draft *draft);
/* End, apply, release. */
void draft_end_and_apply(struct state *s, uint64_t index, struct draft *draft);
/* One command at the next index; it must not be refused whole. */
void draft_apply_one(
    struct state *s, struct request_id id, const struct command *command);

/* COMMAND_TLSCONF_SET without a condition. */
struct command draft_tlsconf(const char *scope, const char *document);

#endif
