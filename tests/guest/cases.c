// SPDX-License-Identifier: BSD-3-Clause
// The guests and their results. Four words of a fault: vector, error code, distance of the saved
// rip, CR2 or CS << 4 | RF (tests/guest/long.inc).
#include "guest.h"

extern const u8 guest_faults[], guest_faults_end[];
extern const u8 guest_repeat[], guest_repeat_end[];
extern const u8 guest_mov_ss[], guest_mov_ss_end[];
extern const u8 guest_breakpoint[], guest_breakpoint_end[];
extern const u8 guest_all_or_nothing[], guest_all_or_nothing_end[];
extern const u8 guest_double_fault[], guest_double_fault_end[];
extern const u8 guest_half_an_instruction[], guest_half_an_instruction_end[];
extern const u8 guest_user[], guest_user_end[];
extern const u8 guest_user_io[], guest_user_io_end[];
extern const u8 guest_system_call[], guest_system_call_end[];
extern const u8 guest_sysret32[], guest_sysret32_end[];
extern const u8 guest_user_gate[], guest_user_gate_end[];
extern const u8 guest_smep_smap[], guest_smep_smap_end[];
extern const u8 guest_umip[], guest_umip_end[];
extern const u8 guest_single_step[], guest_single_step_end[];
extern const u8 guest_breakpoints[], guest_breakpoints_end[];
extern const u8 guest_boot[], guest_boot_end[];
extern const u8 guest_real[], guest_real_end[];
extern const u8 guest_segments[], guest_segments_end[];
extern const u8 guest_selectors[], guest_selectors_end[];
extern const u8 guest_call_gate[], guest_call_gate_end[];
extern const u8 guest_tasks[], guest_tasks_end[];
extern const u8 guest_tasks16[], guest_tasks16_end[];
extern const u8 guest_virtual_8086[], guest_virtual_8086_end[];
extern const u8 guest_paging32[], guest_paging32_end[];
extern const u8 guest_tables[], guest_tables_end[];
extern const u8 guest_bases[], guest_bases_end[];
extern const u8 guest_base_instructions[], guest_base_instructions_end[];
extern const u8 guest_ports[], guest_ports_end[];
extern const u8 guest_invalidation[], guest_invalidation_end[];
extern const u8 guest_call_gate64[], guest_call_gate64_end[];
extern const u8 guest_compatibility[], guest_compatibility_end[];
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

#define USER 0x2b1 // CS 2BH, RF

static const u64 half_an_instruction[] = {
    14,         0x10, 0, 0x61000, // its fetch
    0x12345678,                   //
};

static const u64 user[] = {
    6,  0,    1, USER,     // NOP, then UD2
    13, 0,    0, USER,     // CLI
    13, 0,    0, USER,     // HLT
    13, 0,    0, USER,     // MOV from CR3
    13, 0,    0, USER,     // MOV to DR0
    13, 0,    0, USER,     // CLTS
    13, 0,    0, USER,     // INVLPG
    13, 0,    0, USER,     // WBINVD
    13, 0,    0, USER,     // RDMSR
    13, 0,    0, USER,     // SWAPGS
    13, 0,    0, USER,     // SYSRET
    13, 0,    0, USER,     // IN
    13, 0,    0, USER,     // OUT
    14, 5,    0, 0x4000,   // supervisor page, read
    14, 7,    0, 0x4008,   // write
    14, 4,    0, 0x400000, // not present
    14, 6,    0, 0x400000, //
    6,  0,    2, USER,     // PUSH, then UD2
    14, 0x15, 0, 0x8000,   // supervisor page, execution
};

static const u64 user_io[] = {
    6,      0, 2, USER, // port 80H is allowed
    13,     0, 0, USER, // 81H is not
    13,     0, 0, USER, // of 87H and 88H one is not
    6,      0, 3, USER, // 88H and 89H
    13,     0, 0, USER, // 88H to 8BH
    13,     0, 0, USER, // beyond the limit
    6,      0, 7, USER, // with IOPL 3
    0x3202,             //
};

static const u64 system_call[] = {
    0x40c03, 2, 0x803, 8,      0x10, // R11, RCX, RFLAGS, CS, SS
    6,       0, 2,     USER,         //
    13,      0, 0,     KERNEL,       // LSTAR
    6,       0, 0,     KERNEL,       // SCE
};

static const u64 sysret32[] = {
    6, 0, 0, 0x1b1, 0xffffffff, 0x1b, 0x23, 0x97, // 40H and 48H are INC and DEC
};

static const u64 user_gate[] = {
    13,          0x11 * 8 + 2,
    0,           USER, // DPL 0
    0x5f00 - 40, 2,
    0x2b,        0x3302,
    0x72800,     0x23,
    0,           0x3002,
    0x7ff0 - 40, 0x5e00 - 40,
    0x7ff0,      0x10,
};

