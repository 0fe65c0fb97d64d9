// SPDX-License-Identifier: BSD-3-Clause
// What the statistics writers share: every row's values, one line at a time, in one order. The
// names of the lines are gem5's: "path.name", "path.vector::element", "path.histogram::mean".
#pragma once

#include "sim/stats.h"

struct stat_line {
    const char *name; // whole name, valid during the call
    const char *unit, *doc;
    bool is_real;
    u64 number;   // when not is_real
    double real;  // when is_real; may be not-a-number
    double share; // of the total, for parts of a vector or histogram; negative: no part
    double cumulative;
};

typedef void stat_line_fn(void *context, const struct stat_line *line);
void stat_visit(const struct stat_set *set, const u64 *values, stat_line_fn *fn, void *context);

double stat_ratio(const struct stat_field *fields, const u64 *values, const struct stat_field *f);
u64 stat_vector_total(const struct stat_field *f, const u64 *words);
double stat_histogram_mean(const u64 *words);
double stat_histogram_stdev(const u64 *words);
void stat_histogram_range(const struct stat_field *f, u32 bucket, u64 *ret_first, u64 *ret_last);
