/*
 * authority - the certificate authority as the cluster agrees on it.
 *
 * Objects and operations of contract 3.1: configuration, roots, provider rows,
 * serial counter. Rules here, effects (keys, certificates) in server/ca. The
 * rules never parse certificates: what they need arrives in the command.
 * Invariant: the root set is empty or has exactly one active root; all roots
 * carry the same modify index, which is the index of the roots table.
 * Readers: any thread, own transaction, results borrowed from it. Writers:
 * apply only. A change to configuration or roots touches the one topic
 * AUTHORITY_TOPIC (contract 1.7.11: a change of configuration alone wakes the
 * watchers of roots too).
 */
#ifndef FSM_AUTHORITY_H
#define FSM_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fsm/span.h"
#include "fsm/topic.h"
#include "storage/buf.h"
#include "storage/err.h"
#include "storage/txn.h"

#define AUTHORITY_ROOTS_MAX         64
#define AUTHORITY_INTERMEDIATES_MAX 16
#define AUTHORITY_CHAIN_MAX         (64 * 1024) /* bytes of PEM in one root */
#define AUTHORITY_CONFIG_MAX        (64 * 1024) /* bytes of Config JSON */
#define AUTHORITY_KEY_MAX           (16 * 1024) /* bytes of PEM of one key */
#define AUTHORITY_TEXT_MAX          255         /* bytes of each other text */
#define AUTHORITY_TOPIC             topic_of(TABLE_ROOT, NULL, 0)

/* The one configuration row. */
struct ca_config {
	struct span cluster_id; /* lower-case UUID, the trust domain's host */
	struct span provider;   /* "consul" */
	struct span config; /* compact JSON object; secret (may hold a key) */
	struct span state;  /* compact JSON object, empty = null */
	bool force;         /* ForceWithoutCrossSigning as last PUT */
	uint64_t create_index, modify_index;
};

/* One root certificate, contract 2.1. Times are seconds since 1970, UTC. */
struct ca_root {
	struct span id; /* colon-hex SHA-1 of the DER */
	struct span name;
	uint64_t serial;                   /* low 64 bits */
	struct span signing_key_id;        /* colon-hex SKI, may be empty */
	struct span external_trust_domain; /* cluster UUID it was made under */
	int64_t not_before, not_after;
	struct span cert; /* PEM, final newline */
	struct span intermediates[AUTHORITY_INTERMEDIATES_MAX]; /* PEMs */
	size_t intermediate_count;
	bool active;
	struct span key_type; /* "ec", "rsa" */
	uint32_t key_bits;
	int64_t rotated_out; /* 0 = never was rotated out */
	uint64_t create_index,
	    modify_index; /* set by apply, ignored in commands */
};

/* One provider-state row; key and certificates in PEM. */
struct ca_provider_row {
	struct span id;          /* colon-hex, contract 3.1 */
	struct span private_key; /* secret, envelope on the wire */
	struct span root_cert;
	struct span intermediate_cert;
	uint64_t create_index, modify_index; /* set by apply */
};

/* COMMAND_CA_CONFIG. cas 0 = unconditional. A blank cluster_id keeps the
 * stored one. ERR_CONFLICT "ModifyIndex did not match existing". ERR_INVALID
 * (blank provider or config), ERR_LIMIT. */
struct ca_config_set {
	struct ca_config config; /* indexes ignored */
	uint64_t cas;
};

/*
 * COMMAND_CA_ROOTS: set-roots-config of contract 3.1, one atomic step. Every
 * given expectation must hold or nothing changes:
 *   expected_roots   index of the roots table (0 = none stored yet);
 *                    else ERR_CONFLICT "could not atomically update roots and
 *                    config"
 *   exactly one active root, no ID blank or twice: ERR_INVALID "there must be
 *                    exactly one active CA", "root ID is missing"; ERR_LIMIT
 *   config           if has_config; as COMMAND_CA_CONFIG, its cas too
 *   provider rows    upserted, then deletes (ids) removed
 * The set replaces the stored one; an ID that stays keeps its create index.
 */
struct ca_roots_set {
	uint64_t expected_roots;
	struct ca_root *roots;
	size_t root_count;
	bool has_config;
	struct ca_config_set config;
	struct ca_provider_row *rows;
	size_t row_count;
	struct span *deletes;
	size_t delete_count;
};

/* COMMAND_CA_SERIAL: result value = first of count fresh serials. The first
 * serial of a cluster follows the index of the provider table. */
#define AUTHORITY_SERIALS_MAX 65536
struct ca_serial {
	uint32_t count; /* 1..AUTHORITY_SERIALS_MAX, else ERR_INVALID */
};

/* ERR_NOTFOUND before bootstrap; others are storage trouble. */
MUST_CHECK enum err authority_config(
    struct txn *txn, struct ca_config *out, struct errmsg *why);
/* Roots by ID ascending, at most max (AUTHORITY_ROOTS_MAX is always enough);
 * *index = index of the roots table, 0 if never written. */
MUST_CHECK enum err authority_roots(struct txn *txn, struct ca_root *out,
    size_t max, size_t *count, uint64_t *index, struct errmsg *why);
/* ERR_NOTFOUND, also for an ID that cannot be. out->id is the id given. */
MUST_CHECK enum err authority_provider(struct txn *txn, struct span id,
    struct ca_provider_row *out, struct errmsg *why);
/* What root watchers compare with: max(roots table, config), at least 1. */
MUST_CHECK enum err authority_index(struct txn *txn, uint64_t *index);

/*
 * The rules, revision being what the state gets if it changes. OK: judged, the
 * answer is in result (all zero before); on a refusal nothing has changed.
 * Anything else is storage trouble. A missing row deleted: OK, not changed.
 * Indexes in the result: of the object written; for roots, create index of the
 * active one.
 */
struct fsm_result;
MUST_CHECK enum err authority_apply_config(struct txn *txn, uint64_t revision,
    const struct ca_config_set *set, struct fsm_result *result);
MUST_CHECK enum err authority_apply_roots(struct txn *txn, uint64_t revision,
    const struct ca_roots_set *set, struct fsm_result *result);
MUST_CHECK enum err authority_apply_provider(struct txn *txn, uint64_t revision,
    const struct ca_provider_row *row, struct fsm_result *result);
MUST_CHECK enum err authority_apply_provider_delete(struct txn *txn,
    uint64_t revision, struct span id, struct fsm_result *result);
MUST_CHECK enum err authority_apply_serial(struct txn *txn, uint64_t revision,
    const struct ca_serial *serial, struct fsm_result *result);

#endif
