// SPDX-License-Identifier: BSD-3-Clause
// Guest tests: a few lines of bare code with the results that the manual demands. They run on facet
// and, where the host's KVM can execute them, there too.
#pragma once

#include "base/types.h"

enum {
    GUEST_RAM = 4 << 20,
    GUEST_GDT = 0x500,
    GUEST_LOAD = 0x8000,
    GUEST_TABLES = 0x100000, // paging structures of GUEST_LONG: 4 KiB pages for the first 2 MiB
    GUEST_RESULTS = 0x6000,
    GUEST_RESULTS_MAX = 256,
    GUEST_STACK = 0x7ff0,
};

// How a guest begins: at GUEST_LOAD, with interrupts off and the GDT of guest_make_gdt.
enum guest_mode { GUEST_REAL, GUEST_PROTECTED, GUEST_LONG };

enum guest_end { GUEST_HALTED, GUEST_SHUT_DOWN, GUEST_STUCK };

struct guest_case {
    const char *name;
    const u8 *image, *image_end;
    enum guest_mode mode;
    enum guest_end end;
    const u64 *expected; // the words that it leaves at GUEST_RESULTS
    u32 n_expected;
    const char *not_pvm; // what a paravirtual KVM (kvm_pvm) does wrong, so that it is not asked
};

struct guest_result {
    enum guest_end end;
    u64 words[GUEST_RESULTS_MAX];
    char why[160]; // of GUEST_STUCK
};

// Both fill RAM with the image, the GDT and, for GUEST_LONG, paging structures.
void guest_prepare(const struct guest_case *g, u8 *ram);

enum guest_engine {
    GUEST_STEP,
    GUEST_PLAIN,
    GUEST_TRACED,
    GUEST_FRONT,       // cpu/front, as timing models use it
    GUEST_WRONG_PATHS, // the same, with wrong paths that are undone
    GUEST_ENGINES
};

void guest_run_facet(const struct guest_case *g, enum guest_engine engine,
                     struct guest_result *ret);
// False and a reason in ret->why if KVM cannot run it.
bool guest_run_kvm(const struct guest_case *g, struct guest_result *ret);

extern const struct guest_case guest_cases[];
extern const u32 guest_n_cases;
