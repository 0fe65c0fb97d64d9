// SPDX-License-Identifier: BSD-3-Clause
// The files that the simulator provides itself, the same in every run: /proc, /dev/urandom and
// friends, the part of /sys that programs count CPUs with.
#pragma once

#include "os/linux/fs.h"

// Whether a normalised absolute path is the simulator's.
bool synth_owns(const char *guest);
// For paths that it owns. -ENOENT when there is no such file.
i64 synth_open(struct task *t, const char *guest, u32 flags, struct file **ret_file);
i64 synth_readlink(struct task *t, const char *guest, char *text, u64 room);
i64 synth_stat(struct task *t, const char *guest, bool follow, struct stat *ret_stat);
// Replaces /proc/self/cwd/x, /dev/fd/x... by what they stand for; false: it is not such a link.
bool synth_redirect(struct task *t, const char *guest, char text[PATH_MAX]);
// The open file that /proc/PID/fd/N stands for, or NULL.
struct file *synth_file(struct task *t, const char *guest);
// The entries of a folder, as NUL-separated names; NULL: no folder.
char *synth_list(struct task *t, const char *guest, u64 *ret_bytes);
