// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/debugger.h"

#include "isa/x86/fault.h"

bool x86_break_at(const struct x86_core *c, u64 linear)
{
    const struct x86_breaks *b = c->debug.breaks;
    u32 low = 0, high = b ? b->n_code : 0;

    while (low < high) {
        u32 middle = (low + high) / 2;

        if (b->code[middle] < linear)
            low = middle + 1;
        else
            high = middle;
    }
    return b && low < b->n_code && b->code[low] == linear;
}

bool x86_break_reached(struct x86_core *c, u64 linear)
{
    struct x86_debug *d = &c->debug;

    if (d->pass && d->pass_pc == linear) {
        d->pass = false;
        return false;
    }
    d->hit = X86_HIT_CODE;
    d->hit_address = linear;
    return true;
}

void x86_watch_access(struct x86_core *c, u64 linear, u32 size, bool write)
{
    struct x86_debug *d = &c->debug;
    u32 on = write ? X86_WATCH_WRITE : X86_WATCH_READ;

    if (c->core.speculation)
        return;
    for (u32 i = 0; d->breaks && i < d->breaks->n_data; i++) {
        const struct x86_watch *w = &d->breaks->data[i];

        if (!(w->on & on) || linear > w->last || linear + (size - 1) < w->first)
            continue;
        if (d->hit == X86_HIT_NONE) {
            d->hit = X86_HIT_DATA;
            d->hit_on = w->on;
            d->hit_address = MAX(linear, w->first);
        }
        c->core.leave_block = true;
        x86_stop(c, CORE_DEBUG);
    }
}

void x86_debug_resume(struct x86_core *c, bool pass)
{
    struct x86_debug *d = &c->debug;

    d->hit = X86_HIT_NONE;
    d->pass = pass;
    d->pass_pc = x86_linear_pc(c);
    if (c->core.stop == CORE_DEBUG)
        c->core.stop = 0;
}
