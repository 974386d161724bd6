/*
 * authority_rows - how the authority's objects stand in rows and commands.
 *
 * An object's fields in the order of its struct (integers big-endian, texts and
 * PEMs with u32 length, lists with u32 count, booleans u8 0 or 1, secrets as
 * storage/secret envelopes), without its indexes. A row is u64 create index,
 * u64 modify index, then the object. Any thread. [fuzz] by way of fsm/command.
 */
#ifndef FSM_AUTHORITY_ROWS_H
#define FSM_AUTHORITY_ROWS_H

#include <stdbool.h>

#include "fsm/authority.h"
#include "storage/buf.h"
#include "storage/err.h"
#include "storage/txn.h"

/* Room for the largest object the rules let in. */
#define AUTHORITY_ROW_MAX (256 * 1024)

/* The bytes written may hold secrets: wipe them. */
void ca_config_encode(const struct ca_config *config, struct buf *out);
void ca_root_encode(const struct ca_root *root, struct buf *out);
void ca_provider_encode(const struct ca_provider_row *row, struct buf *out);

/* False on damage, *out is then undefined. Indexes become 0. Borrowed. */
MUST_CHECK bool ca_config_decode(struct reader *in, struct ca_config *out);
MUST_CHECK bool ca_root_decode(struct reader *in, struct ca_root *out);
MUST_CHECK bool ca_provider_decode(
    struct reader *in, struct ca_provider_row *out);

/* Rows as stored: indexes not stamped with the floor. ERR_NOTFOUND,
 * ERR_CORRUPT, ERR_IO. */
MUST_CHECK enum err ca_config_get(struct txn *txn, struct ca_config *out);
MUST_CHECK enum err ca_provider_get(
    struct txn *txn, struct span id, struct ca_provider_row *out);
/* A root's row as a walk gives it. */
MUST_CHECK bool ca_root_row_decode(struct reader in, struct ca_root *out);

/* Write one row, indexes from the struct. What txn_put answers; ERR_NOMEM. */
MUST_CHECK enum err ca_config_put(
    struct txn *txn, const struct ca_config *config);
MUST_CHECK enum err ca_root_put(struct txn *txn, const struct ca_root *root);
MUST_CHECK enum err ca_provider_put(
    struct txn *txn, const struct ca_provider_row *row);

#endif
