// SPDX-License-Identifier: BSD-3-Clause
// What an instruction costs. It begins when the registers that it reads are there (whoever waits
// for memory is waited for on use), goes through its micro-operations, each on its unit, and may
// leave results behind that come later. All can stop in the middle and go on later. APPROX: an
// access across pages translates the first one only. Stores ask for their line when they are
// issued. Results within an instruction do not hold back those behind it: loads have their stage in
// front of the computation.
#include "cpu/branch.h"
#include "cpu/timing/timing_priv.h"

struct unit {
    u8 latency, interval, group;
};

static const struct unit units[UOP_CLASSES] = {
#define UNIT(class, latency, interval, group) [class] = {latency, interval, GROUP_##group},
#include "cpu/timing/units.def"
#undef UNIT
};

static bool wait_for(struct timing *t, tick when, enum timing_reason why)
{
    t->wake = when;
    t->why = why;
    return false;
}

static bool busy(struct timing *t, tick when, enum timing_reason why)
{
    return wait_for(t, MAX(when, t->cpu.now + t->period), why);
}

// ---- fetch

// The answer to a question for a line or its translation; what is hit is hidden by asking early.
static bool fetch_answer(struct timing *t, enum timed_answer answer, tick when)
{
    tick ahead = t->redirected ? 0 : t->p.fetch_ahead * t->period;

    if (answer == TIMED_BUSY)
        return busy(t, when, TIMING_fetch);
    if (answer == TIMED_PENDING)
        t->fetching = true;
    else if (when > ahead)
        timing_advance(t, when - ahead, TIMING_fetch);
    return true;
}

static bool fetch_line(struct timing *t, vaddr line)
{
    vaddr va = line << TIMED_LINE_SHIFT, page = va & CORE_PAGE_MASK;
    struct timed_access a = {.kind = TIMED_FETCH, .core = (u8)t->cpu.core->id};
    enum timed_answer answer;
    tick when = 0;

    if (t->fetching)
        return wait_for(t, NOT_YET, TIMING_fetch);
    if (t->fetch_stage == FETCH_TRANSLATE && t->itlb && page != t->fetch_page) {
        answer = t->itlb_ops->access(t->itlb, va, front_pa(&t->front, page), t->cpu.now, &t->walker,
                                     &t->client, TOKEN_ITLB, &when);
        if (!fetch_answer(t, answer, when))
            return false;
        t->fetch_page = page;
        t->fetch_stage = FETCH_ASK;
        if (t->fetching)
            return wait_for(t, NOT_YET, TIMING_fetch);
    }
    if (t->fetch_stage != FETCH_ASKED) {
        a.pa = front_pa(&t->front, va);
        a.pc = va;
        answer = t->icache_ops->access(t->icache, &a, t->cpu.now, &t->client, TOKEN_FETCH, &when);
        if (!fetch_answer(t, answer, when))
            return false;
        t->fetch_stage = FETCH_ASKED;
        if (t->fetching)
            return wait_for(t, NOT_YET, TIMING_fetch);
    }
    t->fetch_stage = FETCH_TRANSLATE;
    t->fetch_line = line;
    t->redirected = false;
    return true;
}

static bool fetch(struct timing *t, const struct static_inst *si)
{
    vaddr first = si->pc >> TIMED_LINE_SHIFT, last = (si->pc + si->len - 1) >> TIMED_LINE_SHIFT;

    if (LIKELY(t->fetch_line == last)) // the first one was there
        return true;
    if (t->fetch_line != first && !fetch_line(t, first))
        return false;
    return last == first || fetch_line(t, last);
}

// ---- issue

static bool is_local(const struct timing *t, u8 reg)
{
    return t->at.local[reg / 64] >> reg % 64 & 1;
}

// When all that it reads from others is there; NOT_YET and *ret_why if that is not known.
static tick operands_at(const struct timing *t, const struct static_inst *si,
                        enum timing_reason *ret_why)
{
    u64 local[2] = {0, 0};
    tick at = t->cpu.now;

    for (u32 i = 0; i < si->n_uops && i < UOPS_MAX; i++) {
        const struct uop *u = &si->uops[i];

        for (u32 k = 0; k < ARRAY_SIZE(u->src) && u->src[k] != UOP_NO_REG; k++) {
            u8 reg = u->src[k];

            if (t->ready[reg] <= at || local[reg / 64] >> reg % 64 & 1)
                continue;
            at = t->ready[reg];
            *ret_why = t->from_load[reg] ? TIMING_load : TIMING_data;
        }
        for (u32 k = 0; k < ARRAY_SIZE(u->dst) && u->dst[k] != UOP_NO_REG; k++)
            local[u->dst[k] / 64] |= 1ull << u->dst[k] % 64;
    }
    return at;
}

