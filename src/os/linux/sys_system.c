// SPDX-License-Identifier: BSD-3-Clause
// The system and its limits: uname(2), sysinfo(2), prctl(2), identities, scheduling, random
// numbers.
#include "base/log.h"
#include "os/linux/fs.h"
#include "os/linux/syscall.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

i64 sys_uname(struct task *t, const u64 *a)
{
    struct utsname u = {.sysname = "Linux",
                        .nodename = "facet",
                        .release = "6.1.0",
                        .version = "#1 SMP",
                        .machine = "x86_64",
                        .domainname = "(none)"};

    return USER_PUT(t, a[0], u) ? 0 : -EFAULT;
}

i64 sys_sysinfo(struct task *t, const u64 *a)
{
    const struct kernel *k = t->kernel;
    struct sysinfo s = {.uptime = (long)(100 + kernel_now(k) / TICKS_PER_SECOND),
                        .totalram = k->pages.bytes,
                        .freeram = k->pages.bytes - k->pages.used * PAGE_BYTES,
                        .procs = (u16)k->n_tasks,
                        .mem_unit = 1};

    return USER_PUT(t, a[0], s) ? 0 : -EFAULT;
}

i64 sys_getrandom(struct task *t, const u64 *a)
{
    u64 size = MIN(a[1], 0x1ffffffull), done = 0;

    if (a[2] & ~7ull)
        return -EINVAL;
    while (done < size) {
        u64 word = kernel_random(t->kernel), n = MIN(8, size - done);

        if (!user_write(t, a[0] + done, &word, n))
            return done ? (i64)done : -EFAULT;
        done += n;
    }
    return (i64)done;
}

i64 sys_arch_prctl(struct task *t, const u64 *a)
{
    struct x86_arch_state *s = task_regs(t);

    switch (a[0]) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (a[1] >= MM_USER_END)
            return -EPERM;
        s->seg_base[a[0] == ARCH_SET_FS ? X86_FS : X86_GS] = a[1];
        return 0;
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        return USER_PUT(t, a[1], s->seg_base[a[0] == ARCH_GET_FS ? X86_FS : X86_GS]) ? 0 : -EFAULT;
    case ARCH_GET_CPUID:
        return 1;
    case ARCH_SET_CPUID:
        return a[1] ? 0 : -ENODEV;
    default:
        return -EINVAL;
    }
}

i64 sys_prctl(struct task *t, const u64 *a)
{
    struct process *p = t->process;
    char name[16] = "";
    i64 n;

    switch ((int)a[0]) {
    case PR_SET_NAME:
        n = mm_read_string(t->mm, a[1], name, sizeof(name));
        if (n == -EFAULT)
            return n;
        name[15] = 0;
        memcpy(t->comm, name, sizeof(name));
        return 0;
    case PR_GET_NAME:
        return USER_PUT(t, a[1], t->comm) ? 0 : -EFAULT;
    case PR_GET_DUMPABLE:
        return p->dumpable;
    case PR_SET_DUMPABLE:
        if (a[1] > 1)
            return -EINVAL;
        p->dumpable = a[1];
        return 0;
    case PR_SET_PDEATHSIG:
        if (a[1] > SIGNALS)
            return -EINVAL;
        p->parent_death_signal = (int)a[1];
        return 0;
    case PR_GET_PDEATHSIG:
        return USER_PUT(t, a[1], p->parent_death_signal) ? 0 : -EFAULT;
    case PR_SET_NO_NEW_PRIVS:
        p->no_new_privileges = true;
        return a[1] == 1 ? 0 : -EINVAL;
    case PR_GET_NO_NEW_PRIVS:
        return p->no_new_privileges;
    case PR_SET_CHILD_SUBREAPER:
        p->child_subreaper = a[1];
        return 0;
    case PR_GET_TIMERSLACK:
        return 50000;
    case PR_SET_TIMERSLACK:
    case PR_SET_PTRACER:
    case PR_SET_THP_DISABLE:
    case PR_GET_THP_DISABLE:
    case PR_GET_SECCOMP:
        return 0;
    case PR_CAPBSET_READ:
        return a[1] > CAP_LAST_CAP ? -EINVAL : getuid() == 0;
    default:
        return -EINVAL;
    }
}

i64 sys_personality(struct task *t, const u64 *a)
{
    return (u32)a[0] == 0xffffffff || a[0] == 0 || a[0] == ADDR_NO_RANDOMIZE ? 0 : -EINVAL;
}

i64 sys_rseq(struct task *t, const u64 *a)
{
    return -ENOSYS; // as on kernels before 4.18: glibc goes on without
}

// ---- identities: those of the caller, which cannot change ----

i64 sys_getuid(struct task *t, const u64 *a)
{
    return getuid();
}

i64 sys_geteuid(struct task *t, const u64 *a)
{
    return geteuid();
}

i64 sys_getgid(struct task *t, const u64 *a)
{
    return getgid();
}

i64 sys_getegid(struct task *t, const u64 *a)
{
    return getegid();
}

static i64 only_same(u64 wanted, u32 now)
{
    return (u32)wanted == now || (u32)wanted == ~0u ? 0 : -EPERM;
}

