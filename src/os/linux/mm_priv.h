// SPDX-License-Identifier: BSD-3-Clause
// Page table entries, shared by the files that make up an address space.
#pragma once

#include "os/linux/mm.h"

#define PTE_P 0x1ull
#define PTE_W 0x2ull
#define PTE_U 0x4ull
#define PTE_A 0x20ull
#define PTE_D 0x40ull
#define PTE_NX (1ull << 63)
#define PTE_PAGE(e) ((u32)(((e)&0xffffffffff000ull) >> PAGE_SHIFT))

// The entry for va; NULL if its table is missing (and cannot be made).
u64 *mm_pte(const struct mm *mm, vaddr va);
u64 *mm_pte_make(struct mm *mm, vaddr va);
// Gives tables without entries in [low, high) back; all of them at the end of the space.
void mm_free_tables(struct mm *mm);
// The next present entry at or after *va and before `end`; skips holes. NULL: none.
u64 *mm_next_pte(const struct mm *mm, vaddr *va, vaddr end);
// Unmaps the pages of a range (the areas stay).
void mm_zap(struct mm *mm, vaddr start, vaddr end);
void mm_flush(struct mm *mm, vaddr start, vaddr end);
u64 mm_pte_bits(const struct mm_area *a, bool writable);
