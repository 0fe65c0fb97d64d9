// SPDX-License-Identifier: BSD-3-Clause
// A whole computer (full system): a PC board from a description, a kernel loaded as firmware and a
// boot loader would, and what its run needs from outside: consoles, ends that are understood.
// Single-threaded; only fs_stop may come from elsewhere.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "machine/pc.h"
#include "os/boot/boot_load.h"
#include "sim/char_device.h"
#include "sim/stats.h"

struct fs_options {
    // The machine: assignments to parameters ("pc.mem=1GiB", "pc.disk0.type=disk"), over a
    // description in YAML; NULL-terminated, either may be NULL.
    const char *const *files;
    const char *const *assignments;
    const char *kernel;
    enum boot_entry entry;
    const char *initrd; // NULL: none
    const char *append; // the command line; NULL: fs_default_append
};

extern const char fs_default_append[];

enum fs_end {
    FS_POWER_OFF,
    FS_RESET,
    FS_EXIT,     // by the guest's own request; value: its code
    FS_PANIC,    // the guest's kernel panicked
    FS_SHUTDOWN, // triple fault
    FS_HALTED,   // all cores wait for what can never come
    FS_LIMIT,    // fs_run may be called again
    FS_STOPPED,  // fs_stop; fs_run may be called again
};

struct fs_limits {
    u64 insts; // of all cores, since the machine's start; ~0: none
    tick when; // ~0: none
};

struct fs_result {
    enum fs_end end;
    u32 value;
    u64 insts;
    tick ticks;
    char reason[256]; // one sentence for people
};

struct fs_machine;

// Builds the machine, loads the kernel. NULL and *err on failure.
struct fs_machine *fs_new(const struct fs_options *options, struct error *err);
void fs_free(struct fs_machine *m);

// Where the guest's serial port goes (port 0 is the console), and characters for the guest; returns
// how many were taken. Connect before the first run.
void fs_connect_console(struct fs_machine *m, unsigned port, struct char_output output);
size_t fs_console_input(struct fs_machine *m, unsigned port, const u8 *data, size_t size);

void fs_run(struct fs_machine *m, const struct fs_limits *limits, struct fs_result *ret_result);
void fs_stop(struct fs_machine *m);

struct component *fs_board(struct fs_machine *m);
const struct stat_set *fs_stats(struct fs_machine *m);
// For people, after an end that is no success: registers of all cores and the console's last lines.
void fs_report(struct fs_machine *m, struct strbuf *out);
