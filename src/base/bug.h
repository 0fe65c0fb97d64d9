// SPDX-License-Identifier: BSD-3-Clause
// Our own bugs: broken invariants. Always compiled in; prints where and aborts. Never reachable by
// a guest or a user.
#pragma once

#include "base/types.h"

#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(x) (LIKELY(x) ? (void)0 : bug_at(__FILE__, __LINE__, "assertion failed: %s", #x))

void bug_at(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4)
    __attribute__((noreturn, cold));
