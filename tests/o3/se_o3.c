// SPDX-License-Identifier: BSD-3-Clause
// Runs a Linux program in user mode on the out-of-order CPU with the mock memory of its tests:
//
//     se_o3 [setting…] -- program [argument…]
//
// Prints statistics to standard error. The exit status is the program's; 99: the counts of the
// model and of the emulated kernel differ.
#include "base/alloc.h"
#include "cpu/o3/o3_mock.h"
#include "os/linux/exec.h"
#include "os/linux/signal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>

struct machine {
    struct kernel kernel;
    struct x86_core core;
    struct block_cache *blocks;
    struct mock_machine mock;
};

static void must(bool ok, const struct error *err)
{
    if (!ok) {
        fprintf(stderr, "se_o3: %s\n", err->message);
        exit(98);
    }
}

static void load(struct machine *m, char **argv)
{
    struct kernel *k = &m->kernel;
    struct process *p = process_new(k, 1);
    struct task *t = task_new(p, p->pid);
    struct exec_args args = {.argv = xcalloc(64, sizeof(char *)), .envp = xcalloc(8, sizeof(char *))};
    struct error err;
    int number;

    k->init_pid = p->pid;
    t->fds = fd_table_new();
    t->actions = xcalloc(1, sizeof(*t->actions));
    t->actions->refs = 1;
    t->mm = mm_new(&k->env);
    t->fs = fs_new(k, NULL, &err);
    must(t->fs, &err);
    t->regs = m->core.s;
    for (int fd = 0; fd < 3; fd++) {
        static const char *const names[3] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
        struct file *f = host_file_new(k, fd, (u32)fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND),
                                       xstrdup(names[fd]));

        f->borrowed_host = true;
        fd_put(t, fd, f, false);
    }
    for (u32 i = 0; argv[i] && i < 63; i++)
        args.argv[i] = xstrdup(argv[i]);
    args.envp[0] = xstrdup("PATH=/usr/bin:/bin");
    args.path = xstrdup(argv[0]);
    must(exec_load(t, &args, &number, &err) == 0, &err);
    kernel_ready(k, t);
}

int main(int argc, char **argv)
{
    struct machine *m = xcalloc(1, sizeof(*m));
    const char *settings[64] = {0};
    struct error err;
    struct mem_port port;
    struct stat_set set = {0};
    struct strbuf out = {0};
    u64 *values, committed;
    int at = 1;

    for (; at < argc && strcmp(argv[at], "--") && at < 64; at++)
        settings[at - 1] = argv[at];
    if (at + 1 >= argc) {
        fprintf(stderr, "usage: se_o3 [setting]... -- program [argument]...\n");
        return 97;
    }
    must(kernel_init(&m->kernel,
                     &(struct kernel_options){.mem_bytes = GiB(4), .seed = 1, .quantum = 1000000,
                                              .period = 333},
                     &err),
         &err);
    m->blocks = block_cache_new(MiB(32), true, &err);
    port = pages_port(&m->kernel.pages);
    must(x86_core_init(&m->core, 0, &port, "x86-64-v3", &err), &err);
    m->core.s.rng = 1;
    mock_machine_init(&m->mock, &m->core.core, m->blocks, settings);
    kernel_core_setup(&m->core);
    kernel_add_cpu(&m->kernel, &m->core, m->mock.cpu);
    load(m, argv + at + 1);
    m->kernel.insts_limit = ~0ull;
    kernel_run(&m->kernel);
    fflush(stdout);
    stat_set_add(&set, "o3", m->mock.o3->type->stats, component_stats(m->mock.o3));
    values = xcalloc(set.words, sizeof(*values));
    stat_set_take(&set, values);
    stat_write_text(&set, values, &out);
    if (getenv("STATS"))
        fputs(out.text, stderr);
    committed = mock_stat(&m->mock, "committedInsts");
    fprintf(stderr, "insts %llu committed %llu cycles %llu\n", (unsigned long long)m->kernel.insts,
            (unsigned long long)committed, (unsigned long long)mock_stat(&m->mock, "numCycles"));
    if (committed != m->kernel.insts)
        return 99;
    return m->kernel.init_status >> 8;
}
