// SPDX-License-Identifier: BSD-3-Clause
// Task switches of 32-bit protected mode (SDM vol. 3A chapter 7).
#pragma once

#include "isa/x86/core.h"

enum x86_task_cause { X86_TASK_JUMP, X86_TASK_CALL, X86_TASK_RETURN, X86_TASK_INTERRUPT };

// Switches to the task that the TSS selector names, saving the current one to return to `rip`.
// `ext` goes into error codes; *error, if not NULL, is pushed on the new task's stack. Faults
// before the switch leave the state as it was; later ones belong to the new task, whose rip is then
// set.
enum x86_result x86_task_switch(struct x86_core *c, u16 sel, enum x86_task_cause cause, u32 ext,
                                u64 rip, const u32 *error);
