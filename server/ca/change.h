/*
 * change - one PUT of the CA configuration, from the request to the commit
 * (contract 2.3, 3.6): judged, made ready, proven, then written in one command
 * or not at all. A new root is a rotation. Consensus loop.
 */
#ifndef SERVER_CA_CHANGE_H
#define SERVER_CA_CHANGE_H

#include <stdint.h>

#include "server/ca/castep.h"
#include "storage/err.h"

struct change;

struct change_result {
	enum err status;   /* ERR_UNKNOWN: it may have been applied */
	struct errmsg why; /* contract 2.3's words */
	bool state_refused;
	bool written;      /* false: the stored configuration was equal */
	bool rotated;      /* another root is active now */
	uint64_t revision; /* 0 if nothing was written */
};

/* change is gone when cb returns. */
typedef void (*change_cb)(
    void *arg, struct change *change, const struct change_result *result);

/* request: manager_put_encode's bytes, copied. ERR_CORRUPT, ERR_NOMEM. */
MUST_CHECK enum err change_new(const struct ca_env *env, const uint8_t *request,
    size_t size, change_cb cb, void *arg, struct change **out,
    struct errmsg *why);
/* Calls back once, later. */
void change_start(struct change *change);
/* Never started. */
void change_free(struct change *change);
/* Leadership is lost: begin nothing more; cb still runs. */
void change_abandon(struct change *change);

#endif
