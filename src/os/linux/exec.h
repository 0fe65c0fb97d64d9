// SPDX-License-Identifier: BSD-3-Clause
// Loading a program: ELF files with their interpreter, #! scripts, the first stack.
#pragma once

#include "os/linux/fs.h"

enum exec_result { EXEC_OK, EXEC_NOT_FOUND, EXEC_NOT_EXECUTABLE, EXEC_FAILED };

// Strings of a program, NULL-terminated.
struct exec_args {
    const char *path; // guest path of the program
    char **argv, **envp;
};

// Replaces the memory and the registers of t. On failure t is as before, *ret_errno is what execve
// returns, and *err is a sentence for people.
enum exec_result exec_load(struct task *t, const struct exec_args *args, int *ret_errno,
                           struct error *err);

// Looks `name` up in the folders of PATH (of envp) if it has no slash; owned by the caller. NULL if
// there is none.
char *exec_find(struct task *t, const char *name, char *const *envp);
