// SPDX-License-Identifier: BSD-3-Clause
// Checks what coherence promises, for a line or for all of them: who may write a line is the only
// one to have it; one at most has it dirty; who keeps track of those above is right about them;
// inclusive levels have what those above have, exclusive ones do not.
//
// The component does so every `interval`, or, put in front of a level as its client's port, for
// the line of each access. A violation ends the run: it is a bug of facet.
#include "mem/cache.h"
#include "mem/cache_level.h"
#include "sim/sim.h"

#define CHECKER_PARAMS(P, PR, PB, PS, PC)                                                  \
    P(ticks, interval, 0, 0, TICKS_PER_SECOND, "All lines are checked so often; 0: never") \
    PS(next, "", "Path of the level that it stands in front of; empty: of none")

#define CHECKER_STATE(F, FA, FE, FV) FE(check)

#define CHECKER_STATS(S, SV, SH, SG, SR)                 \
    S(lineChecks, "Count", "Accesses that were checked") \
    S(fullChecks, "Count", "Checks of all lines")

#define CHECKER_EVENTS(E) E(check, checker_check)

COMPONENT_LISTS(checker, CHECKER_PARAMS, CHECKER_STATE, CHECKER_STATS, CHECKER_EVENTS);

struct checker {
    struct component base;
    struct checker_params p;
    struct checker_state st;
    struct checker_stats n;
    WIRED(struct component *next);
    WIRED(const struct timed_port_ops *next_ops);
    WIRED(struct level *level);
};

static struct checker *checker_of(const struct component *c)
{
    ASSERT(c->type == &coherence_checker_type);
    return (struct checker *)(uintptr_t)c;
}

static bool wrong(const struct level *l, u64 line, struct error *err, const char *what)
{
    return error_set(err, ERROR_INPUT, "line 0x%llx at %s: %s",
                     (unsigned long long)line << TIMED_LINE_SHIFT, l->component->path, what);
}

static bool check_from(const struct level *l, u64 line, struct error *err)
{
    i64 index = level_find(l, line);
    u64 word = index >= 0 ? l->tags[index] : 0, holders = 0;
    u32 writers = 0, dirty = 0, count = 0;

    for (u32 i = 0; i < l->child_count; i++) {
        u8 flags = level_subtree(l->children[i].level, line);

        if (!check_from(l->children[i].level, line, err))
            return false;
        holders |= (u64)(flags != 0) << i;
        count += flags != 0;
        writers += (flags & LINE_EXCLUSIVE) != 0;
        dirty += (flags & LINE_DIRTY) != 0;
        if (flags & (LINE_EXCLUSIVE | LINE_DIRTY) && l->tracks && index >= 0 &&
            level_owner(l, index) != i)
            return wrong(l, line, err, "the owner is not who may write it or has it dirty");
    }
    if (writers > 1)
        return wrong(l, line, err, "two above may write it");
    if (writers && count > 1)
        return wrong(l, line, err, "one above may write it, and another has a copy");
    if (dirty > 1)
        return wrong(l, line, err, "two above have it dirty");
    if (l->tracks && index < 0 && holders)
        return wrong(l, line, err, "somebody above has it, who is not known here");
    if (l->tracks && index >= 0 && level_sharers(l, index) != holders)
        return wrong(l, line, err, "the sharers are not those who have it");
    if (l->holds == HOLDS_TAGS && index >= 0 && !holders)
        return wrong(l, line, err, "nobody has it");
    if (index >= 0 && writers && !(word & LINE_EXCLUSIVE))
        return wrong(l, line, err, "somebody above may write it, which is not permitted");
    if (index >= 0 && l->root && !(word & LINE_EXCLUSIVE))
        return wrong(l, line, err, "there is nobody else who could have it");
    if (index >= 0 && writers && l->k.inclusion == LEVEL_EXCLUSIVE && l->holds == HOLDS_DATA)
        return wrong(l, line, err, "an exclusive cache has what somebody above has");
    return true;
}

bool level_check_line(const struct level *l, u64 line, struct error *err)
{
    while (l->below[net_slices_which(&l->below_by, line)].level)
        l = l->below[net_slices_which(&l->below_by, line)].level;
    return check_from(l, line, err);
}

bool coherence_check(struct sim *sim, struct error *err)
{
    for (struct component *c = sim->root; c; c = component_after(c)) {
        const struct cache_level_ops *ops = component_interface(c, "cache_level");
        const struct level *l = ops ? ops->level(c) : NULL;

        for (u64 i = 0; l && i < l->sets * l->ways; i++)
            if (l->tags[i] & LINE_VALID && !level_check_line(l, l->tags[i] >> LINE_SHIFT, err))
                return false;
    }
    return true;
}

static void checker_check(void *owner, struct event *event)
{
    struct checker *k = owner;
    struct error err;

    k->n.fullChecks++;
    if (!coherence_check(k->base.sim, &err))
        sim_fail(&k->base, &err);
    else
        event_schedule_in(event, k->p.interval);
}

static void check_line(struct checker *k, paddr pa)
{
    struct error err;

    k->n.lineChecks++;
    if (!level_check_line(k->level, level_line(pa), &err))
        sim_fail(&k->base, &err);
}

static tick checker_atomic(struct component *c, const struct timed_access *a)
{
    struct checker *k = checker_of(c);
    tick ret = k->next_ops->atomic(k->next, a);

    check_line(k, a->pa);
    return ret;
}

static enum timed_answer checker_access(struct component *c, const struct timed_access *a, tick now,
                                        struct timed_client *client, u32 token, tick *ret_when)
{
    struct checker *k = checker_of(c);
    enum timed_answer ret = k->next_ops->access(k->next, a, now, client, token, ret_when);

    check_line(k, a->pa);
    return ret;
}

static bool checker_probe(const struct component *c, paddr pa)
{
    const struct checker *k = checker_of(c);

    return k->next_ops->probe(k->next, pa);
}

static const struct timed_port_ops checker_timed = {
    .atomic = checker_atomic,
    .access = checker_access,
    .probe = checker_probe,
};

static bool checker_connect(struct component *c, struct error *err)
{
    struct checker *k = checker_of(c);
    const void *ops;

    if (!k->p.next[0])
        return true;
    if (!component_lookup_interface(c, k->p.next, "cache_level", &k->next, &ops, err))
        return false;
    k->level = ((const struct cache_level_ops *)ops)->level(k->next);
    k->next_ops = component_interface(k->next, "timed_port");
    return true;
}

static void checker_reset(struct component *c)
{
    struct checker *k = checker_of(c);

    if (k->p.interval)
        event_schedule_in(&k->st.check, k->p.interval);
}

static const struct component_ops checker_ops = {
    .connect = checker_connect,
    .reset = checker_reset,
};

const struct component_type coherence_checker_type = {
    .name = "coherence_checker",
    .doc = "Checks that caches are coherent",
    COMPONENT_LAYOUT(checker),
    .ops = &checker_ops,
    .provides = {IFACE(timed_port, &checker_timed)},
};
