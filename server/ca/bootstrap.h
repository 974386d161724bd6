/*
 * bootstrap - the CA task of a fresh leader (contract 3.2): complete the
 * configuration row, then adopt the stored root, or make the first one.
 *
 * Every step is one guarded commit, so another leader goes on from what is
 * stored. Consensus loop.
 */
#ifndef SERVER_CA_BOOTSTRAP_H
#define SERVER_CA_BOOTSTRAP_H

#include "server/ca/castep.h"
#include "storage/err.h"

struct bootstrap;
/* bootstrap is gone when cb returns; why is "" if status is OK. */
typedef void (*bootstrap_cb)(void *arg, struct bootstrap *bootstrap,
    enum err status, const struct errmsg *why);

/* Calls back once, later. ERR_NOMEM: it never will. */
MUST_CHECK enum err bootstrap_start(const struct ca_env *env, bootstrap_cb cb,
    void *arg, struct bootstrap **out, struct errmsg *why);
/* Leadership is lost: begin nothing more; cb still runs. */
void bootstrap_abandon(struct bootstrap *bootstrap);

#endif
