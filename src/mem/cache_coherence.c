// SPDX-License-Identifier: BSD-3-Clause
// Coherence between the levels: probes go up, what is handed back comes down. A level that tracks
// (inclusive cache, directory) knows from its own entry who above has a line; one that does not
// (snooping bus; a cache that is not inclusive) looks at everyone above.
#include "mem/cache_level.h"

static u64 bit(u32 child)
{
    return (u64)1 << child;
}

u8 level_subtree(const struct level *l, u64 line)
{
    i64 index = level_find(l, line);
    u8 flags = index >= 0 ? l->tags[index] & LINE_STATE : 0;

    if (!l->tracks)
        for (u32 i = 0; i < l->child_count; i++)
            flags |= level_subtree(l->children[i].level, line);
    return flags;
}

u64 level_snoop(const struct level *l, u64 line, u32 *ret_owner)
{
    u64 set = 0;

    *ret_owner = LEVEL_NOBODY;
    for (u32 i = 0; i < l->child_count; i++) {
        u8 flags = level_subtree(l->children[i].level, line);

        if (flags)
            set |= bit(i);
        if (flags & (LINE_EXCLUSIVE | LINE_DIRTY))
            *ret_owner = i;
    }
    return set;
}

void level_probe_set(struct level *l, u64 set, struct probe *p)
{
    tick last = p->now;

    for (; set; set &= set - 1) {
        const struct level_child *child = &l->children[__builtin_ctzll(set)];
        struct probe one = *p;
        enum net_size size;
        tick answered;

        one.to = NULL;
        one.now = net_up(&child->link, NET_CONTROL, p->now, p->timed);
        level_probe(child->level, &one);
        size = one.data || one.handed ? NET_DATA : NET_CONTROL;
        answered = p->to ? net_across(&child->link, p->to, size, one.when, p->timed)
                         : net_down(&child->link, size, one.when, p->timed);
        last = MAX(last, answered);
        p->handed |= one.handed;
        p->kept |= one.kept;
    }
    p->when = last;
}

// What the probe does to those above; *ret_handed: dirty data that come down from there.
static tick probe_above(struct level *l, struct probe *p, i64 index, tick now, u8 *ret_handed)
{
    bool here = index >= 0 && l->holds == HOLDS_DATA;
    struct probe sub = *p;
    u32 owner;
    u64 set = level_holders(l, p->line, index, &owner);

    sub.now = now;
    sub.to = NULL;
    sub.handed = 0;
    sub.kept = false;
    if (p->op != PROBE_INVALIDATE)
        set = owner != LEVEL_NOBODY ? bit(owner) : p->data && !here ? set & -set : 0;
    if (here && p->op == PROBE_SHARE_KEEP)
        sub.op = PROBE_SHARE_CLEAN; // this level is the one that keeps it
    level_probe_set(l, set, &sub);
    *ret_handed = sub.handed;
    p->kept |= sub.kept;
    if (l->tracks && index >= 0 && p->op != PROBE_LOOK && !sub.kept)
        level_set_above(l, index, level_sharers(l, index), LEVEL_NOBODY);
    return sub.when;
}

void level_probe(struct level *l, struct probe *p)
{
    i64 index = level_find(l, p->line);
    bool here = index >= 0 && l->holds == HOLDS_DATA;
    tick when = (p->timed ? level_reserve(l, p->line, p->now) : p->now) + l->k.tag;
    u64 *word = index >= 0 ? &l->tags[index] : NULL;
    u8 handed = 0;

    l->n->probes++;
    if (l->child_count && (index >= 0 || !l->tracks))
        when = probe_above(l, p, index, when, &handed);
    else if (p->data)
        when += l->hit - l->k.tag;
    p->when = when;
    if (!here)
        p->handed |= handed;
    if (!word || p->op == PROBE_LOOK)
        return;
    if (here)
        *word |= handed;
    if (p->op == PROBE_SHARE_KEEP) {
        l->n->downgrades += (*word & LINE_EXCLUSIVE) != 0;
        p->kept |= (*word & LINE_DIRTY) != 0;
        *word &= ~(u64)LINE_EXCLUSIVE;
        return;
    }
    p->handed |= *word & LINE_DIRTY;
    if (p->op == PROBE_SHARE_CLEAN) {
        l->n->downgrades += (*word & LINE_EXCLUSIVE) != 0;
        *word &= ~(u64)(LINE_EXCLUSIVE | LINE_DIRTY);
        return;
    }
    if (p->eviction)
        l->n->backInvalidations++;
    else
        l->n->invalidations++;
    level_drop(l, index);
}

