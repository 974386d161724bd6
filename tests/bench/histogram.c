#include "tests/bench/histogram.h"

void
histogram_add(struct histogram *h, uint64_t ns)
{
	unsigned shift = 0;

	if (ns >= HISTOGRAM_STEPS)
		shift = 58 - (unsigned)__builtin_clzll(ns);
	h->buckets[shift == 0
		? ns
		: shift * HISTOGRAM_STEPS + (ns >> shift) % HISTOGRAM_STEPS]++;
	h->count++;
	h->sum += ns;
	if (ns > h->max)
		h->max = ns;
}

double
histogram_us(const struct histogram *h, double q)
{
	uint64_t want = (uint64_t)(q * (double)h->count), before = 0;
	double low, width;
	unsigned i;

	for (i = 0; i < 64 * HISTOGRAM_STEPS; i++) {
		before += h->buckets[i];
		if (before > want)
			break;
	}
	if (i == 64 * HISTOGRAM_STEPS)
		return (double)h->max / 1e3;
	width = i < HISTOGRAM_STEPS
	    ? 1
	    : (double)(UINT64_C(1) << (i / HISTOGRAM_STEPS));
	low = i < HISTOGRAM_STEPS ? i : (double)(i % HISTOGRAM_STEPS) * width;
	return (low + width / 2) / 1e3;
}

double
histogram_mean_us(const struct histogram *h)
{
	return h->count > 0 ? (double)h->sum / (double)h->count / 1e3 : 0;
}
