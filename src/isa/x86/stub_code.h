// SPDX-License-Identifier: BSD-3-Clause
// Makes the host code of stubs (isa/x86/stub.h). Used by stub.c only.
#pragma once

#include "isa/x86/core.h"

enum { X86_STUB_CODE_MAX = 256 };

struct x86_stub_code {
    u32 len;
    u8 bytes[X86_STUB_CODE_MAX];
};

// What the host can do and how stubs end.
struct x86_stub_host {
    bool avx, sha;
    bool tail_call;
};

// Position-independent code for the guest instruction in bytes[0..len). False if it is not one that
// stubs can execute.
bool x86_stub_make(const struct x86_stub_host *host, enum x86_code_mode mode, const u8 *bytes,
                   u32 len, struct x86_stub_code *ret);
