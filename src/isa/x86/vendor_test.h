// SPDX-License-Identifier: BSD-3-Clause
// For tests that compare facet with the host's processor: where that one differs from the guest's
// by design. Each such point is a row of vendor_test.def; a test then leaves out just that.
#pragma once

#include "base/types.h"

enum vendor_difference {
#define DIFFERENCE(name, vendor, text, source) DIFFERS_##name,
#include "isa/x86/vendor_test.def"
#undef DIFFERENCE
    VENDOR_DIFFERENCES
};

bool vendor_differs(enum vendor_difference d);

// Whether two results of RCPPS or RSQRTPS (single-precision bits) can be those of the same operand:
// both are within the error of 1.5 * 2^-12 that the manual allows.
bool vendor_approximations_agree(u32 a, u32 b);
// The elements of `a` that agree so with those of `b` become them.
void vendor_take_approximations(u8 *a, const u8 *b, u32 bytes);

// The x87 instructions whose results facet computes itself: D9 and this second byte.
bool vendor_is_transcendental(const u8 *bytes);
// Whether two of their results, registers of 10 bytes, can be those of the same operand.
bool vendor_x87_agree(const u8 *a, const u8 *b);
