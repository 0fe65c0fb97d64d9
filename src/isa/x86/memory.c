// SPDX-License-Identifier: BSD-3-Clause
// Guest memory accesses that do not hit the TLB, cross a page, reach a device, or are watched.
#include "isa/x86/mem.h"

#include "isa/x86/debug.h"
#include "isa/x86/speculate.h"

#include "base/bug.h"

// One page's part of an access.
struct piece {
    u64 linear;
    paddr pa;
    u8 *host; // NULL: not RAM
    u32 size;
};

static bool has_code(const struct core *core, paddr pa)
{
    return core->page_has_code && core->page_has_code(core->cache, pa & CORE_PAGE_MASK);
}

// Linear addresses have 32 bits outside IA-32e mode, and in compatibility mode those of the
// program.
static u64 linear_mask(const struct x86_core *c, bool system)
{
    bool wide = system ? (c->s.efer & X86_EFER_LMA) != 0 : c->code_mode == X86_CODE64;

    return wide ? ~0ull : 0xffffffffu;
}

static enum x86_result locate(struct x86_core *c, struct piece *p, enum core_access access,
                              enum x86_privilege privilege)
{
    const struct core_tlb *tlb = &c->tlbs[privilege][access];
    u32 i = core_tlb_index(p->linear);
    u64 tag = p->linear & CORE_PAGE_MASK;
    enum x86_result r;

    if (UNLIKELY(c->core.speculation))
        return x86_speculation_locate(c, p->linear, access, privilege, &p->pa, &p->host);
    if (tlb->entry[i].tag == tag || (tlb->entry[i].tag == (tag | CORE_TLB_DORMANT) &&
                                     x86_tlb_wake(c, p->linear, access, privilege))) {
        p->pa = tlb->page[i] | (p->linear & ~CORE_PAGE_MASK);
        p->host = (u8 *)(uintptr_t)(p->linear + tlb->entry[i].addend);
        return X86_OK;
    }
    r = x86_translate_as(c, p->linear, access, privilege, &p->pa);
    if (r != X86_OK)
        return r;
    p->host = mem_port_host_page(&c->core.mem, p->pa, access == CORE_WRITE);
    p->pa |= p->linear & ~CORE_PAGE_MASK;
    if (p->host)
        p->host += p->linear & ~CORE_PAGE_MASK;
    return X86_OK;
}

// Translates all of an access before any of it happens. Returns the number of pieces through *ret.
static enum x86_result locate_all(struct x86_core *c, u64 linear, u32 size, enum core_access access,
                                  enum x86_privilege privilege, struct piece pieces[2], u32 *ret)
{
    u64 mask = linear_mask(c, privilege == X86_SUPERVISOR);
    u32 first = (u32)MIN(size, CORE_PAGE_SIZE - linear % CORE_PAGE_SIZE);
    enum x86_result r;

    ASSERT(size > 0 && size <= CORE_PAGE_SIZE);
    pieces[0] = (struct piece){.linear = linear & mask, .size = first};
    pieces[1] = (struct piece){.linear = (linear + first) & mask, .size = size - first};
    r = locate(c, &pieces[0], access, privilege);
    if (r == X86_OK && first < size)
        r = locate(c, &pieces[1], access, privilege);
    *ret = first < size ? 2 : 1;
    return r;
}

static void move_device(struct x86_core *c, const struct piece *p, u8 *data, bool write)
{
    c->core.leave_block = true;
    for (u32 done = 0, n; done < p->size; done += n) {
        n = MIN(p->size - done, MEM_ACCESS_MAX);
        (void)mem_port_access(&c->core.mem, p->pa + done, n, data + done, write);
    }
}

static void append_ref(struct x86_core *c, u64 linear, paddr pa, u32 size, bool write, bool device)
{
    struct dyn_batch *t = c->core.trace;

    if (t->n_mem < t->mem_capacity)
        t->mem[t->n_mem++] = (struct mem_ref){
            .va = linear, .pa = pa, .size = (u16)size, .write = write, .device = device};
}

enum x86_result x86_load_as(struct x86_core *c, u64 linear, void *to, u32 size,
                            enum x86_privilege privilege)
{
    u8 *data = to;
    struct piece p[2];
    u32 n;
    enum x86_result r = locate_all(c, linear, size, CORE_READ, privilege, p, &n);

