// SPDX-License-Identifier: BSD-3-Clause
// The areas of an address space: a sorted array. See mm.h.
#include "os/linux/mm.h"

#include "base/alloc.h"
#include "os/linux/mm_priv.h"

#include <errno.h>
#include <string.h>

enum { AREAS_MAX = 65530 }; // vm.max_map_count

struct mm *mm_new(const struct mm_env *env)
{
    u32 root = pages_alloc_zeroed(env->pages);
    struct mm *mm;

    if (!root)
        return NULL;
    mm = xcalloc(1, sizeof(*mm));
    mm->env = env;
    mm->refs = 1;
    mm->root = root;
    mm->stack_limit = MiB(8);
    mm->data_limit = ~0ull;
    return mm;
}

struct mm *mm_ref(struct mm *mm)
{
    mm->refs++;
    return mm;
}

static void area_release(struct mm *mm, struct mm_area *a)
{
    mm_zap(mm, a->start, a->end);
    if (a->map)
        mapping_unref(a->map);
}

void mm_unref(struct mm *mm)
{
    if (!mm || --mm->refs > 0)
        return;
    for (size_t i = 0; i < mm->count; i++)
        area_release(mm, &mm->items[i]);
    mm->env->flush(mm->env->ctx, mm, 0, MM_ALL_PAGES);
    mm_free_tables(mm);
    free(mm->items);
    free(mm->exe);
    free(mm->cmdline);
    free(mm->environ);
    free(mm->auxv);
    free(mm);
}

