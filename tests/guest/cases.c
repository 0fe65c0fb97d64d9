// SPDX-License-Identifier: BSD-3-Clause
// The guests and their results. Four words of a fault: vector, error code, distance of the saved
// rip, CR2 or CS << 4 | RF (tests/guest/long.inc).
#include "guest.h"

extern const u8 guest_faults[], guest_faults_end[];
extern const u8 guest_breakpoint[], guest_breakpoint_end[];
extern const u8 guest_all_or_nothing[], guest_all_or_nothing_end[];
extern const u8 guest_double_fault[], guest_double_fault_end[];
extern const u8 guest_triple_fault[], guest_triple_fault_end[];

#define KERNEL 0x81 // CS 8, RF
#define KERNEL_TRAP 0x80

static const u64 faults[] = {
    6,
    0,
    0,
    KERNEL, // UD2
    0,
    0,
    0,
    KERNEL, // division by zero
    13,
    0,
    0,
    KERNEL, // non-canonical data
    12,
    0,
    0,
    KERNEL, // non-canonical stack
    11,
    0x58,
    0,
    KERNEL, // data segment not present
    12,
    0x58,
    0,
    KERNEL, // stack segment not present
    13,
    0x104,
    0,
    KERNEL, // beyond the table
    13,
    0x18,
    0,
    KERNEL, // not of this level
    0,      // null SS
    14,
    0,
    0,
    0x400008, // not present, read
    14,
    2,
    0,
    0x400010, // not present, write
    13,
    0x10,
    0,
    KERNEL, // LLDT
    13,
    0x10,
    0,
    KERNEL, // LTR
    13,
    0,
    0,
    KERNEL, // RDMSR
    13,
    0,
    0,
    KERNEL, // WRMSR
    13,
    0,
    0,
    KERNEL, // CR4, reserved
    13,
    0,
    0,
    KERNEL, // CR0.PG
    13,
    0,
    0,
    KERNEL, // CR4.PAE
    13,
    0x10,
    0,
    KERNEL, // far return to data
    13,
    0x58,
    0,
    KERNEL, // to a data segment that is not present
    14,
    9,
    0,
    0x50123, // reserved bit
    14,
    3,
    0,
    0x51ff8, // write protection
    14,
    0x11,
    0,
    0x52000,            // no-execute
    0x51061,            // accessed, dirty
    0x8000000000052003, // not accessed
    0x101007,           //
    0x2000a3,           //
};

static const u64 breakpoint[] = {
    3,  0,     1, KERNEL_TRAP, //
    13, 0x202, 0, KERNEL,      // beyond the table
    1,  0,     1, KERNEL_TRAP,
};

static const u64 all_or_nothing[] = {
    13, 0, 0, KERNEL,  // IRET
    14, 2, 0, 0x54000, // second page
    0,                 // nothing written
};

static const u64 double_fault[] = {
    8,  0,    0, KERNEL_TRAP, // #GP, then #GP for the gate's selector
    8,  0,    0, KERNEL_TRAP, // #PF twice
    13, 0x59, 0, KERNEL,      // #UD, then the gate's selector
};

#define CASE(name, mode, end, words, why)                                                 \
    {                                                                                     \
#name, guest_##name, guest_##name##_end, mode, end, words, ARRAY_SIZE(words), why \
    }

static const u64 nothing[] = {0};

const struct guest_case guest_cases[] = {
    CASE(faults, GUEST_LONG, GUEST_HALTED, faults, NULL),
    CASE(all_or_nothing, GUEST_LONG, GUEST_HALTED, all_or_nothing,
         "emulates IRET and splits stores"),
    CASE(double_fault, GUEST_LONG, GUEST_HALTED, double_fault, "does not check a gate's segment"),
    CASE(breakpoint, GUEST_LONG, GUEST_HALTED, breakpoint, NULL),
    CASE(triple_fault, GUEST_LONG, GUEST_SHUT_DOWN, nothing, NULL),
};

const u32 guest_n_cases = ARRAY_SIZE(guest_cases);
