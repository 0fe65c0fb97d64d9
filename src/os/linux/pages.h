// SPDX-License-Identifier: BSD-3-Clause
// Guest RAM of a user-mode machine and the allocator of its pages. A page number times 4096 is the
// guest physical address; 0 is no page. Pages are counted, because copy-on-write and file mappings
// share them. Lowest fresh page first, then the last one freed: the same order in every run.
#pragma once

#include "base/error.h"
#include "sim/port.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES 4096ull
#define PAGE_ROUND_UP(x) (((x) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1))
#define PAGE_ROUND_DOWN(x) ((x) & ~(PAGE_BYTES - 1))

struct core;

struct pages {
    u8 *ram; // owned; host memory that the host allocates on demand
    u64 bytes;
    u32 count, fresh, free_head;
    u32 *next; // owned: links of free pages
    u32 *refs; // owned
    u32 zero;  // the page of zeros that reads of untouched memory share
    u64 used, peak;
    struct core *core; // borrowed: whoever must hear of changed code; NULL at first
};

bool pages_init(struct pages *p, u64 bytes, struct error *err) MUST_CHECK;
void pages_release(struct pages *p);

// One page with one reference, its content undefined (or zeroed); 0 when RAM is full.
u32 pages_alloc(struct pages *p);
u32 pages_alloc_zeroed(struct pages *p);
void pages_ref(struct pages *p, u32 page);
void pages_unref(struct pages *p, u32 page);

static inline u8 *pages_host(const struct pages *p, u32 page)
{
    return p->ram + ((u64)page << PAGE_SHIFT);
}

// The kernel writes to a page: decoded instructions on it are void.
void pages_written(struct pages *p, u32 page);

// The port through which cores reach this RAM.
struct mem_port pages_port(struct pages *p);
