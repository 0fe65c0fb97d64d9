// SPDX-License-Identifier: BSD-3-Clause
// Signals: sending, masks, default actions, and frames on the program's stack.
#pragma once

#include "os/linux/task.h"

// info->si_signo says which. To a task, or to any task of a process that does not block it.
void signal_send_task(struct task *t, const siginfo_t *info);
void signal_send_process(struct process *p, const siginfo_t *info);
// For a signal that the running instruction caused: cannot be blocked or ignored.
void signal_force(struct task *t, const siginfo_t *info);

// Whether a signal that the task does not block (and that does something) is pending.
bool signal_waits(const struct task *t);
// Before the task goes on in user mode: takes what is pending. False if the task has ended or
// stopped.
bool signal_deliver(struct task *t);
// Takes one pending signal of `set` out; false if there is none (rt_sigtimedwait, signalfd).
bool signal_take(struct task *t, u64 set, siginfo_t *ret_info);

void signal_pending_release(struct pending *p);
struct signal_text {
    char text[20];
};
struct signal_text signal_name(int number); // "SIGSEGV"

// Pushes a frame and points the registers at the handler. False if the stack cannot take it.
bool signal_frame_push(struct task *t, const struct signal_action *action, const siginfo_t *info);
// rt_sigreturn. False if the frame is bad.
bool signal_frame_pop(struct task *t);

// A fault or trap that a core reported (CORE_EXCEPTION): a page fault that the kernel can satisfy,
// or a signal.
struct x86_core;
void signal_of_exception(struct task *t, const struct x86_core *core);
