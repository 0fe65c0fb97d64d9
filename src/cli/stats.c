// SPDX-License-Identifier: BSD-3-Clause
// facet stats: shows and compares statistics files.
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/commands.h"

struct row {
    struct facet_stat a, b;
    double relative; // of the larger
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct facet_stat *)a)->name, ((const struct facet_stat *)b)->name);
}

static int by_relative(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->relative != y->relative)
        return x->relative < y->relative ? 1 : -1;
    return strcmp(x->a.name, y->a.name);
}

static struct facet_stat *sorted(const struct facet_stats *stats, size_t *ret_count)
{
    size_t n = *ret_count = facet_stats_count(stats);
    struct facet_stat *list = xcalloc(n, sizeof(*list));

    for (size_t i = 0; i < n; i++)
        list[i] = facet_stats_at(stats, i);
    qsort(list, n, sizeof(*list), by_name);
    return list;
}

// Text files have six decimals.
static double relative(const struct facet_stat *a, const struct facet_stat *b)
{
    double difference = fabs(a->value - b->value), most = fmax(fabs(a->value), fabs(b->value));

    if (isnan(a->value) || isnan(b->value))
        return isnan(a->value) && isnan(b->value) ? 0 : (double)INFINITY;
    if (difference <= ((a->rounded || b->rounded) ? 1e-6 : 0))
        return 0;
    return difference / most;
}

static bool parse_threshold(const char *text, double *ret)
{
    char *end;

    *ret = text ? strtod(text, &end) : 0;
    return !text || (end != text && (!*end || strcmp(end, "%") == 0) && *ret >= 0);
}

static size_t compare(const struct facet_stats *first, const struct facet_stats *second,
                      double threshold)
{
    size_t n, m, i = 0, k = 0, different = 0, missing = 0;
    struct facet_stat *a = sorted(first, &n), *b = sorted(second, &m);
    struct row *rows = xcalloc(n + 1, sizeof(*rows));

    while (i < n || k < m) {
        int order = i == n ? 1 : k == m ? -1 : strcmp(a[i].name, b[k].name);
        struct row row;

        if (order) {
            printf("only in %s: %s\n", order < 0 ? "A" : "B",
                   order < 0 ? a[i++].name : b[k++].name);
            missing++;
            continue;
        }
        row = (struct row){a[i], b[k], relative(&a[i], &b[k])};
        i++;
        k++;
        if (row.relative > 0 && row.relative * 100 >= threshold)
            rows[different++] = row;
    }
    qsort(rows, different, sizeof(*rows), by_relative);
    if (different)
        printf("%-48s %16s %16s %16s %9s\n", "NAME", "A", "B", "B - A", "RELATIVE");
    for (i = 0; i < different; i++)
        printf("%-48s %16.10g %16.10g %+16.10g %8.3f%%\n", rows[i].a.name, rows[i].a.value,
               rows[i].b.value, rows[i].b.value - rows[i].a.value, rows[i].relative * 100);
    free(rows);
    free(a);
    free(b);
    return different + missing;
}

static int run_diff(const struct cli_args *args)
{
    char *const *files = cli_operands(args) + 1;
    struct facet_error err;
    struct facet_stats *a, *b = NULL;
    double threshold;
    int code;

    if (!parse_threshold(cli_value(args, "threshold"), &threshold)) {
        cli_complain("option '--threshold' wants a percentage, not '%s'",
                     cli_value(args, "threshold"));
        return CLI_USAGE;
    }
    a = facet_stats_open(files[0], &err);
    b = a ? facet_stats_open(files[1], &err) : NULL;
    code = b ? compare(a, b, threshold) ? CLI_DIFFERENT : CLI_OK : cli_fail(&err);
    facet_stats_free(a);
    facet_stats_free(b);
    return code;
}

static int run_show(const struct cli_args *args)
{
    char *const *words = cli_operands(args) + 1;
    struct facet_error err;
    struct facet_stats *stats = facet_stats_open(words[0], &err);

    if (!stats)
        return cli_fail(&err);
    for (size_t i = 0; i < facet_stats_count(stats); i++) {
        struct facet_stat s = facet_stats_at(stats, i);

        if (!words[1] || fnmatch(words[1], s.name, 0) == 0)
            printf("%-56s %.10g\n", s.name, s.value);
    }
    facet_stats_free(stats);
    return CLI_OK;
}

static int stats_run(const struct cli_args *args)
{
    char *const *words = cli_operands(args);
    size_t n = cli_operand_count(args);
    int code = CLI_USAGE;

    if (n == 3 && strcmp(words[0], "diff") == 0)
        code = run_diff(args);
    else if ((n == 2 || n == 3) && strcmp(words[0], "show") == 0)
        code = run_show(args);
    else
        cli_complain(
            "stats: use it as 'facet stats diff A B' or 'facet stats show FILE [PATTERN]'");
    return cli_finish_output() == CLI_OK ? code : CLI_FAILED;
}

const struct cli_command stats_command = {
    .name = "stats",
    .summary = "show and compare statistics files",
    .operands = "diff|show FILE [OPERAND]",
    .about = "diff A B compares two statistics files, in any of the formats .txt, .json and .csv: "
             "the values that differ, those that differ most (relative to the larger) first, and "
             "the names that only one has. Exit code 4 if there are any. Of a file with several "
             "dumps the last is compared, of one with intervals the total.\n\nshow FILE [PATTERN] "
             "lists the values, those whose name matches the shell pattern.",
    .examples = "facet stats diff before.json after.txt --threshold 1\n"
                "facet stats show stats.json '*.o3.cpiStack*'",
    .max_operands = -1,
    .usage_code = CLI_USAGE,
    .run = stats_run,
};
