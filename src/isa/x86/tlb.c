// SPDX-License-Identifier: BSD-3-Clause
// The host-pointer TLBs of a core: filled by the page walk, emptied by what SDM vol. 3A §4.10.4
// lists. An entry exists only for plain RAM, and for writing only if D is set in the paging
// structures and the page holds no decoded code; so whoever hits needs no further check.
#include "isa/x86/mmu_priv.h"
#include "isa/x86/speculate.h"

#include "base/bug.h"

static void set_entry(struct core_tlb *tlb, u64 linear, paddr page, const u8 *host)
{
    u32 i = core_tlb_index(linear);
    u64 tag = linear & CORE_PAGE_MASK;

    tlb->entry[i] = (struct tlb_entry){.tag = tag, .addend = (u64)(uintptr_t)host - tag};
    tlb->page[i] = page;
    tlb->used[i / 64] |= 1ull << (i % 64);
}

static void drop_entry(struct core_tlb *tlb, u32 i)
{
    tlb->entry[i].tag = CORE_TLB_EMPTY;
    tlb->used[i / 64] &= ~(1ull << (i % 64));
}

static void empty(struct core_tlb *tlb)
{
    for (u32 word = 0; word < ARRAY_SIZE(tlb->used); word++)
        for (u64 bits = tlb->used[word]; bits; bits &= bits - 1)
            tlb->entry[word * 64 + (u32)__builtin_ctzll(bits)].tag = CORE_TLB_EMPTY;
    memset(tlb->used, 0, sizeof(tlb->used));
}

// INVLPG must drop a large page as a whole; where those are is known only roughly.
static void note_large(struct x86_core *c, u64 linear, u64 bytes)
{
    u32 half = linear >> 63;
    u64 base = linear & ~(bytes - 1), last = base + (bytes - 1);

    if (c->large_end[half] == 0) {
        c->large_base[half] = base;
        c->large_end[half] = last;
    } else {
        c->large_base[half] = MIN(c->large_base[half], base);
        c->large_end[half] = MAX(c->large_end[half], last);
    }
}

void x86_tlb_fill(struct x86_core *c, u64 linear, const struct x86_mapping *m,
                  enum core_access access, enum x86_privilege privilege, bool write)
{
    struct core_tlb *tlb = c->tlbs[privilege];
    u8 *host;

    if (m->bytes > CORE_PAGE_SIZE)
        note_large(c, linear, m->bytes);
    if (access == CORE_EXEC) {
        host = mem_port_host_page(&c->core.mem, m->page, false);
        if (host)
            set_entry(&tlb[CORE_EXEC], linear, m->page, host);
        return;
    }
    if (write && !(c->core.page_has_code && c->core.page_has_code(c->core.cache, m->page))) {
        host = mem_port_host_page(&c->core.mem, m->page, true);
        if (host)
            set_entry(&tlb[CORE_WRITE], linear, m->page, host);
    }
    host = mem_port_host_page(&c->core.mem, m->page, false);
    if (host)
        set_entry(&tlb[CORE_READ], linear, m->page, host);
}

bool x86_tlb_wake(struct x86_core *c, u64 linear, enum core_access access,
                  enum x86_privilege privilege)
{
    struct core_tlb *tlb = &c->tlbs[privilege][access];
    u32 i = core_tlb_index(linear);
    const u8 *host = mem_port_host_page(&c->core.mem, tlb->page[i], access == CORE_WRITE);

    ASSERT(tlb->entry[i].tag & CORE_TLB_DORMANT);
    if (!host) {
        drop_entry(tlb, i);
        return false;
    }
    set_entry(tlb, tlb->entry[i].tag, tlb->page[i], host);
    return true;
}

void x86_tlb_flush(struct x86_core *c, bool global_too)
{
    for (u32 p = 0; p < X86_PRIVILEGES; p++)
        for (u32 a = 0; a < CORE_ACCESSES; a++)
            empty(&c->tlbs[p][a]);
    memset(c->large_end, 0, sizeof(c->large_end));
    x86_speculation_flush(c);
    core_jump_clear(&c->core);
    c->core.mapping_epoch++;
}

void x86_tlb_flush_page(struct x86_core *c, u64 linear)
{
    u32 i = core_tlb_index(linear), half = linear >> 63;
    u64 tag = linear & CORE_PAGE_MASK;

    if (c->large_end[half] && linear >= c->large_base[half] && linear <= c->large_end[half]) {
        x86_tlb_flush(c, true);
        return;
    }
    for (u32 p = 0; p < X86_PRIVILEGES; p++)
        for (u32 a = 0; a < CORE_ACCESSES; a++)
            if ((c->tlbs[p][a].entry[i].tag & ~CORE_TLB_DORMANT) == tag)
                drop_entry(&c->tlbs[p][a], i);
    x86_speculation_flush(c);
    core_jump_clear_page(&c->core, linear);
    c->core.mapping_epoch++;
}

void x86_tlb_protect_page(struct core *core, paddr page)
{
    struct x86_core *c = x86_core_of(core);

    for (u32 p = 0; p < X86_PRIVILEGES; p++) {
        struct core_tlb *tlb = &c->tlbs[p][CORE_WRITE];

        for (u32 word = 0; word < ARRAY_SIZE(tlb->used); word++)
            for (u64 bits = tlb->used[word]; bits; bits &= bits - 1) {
                u32 i = word * 64 + (u32)__builtin_ctzll(bits);

                if (tlb->page[i] == page)
                    drop_entry(tlb, i);
            }
    }
}
