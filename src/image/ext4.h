// SPDX-License-Identifier: BSD-3-Clause
// Writes a tree as an ext4 file system into a file, without root's rights: mke2fs makes it empty,
// debugfs fills it in the tree's order, with owners, modes, times, device nodes and extended
// attributes. UUID and hash seed come from the label and the time. Same tree, same bytes, for one
// version of e2fsprogs.
#pragma once

#include "base/error.h"

struct tree;

struct ext4 {
    const char *label;
    u64 size;            // in bytes; 0: what it takes, and some room
    u64 epoch;           // no time in the file system is later
    const char *scratch; // folder for temporary files
};

// The tree must be settled; `file` exists and is empty.
bool ext4_write(const struct ext4 *e, struct tree *t, const char *file,
                struct error *err) MUST_CHECK;
