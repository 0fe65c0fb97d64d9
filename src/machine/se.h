// SPDX-License-Identifier: BSD-3-Clause
// A machine that runs one Linux program and its children in user mode: RAM, cores, one CPU model
// and the emulated kernel of os/linux. Single-threaded; only se_stop may come from elsewhere.
#pragma once

#include "base/error.h"
#include "cpu/cpu.h"
#include "machine/models.h"
#include "machine/simop.h"
#include "sim/stats.h"

struct se_options {
    u32 cpus;          // at least 1
    const char *cpuid; // level name, "x86-64-v3"
    u64 mem_bytes;
    u64 clock_hz;            // an instruction takes one cycle in models without timing; 0: 2 GHz
    u64 quantum;             // instructions until the next CPU or task has its turn; 0: the default
    u64 seed;                // of getrandom, AT_RANDOM, RDRAND
    bool traced;             // the engine that emits records (into `batch` when given)
    struct dyn_batch *batch; // borrowed; may be NULL
    struct models_options models;
    struct insn_trace *trace; // borrowed; each CPU goes through insn_trace_wrap; may be NULL

    const char *program;     // as given; looked up in the guest's PATH if it has no '/'
    const char *const *argv; // NULL-terminated, argv[0] included
    const char *const *envp; // NULL-terminated; NULL: se_default_environment
    const char *root;        // folder that the guest sees as "/"; NULL: the host's
    const char *cwd;         // working directory as the guest sees it; NULL: the caller's
};

// Why a program cannot be started: shells and facet exec give these different statuses.
enum se_load { SE_LOAD_OK, SE_LOAD_NOT_FOUND, SE_LOAD_NOT_EXECUTABLE, SE_LOAD_FAILED };

enum se_end {
    SE_EXITED,   // status: the exit status of the first process
    SE_KILLED,   // status: the signal that ended it
    SE_LIMIT,    // max_insts are done; se_run may be called again
    SE_STOPPED,  // se_stop; se_run may be called again
    SE_EVENT,    // the program asks for something (se_event); se_run goes on
    SE_DEADLOCK, // every task waits for what can never come
};

struct se_result {
    enum se_end end;
    int status;
    u64 insts; // of all CPUs, since the start
    tick ticks;
    char reason[256]; // one sentence for people
};

struct se_machine;

// Builds the machine and loads the program. Strings are copied. NULL with *err and *ret_why set on
// failure.
struct se_machine *se_new(const struct se_options *options, enum se_load *ret_why,
                          struct error *err);
void se_free(struct se_machine *m);

// Runs until all processes have ended, or max_insts instructions of all CPUs together are done
// since the start of the machine (exactly; ~0: no limit), or its time is `until`, or se_stop.
bool se_run(struct se_machine *m, u64 max_insts, tick until, struct se_result *ret_result,
            struct error *err) MUST_CHECK;

// Asks a running machine to come back soon; safe in a signal handler and from other threads.
void se_stop(struct se_machine *m);

// The event of the last run: an operation for the simulator.
const struct simop_event *se_event(const struct se_machine *m);

// Machine, kernel and CPU statistics under their paths; for stat_set_write.
const struct stat_set *se_stats(struct se_machine *m);

struct cpu *se_cpu(struct se_machine *m, u32 number);
// Changes the model of core `number` (~0: of all), between runs.
bool se_switch(struct se_machine *m, u32 number, enum model_kind kind,
               struct error *err) MUST_CHECK;
const struct models *se_models(const struct se_machine *m);
// The simulated time now; instructions of all CPUs.
u64 se_insts(const struct se_machine *m);
tick se_now(const struct se_machine *m);

extern const char *const se_default_environment[];
