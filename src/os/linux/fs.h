// SPDX-License-Identifier: BSD-3-Clause
// Where paths lead: working folder, the root that the program sees, and the files that the
// simulator itself provides (/proc, parts of /dev and /sys).
#pragma once

#include "os/linux/file.h"

#include <limits.h>

struct fs {
    u32 refs;
    int cwd_host; // owned: host descriptor of the working folder
    char *cwd;    // owned: as the program sees it
    u32 umask;
};

struct fs *fs_new(struct kernel *k, const char *cwd, struct error *err);
struct fs *fs_copy(const struct fs *from);
struct fs *fs_ref(struct fs *fs);
void fs_unref(struct fs *fs);

// What a path names: a place on the host, as the *at calls take it, or one of the simulator's
// files.
struct place {
    int at;               // host descriptor (borrowed) or AT_FDCWD
    char path[PATH_MAX];  // relative to `at`, or absolute
    char guest[PATH_MAX]; // normalised absolute path as the program sees it
    bool synthetic;       // the simulator's: see synth.h
    struct file *file;    // borrowed: the path was empty (AT_EMPTY_PATH)
};

enum place_flags {
    PLACE_FOLLOW = 1, // a link in the last component is followed
    PLACE_EMPTY = 2,  // an empty path names the descriptor itself
};

// 0 or -errno. `dirfd` is a descriptor of the task or AT_FDCWD.
i64 place_find(struct task *t, int dirfd, const char *path, u32 flags, struct place *ret_place);
// Reads the path from the task's memory first.
i64 place_user(struct task *t, u64 dirfd, vaddr path, u32 flags, struct place *ret_place);
// Opens for the kernel itself (programs, interpreters): host descriptor or -errno.
int place_open(struct task *t, const char *path, struct place *ret_place);
