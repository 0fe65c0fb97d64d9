// SPDX-License-Identifier: BSD-3-Clause
// A machine of the public API: settings first, then a loaded program (machine/se.h) or a booted
// computer (machine/computer.h), then runs.
#pragma once

#include <signal.h>

#include "api/api_priv.h"
#include "api/pipe_trace.h"
#include "api/settings.h"
#include "api/stats.h"
#include "api/switching.h"
#include "cpu/cpu.h"
#include "machine/computer.h"
#include "machine/se.h"

struct insn_trace;

// Assignments to a computer's description, in order; NULL at the end.
struct assignments {
    char **items; // owned
    size_t count, room;
};

struct facet_machine {
    struct settings settings;
    u64 given;                      // bit n: setting n was set; others are the board's to decide
    struct arena arena;             // of texts among the settings
    struct assignments assignments; // "pc.uart0.char_ticks=1us"
    unsigned disks, shares, nets;   // added so far
    struct assignments files;       // with descriptions
    struct assignments processor_files; // with descriptions of the processor
    struct se_machine *se;              // owned; NULL until a program is loaded
    struct computer *computer;          // owned; NULL until a computer is booted
    struct dyn_batch *batch;            // owned; of a traced machine
    struct insn_trace *trace;           // owned; NULL: none
    struct switching switching;         // of CPU models
    struct console_file *console;       // owned (api/console.c); NULL: none
    struct pipe_traces *pipe_traces;    // owned; NULL: none
    struct machine_stats stats;
    double checkpoint_seconds; // host time of the last one
    facet_poll_fn *poll;
    void *poll_context;
    volatile sig_atomic_t stopped_by;
};

const struct models *api_models(const struct facet_machine *machine);
// A program or kernel is loaded: traces and intervals begin.
bool api_observe(struct facet_machine *machine, struct facet_error *err);

// NULL behind the last.
void api_terminate(struct assignments *a);
// The CPU models that the settings ask for.
struct models_options api_models_options(struct facet_machine *machine);

// api/console.c: takes characters of the console.
void console_file_take(struct console_file *f, const char *data, size_t size);
void console_file_close(struct console_file *f); // NULL is fine

// api/boot.c: the part of facet_machine_run that is about computers.
bool api_run_computer(struct facet_machine *machine, u64 insts, tick when,
                      struct facet_result *ret_result, struct facet_error *err);
