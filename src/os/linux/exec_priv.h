// SPDX-License-Identifier: BSD-3-Clause
// The first stack of a program.
#pragma once

#include "os/linux/exec.h"

struct elf;

struct strings {
    char **items; // owned, and each string
    size_t count, room;
};

struct stack_image {
    const char *path;
    const struct strings *argv;
    char **envp;
    const struct elf *elf;
    vaddr bias, interp_base;
};

// Writes arguments, environment and auxiliary vector (x86-64 psABI §3.4.1). Returns the stack
// pointer, or 0 if they are too long.
vaddr exec_stack(struct task *t, struct mm *mm, const struct stack_image *x);
