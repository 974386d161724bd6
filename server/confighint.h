/*
 * confighint - help for whoever wrote a name that no option has.
 */
#ifndef SERVER_CONFIGHINT_H
#define SERVER_CONFIGHINT_H

#include <stdbool.h>

#define CONFIGHINT_SIZE 128 /* bytes, enough for any hint */

/*
 * " (did you mean X?)" if an option's name is near, why a key of Consul's has
 * no meaning here, or an empty text. flag: name is a flag, without its dash,
 * else a key's path. Pure; any thread.
 */
void confighint(const char *name, bool flag, char hint[static CONFIGHINT_SIZE]);

#endif
