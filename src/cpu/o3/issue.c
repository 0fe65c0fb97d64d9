// SPDX-License-Identifier: BSD-3-Clause
// From operands to ports: the event wheel, wake-up by known times, oldest-first selection.
#include "cpu/o3/o3_priv.h"

void o3_list_add(struct pipe *p, u32 list, struct o3_slot *s)
{
    u32 index = o3_index(p, s);
    u16 first = p->list_head[list];

    s->list = (u16)list;
    s->list_prev = O3_NONE;
    s->list_next = first;
    if (first != O3_NONE)
        p->slot[first].list_prev = (u16)index;
    p->list_head[list] = (u16)index;
    if (list < O3_WHEEL)
        p->wheel_used[list / 64] |= 1ull << list % 64;
}

void o3_list_remove(struct pipe *p, struct o3_slot *s)
{
    if (s->list == O3_NONE)
        return;
    if (s->list_prev != O3_NONE)
        p->slot[s->list_prev].list_next = s->list_next;
    else
        p->list_head[s->list] = s->list_next;
    if (s->list_next != O3_NONE)
        p->slot[s->list_next].list_prev = s->list_prev;
    if (s->list < O3_WHEEL && p->list_head[s->list] == O3_NONE)
        p->wheel_used[s->list / 64] &= ~(1ull << s->list % 64);
    s->list = O3_NONE;
}

// What is further away than the wheel reaches is looked at again on the way.
void o3_schedule(struct pipe *p, struct o3_slot *s, u64 when)
{
    u64 due = MAX(when, p->wheel_at);

    s->ready = when;
    o3_list_add(p, (u32)(MIN(due, p->wheel_at + O3_WHEEL - 2) % O3_WHEEL), s);
}

void o3_list_wake(struct pipe *p, u32 list)
{
    while (p->list_head[list] != O3_NONE) {
        struct o3_slot *s = &p->slot[p->list_head[list]];

        o3_list_remove(p, s);
        o3_schedule(p, s, p->wheel_at);
    }
}

void o3_complete(struct pipe *p, struct o3_slot *s, u64 done)
{
    u16 node = s->consumers;

    s->done = done;
    s->consumers = O3_NONE;
    while (node != O3_NONE) {
        struct o3_slot *c = &p->slot[node / 4];
        u32 k = node % 4;

        node = c->node[k];
        c->linked &= (u8) ~(1u << k);
        c->ready = MAX(c->ready, done);
        if (--c->n_wait == 0)
            o3_schedule(p, c, c->ready);
    }
}

static void ready_add(struct pipe *p, struct o3_slot *s)
{
    struct o3_set *set = &p->set[s->set];
    u32 index = o3_index(p, s);

    s->state = O3_READY;
    set->ready[index / 64] |= 1ull << index % 64;
    set->summary |= 1ull << index / 64;
    p->ready_sets |= 1u << s->set;
}

void o3_ready_remove(struct pipe *p, struct o3_slot *s)
{
    struct o3_set *set = &p->set[s->set];
    u32 index = o3_index(p, s);

    set->ready[index / 64] &= ~(1ull << index % 64);
    if (!set->ready[index / 64]) {
        set->summary &= ~(1ull << index / 64);
        if (!set->summary)
            p->ready_sets &= ~(1u << s->set);
    }
}

void o3_wheel_turn(struct pipe *p)
{
    u32 list = (u32)(p->time.cycle % O3_WHEEL);

    p->wheel_at = p->time.cycle + 1;
    while (p->list_head[list] != O3_NONE) {
        struct o3_slot *s = &p->slot[p->list_head[list]];

        o3_list_remove(p, s);
        if (s->ready > p->time.cycle) {
            o3_schedule(p, s, s->ready);
        } else if (s->flags & O3_RESOLVE) {
            p->active = true;
            o3_resolve(p, s);
        } else {
            p->active = true;
            ready_add(p, s);
        }
    }
}

// The next cycle at which the wheel has something.
u64 o3_wheel_next(const struct pipe *p)
{
    u32 first = (u32)(p->wheel_at % O3_WHEEL), word = first / 64;
    u64 bits = p->wheel_used[word] & ~0ull << first % 64;

    for (u32 k = 0; k <= O3_WHEEL / 64; k++) {
        if (bits) {
            u32 at = word * 64 + (u32)__builtin_ctzll(bits);

            return p->wheel_at + (at - first) % O3_WHEEL;
        }
        word = (word + 1) % (O3_WHEEL / 64);
        bits = p->wheel_used[word];
    }
    return O3_NEVER;
}