tick level_put_below(struct level *l, u64 line, u8 flags, bool gone, tick now, bool timed)
{
    struct level_below *b = level_below_of(l, line);
    bool dirty = flags & LINE_DIRTY, data;
    u64 buffer = 0;
    tick there;

    l->n->writebacks += dirty;
    if (!b->level) {
        if (dirty && timed)
            memory_write(l, line, net_down(&b->link, NET_DATA, now, true));
        else if (dirty)
            memory_atomic(l, line, TIMED_WRITE);
        return now;
    }
    data = dirty || b->level->k.inclusion == LEVEL_EXCLUSIVE;
    if (timed && data) {
        for (u64 i = 1; i < l->k.write_buffers; i++)
            if (l->buffer_free[i] < l->buffer_free[buffer])
                buffer = i;
        l->n->blockedNoBuffers += l->buffer_free[buffer] > now;
        now = MAX(now, l->buffer_free[buffer]);
    }
    there = data ? net_down(&b->link, NET_DATA, now, timed) : now;
    there = level_put(b->level, b->port, line, flags, gone, there, timed && data);
    if (timed && data)
        l->buffer_free[buffer] = there;
    return now;
}

tick level_evict(struct level *l, u64 word, u64 sharers, tick now, bool timed)
{
    u64 line = word >> LINE_SHIFT;
    u8 flags = word & LINE_STATE;
    bool gone = true;
    u32 owner;

    if (l->tracks) {
        struct probe p = {
            .line = line, .op = PROBE_INVALIDATE, .timed = timed, .eviction = true, .now = now};

        level_probe_set(l, sharers, &p);
        flags |= p.handed;
    } else {
        gone = level_holders(l, line, -1, &owner) == 0;
    }
    return flags & LINE_DIRTY || gone ? level_put_below(l, line, flags, gone, now, timed) : now;
}

// A tracking level has the line, since one above had it.
static void put_tracked(struct level *l, u32 port, i64 index, u8 flags, bool gone, tick now,
                        bool timed)
{
    u64 line;
    bool last;

    ASSERT(index >= 0 && level_sharers(l, index) & bit(port));
    line = l->tags[index] >> LINE_SHIFT;
    if (gone)
        level_set_above(l, index, level_sharers(l, index) & ~bit(port),
                        level_owner(l, index) == port ? LEVEL_NOBODY : level_owner(l, index));
    if (l->holds == HOLDS_DATA) {
        l->tags[index] |= flags & LINE_DIRTY;
        return;
    }
    last = level_sharers(l, index) == 0;
    flags |= last ? l->tags[index] & LINE_EXCLUSIVE : 0;
    if (last)
        level_drop(l, index);
    if (last || flags & LINE_DIRTY)
        level_put_below(l, line, flags, last, now, timed);
}

tick level_put(struct level *l, u32 port, u64 line, u8 flags, bool gone, tick now, bool timed)
{
    i64 index = level_find(l, line);
    bool dirty = flags & LINE_DIRTY, take;
    u32 owner;
    u64 set;

    if (timed)
        now = level_reserve(l, line, now);
    if (l->tracks) {
        put_tracked(l, port, index, flags, gone, now, timed);
        return now;
    }
    set = level_holders(l, line, index, &owner);
    if (gone)
        set &= ~bit(port);
    if (index >= 0) {
        l->tags[index] |= flags & (LINE_DIRTY | LINE_EXCLUSIVE);
        return now;
    }
    // An exclusive cache takes whatever the last one above gives up; others what is dirty.
    take = l->holds == HOLDS_DATA && (l->k.inclusion == LEVEL_EXCLUSIVE ? gone && !set : dirty);
    if (take)
        level_fill(l, line, LINE_VALID | (l->root ? LINE_EXCLUSIVE : 0) | flags, &now, timed);
    else if (dirty || (gone && !set))
        level_put_below(l, line, flags, gone && !set, now, timed);
    return now;
}
