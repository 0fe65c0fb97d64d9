// SPDX-License-Identifier: BSD-3-Clause
// Operations for the simulator (machine/simop.h) that a program of user mode asks for, by the
// instruction 0F 04: the same that a whole computer's guest has, but for those that concern files.
#pragma once

#include "machine/simop.h"
#include "os/linux/kernel.h"

struct se_simop {
    struct kernel *kernel; // borrowed
    struct simop_event event;
    bool ends;  // the run, for good
    int status; // of the end
};

// `s` must outlive the core.
void se_simop_connect(struct se_simop *s, struct x86_core *core);
