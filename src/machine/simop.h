// SPDX-License-Identifier: BSD-3-Clause
// Operations for the simulator that a guest asks for: gem5's m5 ops by their function numbers
// (gem5 include/gem5/asm/generic/m5ops.h), as an instruction, a load from the operations' page, or
// through a port (docs/formats/guest-operations.md). Arguments are RDI, RSI, RDX, RCX, R8, R9.
#pragma once

#include "base/types.h"

struct component;

enum simop_function {
    SIMOP_RPNS = 0x07,
    SIMOP_EXIT = 0x21,
    SIMOP_FAIL = 0x22,
    SIMOP_SUM = 0x23,
    SIMOP_INIT_PARAM = 0x30,
    SIMOP_RESET_STATS = 0x40,
    SIMOP_DUMP_STATS = 0x41,
    SIMOP_DUMP_RESET_STATS = 0x42,
    SIMOP_CHECKPOINT = 0x43,
    SIMOP_WRITE_FILE = 0x4f,
    SIMOP_READ_FILE = 0x50,
    SIMOP_DEBUG_BREAK = 0x51,
    SIMOP_SWITCH_CPU = 0x52,
    SIMOP_ADD_SYMBOL = 0x53,
    SIMOP_PANIC = 0x54,
    SIMOP_WORK_BEGIN = 0x5a,
    SIMOP_WORK_END = 0x5b,
};

// What a machine's owner is to deal with: the run ends with PC_EVENT.
struct simop_event {
    u16 function; // enum simop_function
    u64 args[6];
};

struct simop {
    struct component *pc; // borrowed
    struct simop_event event;
    char *read_file;    // owned; what SIMOP_READ_FILE gives; NULL: nothing
    char *write_folder; // owned; where SIMOP_WRITE_FILE puts files; NULL: it fails
};

void simop_init(struct simop *s, struct component *pc);
void simop_release(struct simop *s);
