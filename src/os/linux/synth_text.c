// SPDX-License-Identifier: BSD-3-Clause
// The texts of /proc and /sys (proc(5)). Nothing of the host shows through.
#include "base/log.h"
#include "isa/x86/feature.h"
#include "os/linux/synth_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void synth_self(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_printf(s, "%d", t->process->pid);
}

void synth_thread_self(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_printf(s, "%d/task/%d", t->process->pid, t->tid);
}

void synth_cwd(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, p->items[0]->fs->cwd);
}

void synth_root(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "/");
}

void synth_exe(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, p->items[0]->mm->exe);
}

void synth_dev_fd(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "/proc/self/fd");
}

void synth_stdin(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "/proc/self/fd/0");
}

void synth_stdout(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "/proc/self/fd/1");
}

void synth_stderr(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "/proc/self/fd/2");
}

void synth_cpuinfo(struct task *t, struct process *p, struct strbuf *s)
{
    static const struct {
        u8 bit;
        const char *name;
    } flags[] = {
#define FEATURE(name, leaf, subleaf, reg, bit, level, text) {X86_FEATURE_##name, #name},
#include "isa/x86/feature.def"
#undef FEATURE
    };
    struct kernel *k = t->kernel;

    for (u32 i = 0; i < k->n_cpus; i++) {
        const struct x86_core *c = k->cpus[i].core;
        u64 mhz = TICKS_PER_SECOND / k->period / 1000000;

        strbuf_printf(
            s,
            "processor\t: %u\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
            "model name\t: facet\nstepping\t: 0\ncpu MHz\t\t: %llu.000\n"
            "cache size\t: 1024 KB\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n"
            "cpu cores\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t:",
            i, (unsigned long long)mhz, k->n_cpus, i, k->n_cpus);
        for (size_t n = 1; n < ARRAY_SIZE(flags); n++) {
            if (!x86_has(c, flags[n].bit))
                continue;
            strbuf_putc(s, ' ');
            for (const char *ch = flags[n].name; *ch; ch++)
                strbuf_putc(s, (char)tolower((unsigned char)*ch));
        }
        strbuf_puts(s, "\nbogomips\t: 4000.00\nclflush size\t: 64\ncache_alignment\t: 64\n"
                       "address sizes\t: 46 bits physical, 48 bits virtual\n\n");
    }
}

void synth_meminfo(struct task *t, struct process *p, struct strbuf *s)
{
    const struct pages *pages = &t->kernel->pages;
    unsigned long long total = pages->bytes >> 10, used = pages->used * 4;

    strbuf_printf(s,
                  "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n"
                  "Buffers:               0 kB\nCached:                0 kB\n"
                  "SwapCached:            0 kB\nSwapTotal:             0 kB\n"
                  "SwapFree:              0 kB\nShmem:                 0 kB\n"
                  "HugePages_Total:       0\nHugepagesize:       2048 kB\n",
                  total, total - used, total - used);
}

void synth_system_stat(struct task *t, struct process *p, struct strbuf *s)
{
    unsigned long long ticks = kernel_now(t->kernel) / (TICKS_PER_SECOND / 100);

    strbuf_printf(s, "cpu  %llu 0 0 0 0 0 0 0 0 0\n", ticks * t->kernel->n_cpus);
    for (u32 i = 0; i < t->kernel->n_cpus; i++)
        strbuf_printf(s, "cpu%u %llu 0 0 0 0 0 0 0 0 0\n", i, ticks);
    strbuf_printf(s, "ctxt %llu\nbtime %llu\nprocesses %llu\nprocs_running 1\nprocs_blocked 0\n",
                  (unsigned long long)t->kernel->n.numSwitches, (unsigned long long)KERNEL_EPOCH,
                  (unsigned long long)t->kernel->n.numProcesses);
}

void synth_uptime(struct task *t, struct process *p, struct strbuf *s)
{
    unsigned long long hundredths = kernel_now(t->kernel) / (TICKS_PER_SECOND / 100);

    strbuf_printf(s, "%llu.%02llu 0.00\n", hundredths / 100, hundredths % 100);
}

void synth_loadavg(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_printf(s, "0.00 0.00 0.00 1/%u %d\n", t->kernel->n_tasks, t->kernel->next_pid - 1);
}

