// SPDX-License-Identifier: BSD-3-Clause
// Return address stack: a ring that forgets its oldest entries. What wrong paths did to it is
// repaired, by one of
//   exact  all of it, as by a checkpoint or a linked stack (S. Jourdan et al., "Recovery
//          requirements of branch prediction storage structures", IJPP 25(5), 1997)
//   top    the top's number and what it held (K. Skadron et al., MICRO 31, 1998)
//   none
#pragma once

#include "base/types.h"

enum ras_repair { RAS_EXACT, RAS_TOP, RAS_NONE };

struct ras_undo {
    u32 slot;
    vaddr old;
};

// A view of state that bpred's list holds, and the log of what pushes overwrote.
struct ras {
    vaddr *slots;
    u32 *top;              // slot of the newest
    u32 *depth;            // valid ones
    struct ras_undo *undo; // ring of BPRED_IN_FLIGHT
    u32 head;              // of it; counts up
    u32 count, repair;
};

struct ras_memory {
    u32 top, depth, head;
    vaddr value;
};

static inline void ras_remember(const struct ras *r, struct ras_memory *m)
{
    m->top = *r->top;
    m->depth = *r->depth;
    m->head = r->head;
    m->value = r->slots[m->top];
}

static inline bool ras_peek(const struct ras *r, vaddr *ret)
{
    *ret = r->slots[*r->top];
    return *r->depth > 0;
}

static inline void ras_pop(struct ras *r)
{
    if (*r->depth == 0)
        return;
    --*r->depth;
    *r->top = *r->top ? *r->top - 1 : r->count - 1;
}

// `in_flight`: the length of the log; 0: there is no way back.
static inline void ras_push(struct ras *r, vaddr address, u32 in_flight)
{
    u32 slot = *r->top + 1 < r->count ? *r->top + 1 : 0;

    if (in_flight)
        r->undo[r->head++ % in_flight] = (struct ras_undo){slot, r->slots[slot]};
    r->slots[slot] = address;
    *r->top = slot;
    *r->depth += *r->depth < r->count;
}

static inline void ras_restore(struct ras *r, const struct ras_memory *m, u32 in_flight)
{
    if (r->repair == RAS_EXACT) {
        while (r->head != m->head) {
            const struct ras_undo *u = &r->undo[--r->head % in_flight];

            r->slots[u->slot] = u->old;
        }
    }
    if (r->repair == RAS_NONE)
        return;
    *r->top = m->top;
    *r->depth = m->depth;
    if (r->repair == RAS_TOP)
        r->slots[m->top] = m->value;
}

// Slots that hold nothing are zeroes.
static inline void ras_settle(struct ras *r)
{
    u32 slot = *r->top;

    for (u32 i = 0; i < r->count; i++) {
        if (i >= *r->depth)
            r->slots[slot] = 0;
        slot = slot ? slot - 1 : r->count - 1;
    }
}
