// SPDX-License-Identifier: BSD-3-Clause
// One conformance case: machine code, the whole user-visible state before it, and what came of it.
// The same case runs on the host's processor (native.h) and on facet (subject.h), with the same
// memory windows at the same addresses:
//
//     CASE_STUB   1 page   where a case ends: the end of its code jumps here (facet: not mapped)
//     CASE_CODE   2 pages  the code, read and execute; the rest of it is INT3
//     CASE_SMC    2 pages  likewise, but also writable: self-modifying code
//     CASE_DATA   7 pages  0 none, 1 and 2 read-write, 3 read-only, 4 none, 5 read-write, 6 none
//
// Every page that is not named is not mapped.
#pragma once

#include "base/types.h"

#define CASE_STUB 0x10000000u
#define CASE_CODE 0x20000000u
#define CASE_SMC 0x28000000u
#define CASE_DATA 0x30000000u

enum {
    CASE_PAGE = 4096,
    CASE_CODE_PAGES = 2,
    CASE_DATA_PAGES = 7,
    CASE_CODE_MAX = 800, // bytes of code
    CASE_XSAVE = 832,    // legacy region, header, upper halves of YMM: the standard format
    CASE_PATCHES = 8,
    CASE_PATCH_MAX = 64,
};

// The pages of CASE_DATA that can be written, in the order in which images hold them.
#define CASE_RW \
    {           \
        1, 2, 5 \
    }
enum { CASE_RW_PAGES = 3, CASE_RO_PAGE = 3, CASE_IMAGE = CASE_RW_PAGES * CASE_PAGE };

// XSAVE area, SDM vol. 1 §13.4.
struct case_xsave {
    u16 fcw, fsw;
    u8 ftw, reserved0; // abridged
    u16 fop;
    u64 fip, fdp;
    u32 mxcsr, mxcsr_mask;
    u8 st[8][16]; // ST(0) first
    u8 xmm[16][16];
    u8 reserved1[96];
    u64 xstate_bv, xcomp_bv, reserved2[6];
    u8 ymm_high[16][16];
};

_Static_assert(sizeof(struct case_xsave) == CASE_XSAVE, "the architecture's layout");

// As enum x86_seg.
enum case_seg { CASE_ES, CASE_CS, CASE_SS, CASE_DS, CASE_FS, CASE_GS };

struct case_state {
    u64 gpr[16]; // in the order of the encoding
    u64 rip, rflags;
    u64 fs_base, gs_base;
    u16 sel[6]; // enum case_seg
    u16 reserved0[2];
    u64 reserved1[2];
    struct case_xsave x; // 64-byte aligned
} __attribute__((aligned(64)));

enum case_mode { CASE_MODE16, CASE_MODE32, CASE_MODE64, CASE_MODES };

// Bytes put over the background of the data windows before the run.
struct case_patch {
    u32 at; // address
    u32 len;
    u8 bytes[CASE_PATCH_MAX];
};

struct conform_case {
    struct case_state in; // rip: where it begins; 16-bit mode: linear address of the same
    u64 seed;             // that it was made from
    u32 code_at;          // address of the first byte of code, in CASE_CODE or CASE_SMC
    u32 code_len;         // with the jump to CASE_STUB at its end
    u32 end;              // address of that jump
    u8 mode;              // enum case_mode
    u8 n_insts;           // in code; 1: a single instruction
    u8 n_patches;
    u8 kind;                // the generator's
    u32 undefined_flags;    // blocks: flags that are undefined at the end
    u32 undefined_at_fault; // and may be when an instruction in between faults
    u8 code[CASE_CODE_MAX];
    struct case_patch patch[CASE_PATCHES];
};

enum case_end {
    CASE_END_NONE,  // has not run
    CASE_END_EXIT,  // came to CASE_STUB
    CASE_END_FAULT, // exception: vector, error, address
    CASE_END_LIMIT, // did not end
    CASE_END_LOST,  // the native child died
};

struct case_result {
    struct case_state out;
    u64 address; // CR2 of a page fault
    u32 end;     // enum case_end
    u32 vector, error;
    u8 data[CASE_IMAGE];
    u8 code[CASE_CODE_PAGES * CASE_PAGE]; // of CASE_SMC, when the case is there
};