void synth_version(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "Linux version 6.1.0 (facet) #1 SMP\n");
}

void synth_osrelease(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "6.1.0\n");
}

void synth_ostype(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "Linux\n");
}

void synth_hostname(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "facet\n");
}

void synth_pid_max(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "4194304\n");
}

void synth_uuid(struct task *t, struct process *p, struct strbuf *s)
{
    struct rng rng = {t->kernel->seed};
    u64 a = rng_next(&rng), b = rng_next(&rng);

    strbuf_printf(s, "%08llx-%04llx-4%03llx-8%03llx-%012llx\n", (unsigned long long)(a >> 32),
                  (unsigned long long)(a >> 16 & 0xffff), (unsigned long long)(a & 0xfff),
                  (unsigned long long)(b >> 52), (unsigned long long)(b & 0xffffffffffff));
}

void synth_cap_last_cap(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "40\n");
}

void synth_zero(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "0\n");
}

void synth_max_map_count(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "65530\n");
}

void synth_pipe_max(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "1048576\n");
}

void synth_filesystems(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "nodev\tproc\nnodev\ttmpfs\n\text4\n");
}

void synth_mounts(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "/dev/root / ext4 rw 0 0\nproc /proc proc rw 0 0\n");
}

void synth_mountinfo(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_puts(s, "20 1 8:1 / / rw - ext4 /dev/root rw\n21 20 0:5 / /proc rw - proc proc rw\n");
}

void synth_cpu_list(struct task *t, struct process *p, struct strbuf *s)
{
    if (t->kernel->n_cpus == 1)
        strbuf_puts(s, "0\n");
    else
        strbuf_printf(s, "0-%u\n", t->kernel->n_cpus - 1);
}

void synth_auxv(struct task *t, struct process *p, struct strbuf *s)
{
    const struct mm *mm = p->items[0]->mm;

    strbuf_add(s, mm->auxv, mm->auxv_bytes);
}

void synth_cmdline(struct task *t, struct process *p, struct strbuf *s)
{
    const struct mm *mm = p->items[0]->mm;

    strbuf_add(s, mm->cmdline, mm->cmdline_bytes);
}

void synth_environ(struct task *t, struct process *p, struct strbuf *s)
{
    const struct mm *mm = p->items[0]->mm;

    strbuf_add(s, mm->environ, mm->environ_bytes);
}

void synth_comm(struct task *t, struct process *p, struct strbuf *s)
{
    strbuf_printf(s, "%s\n", p->items[0]->comm);
}

static const char *area_name(const struct mm_area *a)
{
    if (a->map)
        return a->map->path;
    return a->flags & MM_HEAP ? "[heap]" : a->flags & MM_STACK ? "[stack]" : "";
}

void synth_maps(struct task *t, struct process *p, struct strbuf *s)
{
    const struct mm *mm = p->items[0]->mm;

    for (size_t i = 0; i < mm->count; i++) {
        const struct mm_area *a = &mm->items[i];
        size_t start = s->length;

        strbuf_printf(s, "%08llx-%08llx %c%c%c%c %08llx %s %llu ", (unsigned long long)a->start,
                      (unsigned long long)a->end, a->prot & MM_READ ? 'r' : '-',
                      a->prot & MM_WRITE ? 'w' : '-', a->prot & MM_EXEC ? 'x' : '-',
                      a->flags & MM_SHARED ? 's' : 'p', (unsigned long long)a->offset,
                      a->map && !a->map->anonymous ? "08:01" : "00:00",
                      a->map && !a->map->anonymous ? (unsigned long long)a->map->ino : 0);
        while (*area_name(a) && s->length - start < 73)
            strbuf_putc(s, ' ');
        strbuf_printf(s, "%s\n", area_name(a));
    }
}

static char state_letter(const struct task *t)
{
    return t->process->stopped ? 'T' : t->state == TASK_BLOCKED ? 'S' : 'R';
}

