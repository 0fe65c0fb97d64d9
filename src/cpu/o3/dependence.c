// SPDX-License-Identifier: BSD-3-Clause
// Which older store a load should wait for. SPEC: Chrysos and Emer, "Memory Dependence Prediction
// using Store Sets", ISCA 1998: a table from pcs to sets, one of the last store in flight by set.
// APPROX: sets are merged into the one of the smaller number, and never cleared.
#include "cpu/o3/o3_priv.h"

static u32 hash(vaddr pc)
{
    return (u32)(pc ^ pc >> 12) % O3_SSIT;
}

u64 o3_dependence_of_load(struct pipe *p, vaddr pc, u64 order)
{
    u32 set;

    if (p->o3->p.dependence != O3_BY_STORE_SETS)
        return p->o3->p.dependence == O3_WAIT_FOR_ALL ? order : 0;
    set = p->ssit[hash(pc)];
    if (!set || p->lfst[set - 1] > order)
        return 0;
    return p->lfst[set - 1];
}

void o3_dependence_store(struct pipe *p, vaddr pc, u64 number)
{
    u32 set = p->ssit[hash(pc)];

    if (set)
        p->lfst[set - 1] = number + 1;
}

void o3_dependence_train(struct pipe *p, vaddr load, vaddr store)
{
    u32 *l = &p->ssit[hash(load)], *s = &p->ssit[hash(store)];

    if (!*l && !*s)
        *l = *s = hash(load) % O3_LFST + 1;
    else if (!*l)
        *l = *s;
    else if (!*s)
        *s = *l;
    else
        *l = *s = MIN(*l, *s);
}
