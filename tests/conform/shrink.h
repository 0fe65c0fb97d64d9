// SPDX-License-Identifier: BSD-3-Clause
// Makes a program on which host and facet differ as small as it can: fewer instructions, a simpler
// state, still different.
#pragma once

#include "block.h"
#include "compare.h"
#include "native.h"
#include "subject.h"

// On return *p is the smaller program, native_spare_case(n) its case, *ret_diffs what differs.
// False: the difference did not come again.
bool shrink(const struct forms *f, struct native *n, struct subject *s, struct block_program *p,
            struct diffs *ret_diffs);
