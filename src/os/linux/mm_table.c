// SPDX-License-Identifier: BSD-3-Clause
// The page tables of an address space (SDM vol. 3A §4.5, 4-level paging, 4 KiB pages only).
#include "os/linux/mm_priv.h"

enum { LEVELS = 4, INDEX_BITS = 9 };

static u32 shift_of(int level)
{
    return PAGE_SHIFT + INDEX_BITS * (u32)level;
}

static u64 *table(const struct mm *mm, u32 page)
{
    return (u64 *)pages_host(mm->env->pages, page);
}

static u64 *entry_at(const struct mm *mm, u32 page, vaddr va, int level)
{
    return &table(mm, page)[(va >> shift_of(level)) & 511];
}

u64 *mm_pte(const struct mm *mm, vaddr va)
{
    u32 page = mm->root;

    for (int level = LEVELS - 1; level > 0; level--) {
        u64 e = *entry_at(mm, page, va, level);

        if (!(e & PTE_P))
            return NULL;
        page = PTE_PAGE(e);
    }
    return entry_at(mm, page, va, 0);
}

u64 *mm_pte_make(struct mm *mm, vaddr va)
{
    u32 page = mm->root;

    for (int level = LEVELS - 1; level > 0; level--) {
        u64 *e = entry_at(mm, page, va, level);

        if (!(*e & PTE_P)) {
            u32 fresh = pages_alloc_zeroed(mm->env->pages);

            if (!fresh)
                return NULL;
            *e = ((u64)fresh << PAGE_SHIFT) | PTE_P | PTE_W | PTE_U | PTE_A;
        }
        page = PTE_PAGE(*e);
    }
    return entry_at(mm, page, va, 0);
}

static void free_level(struct mm *mm, u32 page, int level)
{
    if (level > 0) {
        for (u32 i = 0; i < 512; i++) {
            u64 e = table(mm, page)[i];

            if (e & PTE_P)
                free_level(mm, PTE_PAGE(e), level - 1);
        }
    }
    pages_unref(mm->env->pages, page);
}

void mm_free_tables(struct mm *mm)
{
    free_level(mm, mm->root, LEVELS - 1);
    mm->root = 0;
}

u64 *mm_next_pte(const struct mm *mm, vaddr *va, vaddr end)
{
    while (*va < end) {
        u32 page = mm->root;
        int level = LEVELS - 1;

        for (; level > 0; level--) {
            u64 e = *entry_at(mm, page, *va, level);

            if (!(e & PTE_P))
                break;
            page = PTE_PAGE(e);
        }
        if (level > 0) {
            *va = ((*va >> shift_of(level)) + 1) << shift_of(level);
            continue;
        }
        for (u32 i = (*va >> PAGE_SHIFT) & 511; i < 512 && *va < end; i++, *va += PAGE_BYTES) {
            if (table(mm, page)[i] & PTE_P)
                return &table(mm, page)[i];
        }
    }
    return NULL;
}

void mm_zap(struct mm *mm, vaddr start, vaddr end)
{
    u64 *e;
    bool any = false;

    for (vaddr va = start; (e = mm_next_pte(mm, &va, end)); va += PAGE_BYTES) {
        pages_unref(mm->env->pages, PTE_PAGE(*e));
        *e = 0;
        mm->resident--;
        any = true;
    }
    if (any)
        mm_flush(mm, start, end);
}

void mm_flush(struct mm *mm, vaddr start, vaddr end)
{
    mm->env->flush(mm->env->ctx, mm, start, (end - start) >> PAGE_SHIFT);
}

// A page of an area without any right stays in the tables, out of the program's reach.
u64 mm_pte_bits(const struct mm_area *a, bool writable)
{
    u64 bits = PTE_P;

    if (a->prot)
        bits |= PTE_U;
    if (writable && (a->prot & MM_WRITE))
        bits |= PTE_W;
    if (!(a->prot & MM_EXEC))
        bits |= PTE_NX;
    return bits;
}
