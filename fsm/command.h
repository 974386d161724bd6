/*
 * command - what a log entry asks the state machine to do; union <-> bytes.
 *
 * Wire form: u8 type, then the fields of its struct in order (integers
 * big-endian, texts as u32 length + bytes, lists as u32 count + items, secrets
 * as storage/secret envelopes). Everything that is not a pure function of the
 * state (time, ids, key bytes) is in the command, drawn by the server that
 * received the request (hazard 22). Any thread. [fuzz]
 */
#ifndef FSM_COMMAND_H
#define FSM_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fsm/authority.h"
#include "fsm/cluster.h"
#include "fsm/tlsconf.h"
#include "storage/buf.h"
#include "storage/err.h"

#define COMMAND_SIZE_MAX (768 * 1024) /* bytes encoded */

/* Stored in the log: append, never renumber. */
enum command_type {
	COMMAND_CLUSTER_INIT = 1,  /* the first command of a cluster */
	COMMAND_CLUSTER_QUOTA = 2, /* set the state quota */
	COMMAND_MEMBER_SET = 3,    /* add or change a member record */
	COMMAND_MEMBER_DELETE = 4,
	COMMAND_CA_CONFIG = 16, /* set the CA configuration */
	COMMAND_CA_ROOTS = 17,  /* set roots, optionally config and provider
				   rows, in one step */
	COMMAND_CA_PROVIDER_SET = 18,
	COMMAND_CA_PROVIDER_DELETE = 19,
	COMMAND_CA_SERIAL = 20, /* take count serials */
	COMMAND_TLSCONF_SET = 32,
	COMMAND_TLSCONF_DELETE = 33
};

/*
 * A decoded command. All pointers are borrowed: from the caller when encoding,
 * from the input bytes when decoding; texts are then not NUL-terminated, hence
 * struct span (fsm/span.h). Lists point into arrays inside the struct
 * command's arena, released by command_free.
 */
struct command {
	enum command_type type;
	union {
		struct cluster_init cluster_init;
		struct cluster_quota cluster_quota;
		struct member member_set;
		uint64_t member_delete; /* raft id */
		struct ca_config_set ca_config;
		struct ca_roots_set ca_roots;
		struct ca_provider_row ca_provider_set;
		struct span ca_provider_delete; /* provider-state ID */
		struct ca_serial ca_serial;
		struct tlsconf_set tlsconf_set;
		struct tlsconf_delete tlsconf_delete;
	};
	void *arena; /* owned by the command; NULL when nothing was allocated */
};

/* Append the wire form. ERR_LIMIT above COMMAND_SIZE_MAX, ERR_NOMEM; out is
 * then as long as before. The bytes may hold secrets: wipe them. */
MUST_CHECK enum err command_encode(
    const struct command *command, struct buf *out, struct errmsg *why);

/* All of data must be one command. ERR_CORRUPT (also for an unknown type, and
 * for bytes left over), ERR_NOMEM. On error nothing is owed. */
MUST_CHECK enum err command_decode(
    const uint8_t *data, size_t size, struct command *out, struct errmsg *why);
void command_free(struct command *command);

/* True for commands accepted above the quota: those that shrink the state, and
 * the one that sets the quota. Looks at the type only. */
bool command_is_removal(const uint8_t *data, size_t size);

/* "ca-roots" and so on, for logs and metric labels. Never NULL. */
const char *command_name(enum command_type type);

#endif
