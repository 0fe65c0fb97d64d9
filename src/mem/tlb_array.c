// SPDX-License-Identifier: BSD-3-Clause
// A TLB's entries. Where an array holds pages of several sizes, each size is looked up with its own
// index (APPROX: in the same time).
#include "mem/tlb_priv.h"

#include <inttypes.h>
#include <string.h>

enum { EPOCHS = 1 << (64 - TLB_EPOCH_SHIFT) };

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

static struct tlb_entry *set_of(const struct tlb *t, vaddr va, unsigned size)
{
    const struct tlb_array *a = &t->arrays[size];

    return &t->entries[a->first + ((u32)(va >> tlb_shifts[size]) & (a->sets - 1)) * a->ways];
}

static struct tlb_entry *search(const struct tlb *t, vaddr va, unsigned size)
{
    struct tlb_entry *set = set_of(t, va, size);
    u64 tag = tlb_tag(t, va, size);

    for (u32 i = 0; i < t->arrays[size].ways; i++)
        if (set[i].tag == tag)
            return &set[i];
    return NULL;
}

static void set_hint(struct tlb *t, vaddr va, const struct tlb_entry *e)
{
    *tlb_hint(t, va) = (u16)(e - t->entries);
}

struct tlb_entry *tlb_find(struct tlb *t, vaddr va, paddr pa_page)
{
    struct tlb_entry *e = tlb_find_hinted(t, va, pa_page);

    if (e)
        return e;
    t->st.last_page = 0;
    for (unsigned size = 0; size < TLB_SIZES; size++) {
        e = t->st.sizes >> size & 1 ? search(t, va, size) : NULL;
        if (!e)
            continue;
        if (e->frame == pa_page >> tlb_shifts[size]) {
            tlb_touch(t, e, va, pa_page);
            set_hint(t, va, e);
            return e;
        }
        e->tag = 0;
        t->n.stale++;
    }
    return NULL;
}

static bool is_free(const struct tlb *t, u64 tag)
{
    return tag == 0 || tag >> TLB_EPOCH_SHIFT != t->st.epoch;
}

void tlb_insert(struct tlb *t, vaddr va, paddr pa_page, unsigned size, tick ready)
{
    struct tlb_entry *set = set_of(t, va, size), *e = search(t, va, size);

    for (u32 i = 0; !e && i < t->arrays[size].ways; i++)
        e = is_free(t, set[i].tag) ? &set[i] : NULL;
    if (!e) {
        e = set;
        for (u32 i = 1; i < t->arrays[size].ways; i++)
            e = set[i].used < e->used ? &set[i] : e;
    }
    e->tag = tlb_tag(t, va, size);
    e->frame = pa_page >> tlb_shifts[size];
    e->ready = ready;
    t->st.sizes |= 1u << size;
    tlb_touch(t, e, va, pa_page);
    set_hint(t, va, e);
}

void tlb_forget(struct tlb *t)
{
    t->st.last_page = 0;
    t->st.sizes = 0;
    t->st.epoch = (t->st.epoch + 1) % EPOCHS;
    if (t->st.epoch == 0) {
        memset(t->st.entries, 0, t->st.entries_count * sizeof(*t->st.entries));
        memset(t->st.structure_tags, 0, t->st.structure_tags_count * sizeof(*t->st.structure_tags));
    }
}

// ---- paging-structure caches: entry i of a walk, which is not its last, leads to the table that
// entry i + 1 lies in

static u64 structure_tag(const struct tlb *t, vaddr va, unsigned kind)
{
    return t->st.epoch << TLB_EPOCH_SHIFT |
           (va >> (21 + 9 * kind) & (((u64)1 << TLB_PAGE_BITS) - 1)) << 2 | 1;
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
    for (u32 i = first; at == TLB_NONE && i < end; i++)
        at = is_free(t, t->st.structure_tags[i]) ? i : TLB_NONE;
    if (at == TLB_NONE) {
        at = first;
        for (u32 i = first + 1; i < end; i++)
            at = t->st.structure_used[i] < t->st.structure_used[at] ? i : at;
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