void synth_stat_line(struct task *t, struct process *p, struct strbuf *s)
{
    const struct task *m = p->items[0];
    u64 user = (p->insts + m->insts) * t->kernel->period / (TICKS_PER_SECOND / 100);

    strbuf_printf(s,
                  "%d (%s) %c %d %d %d 0 -1 4194304 %llu 0 0 0 %llu 0 0 0 20 0 %zu 0 %llu %llu "
                  "%llu 18446744073709551615 0 0 %llu 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 "
                  "%llu %llu %llu %llu %d\n",
                  p->pid, m->comm, state_letter(m), p->ppid, p->group, p->session,
                  (unsigned long long)m->mm->faults_minor, (unsigned long long)user, p->count,
                  (unsigned long long)(p->started / (TICKS_PER_SECOND / 100)),
                  (unsigned long long)mm_mapped_bytes(m->mm), (unsigned long long)m->mm->resident,
                  (unsigned long long)m->mm->start_stack, (unsigned long long)m->mm->arg_start,
                  (unsigned long long)m->mm->arg_end, (unsigned long long)m->mm->env_start,
                  (unsigned long long)m->mm->env_end, p->exit_status);
}

void synth_statm(struct task *t, struct process *p, struct strbuf *s)
{
    const struct mm *mm = p->items[0]->mm;

    strbuf_printf(s, "%llu %llu 0 0 0 0 0\n",
                  (unsigned long long)(mm_mapped_bytes(mm) >> PAGE_SHIFT),
                  (unsigned long long)mm->resident);
}

// The signals that are ignored, or have a handler.
static u64 signals_with(const struct task *t, bool ignored)
{
    u64 set = 0;

    for (int i = 1; i <= SIGNALS; i++) {
        u64 handler = t->actions->action[i - 1].handler;

        if (ignored ? handler == (u64)(uintptr_t)SIG_IGN : handler > (u64)(uintptr_t)SIG_IGN)
            set |= SIGNAL_BIT(i);
    }
    return set;
}

void synth_status(struct task *t, struct process *p, struct strbuf *s)
{
    const struct task *m = p->items[0];
    unsigned uid = getuid(), gid = getgid();
    char letter = state_letter(m);

    strbuf_printf(s,
                  "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n"
                  "TracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%zu\n",
                  m->comm, m->fs->umask, letter,
                  letter == 'R'   ? "running"
                  : letter == 'S' ? "sleeping"
                                  : "stopped",
                  p->pid, p->pid, p->ppid, uid, uid, uid, uid, gid, gid, gid, gid, m->fds->count);
    strbuf_printf(s,
                  "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\n"
                  "Threads:\t%zu\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n"
                  "SigIgn:\t%016llx\nSigCgt:\t%016llx\nCpus_allowed_list:\t",
                  (unsigned long long)mm_mapped_bytes(m->mm) >> 10,
                  (unsigned long long)mm_mapped_bytes(m->mm) >> 10,
                  (unsigned long long)m->mm->peak_resident * 4,
                  (unsigned long long)m->mm->resident * 4, p->count,
                  (unsigned long long)m->pending.set, (unsigned long long)p->pending.set,
                  (unsigned long long)m->blocked, (unsigned long long)signals_with(m, true),
                  (unsigned long long)signals_with(m, false));
    synth_cpu_list(t, p, s);
}

void synth_limits(struct task *t, struct process *p, struct strbuf *s)
{
    static const char *const names[RLIMITS] = {
        "Max cpu time",       "Max file size",     "Max data size",         "Max stack size",
        "Max core file size", "Max resident set",  "Max processes",         "Max open files",
        "Max locked memory",  "Max address space", "Max file locks",        "Max pending signals",
        "Max msgqueue size",  "Max nice priority", "Max realtime priority", "Max realtime timeout"};

    strbuf_printf(s, "%-25s %-20s %-20s\n", "Limit", "Soft Limit", "Hard Limit");
    for (u32 i = 0; i < RLIMITS; i++) {
        char soft[24] = "unlimited", hard[24] = "unlimited";

        if (p->limits[i].rlim_cur != RLIM_INFINITY)
            snprintf(soft, sizeof(soft), "%llu", (unsigned long long)p->limits[i].rlim_cur);
        if (p->limits[i].rlim_max != RLIM_INFINITY)
            snprintf(hard, sizeof(hard), "%llu", (unsigned long long)p->limits[i].rlim_max);
        strbuf_printf(s, "%-25s %-20s %-20s\n", names[i], soft, hard);
    }
}