// The oldest ready slot of a set: the ring begins at head.
static u32 oldest(const struct pipe *p, const struct o3_set *set)
{
    u32 head = (u32)p->head & p->mask, word = head / 64;
    u64 bits = set->ready[word] & ~0ull << head % 64, words;

    if (bits)
        return word * 64 + (u32)__builtin_ctzll(bits);
    words = word < 63 ? set->summary & ~0ull << (word + 1) : 0;
    if (!words)
        words = set->summary; // around
    word = (u32)__builtin_ctzll(words);
    return word * 64 + (u32)__builtin_ctzll(set->ready[word]);
}

static void execute(struct pipe *p, struct o3_slot *s)
{
    const struct o3_class *class = &p->kind->class[s->class];
    u64 cycle = p->time.cycle;

    s->state = O3_ISSUED;
    if (s->linked & O3_SCHEDULED) {
        s->linked &= (u8)~O3_SCHEDULED;
        p->free_sched[p->set[s->set].group]++;
        p->info[o3_index(p, s)].issued = cycle;
    }
    if (s->flags & O3_LOAD) {
        o3_load_issue(p, s, o3_pos(p, o3_index(p, s)));
    } else if (s->flags & O3_STORE) {
        o3_store_issue(p, s, o3_pos(p, o3_index(p, s)));
    } else {
        o3_complete(p, s, cycle + (s->delay ? s->delay : class->latency));
        if (s->flags & O3_DATA)
            o3_store_data(p, s);
        if (s->flags & O3_MISPREDICTED) {
            s->flags |= O3_RESOLVE;
            o3_schedule(p, s, s->done);
        }
    }
}

// The least wanted of `ports`, which are not none; UINT32_MAX: its unit is busy.
static u32 choose_port(const struct pipe *p, u32 ports, u8 unit)
{
    if (LIKELY(!unit))
        return (u32)__builtin_ctz(ports);
    for (; ports; ports &= ports - 1) {
        u32 port = (u32)__builtin_ctz(ports);

        if (p->unit_free[unit][port] <= p->time.cycle)
            return port;
    }
    return UINT32_MAX;
}

// Takes the oldest of all sets that a free port can take, until there is none.
void o3_issue(struct pipe *p)
{
    u32 free_ports = ~0u, sets = p->ready_sets;
    u32 first[O3_SETS_MAX];
    u32 head = (u32)p->head & p->mask;

    for (u32 rest = sets; rest; rest &= rest - 1) {
        u32 k = (u32)__builtin_ctz(rest);

        first[k] = oldest(p, &p->set[k]);
    }
    while (sets) {
        u32 best = 0, age = ~0u, port;
        struct o3_slot *s;
        u8 unit;

        for (u32 rest = sets; rest; rest &= rest - 1) {
            u32 k = (u32)__builtin_ctz(rest), a = (first[k] - head) & p->mask;

            if (!(p->set[k].ports & free_ports)) {
                sets &= ~(1u << k);
            } else if (a < age) {
                age = a;
                best = k;
            }
        }
        if (age == ~0u)
            break;
        s = &p->slot[first[best]];
        unit = p->kind->class[s->class].unit;
        port = choose_port(p, p->set[best].ports & free_ports, unit);
        if (port == UINT32_MAX) { // its unit is busy; what stands behind it in the set waits, too
            sets &= ~(1u << best);
            continue;
        }
        free_ports &= ~(1u << port);
        if (unit)
            p->unit_free[unit][port] = p->time.cycle + p->kind->class[s->class].interval;
        o3_ready_remove(p, s);
        p->n_issued++;
        execute(p, s);
        if (p->ready_sets >> best & 1)
            first[best] = oldest(p, &p->set[best]);
        else
            sets &= ~(1u << best);
    }
    p->o3->n.issuedOps += p->n_issued;
    p->o3->n.portConflicts += p->ready_sets != 0;
    if (p->violation != O3_NO_POS)
        o3_replay(p);
}
