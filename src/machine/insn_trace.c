// SPDX-License-Identifier: BSD-3-Clause
#include "machine/insn_trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "isa/x86/show.h"

struct insn_trace {
    FILE *file; // owned unless it is standard error
    struct strbuf line;
    char *path; // owned
    bool failed;
};

struct traced_cpu {
    struct cpu cpu;               // first
    struct cpu *inner;            // owned
    struct insn_trace *trace;     // borrowed
    struct x86_arch_state before; // the current instruction
    bool started;                 // `before` holds the state after the last instruction
};

struct insn_trace *insn_trace_new(const char *path, struct error *err)
{
    bool to_stderr = strcmp(path, "-") == 0;
    FILE *file = to_stderr ? stderr : fopen(path, "we");
    struct insn_trace *trace;

    if (!file) {
        error_set_errno(err, "cannot write the trace '%s'", path);
        return NULL;
    }
    trace = xcalloc(1, sizeof(*trace));
    trace->file = file;
    trace->path = xstrdup(path);
    return trace;
}

bool insn_trace_flush(struct insn_trace *trace, struct error *err)
{
    if (!trace)
        return true;
    if (fflush(trace->file) != 0 || trace->failed)
        return error_set(err, ERROR_RESOURCE, "cannot write the trace '%s': %s", trace->path,
                         strerror(errno));
    return true;
}

void insn_trace_free(struct insn_trace *trace)
{
    if (!trace)
        return;
    if (trace->file != stderr)
        fclose(trace->file);
    strbuf_release(&trace->line);
    free(trace->path);
    free(trace);
}

static void write_line(struct insn_trace *trace)
{
    strbuf_putc(&trace->line, '\n');
    if (fwrite(trace->line.text, 1, trace->line.length, trace->file) != trace->line.length)
        trace->failed = true;
    strbuf_clear(&trace->line);
}

// What changed between two runs: an emulated kernel wrote results or switched tasks.
static void trace_outside(struct traced_cpu *t, const struct x86_core *c)
{
    struct strbuf *line = &t->trace->line;
    size_t start;

    if (!t->started || memcmp(&t->before, &c->s, sizeof(c->s)) == 0)
        return;
    strbuf_printf(line, "# cpu%u from outside:", c->core.id);
    start = line->length;
    x86_show_effects(&t->before, &c->s, line);
    if (t->before.rip != c->s.rip)
        strbuf_printf(line, " rip=0x%llx", (unsigned long long)c->s.rip);
    if (line->length > start)
        write_line(t->trace);
    else
        strbuf_clear(line);
}

static enum core_exit run_one(struct traced_cpu *t, struct x86_core *c, u64 *ret_insts)
{
    enum { EFFECTS_COLUMN = 64 };
    struct strbuf *line = &t->trace->line;
    enum core_exit exit;

    t->before = c->s;
    strbuf_printf(line, "cpu%u 0x%llx: ", c->core.id, (unsigned long long)x86_linear_pc(c));
    x86_show_insn(c, line);
    exit = cpu_run(t->inner, 1, ret_insts);
    if (*ret_insts > 0) {
        while (line->length < EFFECTS_COLUMN)
            strbuf_putc(line, ' ');
        x86_show_effects(&t->before, &c->s, line);
        write_line(t->trace);
    } else {
        strbuf_clear(line);
    }
    t->before = c->s;
    t->started = true;
    return exit;
}

static enum core_exit traced_run(struct cpu *cpu, u64 max_insts, tick until, u64 *ret_insts)
{
    struct traced_cpu *t = (struct traced_cpu *)cpu;
    struct x86_core *c = x86_core_of(cpu->core);
    enum core_exit exit = CORE_LIMIT;
    u64 total = 0;

    (void)until; // wraps models without timing
    trace_outside(t, c);
    while (total < max_insts && exit == CORE_LIMIT) {
        u64 done = 0;

        exit = run_one(t, c, &done);
        total += done;
    }
    *ret_insts = total;
    return exit;
}

static void traced_kick(struct cpu *cpu)
{
    cpu_kick(((struct traced_cpu *)cpu)->inner);
}

static void traced_activate(struct cpu *cpu, tick now)
{
    cpu_activate(((struct traced_cpu *)cpu)->inner, now);
}

static void traced_free(struct cpu *cpu)
{
    cpu_free(((struct traced_cpu *)cpu)->inner);
    free(cpu);
}

struct cpu *insn_trace_wrap(struct insn_trace *trace, struct cpu *inner)
{
    static const struct cpu_ops ops = {
        .name = "traced",
        .run = traced_run,
        .kick = traced_kick,
        .activate = traced_activate,
        .free = traced_free,
    };
    struct traced_cpu *t = xcalloc(1, sizeof(*t));

    t->cpu = (struct cpu){.ops = &ops, .core = inner->core};
    t->inner = inner;
    t->trace = trace;
    return &t->cpu;
}