static const u64 smep_smap[] = {
    14, 1,    0, 0x70000, // SMAP, read
    14, 3,    0, 0x72000, // write
    14, 0x11, 0, 0x70000, // SMEP
    5,                    // with AC
    14, 1,    0, 0x72000, //
    6,  0,    7, USER,    //
    6,  0,    0, USER,    // STAC
};

static const u64 umip[] = {
    13,   0, 0, USER, //
    13,   0, 0, USER, //
    13,   0, 0, USER, //
    13,   0, 0, USER, //
    13,   0, 0, USER, //
    0x38,             // CPL 0 may
};

static const u64 single_step[] = {
    1, 0, 1, KERNEL_TRAP, 0xffff4ff0, // behind NOP
    6, 0, 0, KERNEL,      0xffff0ff0, // UD2
};

static const u64 repeat[] = {
    1, 0, 0, KERNEL,      1, // one iteration done
    1, 0, 2, KERNEL_TRAP, 0, // the other
};

static const u64 mov_ss[] = {1, 0, 3, KERNEL_TRAP, 0xffff4ff0};

static const u64 breakpoints[] = {
    1,  0, 0, KERNEL_TRAP, 0xffff0ff1,             // execution: a fault without RF
    6,  0, 3, KERNEL,      8,          0xffff0ff0, // INC with RF, then UD2
    1,  0, 8, KERNEL_TRAP, 0xffff0ff2,             // write of 8 bytes around it
    1,  0, 7, KERNEL_TRAP, 0xffff0ff4,             // read of one
    1,  0, 7, KERNEL_TRAP, 0xffff0ff6,             // read-modify-write of both
    1,  0, 0, KERNEL_TRAP, 0xffff2ff0, 0x400,      // general detect
    13, 0, 0, KERNEL,      0xffff0fff, 6,          0, 0, KERNEL,
};

static const u64 boot[] = {
    0x32, 0x500, 0x123456789abcdef, 8, 0x30, 0x100, 0x16, 0,
};

static const u64 real[] = {
    0x4ffa0047,         // flags and SP inside INT: IF is clear
    0x247,              // and behind it
    0x4ffc0700, 0x5000, // far call
    13,         0x100,  6,
};

static const u64 segments[] = {
    13,       0,    0, KERNEL, // expand-down
    13,       0,    0, KERNEL, // limit
    13,       0,    0, KERNEL, //
    13,       0,    0, KERNEL, // read-only
    13,       0x58, 0, KERNEL, // execute-only into FS
    13,       0x58, 0, KERNEL, // into SS
    13,       0,    0, KERNEL, // writing code
    13,       0,    0, KERNEL, // null FS used
    13,       0,    0, KERNEL, // null SS
    11,       0x68, 0, KERNEL, // not present
    12,       0x68, 0, KERNEL, //
    13,       0x28, 0, KERNEL, // system segment
    13,       0xc,  0, KERNEL, // no local table
    0xcf9300,                  //
    13,       0x1c, 0, KERNEL, // beyond it
};

static const u64 selectors[] = {0xfff, 0x40, 0xe500, 0, 0, 1, 0x1232, 1};

static const u64 call_gate[] = {
    0x5f00 - 24, 0, 0x1b, 0x2222, 0x1111, 0x77f8, 0x23, 8, //
    6,           0, 0,    0x1b1,
};

static const u64 tasks[] = {
    0xb,     0x77, 0x4002, 8,      0x28, 0x1234, 0, // in task B
    0x1234,  0x99, 0x28,   0x8b,   0x89,            // back
    13,      0x28, 0,      KERNEL,                  // busy
    10,      0x70, 0,      KERNEL,                  // short
    0xbb,    2,                                     // through the gate
    0x89,                                           //
    0x10000, 0x28,                                  // by the exception
};

static const u64 virtual_8086[] = {
    0x77, 0x800, 0xf00, 0x1234, 0x3202, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    13,   0,     0,     0x8001,                                          // CLI without IOPL
    13,   0,     0,     0x8001,                                          // IN
};

static const u64 paging32[] = {
    14,   3,        0,      0x400800,   // write protection
    0x55,                               //
    14,   0,        0,      0x402000,   // not present
    0xe3, 0x201027, 0x7067,             //
    0x66,                               //
    14,   0x11,     0,      0x401000,   // no-execute
    14,   0,        0,      0x40000000, //
    13,   0,        0,      KERNEL,     // reserved bit in a pointer
};

static const u64 tables[] = {
    0x6f,
    0x500,
    0x3000, // SGDT, SIDT
    0xffffffffffff0031,
    0x80000031, // SMSW
    0x8000003f,
    0x80000037,
    0x38,
    0, // LMSW, CLTS, STR, SLDT
    13,
    0,
    0,
    KERNEL, // LGDT
    0x8b,
    13,
    0x38,
    0,
    KERNEL, // LTR
};