    if (r != X86_OK)
        return r;
    if (c->core.trace)
        append_ref(c, p[0].linear, p[0].pa, size, false, !p[0].host);
    if (UNLIKELY(c->watched))
        x86_watch_access(c, p[0].linear, size, false);
    for (u32 i = 0; i < n; data += p[i++].size) {
        if (p[i].host)
            memcpy(data, p[i].host, p[i].size);
        else
            move_device(c, &p[i], data, false);
    }
    return X86_OK;
}

enum x86_result x86_store_as(struct x86_core *c, u64 linear, const void *from, u32 size,
                             enum x86_privilege privilege)
{
    const u8 *data = from;
    struct piece p[2];
    u32 n;
    enum x86_result r = locate_all(c, linear, size, CORE_WRITE, privilege, p, &n);

    if (r != X86_OK)
        return r;
    if (c->core.trace)
        append_ref(c, p[0].linear, p[0].pa, size, true, !p[0].host);
    if (UNLIKELY(c->watched))
        x86_watch_access(c, p[0].linear, size, true);
    for (u32 i = 0; i < n; data += p[i++].size) {
        if (!p[i].host) {
            u8 copy[CORE_PAGE_SIZE];

            memcpy(copy, data, p[i].size);
            move_device(c, &p[i], copy, true);
            continue;
        }
        if (UNLIKELY(c->core.speculation)) { // seen by nobody else, not even by instruction fetch
            if (!x86_speculation_log(c, p[i].host, p[i].size))
                return X86_FAULT;
            memcpy(p[i].host, data, p[i].size);
            continue;
        }
        memcpy(p[i].host, data, p[i].size);
        if (has_code(&c->core, p[i].pa))
            c->core.code_written(c->core.cache, &c->core, p[i].pa, p[i].size);
    }
    return X86_OK;
}

// Alignment checks (SDM vol. 3A §6.15, interrupt 17): user accesses of 2, 4 and 8 bytes. Data
// breakpoints.
static enum x86_result check_watched(struct x86_core *c, u64 linear, u32 size,
                                     enum core_access access)
{
    bool checked = c->cpl == 3 && (c->s.cr0 & X86_CR0_AM) && (c->s.rflags & X86_AC);

    if (checked && size <= 8 && (size & (size - 1)) == 0 && linear % size)
        return x86_raise_error(c, X86_EXC_AC, 0);
    x86_note_data_access(c, linear, size, access == CORE_WRITE);
    return X86_OK;
}

enum x86_result x86_load_slow(struct x86_core *c, u64 linear, void *data, u32 size)
{
    if (UNLIKELY(c->watched) && check_watched(c, linear, size, CORE_READ) != X86_OK)
        return X86_FAULT;
    return x86_load_as(c, linear, data, size, (enum x86_privilege)c->privilege);
}

enum x86_result x86_store_slow(struct x86_core *c, u64 linear, const void *data, u32 size)
{
    if (UNLIKELY(c->watched) && check_watched(c, linear, size, CORE_WRITE) != X86_OK)
        return X86_FAULT;
    return x86_store_as(c, linear, data, size, (enum x86_privilege)c->privilege);
}

enum x86_result x86_probe_write(struct x86_core *c, u64 linear, u32 size)
{
    struct piece p[2];
    u32 n;

    if (UNLIKELY(c->watched) && check_watched(c, linear, size, CORE_WRITE) != X86_OK)
        return X86_FAULT;
    return locate_all(c, linear, size, CORE_WRITE, (enum x86_privilege)c->privilege, p, &n);
}

enum x86_result x86_load_system(struct x86_core *c, u64 linear, void *data, u32 size)
{
    return x86_load_as(c, linear, data, size, X86_SUPERVISOR);
}

enum x86_result x86_store_system(struct x86_core *c, u64 linear, const void *data, u32 size)
{
    return x86_store_as(c, linear, data, size, X86_SUPERVISOR);
}

void x86_trace_mem(struct x86_core *c, u64 linear, u32 size, bool write)
{
    paddr pa = 0;

    if (!c->core.trace)
        return;
    (void)x86_translate_debug(c, linear, &pa);
    append_ref(c, linear, pa, size, write,
               !mem_port_host_page(&c->core.mem, pa & CORE_PAGE_MASK, write));
}
