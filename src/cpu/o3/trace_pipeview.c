// SPDX-License-Identifier: BSD-3-Clause
// gem5's O3PipeView trace, which util/o3-pipeview.py and Konata read. SPEC: gem5,
// src/cpu/o3/commit.cc and fetch.cc: seven lines an instruction, times in ticks, 0 for a stage that
// was not reached; a retirement at 0 marks a dropped instruction.
#include "cpu/o3/o3_trace.h"

#include "base/alloc.h"

#include <stdlib.h>

struct pipeview {
    struct o3_trace trace; // first
    FILE *out;
    const struct isa_ops *isa;
};

static unsigned long long ticks(const struct o3_trace_record *r, enum o3_stage stage)
{
    return r->at[stage] == ~(u64)0 ? 0 : r->at[stage] * r->cycle_ticks;
}

static void record(struct o3_trace *t, const struct o3_trace_record *r)
{
    struct pipeview *v = (struct pipeview *)t;
    const char *name = v->isa->opcode_name(r->opcode);

    fprintf(v->out, "O3PipeView:fetch:%llu:0x%08llx:0:%llu:  %s\n", ticks(r, O3_STAGE_FETCH),
            (unsigned long long)r->pc, (unsigned long long)r->number, name ? name : "?");
    fprintf(v->out,
            "O3PipeView:decode:%llu\nO3PipeView:rename:%llu\nO3PipeView:dispatch:%llu\n"
            "O3PipeView:issue:%llu\nO3PipeView:complete:%llu\n",
            ticks(r, O3_STAGE_DECODE), ticks(r, O3_STAGE_DISPATCH), ticks(r, O3_STAGE_DISPATCH),
            ticks(r, O3_STAGE_ISSUE), ticks(r, O3_STAGE_COMPLETE));
    fprintf(v->out, "O3PipeView:retire:%llu:store:0\n", r->flushed ? 0 : ticks(r, O3_STAGE_RETIRE));
}

static void close_trace(struct o3_trace *t)
{
    free(t);
}

struct o3_trace *o3_trace_pipeview(FILE *out, const struct isa_ops *isa)
{
    struct pipeview *v = xcalloc(1, sizeof(*v));

    *v = (struct pipeview){{record, close_trace}, out, isa};
    return &v->trace;
}
