// SPDX-License-Identifier: BSD-3-Clause
// Where a line lies in the DRAM: a permutation of fields of its address.
// APPROX: addresses beyond the capacity wrap around; so a hole below 4 GiB costs nothing, and two
// lines that far apart share a row.
#include "mem/dram_priv.h"

#include <string.h>

static bool is_power(u64 n)
{
    return n && (n & (n - 1)) == 0;
}

static u8 bits_of(u64 n)
{
    return (u8)(63 - __builtin_clzll(n));
}

static u64 row_lines(const struct dram *d)
{
    return (u64)d->standard->columns * d->standard->width_bits / 8 / TIMED_LINE;
}

u64 dram_capacity(const struct dram *d)
{
    return d->p.channels * d->p.ranks * d->rank_banks * d->standard->rows * row_lines(d) *
           TIMED_LINE;
}

bool dram_map_parse(struct dram *d, struct error *err)
{
    const struct dram_standard *s = d->standard;
    bool split = strstr(d->p.mapping, "Bg") != NULL;
    struct {
        const char *name;
        struct dram_field *field;
        u64 count;
        bool seen;
    } all[] = {
        {"Ro", &d->map.row, s->rows, false},
        {"Ra", &d->map.rank, d->p.ranks, false},
        {"Ba", &d->map.bank, split ? s->banks_per_group : d->rank_banks, false},
        {"Bg", &d->map.group, s->bank_groups, !split},
        {"Co", &d->map.column, row_lines(d), false},
        {"Ch", &d->map.channel, d->p.channels, false},
    };
    size_t at = strlen(d->p.mapping);
    u8 shift = 0;

    if (!is_power(d->p.channels) || !is_power(d->p.ranks))
        return error_set(err, ERROR_INPUT, "channels and ranks must be powers of two");
    d->map = (struct dram_map){.group_of_bank = split ? 0 : bits_of(s->bank_groups)};
    while (at >= 2) {
        size_t i = 0;

        at -= 2;
        while (i < ARRAY_SIZE(all) && strncmp(d->p.mapping + at, all[i].name, 2) != 0)
            i++;
        if (i == ARRAY_SIZE(all) || all[i].seen)
            return error_set(err, ERROR_INPUT,
                             "mapping '%.40s': '%.2s' is no field (Ro Ra Ba Bg Co Ch), or twice",
                             d->p.mapping, d->p.mapping + at);
        all[i].seen = true;
        *all[i].field = (struct dram_field){shift, bits_of(all[i].count)};
        shift = (u8)(shift + bits_of(all[i].count));
    }
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (at || !all[i].seen)
            return error_set(err, ERROR_INPUT, "mapping '%.40s' lacks '%s'", d->p.mapping,
                             all[i].name);
    return true;
}

static u32 take(u64 line, struct dram_field f)
{
    return (u32)(line >> f.shift) & ((1u << f.bits) - 1);
}

struct dram_place dram_place_of(const struct dram *d, paddr pa)
{
    u64 line = pa >> TIMED_LINE_SHIFT;
    u32 bank = take(line, d->map.bank), group = take(line, d->map.group);
    struct dram_place place = {.channel = take(line, d->map.channel),
                               .rank = take(line, d->map.rank),
                               .row = take(line, d->map.row),
                               .column = take(line, d->map.column)};

    if (d->map.group_of_bank) {
        group = bank & ((1u << d->map.group_of_bank) - 1);
        bank >>= d->map.group_of_bank;
    }
    place.bank = group * d->standard->banks_per_group + bank;
    if (d->p.bank_hash)
        place.bank ^= place.row & (d->rank_banks - 1);
    return place;
}
