// SPDX-License-Identifier: BSD-3-Clause
// What gdb's users ask facet itself: `monitor help`.
#include "machine/gdb/gdb_protocol.h"

#include "isa/x86/flags.h"
#include "isa/x86/show.h"
#include "machine/pc_core.h"
#include "sim/sim.h"
#include "sim/stats.h"

#include <string.h>

typedef void monitor_fn(struct gdb_protocol *p, const char *args, struct strbuf *out);

static void put_selector(const struct x86_arch_state *s, const char *name, enum x86_seg seg,
                         struct strbuf *out)
{
    strbuf_printf(out, "%-4s %04x base=%016llx limit=%08x attr=%05x\n", name, s->seg_sel[seg],
                  (unsigned long long)s->seg_base[seg], (unsigned)s->seg_limit[seg],
                  (unsigned)s->seg_attr[seg]);
}

static void put_core(const struct x86_core *c, struct strbuf *out)
{
    static const char *const segs[X86_SEGS] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    const struct x86_arch_state *s = &c->s;

    for (u32 i = 0; i < X86_SEGS; i++)
        put_selector(s, segs[i], (enum x86_seg)i, out);
    strbuf_printf(out, "gdtr base=%016llx limit=%04x\nidtr base=%016llx limit=%04x\n",
                  (unsigned long long)s->gdt_base, (unsigned)s->gdt_limit,
                  (unsigned long long)s->idt_base, (unsigned)s->idt_limit);
    strbuf_printf(out, "cr0=%llx cr2=%llx cr3=%llx cr4=%llx cr8=%llx xcr0=%llx\n",
                  (unsigned long long)s->cr0, (unsigned long long)s->cr2,
                  (unsigned long long)s->cr3, (unsigned long long)s->cr4,
                  (unsigned long long)s->cr8, (unsigned long long)s->xcr0);
    strbuf_printf(out, "efer=%llx star=%llx lstar=%llx sfmask=%llx kernel_gs=%llx apic_base=%llx\n",
                  (unsigned long long)s->efer, (unsigned long long)s->star,
                  (unsigned long long)s->lstar, (unsigned long long)s->sfmask,
                  (unsigned long long)s->kernel_gs_base, (unsigned long long)s->apic_base);
    strbuf_printf(out, "dr0=%llx dr1=%llx dr2=%llx dr3=%llx dr6=%llx dr7=%llx\n",
                  (unsigned long long)s->dr[0], (unsigned long long)s->dr[1],
                  (unsigned long long)s->dr[2], (unsigned long long)s->dr[3],
                  (unsigned long long)s->dr[6], (unsigned long long)s->dr[7]);
}

static void monitor_regs(struct gdb_protocol *p, const char *args, struct strbuf *out)
{
    for (u32 i = 0; i < pc_cpus(p->target.pc); i++) {
        strbuf_printf(out, "CPU %u\n", (unsigned)i);
        put_core(gdb_target_core(&p->target, i), out);
    }
}

static void monitor_info(struct gdb_protocol *p, const char *args, struct strbuf *out)
{
    struct component *pc = p->target.pc;

    strbuf_printf(out, "%llu instructions, %.9f s of simulated time, %llu MiB of memory\n",
                  (unsigned long long)pc_insts(pc),
                  (double)pc->sim->queue.now / (double)TICKS_PER_SECOND,
                  (unsigned long long)(pc_mem_bytes(pc) >> 20));
    for (u32 i = 0; i < pc_cpus(pc); i++) {
        static const char *const modes[] = {"16-bit", "32-bit", "64-bit"};
        const struct x86_core *c = gdb_target_core(&p->target, i);

        strbuf_printf(out, "CPU %u: %s code at CPL %u, interrupts %s%s: %016llx  ", (unsigned)i,
                      modes[c->code_mode], c->cpl, c->s.rflags & X86_IF ? "on" : "off",
                      c->s.wait_for_sipi ? ", not started"
                      : c->s.halted      ? ", halted"
                                         : "",
                      (unsigned long long)x86_linear_pc(c));
        x86_show_insn(c, out);
        strbuf_putc(out, '\n');
    }
}

// Lines that begin with `args`.
static void monitor_stats(struct gdb_protocol *p, const char *args, struct strbuf *out)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct stat_set set = {.count = 0};
    u64 *values;

    stat_set_add_tree(&set, p->target.pc);
    values = xcalloc(set.words + 1, sizeof(*values));
    stat_set_take(&set, values);
    stat_write_text(&set, values, &text);
    for (const char *line = strbuf_text(&text), *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        if (strncmp(line, args, strlen(args)) == 0)
            strbuf_add(out, line, (size_t)(end - line));
    }
    free(values);
    stat_set_release(&set);
}

static void monitor_checkpoint(struct gdb_protocol *p, const char *args, struct strbuf *out)
{
    struct error err;

    if (!*args)
        strbuf_puts(out, "checkpoint into which folder?\n");
    else if (!p->checkpoint)
        strbuf_puts(out, "this run saves no checkpoints\n");
    else if (p->checkpoint(p->checkpoint_context, args, &err))
        strbuf_printf(out, "saved in %s\n", args);
    else
        strbuf_printf(out, "%s\n", err.message);
}

static void flag(bool *value, const char *args, const char *meaning, struct strbuf *out)
{
    if (strcmp(args, "on") == 0 || strcmp(args, "off") == 0)
        *value = args[1] == 'n';
    else if (*args)
        strbuf_puts(out, "on or off?\n");
    strbuf_printf(out, "%s: %s\n", meaning, *value ? "on" : "off");
}

static void monitor_physical(struct gdb_protocol *p, const char *args, struct strbuf *out)
{
    flag(&p->target.physical, args, "addresses are physical", out);
}

static void monitor_interrupts(struct gdb_protocol *p, const char *args, struct strbuf *out)
{
    flag(&p->target.step_through, args, "steps enter handlers of interrupts", out);
}

static monitor_fn monitor_help;

static const struct {
    const char *name;
    const char *args, *doc;
    monitor_fn *run;
} monitors[] = {
    {"help", "", "this list", monitor_help},
    {"info", "", "instructions, simulated time, what the CPUs do", monitor_info},
    {"regs", "", "segments, tables, control and debug registers of all CPUs", monitor_regs},
    {"stats", "[PREFIX]", "statistics up to now, of components whose paths begin so",
     monitor_stats},
    {"checkpoint", "FOLDER", "save the machine", monitor_checkpoint},
    {"physical", "[on|off]", "whether addresses of memory are physical", monitor_physical},
    {"interrupts", "[on|off]",
     "whether a single step may enter an interrupt's handler; else interrupts wait for it",
     monitor_interrupts},
};

static void monitor_help(struct gdb_protocol *p, const char *args, struct strbuf *out)
{
    for (u32 i = 0; i < ARRAY_SIZE(monitors); i++)
        strbuf_printf(out, "monitor %-10s %-9s %s\n", monitors[i].name, monitors[i].args,
                      monitors[i].doc);
}

void gdb_monitor(struct gdb_protocol *p, const char *line, struct strbuf *out)
{
    size_t n = strcspn(line, " ");
    const char *args = line + n + strspn(line + n, " ");

    for (u32 i = 0; i < ARRAY_SIZE(monitors); i++)
        if (strlen(monitors[i].name) == n && strncmp(monitors[i].name, line, n) == 0) {
            monitors[i].run(p, args, out);
            return;
        }
    strbuf_puts(out, "there is no such command; `monitor help` lists them\n");
}
