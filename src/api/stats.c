// SPDX-License-Identifier: BSD-3-Clause
// Statistics of a machine: what they count from, intervals, regions of interest, files.
// APPROX: a model with timing is empty at an interval's end, as at any limit of a run.
#include <string.h>
#include <unistd.h>

#include "api/machine_priv.h"
#include "base/alloc.h"

static const struct stat_set *stats_of(struct facet_machine *machine)
{
    return machine->computer ? computer_stats(machine->computer) : se_stats(machine->se);
}

static void position(const struct facet_machine *machine, u64 *ret_insts, tick *ret_now)
{
    *ret_insts =
        machine->computer ? pc_insts(computer_board(machine->computer)) : se_insts(machine->se);
    *ret_now = machine->computer ? computer_now(machine->computer) : se_now(machine->se);
}

// The values since `before` (NULL: since the start). To be freed.
static u64 *take(const struct stat_set *set, const u64 *before)
{
    u64 *values = xcalloc(set->words, sizeof(*values));

    stat_set_take(set, values);
    if (before)
        stat_set_subtract(set, values, before);
    return values;
}

// Those that count: with regions of interest, those of the regions.
static u64 *take_stats(const struct facet_machine *machine, const struct stat_set *set)
{
    const struct machine_stats *s = &machine->stats;
    u64 *values;

    if (!machine->settings.roi)
        return take(set, s->before);
    if (!s->inside && s->regions) {
        values = xcalloc(set->words, sizeof(*values));
        memcpy(values, s->regions, set->words * sizeof(*values));
        return values;
    }
    values = take(set, s->before);
    if (!s->inside) // no region yet: nothing is counted
        stat_set_subtract(set, values, values);
    else if (s->regions)
        stat_set_add_values(set, values, s->regions);
    return values;
}

static void keep(struct facet_machine *machine, u64 *values, bool interval)
{
    struct stat_record record = {.values = values, .interval = interval};

    record.from_insts = machine->stats.from_insts;
    record.from_ticks = machine->stats.from_ticks;
    position(machine, &record.insts, &record.ticks);
    VEC_PUSH(&machine->stats.records, record);
}

// ---- intervals

bool api_stats_begin(struct facet_machine *machine, struct error *err)
{
    struct machine_stats *s = &machine->stats;
    u64 insts;
    tick now;

    if (!machine->settings.stats_every[0])
        return true;
    if (!switching_amount(machine->settings.stats_every, &s->every, &s->period, err))
        return error_wrap(err, "stats_every");
    if (!s->period)
        return error_set(err, ERROR_INPUT, "stats_every: that is no time at all");
    position(machine, &insts, &now);
    s->from_insts = insts;
    s->from_ticks = now;
    s->next = (s->every == SWITCH_AT_INSTS ? insts : now) + s->period;
    return true;
}

void api_stats_next(const struct machine_stats *s, u64 *insts, tick *when)
{
    if (s->period && s->every == SWITCH_AT_INSTS)
        *insts = MIN(*insts, s->next);
    if (s->period && s->every == SWITCH_AT_TIME)
        *when = MIN(*when, s->next);
}

// What was counted since the last one's end is one interval.
static void end_interval(struct facet_machine *machine)
{
    struct machine_stats *s = &machine->stats;
    const struct stat_set *set = stats_of(machine);
    u64 insts;
    tick now;

    position(machine, &insts, &now);
    if (!s->period)
        return;
    if ((insts > s->from_insts || now > s->from_ticks) && (!machine->settings.roi || s->inside))
        keep(machine, take(set, s->interval), true);
    free(s->interval);
    s->interval = take(set, NULL);
    s->from_insts = insts;
    s->from_ticks = now;
    s->next = (s->every == SWITCH_AT_INSTS ? insts : now) + s->period;
}

bool api_stats_due(struct facet_machine *machine, u64 insts, tick now)
{
    struct machine_stats *s = &machine->stats;

    if (!s->period || s->next > (s->every == SWITCH_AT_INSTS ? insts : now))
        return false;
    end_interval(machine);
    return true;
}

// ---- regions of interest

void api_stats_region(struct facet_machine *machine, u16 function)
{
    struct machine_stats *s = &machine->stats;
    const struct stat_set *set = stats_of(machine);
    u64 *values;

    if (!machine->settings.roi)
        return;
    if (function == SIMOP_WORK_BEGIN && !s->inside) {
        end_interval(machine);
        free(s->before);
        s->before = take(set, NULL);
        s->inside = true;
    } else if (function == SIMOP_WORK_END && s->inside) {
        end_interval(machine);
        keep(machine, take(set, s->before), false);
        values = take_stats(machine, set);
        free(s->regions);
        s->regions = values;
        s->inside = false;
    }
}

// ---- the public functions

bool facet_machine_write_stats(struct facet_machine *machine, const char *file,
                               struct facet_error *err)
{
    const struct stat_set *set;
    AUTO_FREE u64 *values = NULL;
    struct error inner;

    if (!machine->se && !machine->computer)
        return api_error(err, FACET_ERROR_USAGE, "no program is loaded");
    end_interval(machine);
    set = stats_of(machine);
    values = take_stats(machine, set);
    return stat_records_write(set, values, &machine->stats.records, machine->stats.period, file,
                              &inner) ||
           api_fail(err, &inner);
}

void facet_machine_dump_stats(struct facet_machine *machine)
{
    if (machine->se || machine->computer)
        keep(machine, take_stats(machine, stats_of(machine)), false);
}

void facet_machine_reset_stats(struct facet_machine *machine)
{
    struct machine_stats *s = &machine->stats;

    if (!machine->se && !machine->computer)
        return;
    end_interval(machine);
    free(s->before);
    s->before = take(stats_of(machine), NULL);
    free(s->regions);
    s->regions = NULL;
}

void api_stats_release(struct machine_stats *s)
{
    for (size_t i = 0; i < s->records.count; i++)
        free(s->records.items[i].values);
    VEC_RELEASE(&s->records);
    free(s->before);
    free(s->interval);
    free(s->regions);
}

// Splits "folder/name" and looks at the folder.
static bool check_folder(const char *file, struct facet_error *err)
{
    AUTO_FREE char *folder = xstrdup(file);
    char *slash = strrchr(folder, '/');
    struct error inner;

    if (slash)
        slash[slash == folder] = 0;
    if (access(slash ? folder : ".", W_OK) == 0)
        return true;
    error_set_errno(&inner, "cannot write '%s'", file);
    return api_fail(err, &inner);
}

bool facet_stats_file_check(const char *file, struct facet_error *err)
{
    const char *dot = strrchr(file, '.');

    if (!dot || (strcmp(dot, ".txt") != 0 && strcmp(dot, ".json") != 0 && strcmp(dot, ".csv") != 0))
        return api_error(err, FACET_ERROR_USAGE,
                         "statistics file '%s': the name must end in .txt, .json or .csv", file);
    return check_folder(file, err);
}
