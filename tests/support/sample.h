/*
 * sample - objects of the authority that the rules accept, for tests.
 */
#ifndef TESTS_SUPPORT_SAMPLE_H
#define TESTS_SUPPORT_SAMPLE_H

#include "fsm/authority.h"

/* All texts are borrowed: from the caller where given, else constants. */
struct ca_config sample_config(const char *config);
struct ca_root sample_root(const char *id, bool active);
struct ca_provider_row sample_row(const char *id, const char *key);

#endif