// Index of the first area that ends above va.
static size_t index_of(const struct mm *mm, vaddr va)
{
    size_t low = 0, high = mm->count;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (mm->items[mid].end > va)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

struct mm_area *mm_find(const struct mm *mm, vaddr va)
{
    size_t i = index_of(mm, va);

    return i < mm->count && mm->items[i].start <= va ? &mm->items[i] : NULL;
}

u64 mm_mapped_bytes(const struct mm *mm)
{
    u64 sum = 0;

    for (size_t i = 0; i < mm->count; i++)
        sum += mm->items[i].end - mm->items[i].start;
    return sum;
}

static bool mergeable(const struct mm_area *a, const struct mm_area *b)
{
    return a->end == b->start && a->map == b->map && a->prot == b->prot && a->flags == b->flags &&
           (!a->map || a->offset + (a->end - a->start) == b->offset);
}

static void insert_at(struct mm *mm, size_t i, struct mm_area a)
{
    VEC_PUSH(mm, a);
    memmove(&mm->items[i + 1], &mm->items[i], (mm->count - 1 - i) * sizeof(a));
    mm->items[i] = a;
}

static void remove_at(struct mm *mm, size_t i)
{
    mm->count--;
    memmove(&mm->items[i], &mm->items[i + 1], (mm->count - i) * sizeof(mm->items[0]));
}

// Joins the areas i and i + 1 if nothing tells them apart.
static bool try_merge(struct mm *mm, size_t i)
{
    if (i + 1 >= mm->count || !mergeable(&mm->items[i], &mm->items[i + 1]))
        return false;
    mm->items[i].end = mm->items[i + 1].end;
    if (mm->items[i + 1].map)
        mapping_unref(mm->items[i + 1].map);
    remove_at(mm, i + 1);
    return true;
}

// Takes the reference to a.map over.
static void insert(struct mm *mm, struct mm_area a)
{
    size_t i = index_of(mm, a.start);

    insert_at(mm, i, a);
    try_merge(mm, i);
    if (i > 0)
        try_merge(mm, i - 1);
}

// Makes va a border between areas.
static void split(struct mm *mm, vaddr va)
{
    struct mm_area *a = mm_find(mm, va), upper;

    if (!a || a->start == va)
        return;
    upper = *a;
    upper.start = va;
    upper.offset += va - a->start;
    if (upper.map)
        mapping_ref(upper.map);
    a->end = va;
    insert_at(mm, (size_t)(a - mm->items) + 1, upper);
}

static bool bad_range(vaddr va, u64 size)
{
    return va % PAGE_BYTES || size > MM_USER_END || va > MM_USER_END - size;
}

bool mm_covered(const struct mm *mm, vaddr va, u64 size)
{
    vaddr end = va + size;

    for (size_t i = index_of(mm, va); va < end; i++) {
        if (i == mm->count || mm->items[i].start > va)
            return false;
        va = mm->items[i].end;
    }
    return true;
}

i64 mm_unmap(struct mm *mm, vaddr va, u64 size)
{
    size_t first, last;

    size = PAGE_ROUND_UP(size);
    if (size == 0 || bad_range(va, size))
        return -EINVAL;
    split(mm, va);
    split(mm, va + size);
    first = last = index_of(mm, va);
    while (last < mm->count && mm->items[last].end <= va + size)
        area_release(mm, &mm->items[last++]);
    if (last > first)
        memmove(&mm->items[first], &mm->items[last], (mm->count - last) * sizeof(mm->items[0]));
    mm->count -= last - first;
    return 0;
}

// Highest gap of `size` below the top; 0 if there is none.
static vaddr find_gap(const struct mm *mm, u64 size)
{
    vaddr top = MM_MMAP_TOP;

    for (size_t i = index_of(mm, MM_MMAP_TOP - 1) + 1; i-- > 0;) {
        const struct mm_area *a;

        if (i == mm->count)
            continue;
        a = &mm->items[i];
        if (a->start < top) {
            vaddr low = a->end;

            if (low < top && top - low >= size)
                return top - size;
            top = a->start;
        }
    }
    return top >= MM_MIN_ADDRESS + size ? top - size : 0;
}

static bool range_free(const struct mm *mm, vaddr va, u64 size)
{
    size_t i = index_of(mm, va);

    return i == mm->count || mm->items[i].start >= va + size;
}

i64 mm_map(struct mm *mm, vaddr hint, u64 size, u32 prot, u32 flags, struct mapping *map,
           u64 offset)
{
    vaddr va = hint;
    u8 area_flags = (u8)flags;

    if (size == 0)
        return -EINVAL;
    if (size > MM_USER_END || mm->count >= AREAS_MAX)
        return -ENOMEM;
    size = PAGE_ROUND_UP(size);
    if (!map && (prot & MM_WRITE) && !(flags & (MM_NO_RESERVE | MM_GROWS_DOWN)) &&
        size > mm->env->pages->bytes)
        return -ENOMEM;
    if (flags & (MM_FIXED | MM_FIXED_NOREPLACE)) {
        if (va % PAGE_BYTES)
            return -EINVAL;
        if (size > MM_USER_END - MIN(va, MM_USER_END))
            return -ENOMEM;
        if (va < MM_MIN_ADDRESS)
            return -EPERM;
        if ((flags & MM_FIXED_NOREPLACE) && !range_free(mm, va, size))
            return -EEXIST;
        if (!(flags & MM_FIXED_NOREPLACE) && !range_free(mm, va, size))
            mm_unmap(mm, va, size);
    } else {
        va = PAGE_ROUND_UP(va);
        if (va < MM_MIN_ADDRESS || bad_range(va, size) || !range_free(mm, va, size))
            va = find_gap(mm, size);
        if (!va)
            return -ENOMEM;
    }
    insert(mm, (struct mm_area){.start = va,
                                .end = va + size,
                                .offset = map ? offset : 0,
                                .map = map ? mapping_ref(map) : NULL,
                                .prot = (u8)prot,
                                .flags = area_flags});
    return (i64)va;
}

// Brings the entries that exist in line with the area's new rights.
static void reprotect(struct mm *mm, const struct mm_area *a)
{
    u64 *e;
    bool any = false;

    for (vaddr va = a->start; (e = mm_next_pte(mm, &va, a->end)); va += PAGE_BYTES) {
        bool writable = (*e & PTE_W) && (a->prot & MM_WRITE);

        *e = (*e & ~(PTE_W | PTE_U | PTE_NX)) | mm_pte_bits(a, writable);
        any = true;
    }
    if (any)
        mm_flush(mm, a->start, a->end);
}

i64 mm_protect(struct mm *mm, vaddr va, u64 size, u32 prot)
{
    vaddr end;
    size_t i;

    size = PAGE_ROUND_UP(size);
    if (bad_range(va, size))
        return va % PAGE_BYTES ? -EINVAL : -ENOMEM;
    end = va + size;
    if (!mm_covered(mm, va, size))
        return -ENOMEM;
    if (size == 0)
        return 0;
    for (i = index_of(mm, va); i < mm->count && mm->items[i].start < end; i++) {
        if ((prot & MM_WRITE) && (mm->items[i].flags & MM_MAY_NOT_WRITE))
            return -EACCES;
    }
    split(mm, va);
    split(mm, end);
    for (i = index_of(mm, va); i < mm->count && mm->items[i].start < end; i++) {
        if (mm->items[i].prot != prot) {
            mm->items[i].prot = (u8)prot;
            reprotect(mm, &mm->items[i]);
        }
    }
    for (i = index_of(mm, end); i-- > 0 && mm->items[i].end >= va;)
        try_merge(mm, i);
    return 0;
}

i64 mm_set_flags(struct mm *mm, vaddr va, u64 size, u32 set, u32 clear)
{
    vaddr end = va + PAGE_ROUND_UP(size);

    if (bad_range(va, end - va))
        return -EINVAL;
    if (!mm_covered(mm, va, end - va))
        return -ENOMEM;
    split(mm, va);
    split(mm, end);
    for (size_t i = index_of(mm, va); i < mm->count && mm->items[i].start < end; i++)
        mm->items[i].flags = (u8)((mm->items[i].flags & ~clear) | set);
    return 0;
}

i64 mm_discard(struct mm *mm, vaddr va, u64 size)
{
    vaddr end = va + PAGE_ROUND_UP(size);

    if (bad_range(va, end - va))
        return -EINVAL;
    mm_zap(mm, va, end);
    return mm_covered(mm, va, end - va) ? 0 : -ENOMEM;
}

void mm_forget_mapping(struct mm *mm, const struct mapping *map, u64 index)
{
    for (size_t i = 0; i < mm->count; i++) {
        const struct mm_area *a = &mm->items[i];
        u64 first = a->offset >> PAGE_SHIFT;

        if (a->map == map &&
            (a->end - a->start) >> PAGE_SHIFT > (index > first ? index - first : 0))
            mm_zap(mm, index > first ? a->start + ((index - first) << PAGE_SHIFT) : a->start,
                   a->end);
    }
}

i64 mm_sync(struct mm *mm, vaddr va, u64 size)
{
    vaddr end = va + PAGE_ROUND_UP(size);

    if (bad_range(va, end - va))
        return va % PAGE_BYTES ? -EINVAL : -ENOMEM;
    for (size_t i = index_of(mm, va); i < mm->count && mm->items[i].start < end; i++) {
        const struct mm_area *a = &mm->items[i];

        if (a->map && (a->flags & MM_SHARED) && !mapping_sync(a->map, 0, ~0ull))
            return -EIO;
    }
    return mm_covered(mm, va, end - va) ? 0 : -ENOMEM;
}

i64 mm_set_brk(struct mm *mm, vaddr brk)
{
    vaddr old = PAGE_ROUND_UP(mm->brk), new = PAGE_ROUND_UP(brk);

    if (brk < mm->brk_start || brk > MM_USER_END || brk - mm->brk_start > mm->data_limit)
        return (i64)mm->brk;
    if (new > old) {
        if (!range_free(mm, old, new - old + PAGE_BYTES) || new - old > mm->env->pages->bytes)
            return (i64)mm->brk;
        insert(mm, (struct mm_area){
                       .start = old, .end = new, .prot = MM_READ | MM_WRITE, .flags = MM_HEAP});
    } else if (new < old) {
        mm_unmap(mm, new, old - new);
    }
    mm->brk = brk;
    return (i64)brk;
}

// Moves the entries of [from, from + size) to `to`.
static bool move_entries(struct mm *mm, vaddr from, vaddr to, u64 size)
{
    u64 *e;

    for (vaddr va = from; (e = mm_next_pte(mm, &va, from + size)); va += PAGE_BYTES) {
        u64 *target = mm_pte_make(mm, to + (va - from));

        if (!target)
            return false;
        *target = *e;
        *e = 0;
    }
    mm_flush(mm, from, from + size);
    return true;
}

i64 mm_remap(struct mm *mm, vaddr old, u64 old_size, u64 new_size, u32 flags, vaddr new_va)
{
    enum { MAYMOVE = 1, FIXED = 2, DONTUNMAP = 4 };
    struct mm_area *a = mm_find(mm, old), copy;
    i64 to;

    old_size = PAGE_ROUND_UP(old_size);
    new_size = PAGE_ROUND_UP(new_size);
    if (old % PAGE_BYTES || new_size == 0 || new_size > MM_USER_END || (flags & ~3u) ||
        ((flags & FIXED) && !(flags & MAYMOVE)))
        return -EINVAL;
    if (!a)
        return -EFAULT;
    if (old_size == 0 ? !(a->flags & MM_SHARED) : old_size > a->end - old)
        return old_size == 0 ? -EINVAL : -EFAULT;
    if (flags & FIXED) {
        if (new_va % PAGE_BYTES || bad_range(new_va, new_size) ||
            (new_va < old + old_size && old < new_va + new_size))
            return -EINVAL;
    } else if (new_size <= old_size) {
        if (new_size < old_size)
            mm_unmap(mm, old + new_size, old_size - new_size);
        return (i64)old;
    } else if (old_size > 0 && old + old_size == a->end &&
               range_free(mm, a->end, new_size - old_size) && old + new_size <= MM_USER_END) {
        a->end = old + new_size;
        try_merge(mm, (size_t)(a - mm->items));
        return (i64)old;
    }
    if (!(flags & MAYMOVE))
        return -ENOMEM;
    copy = *a;
    to = mm_map(mm, flags & FIXED ? new_va : 0, new_size, copy.prot,
                copy.flags | (flags & FIXED ? MM_FIXED : 0), copy.map,
                copy.offset + (old - copy.start));
    if (to < 0 || old_size == 0)
        return to;
    if (!move_entries(mm, old, (vaddr)to, MIN(old_size, new_size)))
        return -ENOMEM;
    mm_unmap(mm, old, old_size);
    return to;
}

// Shares the pages of an area with the child; private ones become read-only in both.
static bool fork_area(struct mm *mm, struct mm *child, const struct mm_area *a)
{
    u64 *e;

    for (vaddr va = a->start; (e = mm_next_pte(mm, &va, a->end)); va += PAGE_BYTES) {
        u64 *to = mm_pte_make(child, va);

        if (!to)
            return false;
        if (!(a->flags & MM_SHARED))
            *e &= ~PTE_W;
        *to = *e;
        pages_ref(mm->env->pages, PTE_PAGE(*e));
        child->resident++;
    }
    return true;
}

static char *copy_bytes(const char *from, u32 size)
{
    char *to = size ? xcalloc(size, 1) : NULL;

    if (size)
        memcpy(to, from, size);
    return to;
}

struct mm *mm_fork(struct mm *mm)
{
    struct mm *child = mm_new(mm->env);
    struct mm_area *items = NULL;
    u32 root;

    if (!child)
        return NULL;
    root = child->root;
    *child = *mm;
    child->root = root;
    child->refs = 1;
    child->items = items;
    child->count = child->room = 0;
    child->resident = 0;
    child->exe = xstrdup(mm->exe ? mm->exe : "");
    child->cmdline = copy_bytes(mm->cmdline, mm->cmdline_bytes);
    child->environ = copy_bytes(mm->environ, mm->environ_bytes);
    child->auxv = copy_bytes(mm->auxv, mm->auxv_bytes);
    for (size_t i = 0; i < mm->count; i++) {
        struct mm_area a = mm->items[i];

        if (a.flags & MM_DONT_FORK)
            continue;
        if (a.map)
            mapping_ref(a.map);
        VEC_PUSH(child, a);
        if (!(a.flags & MM_WIPE_ON_FORK) && !fork_area(mm, child, &a)) {
            mm_flush(mm, 0, MM_USER_END);
            mm_unref(child);
            return NULL;
        }
    }
    child->peak_resident = child->resident;
    mm_flush(mm, 0, MM_USER_END);
    return child;
}
