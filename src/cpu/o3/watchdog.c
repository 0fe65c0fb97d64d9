// SPDX-License-Identifier: BSD-3-Clause
// Nothing has retired for too long: says what the oldest micro-op waits for, and ends the run.
#include "cpu/o3/o3_priv.h"

static const char *waits_for(const struct pipe *p, const struct o3_slot *s)
{
    if (s->state == O3_WAITING && s->n_wait)
        return "an operand";
    if (s->state == O3_WAITING && s->list == O3_LIST_OLDEST)
        return "the store queue to empty";
    if (s->state == O3_WAITING && s->list >= O3_LIST_STORE && s->list != O3_NONE)
        return "an older access to memory";
    if (s->state == O3_READY)
        return "a port";
    if (s->flags & (O3_LOAD | O3_STORE))
        return s->flags & O3_TRANSLATED || !p->dtlb.c ? "the data cache" : "the data TLB";
    return "its result";
}

static void stuck(const struct pipe *p, struct strbuf *b)
{
    const struct o3_slot *s = &p->slot[p->head & p->mask];

    if (p->head != p->disp)
        strbuf_printf(b, "the oldest micro-op (pc 0x%llx, class %u) waits for %s",
                      (unsigned long long)p->info[p->head & p->mask].pc, s->class, waits_for(p, s));
    else if (p->store_drained != p->store_next)
        strbuf_printf(b, "the store queue waits for the data cache");
    else if (p->fetch.hold == O3_HOLD_ICACHE)
        strbuf_printf(b, "fetch waits for the instruction cache");
    else if (p->fetch.hold == O3_HOLD_ITLB)
        strbuf_printf(b, "fetch waits for the instruction TLB");
    else
        strbuf_printf(b, "fetch finds nothing to execute");
}

static void dump(const struct pipe *p)
{
    component_log(&p->o3->base, LOG_ERROR,
                  "reorder buffer %llu, decoded %llu, loads %llu, stores %llu retired %llu, ready "
                  "0x%x, fetch hold %u",
                  (unsigned long long)(p->disp - p->head), (unsigned long long)(p->tail - p->disp),
                  (unsigned long long)(p->load_tail - p->load_head),
                  (unsigned long long)(p->store_next - p->store_drained),
                  (unsigned long long)(p->store_retired - p->store_drained), p->ready_sets,
                  p->fetch.hold);
    for (u64 pos = p->head; pos < MIN(p->disp, p->head + 16); pos++) {
        const struct o3_slot *s = &p->slot[pos & p->mask];

        component_log(
            &p->o3->base, LOG_ERROR,
            "%llu: pc 0x%llx class %u state %u waits %u list %u flags 0x%x ready %lld done %lld",
            (unsigned long long)pos, (unsigned long long)p->info[pos & p->mask].pc, s->class,
            s->state, s->n_wait, s->list, s->flags, (long long)s->ready, (long long)s->done);
    }
}

void o3_watchdog(struct pipe *p)
{
    struct strbuf b = {0};
    struct error err;

    stuck(p, &b);
    dump(p);
    error_set(&err, ERROR_HOST, "%s: nothing has retired for %llu cycles: %s", p->o3->base.path,
              (unsigned long long)p->o3->p.watchdog, b.text);
    strbuf_release(&b);
    sim_fail(&p->o3->base, &err);
    o3_abandon(p);
    p->failed = true;
}
