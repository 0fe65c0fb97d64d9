// SPDX-License-Identifier: BSD-3-Clause
// Demand paging, copy on write, and the kernel's accesses to a program's memory.
#include "os/linux/mm_priv.h"

#include <errno.h>
#include <string.h>

static u64 area_index(const struct mm_area *a, vaddr va)
{
    return (a->offset + (va - a->start)) >> PAGE_SHIFT;
}

static void set_pte(struct mm *mm, u64 *e, u32 page, u64 bits)
{
    if (!(*e & PTE_P)) {
        mm->resident++;
        mm->peak_resident = MAX(mm->peak_resident, mm->resident);
    }
    *e = ((u64)page << PAGE_SHIFT) | bits;
}

// A private copy of `from` (0: zeros).
static enum mm_fault put_copy(struct mm *mm, const struct mm_area *a, u64 *e, u32 from)
{
    struct pages *p = mm->env->pages;
    bool zeros = from == 0 || from == p->zero;
    u32 page = zeros ? pages_alloc_zeroed(p) : pages_alloc(p);

    if (!page)
        return MM_FAULT_NO_MEMORY;
    if (!zeros)
        memcpy(pages_host(p, page), pages_host(p, from), PAGE_BYTES);
    set_pte(mm, e, page, mm_pte_bits(a, true));
    return MM_FAULT_OK;
}

static enum mm_fault fault_absent_mapped(struct mm *mm, const struct mm_area *a, u64 *e, vaddr va,
                                         bool write)
{
    u32 page;

    switch (mapping_get(a->map, area_index(a, va), &page)) {
    case MAPPING_OK:
        break;
    case MAPPING_NO_MEMORY:
        return MM_FAULT_NO_MEMORY;
    default:
        return MM_FAULT_BUS;
    }
    if (write && !(a->flags & MM_SHARED))
        return put_copy(mm, a, e, page);
    if (write && !a->map->anonymous)
        mapping_dirty(a->map, area_index(a, va));
    pages_ref(mm->env->pages, page);
    set_pte(mm, e, page, mm_pte_bits(a, (a->flags & MM_SHARED) && (write || a->map->anonymous)));
    return MM_FAULT_OK;
}

// The pages around one that was read, if the file's pages are in memory already: spares faults.
static void map_around(struct mm *mm, const struct mm_area *a, vaddr va)
{
    enum { AROUND = 16 };
    vaddr first = MAX(a->start, va & ~(AROUND * PAGE_BYTES - 1));
    vaddr end = MIN(a->end, (va & ~(AROUND * PAGE_BYTES - 1)) + AROUND * PAGE_BYTES);

    for (vaddr at = first; at < end; at += PAGE_BYTES) {
        u64 *e = mm_pte_make(mm, at);
        u32 page;

        if (!e)
            return;
        if ((*e & PTE_P) || mapping_get(a->map, area_index(a, at), &page) != MAPPING_OK)
            continue;
        pages_ref(mm->env->pages, page);
        set_pte(mm, e, page, mm_pte_bits(a, (a->flags & MM_SHARED) && a->map->anonymous));
    }
}

static enum mm_fault fault_absent(struct mm *mm, const struct mm_area *a, u64 *e, vaddr va,
                                  bool write)
{
    struct pages *p = mm->env->pages;
    enum mm_fault r;

    if (a->map) {
        r = fault_absent_mapped(mm, a, e, va, write);
        if (r == MM_FAULT_OK && !a->map->anonymous)
            map_around(mm, a, va);
        return r;
    }
    if (write)
        return put_copy(mm, a, e, 0);
    pages_ref(p, p->zero);
    set_pte(mm, e, p->zero, mm_pte_bits(a, false));
    return MM_FAULT_OK;
}

// A write to a page that is there, but not writable.
static enum mm_fault fault_write(struct mm *mm, const struct mm_area *a, u64 *e, vaddr va)
{
    struct pages *p = mm->env->pages;
    u32 page = PTE_PAGE(*e);
    enum mm_fault r;

    if (a->flags & MM_SHARED) {
        if (a->map && !a->map->anonymous)
            mapping_dirty(a->map, area_index(a, va));
        set_pte(mm, e, page, mm_pte_bits(a, true));
        r = MM_FAULT_OK;
    } else if (page != p->zero && p->refs[page] == 1) {
        set_pte(mm, e, page, mm_pte_bits(a, true));
        r = MM_FAULT_OK;
    } else {
        r = put_copy(mm, a, e, page);
        if (r == MM_FAULT_OK)
            pages_unref(p, page);
    }
    mm_flush(mm, PAGE_ROUND_DOWN(va), PAGE_ROUND_DOWN(va) + PAGE_BYTES);
    return r;
}

// The area that holds va; a stack grows down to it.
static struct mm_area *area_for(struct mm *mm, vaddr va)
{
    struct mm_area *a = mm_find(mm, va);
    size_t i = 0;

