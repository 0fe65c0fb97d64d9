// SPDX-License-Identifier: BSD-3-Clause
// Kanata 0004, the format of the Konata viewer. SPEC: Konata, docs/kanata-log-format.md: commands
// in order of time, C moves it on. Records come when instructions end, so commands wait in a heap
// until no earlier one can follow.
#include "cpu/o3/o3_trace.h"

#include "base/alloc.h"

#include <stdlib.h>

struct command {
    u64 cycle;
    u64 order; // among those of a cycle
    u64 id;    // of the instruction
    vaddr pc;
    u16 opcode;
    u8 kind; // 'I', 'S', 'R'
    u8 stage;
    bool flushed, wrong_path;
};

struct kanata {
    struct o3_trace trace; // first
    FILE *out;
    const struct isa_ops *isa;
    struct command *heap; // owned
    size_t n, room;
    u64 order, next_id, retired, now;
    bool begun;
};

static const char *const stages[O3_STAGES] = {"F", "Q", "Ds", "Is", "Cm", ""};

static bool before(const struct command *a, const struct command *b)
{
    return a->cycle != b->cycle ? a->cycle < b->cycle : a->order < b->order;
}

static void push(struct kanata *k, struct command c)
{
    size_t at = k->n++;

    if (k->n > k->room) {
        k->room = k->room ? 2 * k->room : 4096;
        k->heap = xrealloc(k->heap, k->room, sizeof(*k->heap));
    }
    c.order = k->order++;
    for (; at > 0 && before(&c, &k->heap[(at - 1) / 2]); at = (at - 1) / 2)
        k->heap[at] = k->heap[(at - 1) / 2];
    k->heap[at] = c;
}

static struct command pop(struct kanata *k)
{
    struct command first = k->heap[0], last = k->heap[--k->n];
    size_t at = 0, child;

    for (; (child = 2 * at + 1) < k->n; at = child) {
        if (child + 1 < k->n && before(&k->heap[child + 1], &k->heap[child]))
            child++;
        if (!before(&k->heap[child], &last))
            break;
        k->heap[at] = k->heap[child];
    }
    k->heap[at] = last;
    return first;
}

static void write_command(struct kanata *k, const struct command *c)
{
    unsigned long long id = c->id;
    const char *name;

    if (!k->begun)
        fprintf(k->out, "Kanata\t0004\nC=\t%llu\n", (unsigned long long)c->cycle);
    else if (c->cycle > k->now)
        fprintf(k->out, "C\t%llu\n", (unsigned long long)(c->cycle - k->now));
    k->begun = true;
    k->now = c->cycle;
    switch (c->kind) {
    case 'I':
        name = k->isa->opcode_name(c->opcode);
        fprintf(k->out, "I\t%llu\t%llu\t0\nL\t%llu\t0\t%llx: %s%s\n", id, id, id,
                (unsigned long long)c->pc, name ? name : "?", c->wrong_path ? " (wrong path)" : "");
        break;
    case 'S':
        fprintf(k->out, "S\t%llu\t0\t%s\n", id, stages[c->stage]);
        break;
    default:
        fprintf(k->out, "R\t%llu\t%llu\t%d\n", id,
                (unsigned long long)(c->flushed ? 0 : k->retired++), c->flushed);
    }
}

static void record(struct o3_trace *t, const struct o3_trace_record *r)
{
    struct kanata *k = (struct kanata *)t;
    struct command c = {.id = r->number,
                        .pc = r->pc,
                        .opcode = r->opcode,
                        .flushed = r->flushed,
                        .wrong_path = r->wrong_path};

    c.kind = 'I';
    c.cycle = r->at[O3_STAGE_FETCH];
    push(k, c);
    c.kind = 'S';
    for (c.stage = 0; c.stage < O3_STAGE_RETIRE; c.stage++) {
        c.cycle = r->at[c.stage];
        if (c.cycle <= r->at[O3_STAGE_RETIRE]) // else it did not get there
            push(k, c);
    }
    c.kind = 'R';
    c.cycle = r->at[O3_STAGE_RETIRE];
    push(k, c);
    while (k->n && k->heap[0].cycle < r->oldest_fetch) {
        c = pop(k);
        write_command(k, &c);
    }
}

static void close_trace(struct o3_trace *t)
{
    struct kanata *k = (struct kanata *)t;

    while (k->n) {
        struct command c = pop(k);

        write_command(k, &c);
    }
    free(k->heap);
    free(k);
}

struct o3_trace *o3_trace_kanata(FILE *out, const struct isa_ops *isa)
{
    struct kanata *k = xcalloc(1, sizeof(*k));

    *k = (struct kanata){.trace = {record, close_trace}, .out = out, .isa = isa};
    return &k->trace;
}
