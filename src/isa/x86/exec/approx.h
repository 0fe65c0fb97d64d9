// SPDX-License-Identifier: BSD-3-Clause
// The approximations of RCPPS and RSQRTPS, as bits of single-precision numbers.
#pragma once

#include "base/types.h"

u32 x86_approx_rcp(u32 v);
u32 x86_approx_rsqrt(u32 v);