    if (a)
        return a;
    while (i < mm->count && mm->items[i].start <= va)
        i++;
    if (i == mm->count)
        return NULL;
    a = &mm->items[i];
    if (!(a->flags & MM_GROWS_DOWN) || a->end - PAGE_ROUND_DOWN(va) > mm->stack_limit)
        return NULL;
    if (i > 0 && !(a[-1].flags & MM_GROWS_DOWN) && a[-1].prot &&
        PAGE_ROUND_DOWN(va) < a[-1].end + MM_STACK_GUARD)
        return NULL;
    a->start = PAGE_ROUND_DOWN(va);
    return a;
}

enum mm_fault mm_fault(struct mm *mm, vaddr va, u32 access)
{
    struct mm_area *a = va < MM_USER_END ? area_for(mm, va) : NULL;
    u64 *e;

    if (!a)
        return MM_FAULT_NO_AREA;
    // On x86 whatever can be written or executed can be read.
    if (access == MM_READ ? a->prot == 0 : !(a->prot & access))
        return MM_FAULT_PROTECTED;
    e = mm_pte_make(mm, va);
    if (!e)
        return MM_FAULT_NO_MEMORY;
    mm->faults_minor++;
    if (!(*e & PTE_P))
        return fault_absent(mm, a, e, va, access == MM_WRITE);
    if (access == MM_WRITE && !(*e & PTE_W))
        return fault_write(mm, a, e, va);
    // The tables allow it: the core knew an older entry.
    mm_flush(mm, PAGE_ROUND_DOWN(va), PAGE_ROUND_DOWN(va) + PAGE_BYTES);
    return MM_FAULT_OK;
}

static u64 *accessible(const struct mm *mm, vaddr va, u64 need)
{
    u64 *e = va < MM_USER_END ? mm_pte(mm, va) : NULL;

    return e && (*e & need) == need ? e : NULL;
}

u8 *mm_host(struct mm *mm, vaddr va, bool write)
{
    u64 need = PTE_P | PTE_U | (write ? PTE_W : 0);
    u64 *e = accessible(mm, va, need);

    if (!e) {
        if (mm_fault(mm, va, write ? MM_WRITE : MM_READ) != MM_FAULT_OK)
            return NULL;
        e = accessible(mm, va, need);
        if (!e)
            return NULL;
    }
    if (write) {
        *e |= PTE_A | PTE_D;
        pages_written(mm->env->pages, PTE_PAGE(*e));
    }
    return pages_host(mm->env->pages, PTE_PAGE(*e)) + va % PAGE_BYTES;
}

bool mm_read(struct mm *mm, vaddr va, void *data, u64 size)
{
    while (size > 0) {
        u64 n = MIN(size, PAGE_BYTES - va % PAGE_BYTES);
        const u8 *host = mm_host(mm, va, false);

        if (!host)
            return false;
        memcpy(data, host, n);
        data = (u8 *)data + n;
        va += n;
        size -= n;
    }
    return true;
}

bool mm_write(struct mm *mm, vaddr va, const void *data, u64 size)
{
    while (size > 0) {
        u64 n = MIN(size, PAGE_BYTES - va % PAGE_BYTES);
        u8 *host = mm_host(mm, va, true);

        if (!host)
            return false;
        memcpy(host, data, n);
        data = (const u8 *)data + n;
        va += n;
        size -= n;
    }
    return true;
}

bool mm_clear(struct mm *mm, vaddr va, u64 size)
{
    while (size > 0) {
        u64 n = MIN(size, PAGE_BYTES - va % PAGE_BYTES);
        u8 *host = mm_host(mm, va, true);

        if (!host)
            return false;
        memset(host, 0, n);
        va += n;
        size -= n;
    }
    return true;
}

i64 mm_read_string(struct mm *mm, vaddr va, char *text, u64 room)
{
    u64 length = 0;

    while (length < room) {
        u64 n = MIN(room - length, PAGE_BYTES - va % PAGE_BYTES);
        const u8 *host = mm_host(mm, va, false);
        const u8 *end;

        if (!host)
            return -EFAULT;
        end = memchr(host, 0, n);
        if (end)
            n = (u64)(end - host) + 1;
        memcpy(text + length, host, n);
        length += n;
        va += n;
        if (end)
            return (i64)length - 1;
    }
    return -ENAMETOOLONG;
}

bool mm_futex_key(struct mm *mm, vaddr va, const void **ret_object, u64 *ret_offset)
{
    const struct mm_area *a;

    if (!mm_host(mm, va, false))
        return false;
    a = mm_find(mm, va);
    if (a && (a->flags & MM_SHARED) && a->map) {
        *ret_object = a->map;
        *ret_offset = a->offset + (va - a->start);
    } else {
        *ret_object = mm;
        *ret_offset = va;
    }
    return true;
}
