// SPDX-License-Identifier: BSD-3-Clause
// The system calls of x86-64 Linux. syscalls.def lists them all: number, name, how the trace prints
// the arguments. A call that is not implemented returns -ENOSYS, with one warning that names it.
#pragma once

#include "os/linux/kernel.h"

// A call gets the task and its six arguments, and returns a result, -errno or one of SYS_*.
typedef i64 system_call_fn(struct task *t, const u64 *a);

#define SYSCALL(number, name, args) system_call_fn sys_##name;
#define NOSYS(number, name)
#include "os/linux/syscalls.def"
#undef SYSCALL
#undef NOSYS

// The core left with CORE_SYSCALL.
void syscall_enter(struct task *t);
// Calls again what returned SYS_BLOCK.
void syscall_again(struct task *t);
const char *syscall_name(u64 number); // "?" when there is none

// ---- for those who implement calls ----

static inline bool user_read(struct task *t, vaddr va, void *data, u64 size)
{
    return mm_read(t->mm, va, data, size);
}
static inline bool user_write(struct task *t, vaddr va, const void *data, u64 size)
{
    return mm_write(t->mm, va, data, size);
}
#define USER_GET(t, va, object) user_read((t), (va), &(object), sizeof(object))
#define USER_PUT(t, va, object) user_write((t), (va), &(object), sizeof(object))
