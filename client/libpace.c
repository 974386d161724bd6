#include "client/libpace.h"

struct libpace
libpace_new(unsigned interval_ms)
{
	return (struct libpace){.interval_ms = interval_ms};
}

unsigned
libpace_take(struct libpace *pace, uint64_t now_ms)
{
	uint64_t lack;

	if (pace->full_ms < now_ms)
		pace->full_ms = now_ms;
	pace->full_ms += pace->interval_ms;
	/* Two tokens: up to two intervals of debt cost no waiting. */
	lack = pace->full_ms - now_ms;
	if (lack <= 2 * (uint64_t)pace->interval_ms)
		return 0;
	return (unsigned)(lack - 2 * (uint64_t)pace->interval_ms);
}

unsigned
libpace_fail(struct libpace *pace, uint32_t random)
{
	unsigned wait = LIBPACE_BACKOFF_MIN_MS;

	for (unsigned i = 0; i < pace->failures; i++) {
		if (wait >= LIBPACE_BACKOFF_MAX_MS / 2) {
			wait = LIBPACE_BACKOFF_MAX_MS;
			break;
		}
		wait *= 2;
	}
	if (pace->failures < UINT32_MAX)
		pace->failures++;
	return wait - random % (wait / 2 + 1);
}

void
libpace_good(struct libpace *pace)
{
	pace->failures = 0;
}
