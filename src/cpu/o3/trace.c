// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/o3/o3_priv.h"

// The instruction whose last micro-op is at `last` retires, or is dropped.
void o3_trace_slot(struct pipe *p, u64 last, bool flushed)
{
    const struct o3_slot *s = o3_at(p, last);
    u64 first = last - s->number, next = flushed ? p->head : last + 1;
    const struct o3_info *i = &p->info[first & p->mask];
    struct o3_trace_record r = {
        .number = i->trace,
        .pc = i->pc,
        .opcode = i->opcode,
        .n_uops = (u8)(s->number + 1),
        .flushed = flushed,
        .wrong_path = s->flags & O3_WRONG_PATH,
        .cycle_ticks = p->time.whole,
        .at = {i->fetched, i->rename, i->dispatched, O3_NEVER, flushed ? O3_NEVER : 0,
               p->time.cycle},
    };

    for (u64 pos = first; pos <= last; pos++) {
        r.at[O3_STAGE_ISSUE] = MIN(r.at[O3_STAGE_ISSUE], p->info[pos & p->mask].issued);
        if (!flushed)
            r.at[O3_STAGE_COMPLETE] = MAX(r.at[O3_STAGE_COMPLETE], o3_at(p, pos)->done);
    }
    r.oldest_fetch = next < p->tail ? p->info[next & p->mask].fetched : p->time.cycle;
    p->trace->record(p->trace, &r);
}
