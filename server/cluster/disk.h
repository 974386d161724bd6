/*
 * disk - free space under the data directory, looked at once a second.
 *
 * A server that runs low says so to the leader, which then takes only removals
 * (hazard 25), long before libraft finds no room for its next segment (8 MiB,
 * two prepared ahead). Consensus loop; the look itself runs in libuv's pool.
 */
#ifndef SERVER_CLUSTER_DISK_H
#define SERVER_CLUSTER_DISK_H

#include <stdbool.h>

#include "storage/err.h"

#define DISK_LOW_BYTES (32ull * 1024 * 1024)

struct disk;
struct loop;

/* path: borrowed for its life. */
MUST_CHECK enum err disk_new(
    struct loop *loop, const char *path, struct disk **out, struct errmsg *why);
/* About once a second. */
void disk_look(struct disk *disk);
bool disk_low(const struct disk *disk);
/* Frees itself once no look is under way. NULL allowed. */
void disk_close(struct disk *disk);

#endif