static bool issue(struct timing *t, const struct dyn_inst *d)
{
    const struct static_inst *si = d->si;
    enum timing_reason why = TIMING_data;
    tick at = operands_at(t, si, &why);

    if (at == NOT_YET)
        return wait_for(t, NOT_YET, why);
    timing_advance(t, at, why);
    if ((si->flags & (STATIC_SERIALISING | STATIC_ATOMIC)) || d->flags & DYN_FAULT) {
        tick quiet = timing_quiet_at(t);

        if (quiet > t->cpu.now)
            return wait_for(t, quiet, TIMING_serialising);
        t->n.serialisations++;
    }
    if (t->slots >= t->p.width)
        timing_advance(t, t->cpu.now + t->period, TIMING_base);
    t->slots++;
    if (si->flags & STATIC_MICROCODED && si->n_uops > t->p.microcode_rate)
        timing_advance(t, t->cpu.now + (si->n_uops - 1) / t->p.microcode_rate * t->period,
                       TIMING_unit);
    t->at.local[0] = t->at.local[1] = 0;
    t->at.next_read = t->at.next_write = d->mem_first;
    return true;
}

// ---- memory

// The next reference of d that is a load, or a store; NULL: no more.
static const struct mem_ref *next_ref(struct timing *t, const struct dyn_inst *d, bool write)
{
    u32 *next = write ? &t->at.next_write : &t->at.next_read;
    const struct mem_ref *mem = t->front.batch->mem;
    u32 end = d->mem_first + d->n_mem;

    while (*next < end && mem[*next].write != write)
        ++*next;
    return *next < end ? &mem[*next] : NULL;
}

static u32 pieces_of(const struct mem_ref *m)
{
    return (u32)(((m->pa & (TIMED_LINE - 1)) + m->size + TIMED_LINE - 1) >> TIMED_LINE_SHIFT);
}

static bool translate(struct timing *t, const struct mem_ref *m)
{
    enum timed_answer answer;
    tick when;

    if (t->at.translated || !t->dtlb)
        return true;
    if (t->translating)
        return wait_for(t, NOT_YET, TIMING_translation);
    if (!t->at.accessed) {
        answer = t->dtlb_ops->access(t->dtlb, m->va, m->pa & CORE_PAGE_MASK, t->cpu.now, &t->walker,
                                     &t->client, TOKEN_DTLB, &when);
        if (answer == TIMED_BUSY)
            return busy(t, when, TIMING_translation);
        t->at.accessed = true;
        if (answer == TIMED_PENDING) {
            t->translating = true;
            return wait_for(t, NOT_YET, TIMING_translation);
        }
        timing_advance(t, when, TIMING_translation);
    }
    t->at.translated = true;
    return true;
}

static u32 free_load(const struct timing *t)
{
    u32 i = 0;

    while (t->load[i].live)
        i++;
    return i;
}

// One line of a load.
static bool load_piece(struct timing *t, const struct timed_access *a)
{
    enum timed_answer answer;
    u32 token;
    tick when;

    // One load waits for one line.
    if (t->at.token >= 0 && t->load[t->at.token].live)
        return wait_for(t, NOT_YET, TIMING_load);
    if (t->loads >= t->p.loads)
        return wait_for(t, NOT_YET, TIMING_memory);
    token = free_load(t);
    answer = t->dcache_ops->access(t->dcache, a, t->cpu.now, &t->client, token, &when);
    if (answer == TIMED_BUSY)
        return busy(t, when, TIMING_memory);
    if (answer == TIMED_PENDING) {
        t->load[token] = (struct load){.live = true};
        t->loads++;
        t->at.token = (i32)token;
    } else {
        t->at.data = MAX(t->at.data, when);
    }
    return true;
}

static bool store_room(struct timing *t)
{
    while (t->stores && t->store_done[t->store_head] <= t->cpu.now) {
        t->store_head = (t->store_head + 1) % STORES_MAX;
        t->stores--;
    }
    return t->stores < t->p.stores || wait_for(t, t->store_done[t->store_head], TIMING_memory);
}

