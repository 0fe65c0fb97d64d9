// SPDX-License-Identifier: BSD-3-Clause
// A transaction at one level: who has the line, what the levels above and below have to do for it,
// and when the requester has it. Compiled twice, for timed and for atomic requests (ALIKE).
#include "mem/cache_level.h"

#define ALIKE static inline __attribute__((always_inline))

// What is known of the line when the request comes.
struct situation {
    i64 index;
    u64 others; // of those above, without the requester
    u32 owner;  // one of the others
    i32 under_way;
    bool here;       // with data
    bool permitted;  // to let somebody above write
    bool below_data; // these must come from below
    bool below;      // data or permission must
    bool waits;      // under way, and nobody knows until when
    tick start, looked_up;
    i32 mshr;
    tick below_when;
    u8 below_granted;
    tick probed;   // when the answers of those above are there
    bool supplied; // one of the others sent the data
    u8 handed;
    bool first_use; // of a line that was prefetched
};

static u64 bit(u32 child)
{
    return child == LEVEL_NOBODY ? 0 : (u64)1 << child;
}

ALIKE void look(struct level *l, const struct request *q, struct situation *s)
{
    u64 flags = 0;

    s->others = 0;
    s->owner = LEVEL_NOBODY;
    if (l->child_count)
        s->others = level_holders(l, q->line, s->index, &s->owner) & ~bit(q->port);
    if (!s->others || s->owner == q->port)
        s->owner = LEVEL_NOBODY;
    if (s->index >= 0)
        flags = l->tags[s->index] & LINE_STATE;
    else if (!l->tracks && l->child_count)
        flags = level_subtree(l, q->line);
    s->here = s->index >= 0 && l->holds == HOLDS_DATA;
    s->permitted = l->root || flags & LINE_EXCLUSIVE;
    s->below_data = !s->here && !s->others && !q->has_copy;
    s->below = s->below_data || (q->exclusive && !s->permitted);
    s->waits = false;
    s->under_way = -1;
    s->start = q->now;
    s->mshr = -1;
    s->below_when = 0;
    s->below_granted = 0;
    s->probed = 0;
    s->supplied = false;
    s->handed = 0;
    s->first_use = false;
}

ALIKE void count(struct level *l, const struct request *q, const struct situation *s)
{
    const struct timed_access *a = q->a;
    bool miss = s->below || s->under_way >= 0;

    if (miss && a->wrong_path)
        l->n->wrongPathMisses[a->kind]++;
    else if (miss)
        l->n->overallMisses[a->kind]++;
    else
        l->hits[a->wrong_path][a->kind]++;
    l->n->overallMshrHits += s->under_way >= 0;
    l->n->overallMshrMisses += s->below && s->under_way < 0;
    l->n->upgrades += s->below && !s->below_data;
}

static enum timed_answer busy(struct level *l, struct request *q, tick when)
{
    q->when = MAX(when, q->now + 1);
    return TIMED_BUSY;
}

// Finds what the request needs of this level: TIMED_BUSY when it cannot have it.
ALIKE enum timed_answer take_resources(struct level *l, struct request *q, struct situation *s)
{
    if (s->index < 0 || l->tags[s->index] & LINE_INFLIGHT || l->holds != HOLDS_DATA)
        s->under_way = mshr_find(l, q->line, q->now);
    if (s->under_way < 0 && s->index >= 0)
        l->tags[s->index] &= ~(u64)LINE_INFLIGHT;
    s->waits = s->under_way >= 0 && l->mshr_ready[s->under_way] == LEVEL_UNKNOWN;
    if (s->waits && !mshr_has_room(l, (u32)s->under_way)) {
        l->n->blockedNoMshrs++;
        return busy(l, q, q->now + 4 * l->period);
    }
    if (s->below && !s->waits) {
        s->mshr = mshr_free(l, &s->start);
        l->n->blockedNoMshrs += s->mshr < 0 || s->start > q->now;
        if (s->mshr < 0)
            return busy(l, q, q->now + 4 * l->period);
        if (s->start > q->now && !q->upper)
            return busy(l, q, s->start);
    }
    if (q->upper)
        s->start = level_reserve(l, q->line, s->start);
    return TIMED_DONE;
}

