// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/functional/block_cache.h"

#include "base/bug.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HASH_BITS = 16, HASH_SIZE = 1 << HASH_BITS };
enum { PAGE_HASH_BITS = 12, PAGE_HASH_SIZE = 1 << PAGE_HASH_BITS };
enum { LINE_SHIFT = 7 }; // granularity in which stores to a page with code are compared: 128 bytes
enum { MAX_CORES = 64 };

// A physical page that blocks were decoded from.
struct code_page {
    paddr page;
    u32 lines; // bit i: line i holds code of a live block
    struct block *blocks;
    struct code_page *next;
};

struct block_cache {
    u8 *pool;
    u64 pool_bytes, used, end; // two halves: used is behind the blocks of the current one
    bool traced;
    struct block_cache *sibling; // of the same machine, for the other engine; NULL: none
    u32 n_cores;
    struct core *cores[MAX_CORES];
    struct block_cache_stats n;
    struct block *hash[HASH_SIZE];
    struct code_page *pages[PAGE_HASH_SIZE];
    _Alignas(64) u8 scratch[ISA_BLOCK_BYTES]; // a block that is not kept
};

struct block_cache *block_cache_new(u64 pool_bytes, bool traced, struct error *err)
{
    struct block_cache *bc = calloc(1, sizeof(*bc));

    if (!bc) {
        error_set(err, ERROR_RESOURCE, "no memory for the cache of decoded blocks");
        return NULL;
    }
    bc->traced = traced;
    bc->pool_bytes = MAX(pool_bytes / 2, 4 * (u64)ISA_BLOCK_BYTES) * 2;
    bc->end = bc->pool_bytes / 2;
    bc->pool = mmap(NULL, bc->pool_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bc->pool == MAP_FAILED) {
        error_set_errno(err, "cannot map %llu bytes for decoded blocks",
                        (unsigned long long)bc->pool_bytes);
        free(bc);
        return NULL;
    }
    return bc;
}

void block_cache_free(struct block_cache *bc)
{
    if (!bc)
        return;
    munmap(bc->pool, bc->pool_bytes);
    free(bc);
}

static u32 hash_of(paddr pa, u64 key)
{
    // Address and key agree in their low bits: a plain exclusive or would cancel these.
    u64 h = (pa + (key >> 12) * 31) * 0x9e3779b97f4a7c15ull;

    return (u32)(h >> (64 - HASH_BITS));
}

static struct code_page **page_slot(struct block_cache *bc, paddr page)
{
    u64 h = (page >> CORE_PAGE_SHIFT) * 0x9e3779b97f4a7c15ull;
    struct code_page **p = &bc->pages[h >> (64 - PAGE_HASH_BITS)];

    while (*p && (*p)->page != page)
        p = &(*p)->next;
    return p;
}

static bool page_has_code(struct block_cache *bc, paddr page)
{
    return *page_slot(bc, page) || (bc->sibling && *page_slot(bc->sibling, page));
}

static void *pool_take(struct block_cache *bc, size_t size)
{
    void *p = bc->pool + bc->used;

    bc->used += (size + 63) & ~(size_t)63;
    ASSERT(bc->used <= bc->end);
    return p;
}

static u32 line_mask(paddr from, u32 bytes)
{
    u32 first = (from & (CORE_PAGE_SIZE - 1)) >> LINE_SHIFT;
    u32 last = (u32)MIN(((from & (CORE_PAGE_SIZE - 1)) + bytes - 1) >> LINE_SHIFT,
                        (CORE_PAGE_SIZE - 1) >> LINE_SHIFT);

    return (u32)(((2ull << last) - 1) & ~((1ull << first) - 1));
}

// Bytes of b that lie on its page number `which` (0: pa, 1: pa2), as a line mask.
static u32 block_lines(const struct block *b, unsigned which)
{
    u32 room = CORE_PAGE_SIZE - (b->pa & (CORE_PAGE_SIZE - 1));

    if (which == 0)
        return line_mask(b->pa, MIN(b->bytes, room));
    return line_mask(0, b->bytes - room);
}

