// SPDX-License-Identifier: BSD-3-Clause
#include "api/api_priv.h"
#include "base/alloc.h"
#include "sim/stats_read.h"

struct facet_stats {
    struct stat_values values;
};

struct facet_stats *facet_stats_open(const char *file, struct facet_error *err)
{
    struct facet_stats *stats = xcalloc(1, sizeof(*stats));
    struct error inner;

    if (stat_values_read(&stats->values, file, &inner))
        return stats;
    free(stats);
    api_fail(err, &inner);
    return NULL;
}

void facet_stats_free(struct facet_stats *stats)
{
    if (stats)
        stat_values_release(&stats->values);
    free(stats);
}

size_t facet_stats_count(const struct facet_stats *stats)
{
    return stats->values.count;
}

struct facet_stat facet_stats_at(const struct facet_stats *stats, size_t index)
{
    const struct stat_value *v = &stats->values.items[index];

    return (struct facet_stat){
        .name = v->name, .value = v->value, .rounded = stats->values.rounded};
}
