/*
 * tlsconf - TLS configuration documents, one per scope (contract 8.3).
 *
 * A document is stored as the compact JSON the server checked and rendered;
 * the rules here only look at scope and indexes. Readers: any thread, own
 * transaction, results borrowed. Writers: apply only.
 */
#ifndef FSM_TLSCONF_H
#define FSM_TLSCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "fsm/span.h"
#include "fsm/topic.h"
#include "storage/err.h"
#include "storage/txn.h"

#define TLSCONF_SCOPE_MAX    64          /* bytes, of a-z 0-9 _ - */
#define TLSCONF_DOCUMENT_MAX (16 * 1024) /* bytes of JSON */

struct tlsconf {
	struct span scope;
	struct span document;
	uint64_t create_index, modify_index;
};

/*
 * cas: see contract 1.13. has_cas with cas 0 = only if absent. Otherwise
 * ERR_CONFLICT "ModifyIndex did not match existing: have <m>, got <n>".
 * ERR_INVALID (scope, empty document), ERR_LIMIT (document). Setting a document
 * anew is a change even if the bytes are the same.
 */
struct tlsconf_set {
	struct span scope, document;
	bool has_cas;
	uint64_t cas;
};
struct tlsconf_delete {
	struct span scope;
	bool has_cas;
	uint64_t cas;
};

/* 1..TLSCONF_SCOPE_MAX bytes of a-z 0-9 _ - */
bool tlsconf_scope_valid(struct span scope);

/*
 * *index is out->modify_index; on ERR_NOTFOUND (also for an invalid scope) what
 * an absent object answers with. out->scope is the scope given; the document is
 * the transaction's.
 */
MUST_CHECK enum err tlsconf_get(struct txn *txn, struct span scope,
    struct tlsconf *out, uint64_t *index, struct errmsg *why);
/* Every document in scope order; false from cb stops. *index of the table. */
typedef bool (*tlsconf_cb)(void *arg, const struct tlsconf *conf);
MUST_CHECK enum err tlsconf_list(struct txn *txn, tlsconf_cb cb, void *arg,
    uint64_t *index, struct errmsg *why);

/*
 * The rules, revision being what the state gets if it changes. OK: judged, the
 * answer is in result (all zero before); on a refusal nothing has changed.
 * Anything else is storage trouble.
 */
struct fsm_result;
MUST_CHECK enum err tlsconf_apply_set(struct txn *txn, uint64_t revision,
    const struct tlsconf_set *set, struct fsm_result *result);
MUST_CHECK enum err tlsconf_apply_delete(struct txn *txn, uint64_t revision,
    const struct tlsconf_delete *del, struct fsm_result *result);

#endif
