// SPDX-License-Identifier: BSD-3-Clause
// A TLB's entries. Where an array holds pages of several sizes, each size is looked up with its own
// index (APPROX: in the same time).
#include "mem/tlb_priv.h"

#include <inttypes.h>
#include <string.h>

enum { EPOCHS = 1 << 16, EPOCH_SHIFT = 48, PAGE_BITS = 45 };

static u64 tag_of(const struct tlb *t, vaddr va, unsigned size)
{
    return t->st.epoch << EPOCH_SHIFT |
           (va >> tlb_shifts[size] & (((u64)1 << PAGE_BITS) - 1)) << 2 | (size + 1);
}

static bool is_power(u64 n)
{
    return n && (n & (n - 1)) == 0;
}

static bool array_check(struct tlb_array *a, u32 *first, u64 entries, u64 ways, const char *of,
                        struct error *err)
{
    ways = ways ? ways : entries;
    if (ways > entries || entries % ways || !is_power(entries / ways))
        return error_set(err, ERROR_INPUT,
                         "%" PRIu64 " entries for %s in sets of %" PRIu64
                         ": the number of sets must be a power of two",
                         entries, of, ways);
    *a = (struct tlb_array){*first, (u32)(entries / ways), (u32)ways};
    *first += (u32)entries;
    return true;
}

bool tlb_arrays_check(struct tlb *t, struct error *err)
{
    const u64 structures[] = {t->p.pde_cache, t->p.pdpte_cache, t->p.pml4e_cache, t->p.pml5e_cache};
    u32 first = 0;

    if (!array_check(&t->arrays[0], &first, t->p.entries, t->p.ways, "pages of 4 KiB", err))
        return false;
    t->arrays[1] = t->arrays[0];
    if (t->p.entries_2m &&
        !array_check(&t->arrays[1], &first, t->p.entries_2m, t->p.ways_2m, "pages of 2 MiB", err))
        return false;
    t->arrays[2] = t->arrays[1];
    if (t->p.entries_1g &&
        !array_check(&t->arrays[2], &first, t->p.entries_1g, t->p.ways_1g, "pages of 1 GiB", err))
        return false;
    for (unsigned i = 0; i < TLB_STRUCTURES; i++)
        t->structure_first[i + 1] = t->structure_first[i] + (u32)structures[i];
    return true;
}

static u32 set_of(const struct tlb_array *a, vaddr va, unsigned size)
{
    return a->first + ((u32)(va >> tlb_shifts[size]) & (a->sets - 1)) * a->ways;
}

// The entry whose tag that is, or TLB_NONE.
static u32 search(const struct tlb *t, vaddr va, unsigned size)
{
    const struct tlb_array *a = &t->arrays[size];
    u32 first = set_of(a, va, size);
    u64 tag = tag_of(t, va, size);

    for (u32 i = first; i < first + a->ways; i++)
        if (t->st.tags[i] == tag)
            return i;
    return TLB_NONE;
}

static u16 *hint_of(struct tlb *t, vaddr va)
{
    return &t->st.hints[(va >> 12 ^ va >> 20) % TLB_HINTS];
}

static void remember(struct tlb *t, vaddr va, paddr pa_page, u32 entry)
{
    t->st.last_page = (va >> 12) + 1;
    t->st.last_frame = pa_page >> 12;
    t->st.last_ready = t->st.ready[entry];
    *hint_of(t, va) = (u16)entry;
}

// Whether the entry, whose tag is right, leads to where it should.
static bool is_true(struct tlb *t, u32 entry, unsigned size, vaddr va, paddr pa_page)
{
    if (t->st.frames[entry] == pa_page >> tlb_shifts[size]) {
        t->st.used[entry] = ++t->st.uses;
        remember(t, va, pa_page, entry);
        return true;
    }
    t->st.tags[entry] = 0;
    t->n.stale++;
    return false;
}

bool tlb_find(struct tlb *t, vaddr va, paddr pa_page, unsigned *ret_size, tick *ret_ready)
{
    u32 entry = *hint_of(t, va);
    unsigned size = (unsigned)(t->st.tags[entry] & 3);

    t->st.last_page = 0;
    if (size-- && t->st.tags[entry] == tag_of(t, va, size) &&
        is_true(t, entry, size, va, pa_page)) {
        *ret_size = size;
        *ret_ready = t->st.ready[entry];
        return true;
    }
    for (size = 0; size < TLB_SIZES; size++) {
        if (!(t->st.sizes >> size & 1))
            continue;
        entry = search(t, va, size);
        if (entry != TLB_NONE && is_true(t, entry, size, va, pa_page)) {
            *ret_size = size;
            *ret_ready = t->st.ready[entry];
            return true;
        }
    }
    return false;
}

