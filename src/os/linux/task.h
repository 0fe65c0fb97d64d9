// SPDX-License-Identifier: BSD-3-Clause
// A task (a thread) and a process (a group of threads), as Linux has them: tasks share memory,
// descriptors, folders and signal actions, each counted on its own.
#pragma once

#include "base/alloc.h"
#include "isa/x86/state.h"
#include "os/linux/mm.h"
#include "sim/event.h"

#include <signal.h>
#include <sys/resource.h>

struct kernel;
struct kernel_cpu;
struct fd_table;
struct fs;
struct process;

enum { SIGNALS = 64 };
#define SIGNAL_BIT(n) (1ull << ((n)-1))

// The layout of rt_sigaction's argument.
struct signal_action {
    u64 handler, flags, restorer, mask;
};
struct signal_table {
    u32 refs;
    struct signal_action action[SIGNALS];
};
// Signals sent and not yet taken; a standard signal once, real-time signals in order.
struct pending {
    u64 set;
    siginfo_t *items; // owned
    size_t count, room;
};

enum task_state { TASK_READY, TASK_RUNNING, TASK_BLOCKED, TASK_DEAD };

// Why a task sleeps. A system call that must wait names what may end the wait and returns
// SYS_BLOCK; when something happened it is called again, with `resumed` set.
struct wait {
    const void **items; // owned: keys; kernel_wake(key) ends the wait
    size_t count, room;
    struct event timeout;
    bool has_deadline;
    bool resumed;
    bool keep_deadline; // the call is restarted after a signal and goes on with its deadline
    tick deadline;
    u64 progress; // the call's own
    const void *futex_object;
    u64 futex_offset;
    u32 futex_bits;
    bool futex_woken;
    const void *lock_owner; // whose lock of a range of a file is waited for (locks.c)
};

struct system_call {
    u64 number;
    u64 arg[6];
    bool active;   // not finished: to be called again
    bool returned; // its result may have to be restarted when a signal is taken
};

struct task {
    struct kernel *kernel;   // borrowed
    struct process *process; // borrowed
    int tid;
    enum task_state state;
    char comm[16];
    struct mm *mm;                // counted
    struct fd_table *fds;         // counted
    struct fs *fs;                // counted
    struct signal_table *actions; // counted
    u64 blocked;                  // signal mask
    u64 directed;                 // signals of the process that this task is to take
    u64 saved_mask;
    bool restore_mask; // sigsuspend, ppoll...: saved_mask comes back after the call
    struct pending pending;
    u64 alt_stack, alt_stack_bytes;
    u32 alt_stack_flags;
    vaddr clear_tid, robust_list;
    int policy;   // SCHED_OTHER...
    i32 priority; // of the real-time policies
    u64 affinity; // CPUs it may run on, by bit
    bool moves;   // it runs on a CPU that it may no longer run on
    struct system_call call;
    struct wait wait;
    struct task *ready_next;
    struct kernel_cpu *loaded; // the CPU whose core holds its registers; NULL: `regs`
    struct x86_arch_state regs;
    u64 insts;
    struct task *vfork_parent; // waits until this task leaves its memory
    bool vfork_done;
};

struct posix_timer {
    int id; // 0: free
    int clock, signal, notify;
    int tid;
    u64 value;
    tick interval, expires;
    struct event event;
    struct process *process;
    u64 overrun;
};

enum { RLIMITS = 16 };

struct process {
    struct kernel *kernel; // borrowed
    int pid, ppid, group, session;
    struct task **items; // owned list of tasks
    size_t count, room;
    struct pending pending;
    struct posix_timer **timers; // owned
    size_t n_timers;
    struct event alarm; // ITIMER_REAL
    tick alarm_interval;
    struct cpu_timer {
        u64 left, interval; // instructions; 0 left: not set
    } cpu_timers[2];        // ITIMER_VIRTUAL, ITIMER_PROF
    u64 cpu_limit;          // instructions after which RLIMIT_CPU is looked at; 0: no limit
    struct rlimit limits[RLIMITS];
    bool exiting;
    int exit_status; // as wait4 gives it
    int exit_signal; // sent to the parent
    bool zombie;
    bool stopped, stop_reported, continued;
    int stop_signal;
    bool execed;
    bool no_new_privileges, child_subreaper, dumpable;
    int parent_death_signal;
    int nice;
    u64 insts, children_insts; // of tasks and children that have ended
    u64 faults;
    tick started;
};

// The registers of a task wherever they are. Flags are complete outside the engine.
struct x86_arch_state *task_regs(struct task *t);
// Call after changing mode-relevant registers of a task (segments, MXCSR, RFLAGS).
void task_regs_changed(struct task *t);

struct process *process_new(struct kernel *k, int ppid);
// A task in p with no memory, files... yet.
struct task *task_new(struct process *p, int tid);
struct process *process_find(struct kernel *k, int pid);
struct task *task_find(struct kernel *k, int tid);

// Instructions that the tasks of p have executed.
u64 process_insts(const struct process *p);
// The most instructions that p may execute before process_executed must be told.
u64 process_budget(const struct process *p);
// Lets the timers that count CPU time go on, and watches over RLIMIT_CPU.
void process_executed(struct process *p, u64 insts);

// Ends one task; with the last one the process ends, too.
void task_exit(struct task *t, int status);
// Ends all tasks of a process; `status` as wait4 gives it.
void process_exit(struct process *p, int status);
void process_reap(struct process *p);
// Ends all other tasks of t's process (execve).
void process_keep_only(struct task *t);

// What a task does when it leaves an address space (exit and execve).
void task_leave_mm(struct task *t);
void signal_table_unref(struct signal_table *s);
// Wakes up to n tasks that wait on the futex at va in t's memory.
u32 futex_wake_address(struct task *t, vaddr va, u32 n);
// The owner of a lock with priority inheritance ends: the next waiter has it.
void futex_pi_owner_died(struct task *t, vaddr va);

// System call helpers for waiting: see struct wait.
void task_wait_on(struct task *t, const void *key);
void task_wait_until(struct task *t, tick deadline);
bool task_wait_expired(const struct task *t);
// SYS_BLOCK, or -ERESTARTSYS if a signal is to be taken first.
i64 task_block(struct task *t);
i64 task_block_uninterruptible(struct task *t);
void task_wake(struct task *t);
