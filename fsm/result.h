/*
 * result - the rules' answer to one command, the same on every member.
 *
 * Stored in the request table and sent to the server that asked. Layout,
 * big-endian: u16 code; u8 changed; u64 revision; u64 create index; u64 modify
 * index; u64 value; u32 length and text of why. Any thread.
 */
#ifndef FSM_RESULT_H
#define FSM_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/buf.h"
#include "storage/err.h"

#define FSM_WHY_SIZE        256 /* bytes with NUL; longer ones are cut */
#define FSM_RESULT_SIZE_MAX (2 + 1 + 4 * 8 + 4 + FSM_WHY_SIZE) /* encoded */

/*
 * revision is the state revision after the command: grown by one if it changed
 * the state, else that of the state it was judged against.
 */
struct fsm_result {
	enum err code;
	bool changed;
	uint64_t revision;
	uint64_t create_index, modify_index; /* of the object, 0 = none */
	uint64_t value;                      /* command-specific */
	char why[FSM_WHY_SIZE];              /* "" if code is OK */
};

void fsm_result_encode(const struct fsm_result *result, struct buf *out);
/* False on damage; *out is then undefined. */
MUST_CHECK bool fsm_result_decode(struct reader *in, struct fsm_result *out);

/* The rule says no: set code and why, and nothing else. */
void fsm_result_refuse(struct fsm_result *result, enum err code,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