i64 sys_setuid(struct task *t, const u64 *a)
{
    return only_same(a[0], getuid());
}

i64 sys_setgid(struct task *t, const u64 *a)
{
    return only_same(a[0], getgid());
}

i64 sys_setreuid(struct task *t, const u64 *a)
{
    return only_same(a[0], getuid()) | only_same(a[1], getuid());
}

i64 sys_setregid(struct task *t, const u64 *a)
{
    return only_same(a[0], getgid()) | only_same(a[1], getgid());
}

i64 sys_setresuid(struct task *t, const u64 *a)
{
    return only_same(a[0], getuid()) | only_same(a[1], getuid()) | only_same(a[2], getuid());
}

i64 sys_setresgid(struct task *t, const u64 *a)
{
    return only_same(a[0], getgid()) | only_same(a[1], getgid()) | only_same(a[2], getgid());
}

static i64 put_three(struct task *t, const u64 *a, u32 id)
{
    return USER_PUT(t, a[0], id) && USER_PUT(t, a[1], id) && USER_PUT(t, a[2], id) ? 0 : -EFAULT;
}

i64 sys_getresuid(struct task *t, const u64 *a)
{
    return put_three(t, a, getuid());
}

i64 sys_getresgid(struct task *t, const u64 *a)
{
    return put_three(t, a, getgid());
}

i64 sys_setfsuid(struct task *t, const u64 *a)
{
    return getuid();
}

i64 sys_setfsgid(struct task *t, const u64 *a)
{
    return getgid();
}

i64 sys_getgroups(struct task *t, const u64 *a)
{
    gid_t groups[256];
    int n = getgroups(ARRAY_SIZE(groups), groups);

    if (n < 0 || (i32)a[0] < 0)
        return -EINVAL;
    if (a[0] == 0)
        return n;
    if ((i32)a[0] < n)
        return -EINVAL;
    return user_write(t, a[1], groups, (u64)n * sizeof(gid_t)) ? n : -EFAULT;
}

i64 sys_setgroups(struct task *t, const u64 *a)
{
    return -EPERM;
}

i64 sys_capget(struct task *t, const u64 *a)
{
    struct __user_cap_header_struct head;
    struct __user_cap_data_struct data[2] = {{0}};
    u32 all = getuid() == 0 ? ~0u : 0;

    if (!USER_GET(t, a[0], head))
        return -EFAULT;
    if (head.version != _LINUX_CAPABILITY_VERSION_3) {
        head.version = _LINUX_CAPABILITY_VERSION_3;
        return USER_PUT(t, a[0], head) && !a[1] ? 0 : -EINVAL;
    }
    data[0].effective = data[0].permitted = all;
    data[1].effective = data[1].permitted = all & ((1u << (CAP_LAST_CAP - 31)) - 1);
    return a[1] && !USER_PUT(t, a[1], data) ? -EFAULT : 0;
}

i64 sys_capset(struct task *t, const u64 *a)
{
    return 0;
}

// ---- limits ----

static i64 limit_call(struct task *t, u64 pid, u64 which, vaddr fresh_va, vaddr old_va)
{
    struct process *p = (i32)pid ? process_find(t->kernel, (i32)pid) : t->process;
    struct rlimit fresh, old;

    if (!p)
        return -ESRCH;
    if (which >= RLIMITS)
        return -EINVAL;
    if (fresh_va && !USER_GET(t, fresh_va, fresh))
        return -EFAULT;
    old = p->limits[which];
    if (fresh_va) {
        if (fresh.rlim_cur > fresh.rlim_max)
            return -EINVAL;
        if (fresh.rlim_max > old.rlim_max && getuid() != 0)
            return -EPERM;
        if (which == RLIMIT_NOFILE && fresh.rlim_max > 1u << 20) // fs.nr_open
            return -EPERM;
        p->limits[which] = fresh;
        if (which == RLIMIT_STACK && p->count > 0)
            p->items[0]->mm->stack_limit = fresh.rlim_cur;
        if (which == RLIMIT_DATA && p->count > 0)
            p->items[0]->mm->data_limit = fresh.rlim_cur;
    }
    return old_va && !USER_PUT(t, old_va, old) ? -EFAULT : 0;
}

i64 sys_prlimit64(struct task *t, const u64 *a)
{
    return limit_call(t, a[0], (u32)a[1], a[2], a[3]);
}

i64 sys_getrlimit(struct task *t, const u64 *a)
{
    return limit_call(t, 0, (u32)a[0], 0, a[1]);
}

i64 sys_setrlimit(struct task *t, const u64 *a)
{
    return limit_call(t, 0, (u32)a[0], a[1], 0);
}

i64 sys_unshare(struct task *t, const u64 *a)
{
    struct fs *fs;
    struct fd_table *fds;

    if (a[0] & ~(u64)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM))
        return -EPERM;
    if (a[0] & CLONE_FS) {
        fs = fs_copy(t->fs);
        fs_unref(t->fs);
        t->fs = fs;
    }
    if (a[0] & CLONE_FILES) {
        fds = fd_table_copy(t->fds);
        fd_table_unref(t->fds);
        t->fds = fds;
    }
    return 0;
}
