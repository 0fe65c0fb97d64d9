// SPDX-License-Identifier: BSD-3-Clause
// The settings of a machine that runs one program: one table of path, kind, bounds and default.
#pragma once

#include "base/error.h"

enum cpuid_level { CPUID_X86_64_V1, CPUID_X86_64_V2, CPUID_X86_64_V3 };
enum cpu_model { CPU_FUNCTIONAL };

struct settings {
    u64 cpus;
    u64 cpu;   // enum cpu_model
    u64 cpuid; // enum cpuid_level
    u64 mem_bytes;
    u64 quantum_insts;
    u64 seed;
    u64 max_insts; // 0: no limit
    u64 traced;
};

void settings_init(struct settings *s);

// An unknown path or a value out of bounds is an error that names what would be valid.
bool settings_set(struct settings *s, const char *path, const char *value,
                  struct error *err) MUST_CHECK;

// For the reference page.
struct setting_doc {
    const char *path, *initial, *doc;
};
size_t settings_count(void);
struct setting_doc settings_doc(size_t index);
