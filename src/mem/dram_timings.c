// SPDX-License-Identifier: BSD-3-Clause
#include "mem/dram_timings.h"

const struct dram_standard dram_standards[] = {
#define STANDARD(id, title, what) \
    {                             \
        .name = (title), .doc = (what),
#define VALUE(field, number, source) .field = (number),
#define LIMIT(field, clocks, ps, source) .field = {(clocks), (ps)},
#define END \
    }       \
    ,
#include "mem/dram_standards.def"
#undef STANDARD
#undef VALUE
#undef LIMIT
#undef END
};
const unsigned dram_standards_count = ARRAY_SIZE(dram_standards);

const struct dram_source dram_sources[] = {
#define STANDARD(id, title, what) {title, "", what},
#define VALUE(field, number, source) {"", #field, source},
#define LIMIT(field, clocks, ps, source) {"", #field, source},
#define END
#include "mem/dram_standards.def"
#undef STANDARD
#undef VALUE
#undef LIMIT
#undef END
};
const unsigned dram_sources_count = ARRAY_SIZE(dram_sources);

// In thousandths of a clock where the rules say so.
static u32 clocks_of(const struct dram_standard *s, struct dram_limit limit)
{
    u64 ps = limit.ps, tCK = s->tCK_ps, clocks;

    if (s->rounding == DRAM_ROUND_DDR4)
        clocks = (ps * 1000 / tCK + 974) / 1000;
    else if (s->rounding == DRAM_ROUND_DDR5)
        clocks = ps ? (ps * 997 / tCK + 1000) / 1000 : 0;
    else
        clocks = (ps + tCK - 1) / tCK;
    return (u32)MAX(clocks, limit.clocks);
}

void dram_timings_resolve(const struct dram_standard *s, struct dram_timings *ret)
{
#define RESOLVE(name) ret->name = clocks_of(s, s->name);
    DRAM_TIMINGS(RESOLVE)
#undef RESOLVE
    // The only limits that must not be exceeded.
    ret->tREFI = s->tREFI.ps / s->tCK_ps;
    ret->tREFIpb = s->tREFIpb.ps / s->tCK_ps;
    ret->burst = s->burst_beats / s->beats_per_clock;
}
