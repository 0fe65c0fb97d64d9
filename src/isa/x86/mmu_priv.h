// SPDX-License-Identifier: BSD-3-Clause
// What the page walk (mmu.c) and the TLBs (tlb.c) of one core tell each other.
#pragma once

#include "isa/x86/mem.h"

// A translation with the rights that the paging structures give together.
struct x86_mapping {
    paddr page;  // of 4 KiB
    u64 bytes;   // of the whole page: 4 KiB to 1 GiB
    bool user;   // U/S
    bool write;  // R/W
    bool exec;   // not XD
    bool global; //
    bool dirty;  // D is set in the last entry, or there is no paging
};

// Remembers a translation for `privilege`, after the access `access` was found legal. `write`:
// stores are legal too and D is set.
void x86_tlb_fill(struct x86_core *c, u64 linear, const struct x86_mapping *m,
                  enum core_access access, enum x86_privilege privilege, bool write);