static const u64 bases[] = {1, 2, 0x6f00, 0};

static const u64 base_instructions[] = {
    6,
    0,
    0,
    KERNEL, // CR4.FSGSBASE
    0x123456789abc,
    0x56789abc,
    0x56789abc, //
    13,
    0,
    0,
    KERNEL,
};

static const u64 ports[] = {
    0xff, 0xffff, 0xffffffff, 0x6f06, 0, 0xffffffffffff, 0x6efe, 0x6f02, 14, 2, 0, 0x400000,
};

static const u64 invalidation[] = {
    7,        13, 0, 0,      KERNEL, // type
    13,       0,  0, KERNEL,         // PCID
    13,       0,  0, KERNEL,         // address
    13,       0,  0, KERNEL,         // CR4.PCIDE
    0x100005,
};

static const u64 call_gate64[] = {
    0x5f00 - 32, 0, 0x2b, 0x72800,
    0x23,        0, 8, //
    13,          0, 0,    (u64)(0x63 << 4) | 1,
};

static const u64 compatibility[] = {
    0xffffffff, 0x1b, 0x72800, 0x5d00, 8, 0x10, 0, //
    6,          0,    0,       0x1b1,
};

static const u64 tasks16[] = {
    0x77,    0x4002, 0x28, 0,    0x30, 0, // in B: AX, NT, link, A's EIP, TR, FS is null
    0x12345, 0x99,   0x8b, 0x81,          // back: EAX, B's AX, A is busy, B is not
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
    CASE(half_an_instruction, GUEST_LONG, GUEST_HALTED, half_an_instruction, NULL),
    CASE(breakpoint, GUEST_LONG, GUEST_HALTED, breakpoint, NULL),
    CASE(user, GUEST_LONG, GUEST_HALTED, user, NULL),
    CASE(user_io, GUEST_LONG, GUEST_HALTED, user_io, "has no IOPL"),
    CASE(system_call, GUEST_LONG, GUEST_HALTED, system_call, "SYSCALL stays at CPL 3"),
    CASE(sysret32, GUEST_LONG, GUEST_HALTED, sysret32, NULL),
    CASE(user_gate, GUEST_LONG, GUEST_HALTED, user_gate, "delivers INT n of CPL 3 wrongly"),
    CASE(smep_smap, GUEST_LONG, GUEST_HALTED, smep_smap, NULL),
    CASE(umip, GUEST_LONG, GUEST_HALTED, umip, NULL),
    CASE(single_step, GUEST_LONG, GUEST_HALTED, single_step, NULL),
    CASE(repeat, GUEST_LONG, GUEST_HALTED, repeat, "steps all iterations at once"),
    CASE(mov_ss, GUEST_LONG, GUEST_HALTED, mov_ss, "does not hold traps back"),
    CASE(breakpoints, GUEST_LONG, GUEST_HALTED, breakpoints, "has no data breakpoints"),
    CASE(boot, GUEST_REAL, GUEST_HALTED, boot, NULL),
    CASE(real, GUEST_REAL, GUEST_HALTED, real, NULL),
    CASE(segments, GUEST_PROTECTED, GUEST_HALTED, segments, NULL),
    CASE(selectors, GUEST_PROTECTED, GUEST_HALTED, selectors, NULL),
    CASE(call_gate, GUEST_PROTECTED, GUEST_HALTED, call_gate, NULL),
    CASE(tasks, GUEST_PROTECTED, GUEST_HALTED, tasks, NULL),
    CASE(tasks16, GUEST_PROTECTED, GUEST_HALTED, tasks16, NULL),
    CASE(virtual_8086, GUEST_PROTECTED, GUEST_HALTED, virtual_8086, NULL),
    CASE(paging32, GUEST_PROTECTED, GUEST_HALTED, paging32, NULL),
    CASE(tables, GUEST_LONG, GUEST_HALTED, tables, "takes any address of a table"),
    CASE(bases, GUEST_LONG, GUEST_HALTED, bases, NULL),
    CASE(base_instructions, GUEST_LONG, GUEST_HALTED, base_instructions,
         "does not look at CR4.FSGSBASE"),
    CASE(ports, GUEST_LONG, GUEST_HALTED, ports, NULL),
    CASE(invalidation, GUEST_LONG, GUEST_HALTED, invalidation, NULL),
    CASE(call_gate64, GUEST_LONG, GUEST_HALTED, call_gate64, "has no call gates"),
    CASE(compatibility, GUEST_LONG, GUEST_HALTED, compatibility, NULL),
    CASE(triple_fault, GUEST_LONG, GUEST_SHUT_DOWN, nothing, NULL),
};

const u32 guest_n_cases = ARRAY_SIZE(guest_cases);
