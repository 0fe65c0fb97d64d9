// SPDX-License-Identifier: BSD-3-Clause
// The times of host files as the program sees them: what it changes gets the simulated time, and
// what it cannot know reproducibly (when a file was last read, or last changed in its inode)
// follows the time of the last write. So stat(2) shows the same in every run, whenever it is made.
//
// A change sets the host file's own mtime and atime, so that a later run and the host see the same.
// ctime cannot be set, and times of files of others cannot either: a table of bounded size keeps
// them for the run; what has fallen out of it is shown as if it had been changed in an earlier run.
#pragma once

#include "os/linux/kernel.h"

#include <sys/stat.h>

enum file_times_set { TIMES_A = 1, TIMES_M = 2, TIMES_C = 4 };

struct file_times; // the table

// Makes a status as the host gives it one that the program may see.
void file_times_show(struct kernel *k, struct stat *st);
// Something changed `which` of an open file now. Without set_host only the table learns it.
void file_times_touch(struct kernel *k, int host, u64 dev, u64 ino, u32 which, bool set_host);
// The same for a name; AT_SYMLINK_NOFOLLOW in flags.
void file_times_touch_at(struct kernel *k, int at, const char *path, u32 which, int flags);
// An entry of the folder that holds `path` came or went.
void file_times_touch_folder(struct kernel *k, int at, const char *path);
// The open file was created just now.
void file_times_created(struct kernel *k, int host);
// The program has set times itself (the host has them already): UTIME_OMIT leaves one.
void file_times_given(struct kernel *k, const struct stat *st, const struct timespec times[2]);
void file_times_free(struct file_times *table);
