// SPDX-License-Identifier: BSD-3-Clause
// Advisory locks of files: whole files (flock(2)) and ranges (fcntl(2)), of processes or of open
// files. Only the simulated programs see them.
#pragma once

#include "os/linux/file.h"

struct file_lock {
    u64 dev, ino;
    u64 first, last;   // last: inclusive; LOCK_END: to the end, however far
    const void *owner; // a table of descriptors, or an open file
    int pid;           // -1: of an open file
    bool whole;        // by flock: those by fcntl take no notice
    bool exclusive;
};

// F_GETLK, F_SETLK, F_SETLKW and those of open files.
i64 locks_fcntl(struct task *t, struct file *f, u64 command, vaddr arg);
// A descriptor of a table is closed: the locks that its processes have on the file go.
void locks_closed(const struct fd_table *fds, const struct file *f);
// An open file is closed for good.
void locks_released(const struct file *f);