ALIKE enum timed_answer ask_below(struct level *l, struct request *q, struct situation *s,
                                  bool timed)
{
    struct level_below *b = level_below_of(l, q->line);
    struct request r = {
        .a = q->a,
        .line = q->line,
        .upper = l,
        .token = (u32)s->mshr,
        .port = b->port,
        .link = &b->link,
        .timed = timed,
        .exclusive = q->exclusive,
        .has_copy = !s->below_data,
        .now = net_down(&b->link, NET_CONTROL, s->looked_up, timed),
    };
    enum timed_answer answer;

    if (timed)
        mshr_take(l, (u32)s->mshr, q->line, q->now, LEVEL_UNKNOWN, q->prefetch);
    if (b->level) {
        answer = (timed ? level_request_timed
                        : level_request_atomic)(b->level, &r, level_find(b->level, q->line));
        if (answer == TIMED_BUSY) {
            l->mshr_ready[s->mshr] = 0;
            l->unknown--;
            q->when = MAX(r.when, q->now + 1);
            return TIMED_BUSY;
        }
        s->below_when = r.when;
        s->below_granted = r.granted;
    } else {
        s->below_granted = LINE_VALID | LINE_EXCLUSIVE;
        if (s->waits) { // the data are on their way already
            s->below_when = s->looked_up;
            return TIMED_DONE;
        }
        if (timed)
            memory_read(l, q->line, q, (u32)s->mshr, r.now);
        else
            r.now += memory_atomic(l, q->line, TIMED_READ);
        s->below_when = timed ? l->mshr_ready[s->mshr] : net_up(&b->link, NET_DATA, r.now, false);
        return TIMED_DONE;
    }
    if (timed && s->below_when != LEVEL_UNKNOWN)
        mshr_known(l, (u32)s->mshr, s->below_when);
    return TIMED_DONE;
}

ALIKE void probe_others(struct level *l, const struct request *q, struct situation *s, bool timed)
{
    struct probe p = {.line = q->line, .timed = timed, .now = s->looked_up, .to = q->link};
    u64 set = s->others;

    p.data = s->owner != LEVEL_NOBODY || (!s->here && !q->has_copy);
    if (q->exclusive) {
        p.op = PROBE_INVALIDATE;
    } else if (s->owner != LEVEL_NOBODY) {
        // A client (a page walker) has no copy, so nobody has to share.
        p.op = !q->upper                      ? PROBE_LOOK
               : l->k.protocol == LEVEL_MOESI ? PROBE_SHARE_KEEP
                                              : PROBE_SHARE_CLEAN;
        set = bit(s->owner);
    } else if (p.data) {
        p.op = PROBE_LOOK;
        set &= -set; // one of those that have it is enough
    } else {
        return;
    }
    level_probe_set(l, set, &p);
    s->probed = p.when;
    s->supplied = p.data;
    s->handed = p.handed;
    l->n->cacheToCache += p.data;
    if (q->exclusive)
        s->others = 0;
    if (!p.kept && p.op != PROBE_LOOK)
        s->owner = LEVEL_NOBODY;
}

ALIKE bool keeps(const struct level *l, const struct request *q, const struct situation *s)
{
    if (l->holds == HOLDS_DATA)
        return s->below_data && (l->k.inclusion != LEVEL_EXCLUSIVE || !q->upper);
    return l->holds == HOLDS_TAGS && q->upper;
}

// The line's new state here, and what the requester gets.
ALIKE void settle(struct level *l, struct request *q, struct situation *s, bool timed)
{
    u64 flags = LINE_VALID | (s->below_granted & (LINE_EXCLUSIVE | LINE_DIRTY)) |
                (s->permitted ? LINE_EXCLUSIVE : 0);
    tick when = s->start;

    if (s->index < 0 && keeps(l, q, s)) {
        u64 own = l->holds == HOLDS_TAGS ? flags & ~(u64)LINE_DIRTY : flags;

        s->index = level_fill(l, q->line, own | (q->prefetch ? LINE_PREFETCHED : 0), &when, timed);
        s->here = l->holds == HOLDS_DATA;
        if (l->prefetcher_ops && l->prefetcher_ops->filled)
            l->prefetcher_ops->filled(l->prefetcher, q->line << TIMED_LINE_SHIFT, q->prefetch);
        if (s->below_when != LEVEL_UNKNOWN)
            s->below_when = MAX(s->below_when, when);
    } else if (s->index >= 0) {
        l->tags[s->index] |= flags & (s->here ? LINE_EXCLUSIVE | LINE_DIRTY : LINE_EXCLUSIVE);
        level_touch(l, (u64)s->index / l->ways, (u64)s->index % l->ways);
    }
    if (s->index >= 0 && s->below && timed) {
        l->tags[s->index] |= LINE_INFLIGHT;
        l->mshr[s->mshr].index = s->index;
    }
    if (s->here) {
        l->tags[s->index] |= s->handed;
        flags = l->tags[s->index] & LINE_STATE;
    } else if (s->handed && q->exclusive) {
        flags |= LINE_DIRTY;
    } else if (s->handed) {
        level_put_below(l, q->line, LINE_DIRTY, false, s->probed, timed);
    }
    if (!q->upper) {
        if (q->a->kind == TIMED_WRITE && s->here)
            l->tags[s->index] |= LINE_DIRTY;
        if (l->tracks && s->index >= 0)
            level_set_above(l, s->index, s->others, s->owner);
        return;
    }
    q->granted = LINE_VALID;
    if (s->here && l->k.inclusion == LEVEL_EXCLUSIVE) {
        q->granted |= (u8)(flags & (s->others ? LINE_DIRTY : LINE_DIRTY | LINE_EXCLUSIVE));
        level_drop(l, s->index);
        return;
    }
    if (q->exclusive || (!s->others && flags & LINE_EXCLUSIVE && q->a->kind != TIMED_FETCH))
        q->granted |= LINE_EXCLUSIVE;
    if (!s->here)
        q->granted |= (u8)(flags & LINE_DIRTY);
    if (!l->tracks)
        return;
    level_set_above(l, s->index, s->others | bit(q->port),
                    q->granted & (LINE_EXCLUSIVE | LINE_DIRTY) ? q->port : s->owner);
}