void tlb_insert(struct tlb *t, vaddr va, paddr pa_page, unsigned size, tick ready)
{
    const struct tlb_array *a = &t->arrays[size];
    u32 first = set_of(a, va, size), entry = search(t, va, size);

    if (entry == TLB_NONE) {
        entry = first;
        for (u32 i = first; i < first + a->ways; i++) {
            // An entry of an earlier epoch is free.
            if (t->st.tags[i] == 0 || t->st.tags[i] >> EPOCH_SHIFT != t->st.epoch) {
                entry = i;
                break;
            }
            if (t->st.used[i] < t->st.used[entry])
                entry = i;
        }
    }
    t->st.tags[entry] = tag_of(t, va, size);
    t->st.frames[entry] = pa_page >> tlb_shifts[size];
    t->st.used[entry] = ++t->st.uses;
    t->st.ready[entry] = ready;
    t->st.sizes |= 1u << size;
    remember(t, va, pa_page, entry);
}

void tlb_forget(struct tlb *t)
{
    t->st.last_page = 0;
    t->st.sizes = 0;
    t->st.epoch = (t->st.epoch + 1) % EPOCHS;
    if (t->st.epoch == 0) {
        memset(t->st.tags, 0, t->st.tags_count * sizeof(*t->st.tags));
        memset(t->st.structure_tags, 0, t->st.structure_tags_count * sizeof(*t->st.structure_tags));
    }
}

// ---- paging-structure caches: entry i of a walk, which is not its last, leads to the table that
// entry i + 1 lies in

static u64 structure_tag(const struct tlb *t, vaddr va, unsigned kind)
{
    return t->st.epoch << EPOCH_SHIFT | (va >> (21 + 9 * kind) & (((u64)1 << PAGE_BITS) - 1)) << 2 |
           1;
}

static paddr table_of(const struct timed_walk *w, u8 entry)
{
    return w->entry[entry] & ~(paddr)0xfff;
}

// Which cache entry i of the walk belongs to.
static unsigned structure_of(const struct timed_walk *w, u8 i)
{
    return tlb_size_of(w->page_shift) + (unsigned)(w->levels - 2 - i);
}

static u32 structure_search(const struct tlb *t, vaddr va, unsigned kind)
{
    u64 tag = structure_tag(t, va, kind);

    for (u32 i = t->structure_first[kind]; i < t->structure_first[kind + 1]; i++)
        if (t->st.structure_tags[i] == tag)
            return i;
    return TLB_NONE;
}

u8 tlb_structures_find(struct tlb *t, vaddr va, const struct timed_walk *w)
{
    for (u8 i = w->levels; i-- > 1;) {
        unsigned kind = structure_of(w, (u8)(i - 1));
        u32 at = kind < TLB_STRUCTURES ? structure_search(t, va, kind) : TLB_NONE;

        if (at != TLB_NONE && t->st.structure_tables[at] == table_of(w, i)) {
            t->st.structure_used[at] = ++t->st.uses;
            t->n.structureHits[kind]++;
            return i;
        }
    }
    return 0;
}

static void structure_insert(struct tlb *t, vaddr va, unsigned kind, paddr table)
{
    u32 first = t->structure_first[kind], end = t->structure_first[kind + 1];
    u32 at = structure_search(t, va, kind);

    if (first == end)
        return;
    if (at == TLB_NONE) {
        at = first;
        for (u32 i = first; i < end; i++) {
            if (t->st.structure_tags[i] == 0 ||
                t->st.structure_tags[i] >> EPOCH_SHIFT != t->st.epoch) {
                at = i;
                break;
            }
            if (t->st.structure_used[i] < t->st.structure_used[at])
                at = i;
        }
    }
    t->st.structure_tags[at] = structure_tag(t, va, kind);
    t->st.structure_tables[at] = table;
    t->st.structure_used[at] = ++t->st.uses;
}

void tlb_structures_learn(struct tlb *t, vaddr va, const struct timed_walk *w, u8 from)
{
    for (u8 i = from; i + 1 < w->levels; i++) {
        unsigned kind = structure_of(w, i);

        if (kind < TLB_STRUCTURES)
            structure_insert(t, va, kind, table_of(w, (u8)(i + 1)));
    }
}
