// SPDX-License-Identifier: BSD-3-Clause
#include "api/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/names.h"
#include "base/units.h"

struct setting {
    const char *path;
    size_t offset; // of a u64 in struct settings
    enum unit unit;
    const char *const *choices; // NULL-terminated names, whose index is the value; or NULL
    const char *initial;
    u64 min, max;
    const char *doc;
};

static const char *const cpu_models[] = {"functional", NULL};
static const char *const cpuid_levels[] = {"x86-64-v1", "x86-64-v2", "x86-64-v3", NULL};
static const char *const booleans[] = {"false", "true", NULL};

#define AT(member) offsetof(struct settings, member)
static const struct setting table[] = {
    {"cpus", AT(cpus), UNIT_NONE, NULL, "1", 1, 64, "Number of simulated CPUs."},
    {"cpu", AT(cpu), UNIT_NONE, cpu_models, "functional", 0, 0, "CPU model: functional."},
    {"cpuid", AT(cpuid), UNIT_NONE, cpuid_levels, "x86-64-v3", 0, 0,
     "The instruction set that the guest sees: x86-64-v1, x86-64-v2 or x86-64-v3."},
    {"mem", AT(mem_bytes), UNIT_BYTES, NULL, "4GiB", MiB(16), GiB(1024), "Memory of the guest."},
    {"quantum", AT(quantum_insts), UNIT_NONE, NULL, "10000", 1, 1000000000,
     "Instructions that a CPU runs before the next one has its turn."},
    {"seed", AT(seed), UNIT_NONE, NULL, "1", 0, UINT64_MAX,
     "Seed of everything that is random to the guest."},
    {"max_insts", AT(max_insts), UNIT_NONE, NULL, "0", 0, UINT64_MAX,
     "Instructions of all CPUs together after which the run ends; 0: no limit."},
    {"traced", AT(traced), UNIT_NONE, booleans, "false", 0, 0,
     "Whether the engine emits a record for each instruction into a counting consumer."},
};
#undef AT

static u64 *slot(struct settings *s, const struct setting *row)
{
    return (u64 *)((char *)s + row->offset);
}

static bool parse_choice(const struct setting *row, const char *value, u64 *ret_value,
                         struct error *err)
{
    struct names_nearest near = {.word = value};
    char all[128] = "";

    for (u64 i = 0; row->choices[i]; i++) {
        if (strcmp(row->choices[i], value) == 0) {
            *ret_value = i;
            return true;
        }
        names_offer(&near, row->choices[i]);
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "",
                 row->choices[i]);
    }
    if (near.best)
        return error_set(err, ERROR_INPUT, "%s: no such value '%s'; did you mean '%s'?", row->path,
                         value, near.best);
    return error_set(err, ERROR_INPUT, "%s: no such value '%s'; there is %s", row->path, value,
                     all);
}

static bool parse_number(const struct setting *row, const char *value, u64 *ret_value,
                         struct error *err)
{
    char low[40], high[40];
    u64 number;

    if (!unit_parse(value, row->unit, &number, err))
        return error_wrap(err, "%s", row->path);
    if (number < row->min || number > row->max) {
        unit_format(row->min, row->unit, low);
        unit_format(row->max, row->unit, high);
        return error_set(err, ERROR_INPUT,
                         "%s: %s is out of bounds; it is at least %s and at most "
                         "%s",
                         row->path, value, low, high);
    }
    *ret_value = number;
    return true;
}

static bool set_row(struct settings *s, const struct setting *row, const char *value,
                    struct error *err)
{
    if (row->choices)
        return parse_choice(row, value, slot(s, row), err);
    return parse_number(row, value, slot(s, row), err);
}

void settings_init(struct settings *s)
{
    struct error err;

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        bool good = set_row(s, &table[i], table[i].initial, &err);

        ASSERT(good);
    }
}

bool settings_set(struct settings *s, const char *path, const char *value, struct error *err)
{
    struct names_nearest near = {.word = path};

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (strcmp(table[i].path, path) == 0)
            return set_row(s, &table[i], value, err);
        names_offer(&near, table[i].path);
    }
    if (near.best)
        return error_set(err, ERROR_INPUT, "no machine setting '%s'; did you mean '%s'?", path,
                         near.best);
    return error_set(err, ERROR_INPUT,
                     "no machine setting '%s'; docs/reference/cli.md lists the settings", path);
}

size_t settings_count(void)
{
    return ARRAY_SIZE(table);
}

struct setting_doc settings_doc(size_t index)
{
    ASSERT(index < ARRAY_SIZE(table));
    return (struct setting_doc){table[index].path, table[index].initial, table[index].doc};
}
