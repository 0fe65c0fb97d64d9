// SPDX-License-Identifier: BSD-3-Clause
// UNMODELLED: pseudo-terminals, ptrace, namespaces, io_uring, the IPC of System V and
// message queues of POSIX; changing the user, the groups or the clock.
#include "os/linux/syscall.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "os/linux/inotify.h"
#include "os/linux/signal.h"

#include <errno.h>
#include <string.h>

struct row {
    const char *name, *args;
    system_call_fn *fn;
};

enum { NUMBERS = 512 };

static const struct row rows[NUMBERS] = {
#define SYSCALL(number, name, args) [number] = {#name, args, sys_##name},
#define NOSYS(number, name) [number] = {#name, "", NULL},
#include "os/linux/syscalls.def"
#undef SYSCALL
#undef NOSYS
};

const char *syscall_name(u64 number)
{
    return number < NUMBERS && rows[number].name ? rows[number].name : "?";
}

static void print_argument(struct strbuf *s, struct task *t, char kind, u64 v)
{
    char text[256];
    i64 n;

    switch (kind) {
    case 's':
        n = mm_read_string(t->mm, v, text, sizeof(text));
        if (n >= 0)
            strbuf_printf(s, "\"%s\"", text);
        else
            strbuf_printf(s, "0x%llx", (unsigned long long)v);
        break;
    case 'd':
        strbuf_printf(
            s, "%lld",
            (long long)(v >> 31 == 0x1ffffffffull || v >> 31 <= 1 ? (i64)(i32)v : (i64)v));
        break;
    case 'u':
        strbuf_printf(s, "%llu", (unsigned long long)v);
        break;
    case 'o':
        strbuf_printf(s, "0%llo", (unsigned long long)v);
        break;
    default:
        strbuf_printf(s, "0x%llx", (unsigned long long)v);
    }
}

static void trace(struct task *t, i64 result)
{
    const struct system_call *call = &t->call;
    const char *args =
        call->number < NUMBERS && rows[call->number].args ? rows[call->number].args : "xxxxxx";
    AUTO(strbuf) struct strbuf s = {0};

    for (u32 i = 0; args[i]; i++) {
        if (i > 0)
            strbuf_puts(&s, ", ");
        print_argument(&s, t, args[i], call->arg[i]);
    }
    if (result == SYS_BLOCK)
        strbuf_puts(&s, ") ...");
    else if (result == SYS_DONE)
        strbuf_puts(&s, ") = ?");
    else if (result < 0 && result > -ERESTARTSYS)
        strbuf_printf(&s, ") = -%s", strerrorname_np((int)-result));
    else if (result < 0 && result >= -ERESTART_RESTARTBLOCK)
        strbuf_puts(&s, ") = ? (interrupted)");
    else
        strbuf_printf(&s, result > 4096 ? ") = 0x%llx" : ") = %lld", (long long)result);
    log_message_at(LOG_DEBUG, kernel_now(t->kernel), "linux", "[%d] %s(%s", t->tid,
                   syscall_name(call->number), strbuf_text(&s));
}

static i64 unimplemented(struct task *t, u64 number)
{
    struct kernel *k = t->kernel;
    u64 bit = MIN(number, NUMBERS - 1);

    if (!(k->warned[bit / 8] >> (bit % 8) & 1)) {
        k->warned[bit / 8] |= (u8)(1u << (bit % 8));
        log_warn("linux", "system call %llu (%s) is not implemented: the program gets ENOSYS",
                 (unsigned long long)number, syscall_name(number));
    }
    return -ENOSYS;
}

static void finish(struct task *t, i64 result)
{
    struct x86_arch_state *s;

    if (result == SYS_BLOCK) {
        t->call.active = true;
        return;
    }
    t->call.active = false;
    if (result == SYS_DONE)
        return;
    s = task_regs(t);
    s->gpr[X86_RAX] = (u64)result;
    t->call.returned = true;
}

static void call(struct task *t)
{
    u64 number = t->call.number;
    const struct row *row = number < NUMBERS && rows[number].fn ? &rows[number] : NULL;
    bool traced = log_enabled(LOG_DEBUG, "linux");
    i64 result;
    int tid = t->tid;
    struct kernel *k = t->kernel;

    result = row ? row->fn(t, t->call.arg) : unimplemented(t, number);
    inotify_collect(k);
    if (task_find(k, tid) != t)
        return; // it has ended
    if (traced)
        trace(t, result);
    finish(t, result);
}

void syscall_enter(struct task *t)
{
    const struct x86_arch_state *s = task_regs(t);
    static const u8 order[6] = {X86_RDI, X86_RSI, X86_RDX, X86_R8 + 2, X86_R8, X86_R8 + 1};

    t->kernel->n.numSyscalls++;
    t->call = (struct system_call){.number = s->gpr[X86_RAX]};
    for (u32 i = 0; i < 6; i++)
        t->call.arg[i] = s->gpr[order[i]];
    t->wait.count = 0;
    t->wait.resumed = false;
    t->wait.progress = 0;
    t->wait.futex_woken = false;
    t->wait.futex_object = NULL;
    t->wait.lock_owner = NULL;
    if (!t->wait.keep_deadline)
        t->wait.has_deadline = false;
    t->wait.keep_deadline = false;
    call(t);
}

void syscall_again(struct task *t)
{
    t->wait.count = 0;
    t->wait.resumed = true;
    call(t);
}
