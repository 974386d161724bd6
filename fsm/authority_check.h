/*
 * authority_check - what can be said against a change of the authority without
 * looking at the state: sizes, blanks, doubles, one active root.
 *
 * Pure; any thread. False: the answer is in result.
 */
#ifndef FSM_AUTHORITY_CHECK_H
#define FSM_AUTHORITY_CHECK_H

#include <stdbool.h>

#include "fsm/authority.h"
#include "fsm/result.h"

MUST_CHECK bool ca_config_check(
    const struct ca_config *config, struct fsm_result *result);
MUST_CHECK bool ca_provider_id_check(struct span id, struct fsm_result *result);
MUST_CHECK bool ca_provider_check(
    const struct ca_provider_row *row, struct fsm_result *result);
/* The set with its configuration, provider rows and deletes. */
MUST_CHECK bool ca_roots_check(
    const struct ca_roots_set *set, struct fsm_result *result);

#endif
