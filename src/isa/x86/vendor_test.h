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
