/*
 * configcheck - what options say together: fall-backs, then the cross checks.
 */
#ifndef SERVER_CONFIGCHECK_H
#define SERVER_CONFIGCHECK_H

#include "server/configtable.h"
#include "storage/err.h"

/* Complete the draft's config and judge it as a whole. why names the options.
 * ERR_INVALID, ERR_NOMEM. */
MUST_CHECK enum err configcheck(struct config_draft *draft, struct errmsg *why);

#endif