static bool store_piece(struct timing *t, const struct timed_access *a)
{
    u32 slot = (t->store_head + t->stores) % STORES_MAX;
    enum timed_answer answer;
    tick when;

    if (!store_room(t))
        return false;
    slot = (t->store_head + t->stores) % STORES_MAX;
    answer = t->dcache_ops->access(t->dcache, a, t->cpu.now, &t->client, TOKEN_STORE + slot, &when);
    if (answer == TIMED_BUSY)
        return busy(t, when, TIMING_memory);
    t->store_done[slot] = answer == TIMED_PENDING ? NOT_YET : when;
    t->stores++;
    return true;
}

// The reference m, line by line. Devices are waited for elsewhere: timing_stall.
static bool access_memory(struct timing *t, const struct static_inst *si, const struct mem_ref *m)
{
    u32 pieces = pieces_of(m);

    if (m->device)
        return true;
    if (!translate(t, m))
        return false;
    while (t->at.piece < pieces) {
        paddr line = (m->pa & ~(paddr)(TIMED_LINE - 1)) + (paddr)t->at.piece * TIMED_LINE;
        struct timed_access a = {
            .pa = MAX(line, m->pa),
            .pc = si->pc,
            .kind = m->write ? TIMED_WRITE : TIMED_READ,
            .core = (u8)t->cpu.core->id,
        };

        if (!(m->write ? store_piece(t, &a) : load_piece(t, &a)))
            return false;
        t->at.piece++;
    }
    return true;
}

static void next_access(struct timing *t, bool write)
{
    ++*(write ? &t->at.next_write : &t->at.next_read);
    t->at.piece = 0;
    t->at.translated = t->at.accessed = false;
}

static bool uop_memory(struct timing *t, const struct dyn_inst *d, bool write)
{
    const struct mem_ref *m = next_ref(t, d, write);

    if (!m)
        return true;
    if (!access_memory(t, d->si, m))
        return false;
    next_access(t, write);
    if (write)
        t->n.stores++;
    else
        t->n.loads++;
    return true;
}

// ---- micro-operations

static void take_unit(struct timing *t, const struct unit *u)
{
    tick *best = t->group_free[u->group];

    if (u->group == GROUP_ANY)
        return;
    for (u32 i = 1; i < t->units[u->group]; i++)
        if (t->group_free[u->group][i] < *best)
            best = &t->group_free[u->group][i];
    timing_advance(t, *best, TIMING_unit);
    *best = t->cpu.now + u->interval * t->period;
}

// How many cycles behind its load a register is.
static u16 behind_load(const struct load *l, u8 reg)
{
    for (u32 i = 0; i < l->n; i++)
        if (l->reg[i] == reg)
            return l->latency[i];
    return 0;
}

// Register reg comes `latency` cycles behind load number `token`. False: no room.
static bool behind(struct timing *t, u32 token, u8 reg, u32 latency)
{
    struct load *l = &t->load[token];
    u32 i = 0;

    while (i < l->n && l->reg[i] != reg)
        i++;
    if (i == LOAD_REGS)
        return false;
    l->reg[i] = reg;
    l->latency[i] = (u16)latency;
    l->n = (u8)MAX(l->n, i + 1);
    t->ready[reg] = NOT_YET;
    t->source[reg] = (u8)token;
    t->from_load[reg] = true;
    return true;
}

static bool results(struct timing *t, const struct uop *u, tick at, i32 token, u32 latency)
{
    for (u32 k = 0; k < ARRAY_SIZE(u->dst) && u->dst[k] != UOP_NO_REG; k++) {
        u8 reg = u->dst[k];

        if (token >= 0 && t->load[token].live) {
            if (!behind(t, (u32)token, reg, latency))
                return wait_for(t, NOT_YET, TIMING_load);
        } else {
            t->ready[reg] = at + latency * t->period;
            t->from_load[reg] = u->class == UOP_LOAD;
        }
        t->at.local[reg / 64] |= 1ull << reg % 64;
    }
    return true;
}

// When its operands are there; those that come from a load of the same instruction may be pending:
// *ret_token, and *ret_latency behind it.
static tick inputs_at(const struct timing *t, const struct uop *u, i32 *ret_token, u32 *ret_latency)
{
    tick at = t->cpu.now;

    for (u32 k = 0; k < ARRAY_SIZE(u->src) && u->src[k] != UOP_NO_REG; k++) {
        u8 reg = u->src[k];

        if (!is_local(t, reg))
            continue;
        if (t->ready[reg] != NOT_YET) {
            at = MAX(at, t->ready[reg]);
            continue;
        }
        *ret_token = t->source[reg];
        *ret_latency = MAX(*ret_latency, behind_load(&t->load[t->source[reg]], reg));
    }
    return at;
}

