// SPDX-License-Identifier: BSD-3-Clause
// The emulated Linux kernel of one user-mode machine: tasks on simulated CPUs, time, and what they
// share. It runs on one host thread; tasks take turns in an order that depends on nothing but the
// program: the CPU whose time is least goes first.
#pragma once

#include "base/rng.h"
#include "cpu/cpu.h"
#include "isa/x86/core.h"
#include "os/linux/task.h"
#include "sim/stats.h"

// What a system call returns beside results and -errno.
#define SYS_BLOCK (-5000) // the task waits; call again when it is woken
#define SYS_DONE (-5001)  // registers are set already (or the task is gone)
// Results that end in a restart or -EINTR, depending on the signal (Linux's own numbers).
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

// Time of day at the start: 2026-01-01 00:00:00 UTC, in every run.
#define KERNEL_EPOCH 1767225600ull

struct kernel_cpu {
    u32 id;
    struct x86_core *core; // borrowed
    struct cpu *model;     // borrowed
    struct task *current;
    struct task *loaded; // whose registers are in the core
    struct mm *space;    // whose translations are in its TLBs; NULL: nobody's
    tick time;
    u64 quantum_left;
    u64 insts;
};

#define KERNEL_STATS(S, SV, SH, SG, SR)                                 \
    S(numSyscalls, "Count", "Number of system calls")                   \
    S(numFaults, "Count", "Page faults handled")                        \
    S(numSwitches, "Count", "Times that a CPU changed to another task") \
    S(numSignals, "Count", "Signals taken by a handler")                \
    S(numProcesses, "Count", "Processes started")                       \
    S(numThreads, "Count", "Tasks started")                             \
    S(peakPages, "Count", "Most pages of memory in use at a time")
STAT_STRUCT(kernel_stats, KERNEL_STATS);
extern const struct stat_field kernel_stats_fields[];

struct queue; // of a pipe (pipe.c)
struct socket;
struct file;
struct file_lock;
struct file_times;

struct kernel_options {
    u64 mem_bytes, seed, quantum;
    tick period;            // of an instruction
    const char *root, *cwd; // NULL: the host's
};

struct kernel {
    struct pages pages;
    struct mapping_set mappings;
    struct mm_env env;
    struct event_queue events;
    struct kernel_cpu *cpus; // owned
    u32 n_cpus;
    tick period;
    u64 quantum, seed;
    struct rng rng;
    struct {
        struct process **items; // owned
        size_t count, room;
    } processes;
    struct {
        struct task **items; // blocked tasks, in the order they blocked
        size_t count, room;
    } sleepers;
    struct {
        struct queue **items; // named pipes that are open
        size_t count, room;
    } fifos;
    struct {
        struct socket **items; // all there are
        size_t count, room;
    } sockets;
    struct {
        struct file **items; // inotify descriptors
        size_t count, room;
        u32 host_cookie, cookie; // of the last renaming: the host's, the program's
    } watchers;
    struct {
        struct file_lock *items; // an owner's together, in the order of the file
        size_t count, room;
    } locks;
    u64 files_in_flight; // descriptors that wait in sockets' queues
    u32 next_unix_name;
    u16 next_port;
    struct task *ready_first, *ready_last;
    int next_pid;
    u32 n_tasks;
    char *root;  // owned: host folder; NULL: the host's root
    int root_fd; // -1: the host's root
    u64 insts, insts_limit;
    tick time_limit;
    tick window;                 // by which CPUs with times of their own may be apart
    const struct error *failure; // borrowed; of a CPU model: then the run ends; NULL: none fail
    volatile bool stop;
    bool event; // the program asks its simulator for something: the run ends
    int init_pid;
    int init_status; // of the first process, once it has ended
    bool init_ended;
    char end_note[200]; // what killed the first process
    bool out_of_memory; // some task was killed for it
    struct kernel_stats n;
    u8 warned[64]; // system calls whose absence was reported, by bit
    u64 next_ino;
    struct file_times *times; // owned; NULL: nothing was changed yet (file_times.h)
};

bool kernel_init(struct kernel *k, const struct kernel_options *o, struct error *err) MUST_CHECK;
void kernel_release(struct kernel *k);
// The cores must be set up (kernel_core_setup) and outlive the kernel.
void kernel_add_cpu(struct kernel *k, struct x86_core *core, struct cpu *model);
// Puts a core into the state in which Linux runs user code.
void kernel_core_setup(struct x86_core *core);

enum kernel_end { KERNEL_ENDED, KERNEL_LIMIT, KERNEL_STOPPED, KERNEL_DEADLOCK, KERNEL_EVENT };
// Until all processes have ended, or insts_limit instructions are done, or the time is time_limit,
// or `stop` or `event` is set. Then nothing is in flight in any CPU.
enum kernel_end kernel_run(struct kernel *k);

static inline tick kernel_now(const struct kernel *k)
{
    return k->events.now;
}
static inline u64 kernel_now_ns(const struct kernel *k)
{
    return k->events.now / 1000;
}
static inline struct task *kernel_current(const struct kernel_cpu *c)
{
    return c->current;
}

// Ends the waits of all tasks that wait for this key.
void kernel_wake(struct kernel *k, const void *key);
// Puts a task behind the others that are ready.
void kernel_ready(struct kernel *k, struct task *t);
void kernel_sleep(struct kernel *k, struct task *t); // out of its CPU, into the sleepers
void kernel_unload(struct task *t);                  // saves its registers into the task
void kernel_drop(struct kernel *k, struct task *t);  // from its CPU and all queues, for good
bool kernel_yield(struct kernel *k, struct task *t); // to the end of the queue
u64 kernel_random(struct kernel *k);
// A host file was cut to (or grew to) `size` bytes: nobody sees pages beyond any more.
void kernel_truncated(struct kernel *k, u64 dev, u64 ino, u64 size);
