// SPDX-License-Identifier: BSD-3-Clause
// Statistics by declaration: a list of rows is a struct of plain u64s (the hot path is
// `c->n.hits++`) and the table from which text, JSON and CSV are written. Works for any struct.
//
//     #define CACHE_STATS(S, SV, SH, SG, SR)    (line continuations left out here)
//         S(hits, "Count", "Accesses found")                        counts up
//         SV(faults, FAULT_COUNT, fault_names, "Count", "Faults")   counters with names
//         SH(latency, 32, 1000, "Tick", "Access latency")           32 buckets of 1000; n.latency
//         SG(occupancy, "Count", "Lines in use")                    goes up and down
//         SR(hit_rate, hits, accesses, "Ratio", "Hits per access")  computed by the writer
//
//     STAT_STRUCT(cache_stats, CACHE_STATS);
//     STAT_FIELDS(cache_stats, CACHE_STATS);     in the .c: cache_stats_fields[]
//
// A set of sources is one fixed-size record of u64s: a snapshot is a copy, an interval a
// difference. Live counters are never reset.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

#include <string.h>

struct component;

enum stat_kind { STAT_COUNTER, STAT_VECTOR, STAT_HISTOGRAM, STAT_GAUGE, STAT_RATIO };

// One row; ends with a NULL name. Rows follow each other, so offsets are sums of `words`.
struct stat_field {
    const char *name;
    enum stat_kind kind;
    u32 words; // u64s in the struct
    const char *unit, *doc;
    const char *const *names;            // of a vector's elements
    const char *numerator, *denominator; // of a ratio: other rows of the same list
    u64 width;                           // of a histogram's buckets; 0: powers of two
};

// A histogram's words; the last bucket takes everything beyond.
#define STAT_HISTOGRAM_HEAD 3
#define STAT_HISTOGRAM_STRUCT(n)   \
    struct {                       \
        u64 samples, sum, squares; \
        u64 buckets[n];            \
    }

#define STAT_STRUCT(tag, LIST)                                                              \
    struct tag {                                                                            \
        LIST(STAT_MEMBER_S, STAT_MEMBER_SV, STAT_MEMBER_SH, STAT_MEMBER_SG, STAT_MEMBER_SR) \
    }
#define STAT_FIELDS(tag, LIST)                 \
    const struct stat_field tag##_fields[] = { \
        LIST(STAT_ROW_S, STAT_ROW_SV, STAT_ROW_SH, STAT_ROW_SG, STAT_ROW_SR){0}}

#define STAT_MEMBER_S(name, unit, doc) u64 name;
#define STAT_MEMBER_SV(name, n, names, unit, doc) u64 name[n];
#define STAT_MEMBER_SH(name, n, width, unit, doc) STAT_HISTOGRAM_STRUCT(n) name;
#define STAT_MEMBER_SG(name, unit, doc) u64 name;
#define STAT_MEMBER_SR(name, numerator, denominator, unit, doc)

#define STAT_ROW_S(name, unit, doc) {#name, STAT_COUNTER, 1, unit, doc, NULL, NULL, NULL, 0},
#define STAT_ROW_SV(name, n, names, unit, doc) \
    {#name, STAT_VECTOR, (n), unit, doc, names, NULL, NULL, 0},
#define STAT_ROW_SH(name, n, width, unit, doc) \
    {#name, STAT_HISTOGRAM, (n) + STAT_HISTOGRAM_HEAD, unit, doc, NULL, NULL, NULL, width},
#define STAT_ROW_SG(name, unit, doc) {#name, STAT_GAUGE, 1, unit, doc, NULL, NULL, NULL, 0},
#define STAT_ROW_SR(name, numerator, denominator, unit, doc) \
    {#name, STAT_RATIO, 0, unit, doc, NULL, #numerator, #denominator, 0},

// stat_sample(&c->n.latency, 1000, ticks): the width is the row's. The sum of squares saturates
// (the deviation is then nan).
#define stat_sample(histogram, width, value) \
    stat_sample_words(&(histogram)->samples, ARRAY_SIZE((histogram)->buckets), (width), (value))
static inline void stat_sample_words(u64 *words, u64 buckets, u64 width, u64 value)
{
    u64 b = width ? value / width : value ? 64u - (u64)__builtin_clzll(value) : 0;

    words[0]++;
    words[1] += value;
    if (__builtin_mul_overflow(value, value, &value) ||
        __builtin_add_overflow(words[2], value, &words[2]))
        words[2] = ~(u64)0;
    words[STAT_HISTOGRAM_HEAD + MIN(b, buckets - 1)]++;
}

size_t stat_words(const struct stat_field *fields);

// What is written: structs, each under a path ("" for the top), in the order they were added.
struct stat_source {
    char *path;                      // owned
    const struct stat_field *fields; // borrowed
    const void *data;                // borrowed
};
struct stat_set {
    struct stat_source *items; // owned
    size_t count, room;
    size_t words;
};

void stat_set_release(struct stat_set *set);
// Several structs may share a path when they are added one after the other.
void stat_set_add(struct stat_set *set, const char *path, const struct stat_field *fields,
                  const void *data);
// All components of a tree, from `root` down, in the order they were made.
void stat_set_add_tree(struct stat_set *set, const struct component *root);

// Copies all words (set->words of them) to *values.
void stat_set_take(const struct stat_set *set, u64 *values);
// after -= before, except gauges, which keep their newest value.
void stat_set_subtract(const struct stat_set *set, u64 *after, const u64 *before);

// to += more, except gauges, which stay.
void stat_set_add_values(const struct stat_set *set, u64 *to, const u64 *more);

// Values that were taken before the end.
struct stat_record {
    u64 *values;    // owned
    u64 insts;      // of the machine, then
    u64 ticks;      //
    u64 from_insts; // of an interval: where it began
    u64 from_ticks; //
    bool interval;
};
struct stat_records {
    struct stat_record *items; // owned
    size_t count, room;
};

// Writers append one dump of `values` (as stat_set_take gives them) to *out. Not-a-number is "nan"
// in text, null in JSON, empty in CSV.
void stat_write_text(const struct stat_set *set, const u64 *values, struct strbuf *out);
void stat_write_json(const struct stat_set *set, const u64 *values,
                     const struct stat_records *records, struct strbuf *out);
// A line for each interval, one for `values`: interval, what it covers, then all values.
void stat_write_series(const struct stat_set *set, const u64 *values,
                       const struct stat_records *records, struct strbuf *out);
void stat_write_csv(const struct stat_set *set, const u64 *values, struct strbuf *out);
// Writes the live values to `path`, in the format its extension names (.txt, .json, .csv).
bool stat_set_write(const struct stat_set *set, const char *path, struct error *err) MUST_CHECK;
// The same with values that were taken, and records, in the order they were taken. With `series`,
// CSV has a row for each interval and one for the values.
bool stat_records_write(const struct stat_set *set, const u64 *values,
                        const struct stat_records *records, bool series, const char *path,
                        struct error *err) MUST_CHECK;
// Whether the extension is one of these.
bool stat_path_check(const char *path, struct error *err) MUST_CHECK;

// One value by name ("cpu0.insts", "cpu0.faults::page", "cpu0.ipc"); false when there is none.
bool stat_get(const struct stat_set *set, const u64 *values, const char *name,
              double *ret_value) MUST_CHECK;
