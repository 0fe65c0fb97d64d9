// SPDX-License-Identifier: BSD-3-Clause
// Compares what a case came to on the host and on facet. Bits that the manual leaves undefined do
// not count; everything else does.
#pragma once

#include "forms.h"

enum { DIFF_MAX = 24 };

struct diff {
    char name[24]; // field
    u64 expected, got;
    u64 mask; // bits that are compared
};

struct diffs {
    struct diff d[DIFF_MAX];
    u32 n; // may be more than DIFF_MAX
};

// What is undefined after an instruction, for these inputs.
struct undefined {
    u32 flags;          // of RFLAGS
    u32 flags_at_fault; // blocks: likewise, if it faults
    u16 fsw;            // of the x87 status word
    bool unusable;      // the destination too: compare nothing
    bool mmx;           // if it faults: whether the passage to MMX is seen
    bool where;         // if it faults: which byte of its operand
    bool which;         // if it faults: which page
    bool narrow;        // if it faults: the upper halves of RCX, RSI, RDI
    bool gprs;          // if it faults: GPRs but RSP
    bool approximate;   // elements of `result`, a vector register, differ within an error
    u8 result;          //
    bool transcendent;  // ST0 and ST1 differ by the last bits
    // Where the host's processor differs by design (vendor.c):
    bool vendor;       // it makes the case unusable
    bool pointers;     // FOP, FIP and FDP, unless an exception is pending
    bool fdp;          // FDP
    bool halves;       // the upper halves of RCX, RSI, RDI
    bool fault_memory; // if it faults: memory
    u8 sign_size;      // if it faults: all but the sign of the elements, of so many bytes,
    u8 sign_of;        // of this vector register
    u32 upper;         // if it faults: upper halves of YMM, a bit each
    bool mxcsr;        // if it faults: MXCSR
    u8 n_holes;        // parts of memory
    struct {
        u64 at;
        u32 len;
    } hole[3];
};

void undefined_find(const struct forms *f, const struct conform_case *c, struct undefined *ret);

// Adds to *ret in what this host may differ from the guest's processor, by what came of the case.
void vendor_find(const struct forms *f, const struct conform_case *c,
                 const struct case_result *native, const struct case_result *facet,
                 struct undefined *ret);
// Whether it may differ for bad operands even in which exception comes, or by taking the bytes for
// another instruction.
bool vendor_unlike(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o);
// Likewise for bytes that are no instruction of the guest's processor.
bool vendor_takes(const u8 *bytes, u32 n);
// Whether it may differ in a way that is not compared after other instructions.
bool vendor_avoids(const ZydisDecodedInstruction *i, const ZydisDecodedOperand *o);

// True if they agree. `ret` gets the differences.
bool compare(const struct conform_case *c, const struct undefined *u,
             const struct case_result *native, const struct case_result *facet, struct diffs *ret);