static void add_to_page(struct block_cache *bc, struct block *b, unsigned which)
{
    paddr page = which ? b->pa2 : b->pa & CORE_PAGE_MASK;
    struct code_page **slot = page_slot(bc, page), *cp = *slot;

    if (!cp) {
        cp = pool_take(bc, sizeof(*cp));
        *cp = (struct code_page){.page = page};
        *slot = cp;
    }
    cp->lines |= block_lines(b, which);
    b->page_next[which] = cp->blocks;
    cp->blocks = b;
}

// Records name instructions of blocks: they go to their consumers before blocks go.
static void hand_out_records(struct block_cache *bc)
{
    for (u32 i = 0; i < bc->n_cores; i++)
        if (bc->cores[i]->trace)
            dyn_batch_flush(bc->cores[i]->trace);
}

void block_cache_flush(struct block_cache *bc)
{
    hand_out_records(bc);
    memset(bc->hash, 0, sizeof(bc->hash));
    memset(bc->pages, 0, sizeof(bc->pages));
    bc->used = bc->end % bc->pool_bytes;
    bc->end = bc->used + bc->pool_bytes / 2;
    for (u32 i = 0; i < bc->n_cores; i++) {
        core_jump_clear(bc->cores[i]);
        bc->cores[i]->block = NULL;
    }
}

static unsigned which_page(const struct block *b, paddr page)
{
    return (b->pa & CORE_PAGE_MASK) != page;
}

static void unhash(struct block_cache *bc, struct block *b)
{
    struct block **p = &bc->hash[hash_of(b->pa, b->key)];

    while (*p != b)
        p = &(*p)->hash_next;
    *p = b->hash_next;
}

static void unlist(struct block_cache *bc, struct block *b, paddr page)
{
    struct code_page *cp = *page_slot(bc, page);
    struct block **p = &cp->blocks;

    while (*p != b)
        p = &(*p)->page_next[which_page(*p, page)];
    *p = b->page_next[which_page(b, page)];
}

static void kill(struct block_cache *bc, struct core *core, struct block *b)
{
    unhash(bc, b);
    unlist(bc, b, b->pa & CORE_PAGE_MASK);
    if (b->flags & BLOCK_SPLIT && b->pa2 != (b->pa & CORE_PAGE_MASK))
        unlist(bc, b, b->pa2);
    b->flags |= BLOCK_DEAD;
    core->isa->kill(b);
    for (u32 i = 0; i < bc->n_cores; i++) {
        struct jump_entry *e = &bc->cores[i]->jump[core_jump_index(b->va)];

        if (e->block == b)
            e->key = CORE_NO_KEY;
        // Also when it executes a shortened copy.
        if (bc->cores[i]->block && bc->cores[i]->block->pa == b->pa)
            bc->cores[i]->leave_block = true;
    }
    bc->n.kills++;
}

// A store went to [pa, pa + size), within one page that has code. Blocks that it touches die; the
// page stays a code page (its stores stay slow) until the next flush unless no block is left.
static void written(struct block_cache *bc, struct core *core, paddr pa, u32 size)
{
    paddr page = pa & CORE_PAGE_MASK;
    struct code_page *cp = *page_slot(bc, page);
    u32 mask = line_mask(pa, size), lines = 0;
    struct block *b, *next;

    if (!cp || !(cp->lines & mask))
        return;
    for (b = cp->blocks; b; b = next) {
        unsigned which = which_page(b, page);

        next = b->page_next[which];
        if (block_lines(b, which) & mask)
            kill(bc, core, b);
        else
            lines |= block_lines(b, which);
    }
    cp->lines = lines;
    if (!cp->blocks)
        *page_slot(bc, page) = cp->next;
}

static void code_written(struct block_cache *bc, struct core *core, paddr pa, u32 size)
{
    written(bc, core, pa, size);
    if (bc->sibling)
        written(bc->sibling, core, pa, size);
}

