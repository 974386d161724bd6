/*
 * histogram - latencies in buckets 1/64 apart: relative error below 1.6 %.
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64

struct histogram {
	uint64_t buckets[64 * HISTOGRAM_STEPS];
	uint64_t count, sum, max; /* sum and max in ns */
};

void histogram_add(struct histogram *histogram, uint64_t ns);
/* The latency below which the share q (0 to 1) of all lies, us; 1 = exactly
 * the longest; 0 when empty. */
double histogram_us(const struct histogram *histogram, double q);
double histogram_mean_us(const struct histogram *histogram);

#endif