static bool execute_uop(struct timing *t, const struct dyn_inst *d, const struct uop *u)
{
    const struct unit *unit = &units[u->class];
    bool alike = t->p.latencies == 0;
    u32 behind_it = 0, latency = alike ? u->class != UOP_LOAD : unit->latency;
    i32 token = -1;
    tick at;

    if (!t->at.begun && !alike)
        take_unit(t, unit);
    t->at.begun = true;
    at = inputs_at(t, u, &token, &behind_it);
    if (u->class == UOP_LOAD) {
        if (!uop_memory(t, d, false))
            return false;
        at = MAX(MAX(at, t->cpu.now), t->at.data);
        token = t->at.token;
    } else if (u->class == UOP_STORE_DATA) {
        if (!uop_memory(t, d, true))
            return false;
    } else if (u->class == UOP_BRANCH) {
        if (token >= 0)
            return wait_for(t, NOT_YET, TIMING_load);
        t->at.resolved = at + latency * t->period;
    }
    return results(t, u, at, token, behind_it + latency);
}

// What recipes do not name: the many lines of XSAVE and such.
static bool other_accesses(struct timing *t, const struct dyn_inst *d)
{
    const struct mem_ref *m;

    while ((m = next_ref(t, d, false)) || (m = next_ref(t, d, true))) {
        if (!access_memory(t, d->si, m))
            return false;
        next_access(t, m->write);
        t->at.token = -1;
    }
    return true;
}

static bool execute_uops(struct timing *t, const struct dyn_inst *d)
{
    const struct static_inst *si = d->si;
    u32 n = MIN(si->n_uops, (u32)UOPS_MAX);

    for (; t->at.uop < n; t->at.uop++) {
        if (!execute_uop(t, d, &si->uops[t->at.uop]))
            return false;
        t->at.begun = false;
        t->at.token = -1;
        t->at.data = 0;
    }
    return !d->n_mem || other_accesses(t, d);
}

// ---- the end of an instruction

static void retire(struct timing *t, const struct dyn_inst *d)
{
    const struct static_inst *si = d->si;

    t->n.committedInsts++;
    if (d->flags & DYN_FAULT || si->flags & (STATIC_SERIALISING | STATIC_SYSCALL)) {
        timing_advance(t, t->cpu.now + t->p.serialise_penalty * t->period, TIMING_serialising);
        t->redirected = true;
        return;
    }
    if (!(si->flags & STATIC_BRANCH))
        return;
    t->n.branches++;
    if (t->bpred) {
        struct branch b = branch_of(si);

        if (bpred_warm(t->bpred, &b, d->flags & DYN_TAKEN, d->next_pc)) {
            t->n.branchMispredicts++;
            timing_advance(t, MAX(t->at.resolved, t->cpu.now) + t->p.mispredict_penalty * t->period,
                           TIMING_branch);
            t->redirected = true;
            return;
        }
    }
    if (d->flags & DYN_TAKEN && t->p.taken_bubble)
        timing_advance(t, t->cpu.now + t->p.taken_bubble * t->period, TIMING_branch);
}

bool timing_execute(struct timing *t)
{
    const struct dyn_inst *d = &t->front.batch->inst[t->at.inst];

    if (t->at.phase == PHASE_FETCH) {
        if (!fetch(t, d->si))
            return false;
        t->at.phase = PHASE_ISSUE;
    }
    if (t->at.phase == PHASE_ISSUE) {
        if (!issue(t, d))
            return false;
        t->at.phase = PHASE_UOPS;
    }
    if (!execute_uops(t, d))
        return false;
    retire(t, d);
    t->at.inst++;
    t->at.phase = PHASE_FETCH;
    t->at.uop = 0;
    return true;
}

tick timing_quiet_at(const struct timing *t)
{
    tick at = 0;

    if (t->loads || t->fetching || t->translating)
        return NOT_YET;
    for (u32 i = 0; i < t->stores; i++)
        at = MAX(at, t->store_done[(t->store_head + i) % STORES_MAX]);
    return at;
}