void block_cache_pair(struct block_cache *a, struct block_cache *b)
{
    ASSERT(!a->sibling && !b->sibling && a->traced != b->traced);
    a->sibling = b;
    b->sibling = a;
}

void block_cache_attach(struct block_cache *bc, struct core *core)
{
    for (u32 i = 0; i < bc->n_cores; i++)
        if (bc->cores[i] == core)
            return;
    ASSERT(bc->n_cores < MAX_CORES);
    bc->cores[bc->n_cores++] = core;
    core->page_has_code = page_has_code;
    core->code_written = code_written;
    if (!core->cache)
        block_cache_select(bc, core);
}

void block_cache_select(struct block_cache *bc, struct core *core)
{
    if (core->cache == bc)
        return;
    core->cache = bc;
    core_jump_clear(core);
}

const struct block_cache_stats *block_cache_stats(const struct block_cache *bc)
{
    return &bc->n;
}

// A page that gets its first block must lose its write entries in all TLBs.
static void protect(struct block_cache *bc, paddr page)
{
    for (u32 i = 0; i < bc->n_cores; i++)
        bc->cores[i]->isa->protect_page(bc->cores[i], page);
}

static bool decode(struct block_cache *bc, struct core *core, paddr pa, struct block **ret_block)
{
    size_t used;
    struct block *b;

    if (bc->used + ISA_BLOCK_BYTES + 2 * sizeof(struct code_page) + 128 > bc->end) {
        block_cache_flush(bc);
        bc->n.flushes++;
    }
    if (!core->isa->translate(core, bc->traced, bc->pool + bc->used, &used, &b))
        return false;
    ASSERT(used <= ISA_BLOCK_BYTES && b->pa == pa);
    bc->used += (used + 63) & ~(size_t)63;
    bc->n.blocks++;
    bc->n.insts += b->n_insts;
    b->hash_next = bc->hash[hash_of(pa, b->key)];
    bc->hash[hash_of(pa, b->key)] = b;
    if (!page_has_code(bc, pa & CORE_PAGE_MASK))
        protect(bc, pa & CORE_PAGE_MASK);
    add_to_page(bc, b, 0);
    if (b->flags & BLOCK_SPLIT && b->pa2 != (pa & CORE_PAGE_MASK)) {
        if (!page_has_code(bc, b->pa2))
            protect(bc, b->pa2);
        add_to_page(bc, b, 1);
    }
    *ret_block = b;
    return true;
}

bool block_cache_find(struct block_cache *bc, struct core *core, u64 max_insts,
                      struct block **ret_block)
{
    vaddr pc = core->isa->pc(core);
    u64 key = pc ^ core->mode_key;
    struct block *b;
    paddr pa, pa2;

    if (!core->isa->fetch(core, pc, &pa))
        return false;
    for (b = bc->hash[hash_of(pa, key)]; b; b = b->hash_next) {
        if (b->pa != pa || b->key != key)
            continue;
        if (!(b->flags & BLOCK_SPLIT))
            break;
        // Its tail is where it was decoded from only if the next page is mapped as then.
        if (!core->isa->fetch(core, pc + CORE_PAGE_SIZE - (pa & (CORE_PAGE_SIZE - 1)), &pa2))
            return false;
        if (b->pa2 == pa2)
            break;
    }
    if (!b && !decode(bc, core, pa, &b))
        return false;
    if (b->n_insts > max_insts) {
        *ret_block = core->isa->shorten(b, (u32)max_insts, bc->traced, bc->scratch);
        return true;
    }
    *ret_block = b;
    // Whoever finds it quickly later would set no accessed bit for its page.
    if (core->speculation)
        return true;
    core_jump_add(core, pc, key, b);
    // Direct links stay within a page: nothing but the death of the block can break them.
    if (core->link && !(b->flags & BLOCK_SPLIT))
        *core->link = b;
    return true;
}