ALIKE void use(struct level *l, const struct request *q, struct situation *s)
{
    if (s->index < 0 || !(l->tags[s->index] & LINE_PREFETCHED) || q->prefetch)
        return;
    s->first_use = true;
    l->tags[s->index] &= ~(u64)LINE_PREFETCHED;
    l->n->pfUseful++;
    l->n->pfLate += s->under_way >= 0;
}

// When the requester has it, and who else has to be told.
ALIKE enum timed_answer answer(struct level *l, struct request *q, struct situation *s, bool here)
{
    tick done = s->start, after = s->probed > s->looked_up ? s->probed - s->looked_up : 0;
    bool sends = here && !q->has_copy, data = sends || s->below_data;

    if (s->waits) {
        if (s->below)
            after = MAX(after, s->below_when - s->looked_up);
        mshr_add(l, (u32)s->under_way, q, l->k.response + after);
        q->when = LEVEL_UNKNOWN;
        return TIMED_PENDING;
    }
    if (s->below && s->below_when == LEVEL_UNKNOWN) {
        mshr_add(l, (u32)s->mshr, q, l->k.response);
        q->when = LEVEL_UNKNOWN;
        return TIMED_PENDING;
    }
    if (sends)
        done += l->hit;
    else if (q->has_copy || !s->supplied)
        done += l->k.tag;
    if (s->under_way >= 0)
        done = MAX(done, l->mshr_ready[s->under_way] + l->k.response);
    if (s->below)
        done = MAX(done, s->below_when + l->k.response);
    if (data || !s->supplied)
        done = net_up(q->link, data ? NET_DATA : NET_CONTROL, done, q->timed);
    q->when = MAX(done, s->probed);
    return TIMED_DONE;
}

static void train(struct level *l, const struct request *q, const struct situation *s)
{
    struct prefetch_seen seen = {
        .hit = !s->below && s->under_way < 0,
        .late = s->under_way >= 0 && l->mshr[s->under_way].prefetch,
        .first_use = s->first_use,
    };

    level_train(l, q, &seen);
}

ALIKE enum timed_answer request(struct level *l, struct request *q, i64 index, bool timed)
{
    struct situation s;
    bool here;
    enum timed_answer ret;

    s.index = index;
    look(l, q, &s);
    if (timed && take_resources(l, q, &s) == TIMED_BUSY)
        return TIMED_BUSY;
    s.looked_up = s.start + l->k.tag;
    here = s.here;
    // What waits for an answer already does not ask with a register of its own.
    if (s.below && ask_below(l, q, &s, timed && !s.waits) == TIMED_BUSY)
        return TIMED_BUSY;
    count(l, q, &s);
    if (s.others)
        probe_others(l, q, &s, timed && !s.waits);
    use(l, q, &s);
    settle(l, q, &s, timed && !s.waits);
    // It may have left and come again while it is under way.
    if (s.waits && s.index >= 0 && l->tags[s.index] & LINE_VALID) {
        l->tags[s.index] |= LINE_INFLIGHT;
        l->mshr[s.under_way].index = s.index;
    }
    ret = answer(l, q, &s, here);
    if (UNLIKELY(l->prefetcher != NULL))
        train(l, q, &s);
    return ret;
}

enum timed_answer level_request_atomic(struct level *l, struct request *q, i64 index)
{
    return request(l, q, index, false);
}

enum timed_answer level_request_timed(struct level *l, struct request *q, i64 index)
{
    return request(l, q, index, true);
}
