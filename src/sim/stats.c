// SPDX-License-Identifier: BSD-3-Clause
#include "sim/stats.h"

#include "base/alloc.h"
#include "base/bug.h"
#include "base/file.h"
#include "sim/stats_visit.h"

#include <math.h>
#include <stdio.h>

size_t stat_words(const struct stat_field *fields)
{
    size_t n = 0;

    for (; fields->name; fields++)
        n += fields->words;
    return n;
}

void stat_set_release(struct stat_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->items[i].path);
    free(set->items);
    *set = (struct stat_set){0};
}

void stat_set_add(struct stat_set *set, const char *path, const struct stat_field *fields,
                  const void *data)
{
    struct stat_source s = {.path = xstrdup(path), .fields = fields, .data = data};

    for (size_t i = 0; i + 1 < set->count; i++)
        ASSERT(strcmp(set->items[i].path, path) != 0);
    VEC_PUSH(set, s);
    set->words += stat_words(fields);
}

void stat_set_take(const struct stat_set *set, u64 *values)
{
    for (size_t i = 0; i < set->count; i++) {
        size_t n = stat_words(set->items[i].fields);

        if (n)
            memcpy(values, set->items[i].data, n * sizeof(u64));
        values += n;
    }
}

void stat_set_subtract(const struct stat_set *set, u64 *after, const u64 *before)
{
    for (size_t i = 0; i < set->count; i++) {
        for (const struct stat_field *f = set->items[i].fields; f->name; f++) {
            for (u32 k = 0; k < f->words; k++)
                if (f->kind != STAT_GAUGE)
                    after[k] -= before[k];
            after += f->words;
            before += f->words;
        }
    }
}

void stat_set_add_values(const struct stat_set *set, u64 *to, const u64 *more)
{
    for (size_t i = 0; i < set->count; i++) {
        for (const struct stat_field *f = set->items[i].fields; f->name; f++) {
            for (u32 k = 0; k < f->words; k++)
                if (f->kind != STAT_GAUGE)
                    to[k] += more[k];
            to += f->words;
            more += f->words;
        }
    }
}

// The single-word row `name`, as a number.
static double operand(const struct stat_field *fields, const u64 *values, const char *name)
{
    for (const struct stat_field *f = fields; f->name; values += f->words, f++) {
        if (strcmp(f->name, name) != 0)
            continue;
        if (f->kind == STAT_VECTOR) {
            u64 total = 0;

            for (u32 k = 0; k < f->words; k++)
                total += values[k];
            return (double)total;
        }
        ASSERT(f->kind != STAT_RATIO);
        return (double)values[0];
    }
    BUG("statistic '%s' is not in the list", name);
}

double stat_ratio(const struct stat_field *fields, const u64 *values, const struct stat_field *f)
{
    double d = operand(fields, values, f->denominator);

    return d == 0 ? (double)NAN : operand(fields, values, f->numerator) / d;
}

u64 stat_vector_total(const struct stat_field *f, const u64 *words)
{
    u64 total = 0;

    for (u32 k = 0; k < f->words; k++)
        total += words[k];
    return total;
}

double stat_histogram_mean(const u64 *words)
{
    return words[0] ? (double)words[1] / (double)words[0] : (double)NAN;
}

double stat_histogram_stdev(const u64 *words)
{
    double n = (double)words[0], mean = stat_histogram_mean(words);
    double variance;

    if (words[0] < 2 || words[2] == ~(u64)0)
        return (double)NAN;
    variance = ((double)words[2] - n * mean * mean) / (n - 1);
    return variance > 0 ? sqrt(variance) : 0;
}

void stat_histogram_range(const struct stat_field *f, u32 bucket, u64 *ret_first, u64 *ret_last)
{
    u32 buckets = f->words - STAT_HISTOGRAM_HEAD;

    if (f->width) {
        *ret_first = bucket * f->width;
        *ret_last = *ret_first + f->width - 1;
    } else {
        *ret_first = bucket ? 1ull << (bucket - 1) : 0;
        *ret_last = bucket ? *ret_first + (*ret_first - 1) : 0;
    }
    if (bucket + 1 == buckets)
        *ret_last = ~(u64)0;
}

static const char *extension_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && !strchr(dot, '/') ? dot : "";
}

bool stat_path_check(const char *path, struct error *err)
{
    const char *e = extension_of(path);

    if (strcmp(e, ".txt") == 0 || strcmp(e, ".json") == 0 || strcmp(e, ".csv") == 0)
        return true;
    return error_set(
        err, ERROR_USAGE,
        "statistics file '%s' must end in .txt, .json or .csv: that chooses the format", path);
}

bool stat_set_write(const struct stat_set *set, const char *path, struct error *err)
{
    AUTO_FREE u64 *values = xcalloc(set->words, sizeof(u64));
    const struct stat_records none = {0};

    stat_set_take(set, values);
    return stat_records_write(set, values, &none, false, path, err);
}

bool stat_records_write(const struct stat_set *set, const u64 *values,
                        const struct stat_records *records, bool series, const char *path,
                        struct error *err)
{
    AUTO(strbuf) struct strbuf out = {0};
    const char *e = extension_of(path);

    if (!stat_path_check(path, err))
        return false;
    if (strcmp(e, ".txt") == 0) {
        for (size_t i = 0; i < records->count; i++)
            stat_write_text(set, records->items[i].values, &out);
        stat_write_text(set, values, &out);
    } else if (strcmp(e, ".json") == 0) {
        stat_write_json(set, values, records, &out);
    } else if (series) {
        stat_write_series(set, values, records, &out);
    } else {
        stat_write_csv(set, values, &out);
    }
    return file_write(path, strbuf_text(&out), out.length, err);
}
