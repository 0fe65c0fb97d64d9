// SPDX-License-Identifier: BSD-3-Clause
// For programs that run in a guest: asks the simulator to end the run, to take a checkpoint, to
// write statistics, to pass files. docs/formats/guest-operations.md says what each operation does.
// Needs no library. x86-64 only.
//
// There are three ways to ask. Their functions take the function's number, which must be a constant
// for facet_guest_insn, and six arguments of which most operations use fewer:
//
//     facet_guest_insn    an instruction that only simulators know; anywhere else it is invalid
//     facet_guest_load    a load from physical address 0xFFFF0000 + (function << 8), which the
//     caller
//                         has mapped (in a Linux program through /dev/mem)
//     facet_guest_port    I/O ports 0xE4 and 0xE8; a Linux program calls ioperm(0xe4, 8, 1) before
//
// Buffers and strings are read and written at their linear addresses: touch them first, so that
// they are in memory.
#pragma once

#include <stdint.h>

enum facet_guest_function {
    FACET_GUEST_RPNS = 0x07,
    FACET_GUEST_EXIT = 0x21,
    FACET_GUEST_FAIL = 0x22,
    FACET_GUEST_SUM = 0x23,
    FACET_GUEST_INIT_PARAM = 0x30,
    FACET_GUEST_RESET_STATS = 0x40,
    FACET_GUEST_DUMP_STATS = 0x41,
    FACET_GUEST_DUMP_RESET_STATS = 0x42,
    FACET_GUEST_CHECKPOINT = 0x43,
    FACET_GUEST_WRITE_FILE = 0x4f,
    FACET_GUEST_READ_FILE = 0x50,
    FACET_GUEST_DEBUG_BREAK = 0x51,
    FACET_GUEST_SWITCH_CPU = 0x52,
    FACET_GUEST_ADD_SYMBOL = 0x53,
    FACET_GUEST_PANIC = 0x54,
    FACET_GUEST_WORK_BEGIN = 0x5a,
    FACET_GUEST_WORK_END = 0x5b,
};

#define FACET_GUEST_ADDRESS 0xffff0000u // of 64 KiB
#define FACET_GUEST_PORT 0xe4u          // of 8 ports

struct facet_guest_args {
    uint64_t a, b, c, d, e, f; // RDI, RSI, RDX, RCX, R8, R9
};

// The bytes of the instruction are 0F 04 and the function as 16 bits.
#define facet_guest_insn(function, args)                                                          \
    __extension__({                                                                               \
        const struct facet_guest_args *facet_args_ = (args);                                      \
        register uint64_t facet_e_ __asm__("r8") = facet_args_->e;                                \
        register uint64_t facet_f_ __asm__("r9") = facet_args_->f;                                \
        uint64_t facet_result_;                                                                   \
        __asm__ volatile(".byte 0x0f, 0x04\n\t.word %c1"                                          \
                         : "=a"(facet_result_)                                                    \
                         : "i"(function), "D"(facet_args_->a), "S"(facet_args_->b),               \
                           "d"(facet_args_->c), "c"(facet_args_->d), "r"(facet_e_), "r"(facet_f_) \
                         : "memory");                                                             \
        facet_result_;                                                                            \
    })

// `base` is where the 64 KiB at FACET_GUEST_ADDRESS are mapped.
static inline uint64_t facet_guest_load(const volatile void *base, unsigned function,
                                        const struct facet_guest_args *args)
{
    const volatile char *address = (const volatile char *)base + ((function & 0xff) << 8);
    register uint64_t e __asm__("r8") = args->e;
    register uint64_t f __asm__("r9") = args->f;
    uint64_t result;

    __asm__ volatile("movq (%%rax), %%rax"
                     : "=a"(result)
                     : "a"(address), "D"(args->a), "S"(args->b), "d"(args->c), "c"(args->d), "r"(e),
                       "r"(f)
                     : "memory");
    return result;
}

static inline uint64_t facet_guest_port(unsigned function, const struct facet_guest_args *args)
{
    register uint64_t e __asm__("r8") = args->e;
    register uint64_t f __asm__("r9") = args->f;
    uint32_t low, high;

    __asm__ volatile("outl %%eax, $0xe4\n\t"
                     "inl $0xe8, %%eax\n\t"
                     "movl %%eax, %%r10d\n\t"
                     "inl $0xe4, %%eax\n\t"
                     "movl %%r10d, %1"
                     : "=a"(low), "=r"(high)
                     : "a"(function), "D"(args->a), "S"(args->b), "d"(args->c), "c"(args->d),
                       "r"(e), "r"(f)
                     : "memory", "r10");
    return (uint64_t)high << 32 | low;
}
