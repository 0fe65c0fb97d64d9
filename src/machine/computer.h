// SPDX-License-Identifier: BSD-3-Clause
// A whole computer (full system): a PC board from a description, a kernel loaded as firmware and a
// boot loader would, and what its run needs from outside: consoles, ends that are understood.
// Single-threaded; only computer_stop may come from elsewhere.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "machine/pc.h"
#include "machine/simop.h"
#include "os/boot/boot_load.h"
#include "sim/char_device.h"
#include "sim/stats.h"

struct computer_options {
    // The machine: assignments to parameters ("pc.mem=1GiB", "pc.disk0.type=disk"), over a
    // description in YAML; NULL-terminated, either may be NULL.
    const char *const *files;
    const char *const *assignments;
    const char *kernel;
    enum boot_entry entry;
    const char *initrd;           // NULL: none
    const char *append;           // the command line; NULL: computer_default_append
    struct models_options models; // no part of a checkpoint: any model restores any
};

extern const char computer_default_append[];

enum computer_end {
    COMPUTER_POWER_OFF,
    COMPUTER_RESET,
    COMPUTER_EXIT,     // by the guest's own request; value: its code
    COMPUTER_PANIC,    // the guest's kernel panicked
    COMPUTER_SHUTDOWN, // triple fault
    COMPUTER_HALTED,   // all cores wait for what can never come
    COMPUTER_STUCK,    // limits.stuck
    COMPUTER_LIMIT,    // computer_run may be called again
    COMPUTER_STOPPED,  // computer_stop; computer_run may be called again
    COMPUTER_EVENT,    // something to be dealt with; computer_run goes on
    COMPUTER_FAILED,   // the simulation cannot go on; reason
    COMPUTER_KILLED,   // the debugger ended the run
    COMPUTER_IDLE,     // limits.idle: nothing to do for a while; computer_run may be called again
};

struct computer_limits {
    u64 insts;  // of all cores, since the machine's start; ~0: none
    tick when;  // ~0: none
    bool idle;  // end instead of skipping time in which nothing happens
    tick stuck; // end when the guest was busy without getting on for so long (pc.h); 0: never
    bool brief; // end with COMPUTER_LIMIT every now and then while a debugger holds the machine
};

struct computer_result {
    enum computer_end end;
    u32 value;
    u64 insts;
    tick ticks;
    u32 idle_cpus;    // that the guest never started
    char reason[256]; // one sentence for people
};

struct computer;

// Builds the machine, loads the kernel. NULL and *err on failure.
struct computer *computer_new(const struct computer_options *options, struct error *err);
// From a checkpoint, which also says what machine it is; assignments are over that: host things may
// be changed (where a disk's overlay is), what the guest sees may not. Any number of times, also
// side by side.
struct computer *computer_restore(const char *checkpoint, const char *const *assignments,
                                  const struct models_options *models, struct error *err);
// Changes the model of core `number` (~0: of all), between two runs.
bool computer_switch(struct computer *m, u32 number, enum model_kind kind,
                     struct error *err) MUST_CHECK;
void computer_free(struct computer *m);

// Between two runs. `path` must not exist; `parent`, if not NULL, is a checkpoint of the same run
// whose memory is not stored again.
bool computer_save(struct computer *m, const char *path, const char *parent,
                   struct error *err) MUST_CHECK;

// Where the guest's serial port goes (port 0 is the console; from COMPUTER_PORT_VIRTIO on they are
// the virtio consoles pc.hvc0...), and characters for the guest; returns how many were taken.
// Connect before the first run; false: there is no such port.
enum { COMPUTER_PORT_VIRTIO = 16 };
bool computer_connect_console(struct computer *m, unsigned port, struct char_output output);
size_t computer_console_input(struct computer *m, unsigned port, const u8 *data, size_t size);

// Serves debuggers at `spec` from now on (machine/gdb/gdb_server.h). `wait`: runs begin when one is
// there. Once, before the first run.
bool computer_serve_gdb(struct computer *m, const char *spec, bool wait,
                        struct error *err) MUST_CHECK;
// Where it listens; NULL: nowhere.
const char *computer_gdb_address(const struct computer *m);

void computer_run(struct computer *m, const struct computer_limits *limits,
                  struct computer_result *ret_result);
void computer_stop(struct computer *m);

// Ends runs with COMPUTER_EVENT when the guest has written `text` to its console (NULL: not any
// more).
void computer_watch_console(struct computer *m, const char *text);
// The event of the last run: an operation for the simulator (machine/simop.h); function 0: the
// console's text has come.
const struct simop_event *computer_event(const struct computer *m);
// What operations that read and write files of the host use; NULL: they fail.
void computer_share_files(struct computer *m, const char *read_file, const char *write_folder);

struct component *computer_board(struct computer *m);
tick computer_now(const struct computer *m);
const struct stat_set *computer_stats(struct computer *m);
// For people, after an end that is no success: registers of all cores and the console's last lines.
void computer_report(struct computer *m, struct strbuf *out);
