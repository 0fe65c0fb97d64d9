// SPDX-License-Identifier: BSD-3-Clause
#include "os/linux/pages.h"

#include "base/bug.h"
#include "isa/core.h"

#include <string.h>
#include <sys/mman.h>

static void *reserve(u64 bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

bool pages_init(struct pages *p, u64 bytes, struct error *err)
{
    u64 count = bytes >> PAGE_SHIFT;

    *p = (struct pages){.bytes = bytes, .fresh = 1, .count = (u32)count};
    if (count < 16 || count >= 1ull << 32)
        return error_set(err, ERROR_INPUT, "%llu bytes of guest memory: too few or too many",
                         (unsigned long long)bytes);
    p->ram = reserve(bytes);
    p->next = reserve(count * sizeof(u32));
    p->refs = reserve(count * sizeof(u32));
    if (!p->ram || !p->next || !p->refs) {
        pages_release(p);
        return error_set_errno(err, "cannot reserve %llu MiB of guest memory",
                               (unsigned long long)(bytes >> 20));
    }
    p->zero = pages_alloc(p);
    return true;
}

void pages_release(struct pages *p)
{
    if (p->ram)
        munmap(p->ram, p->bytes);
    if (p->next)
        munmap(p->next, p->count * sizeof(u32));
    if (p->refs)
        munmap(p->refs, p->count * sizeof(u32));
    *p = (struct pages){0};
}

u32 pages_alloc(struct pages *p)
{
    u32 page = p->free_head;

    if (page)
        p->free_head = p->next[page];
    else if (p->fresh < p->count)
        page = p->fresh++;
    else
        return 0;
    p->refs[page] = 1;
    p->used++;
    p->peak = MAX(p->peak, p->used);
    pages_written(p, page);
    return page;
}

u32 pages_alloc_zeroed(struct pages *p)
{
    u32 fresh = p->fresh, page = pages_alloc(p);

    // A page that was never used is zero already, and the host has not even allocated it.
    if (page && page != fresh)
        memset(pages_host(p, page), 0, PAGE_BYTES);
    return page;
}

void pages_ref(struct pages *p, u32 page)
{
    ASSERT(p->refs[page] > 0);
    p->refs[page]++;
}

void pages_unref(struct pages *p, u32 page)
{
    ASSERT(p->refs[page] > 0);
    if (--p->refs[page] == 0) {
        p->next[page] = p->free_head;
        p->free_head = page;
        p->used--;
    }
}

void pages_written(struct pages *p, u32 page)
{
    paddr pa = (paddr)page << PAGE_SHIFT;

    if (p->core && p->core->cache && p->core->page_has_code(p->core->cache, pa))
        p->core->code_written(p->core->cache, p->core, pa, PAGE_BYTES);
}

static bool port_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct pages *p = ctx;

    if (addr >= p->bytes || size > p->bytes - addr) {
        if (!write)
            memset(data, 0xff, size);
        return false;
    }
    if (write)
        memcpy(p->ram + addr, data, size);
    else
        memcpy(data, p->ram + addr, size);
    return true;
}

static u8 *port_host_page(void *ctx, paddr page, bool write)
{
    struct pages *p = ctx;

    return page < p->bytes ? p->ram + page : NULL;
}

struct mem_port pages_port(struct pages *p)
{
    static const struct mem_port_ops ops = {port_access, port_host_page};

    return (struct mem_port){&ops, p};
}
