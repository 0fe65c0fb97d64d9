// SPDX-License-Identifier: BSD-3-Clause
// Paging: SDM vol. 3A chapter 4. 32-bit, PAE, 4-level and 5-level walks with their rights, reserved
// bits, error codes, and accessed and dirty bits.
// APPROX: PAE paging reads its page-directory pointers at each walk, as AMD processors do (APM
// vol. 2 §5.2.3), instead of keeping the four that MOV CR3 loaded.
#include "isa/x86/cpuid.h"
#include "isa/x86/mmu_priv.h"

#include "base/bug.h"
#include "sim/timed.h"

#define PTE_P 0x1ull
#define PTE_W 0x2ull
#define PTE_U 0x4ull
#define PTE_A 0x20ull
#define PTE_D 0x40ull
#define PTE_PS 0x80ull
#define PTE_G 0x100ull
#define PTE_XD (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define PTE_ABOVE_MAXPHYADDR (PTE_ADDRESS & ~((1ull << X86_MAXPHYADDR) - 1))

enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

enum { MAX_LEVELS = 5 };

// A walk in progress: the entries passed, for their accessed and dirty bits.
struct walk {
    struct x86_mapping m;
    u32 error; // of the page fault, P and RSVD bits only
    u32 n;
    u32 entry_bytes;
    paddr at[MAX_LEVELS];
    u64 entry[MAX_LEVELS];
};

static u64 read_entry(const struct x86_core *c, paddr pa, u32 bytes)
{
    const u8 *page = mem_port_host_page(&c->core.mem, pa & CORE_PAGE_MASK, false);
    u64 entry = 0;

    if (page)
        memcpy(&entry, page + pa % CORE_PAGE_SIZE, bytes);
    else
        (void)mem_port_read(&c->core.mem, pa, bytes, &entry); // all ones where nothing answers
    return entry;
}

static void write_entry(struct x86_core *c, paddr pa, u64 entry, u32 bytes)
{
    u8 *page = mem_port_host_page(&c->core.mem, pa & CORE_PAGE_MASK, true);

    if (!page) {
        (void)mem_port_write(&c->core.mem, pa, bytes, &entry);
        return;
    }
    memcpy(page + pa % CORE_PAGE_SIZE, &entry, bytes);
    if (c->core.page_has_code && c->core.page_has_code(c->core.cache, pa & CORE_PAGE_MASK))
        c->core.code_written(c->core.cache, &c->core, pa, bytes);
}

static bool not_present(struct walk *w)
{
    w->error = 0;
    return false;
}

static bool reserved(struct walk *w)
{
    w->error = PF_P | PF_RSVD;
    return false;
}

// Takes one entry into account: false when it is absent or has a reserved bit set.
static bool pass_entry(struct walk *w, paddr at, u64 entry, u64 reserved_bits)
{
    if (!(entry & PTE_P))
        return not_present(w);
    if (entry & reserved_bits)
        return reserved(w);
    w->at[w->n] = at;
    w->entry[w->n++] = entry;
    w->m.user &= !!(entry & PTE_U);
    w->m.write &= !!(entry & PTE_W);
    return true;
}

static void finish(struct walk *w, u64 linear, u64 entry, u64 base, u64 bytes)
{
    w->m.bytes = bytes;
    w->m.page = (base | (linear & (bytes - 1))) & CORE_PAGE_MASK;
    w->m.dirty = entry & PTE_D;
    w->m.global = entry & PTE_G;
}

// 32-bit paging (SDM vol. 3A §4.3), with 4 MiB pages of up to 40-bit physical addresses.
static bool walk32(const struct x86_core *c, u64 linear, struct walk *w)
{
    paddr at = (c->s.cr3 & 0xfffff000u) + (linear >> 22 & 0x3ff) * 4;
    u64 entry = read_entry(c, at, 4);
    bool large = (entry & PTE_PS) && (c->s.cr4 & X86_CR4_PSE);

    w->entry_bytes = 4;
    if (!pass_entry(w, at, entry, large ? 1u << 21 : 0))
        return false;
    if (large) {
        finish(w, linear, entry, (entry & 0xffc00000u) | (entry & 0x1fe000) << 19, MiB(4));
        return true;
    }
    at = (entry & 0xfffff000u) + (linear >> 12 & 0x3ff) * 4;
    entry = read_entry(c, at, 4);
    if (!pass_entry(w, at, entry, 0))
        return false;
    finish(w, linear, entry, entry & 0xfffff000u, KiB(4));
    return true;
}

static u64 large_reserved(const struct x86_core *c, u32 level)
{
    switch (level) {
    case 2:
        return 0x1fe000; // 20:13; bit 12 is PAT
    case 3:
        return x86_has(c, X86_FEATURE_PDPE1GB) ? 0x3fffe000 : PTE_PS;
    default:
        return PTE_PS;
    }
}

// PAE, 4-level and 5-level paging (SDM vol. 3A §4.4, §4.5), from `level` downwards.
static bool walk64(const struct x86_core *c, u64 linear, u32 level, struct walk *w)
{
    bool pae = level == 3, nx = c->s.efer & X86_EFER_NXE;
    u64 always = PTE_ABOVE_MAXPHYADDR | (nx ? 0 : PTE_XD) | (pae ? 0x7ffull << 52 : 0);
    u64 table = pae ? c->s.cr3 & 0xffffffe0u : c->s.cr3 & PTE_ADDRESS;

    w->entry_bytes = 8;
    for (;; level--) {
        u32 shift = 12 + 9 * (level - 1);
        paddr at = table + (linear >> shift & 0x1ff) * 8;
        u64 entry = read_entry(c, at, 8);

        if (pae && level == 3) { // has no rights and no accessed bit
            if (!(entry & PTE_P))
                return not_present(w);
            if (entry & (PTE_ABOVE_MAXPHYADDR | 0xfffull << 52 | 0x1e6))
                return reserved(w);
            table = entry & PTE_ADDRESS;
            continue;
        }
        bool leaf = level == 1 || (entry & PTE_PS);

        if (!pass_entry(w, at, entry, always | (level > 1 && leaf ? large_reserved(c, level) : 0)))
            return false;
        w->m.exec &= !(entry & PTE_XD);
        if (leaf) {
            u64 bytes = 1ull << shift;

            finish(w, linear, entry, entry & PTE_ADDRESS & ~(bytes - 1), bytes);
            return true;
        }
        table = entry & PTE_ADDRESS;
    }
}

static bool walk(const struct x86_core *c, u64 linear, struct walk *w)
{
    *w = (struct walk){.m = {.user = true, .write = true, .exec = true}};
    if (!(c->s.cr0 & X86_CR0_PG)) {
        w->m.page = linear & CORE_PAGE_MASK & 0xffffffffu;
        w->m.bytes = CORE_PAGE_SIZE;
        w->m.dirty = true;
        return true;
    }
    if (!(c->s.cr4 & X86_CR4_PAE))
        return walk32(c, linear, w);
    if (!(c->s.efer & X86_EFER_LMA))
        return walk64(c, linear & 0xffffffffu, 3, w);
    return walk64(c, linear, c->s.cr4 & X86_CR4_LA57 ? 5 : 4, w);
}

// Access rights (SDM vol. 3A §4.6).
static bool allowed(const struct x86_core *c, const struct x86_mapping *m, enum core_access access,
                    enum x86_privilege privilege)
{
    if (!(c->s.cr0 & X86_CR0_PG))
        return true;
    if (access == CORE_EXEC && !m->exec)
        return false;
    if (privilege == X86_USER)
        return m->user && (access != CORE_WRITE || m->write);
    if (m->user && access == CORE_EXEC && (c->s.cr4 & X86_CR4_SMEP))
        return false;
    if (m->user && access != CORE_EXEC && (c->s.cr4 & X86_CR4_SMAP) &&
        privilege != X86_SUPERVISOR_AC)
        return false;
    return access != CORE_WRITE || m->write || !(c->s.cr0 & X86_CR0_WP);
}

static enum x86_result page_fault(struct x86_core *c, u64 linear, enum core_access access,
                                  enum x86_privilege privilege, u32 error)
{
    bool execute_disable = (c->s.cr4 & X86_CR4_PAE) && (c->s.efer & X86_EFER_NXE);

    if (access == CORE_WRITE)
        error |= PF_W;
    if (privilege == X86_USER)
        error |= PF_U;
    if (access == CORE_EXEC && (execute_disable || (c->s.cr4 & X86_CR4_SMEP)))
        error |= PF_I;
    x86_raise_error(c, X86_EXC_PF, error);
    c->fault.address = linear;
    return X86_FAULT;
}

static void mark_used(struct x86_core *c, struct walk *w, bool write)
{
    for (u32 i = 0; i < w->n; i++) {
        u64 entry = w->entry[i] | PTE_A | (write && i + 1 == w->n ? PTE_D : 0);

        if (entry != w->entry[i])
            write_entry(c, w->at[i], entry, w->entry_bytes);
    }
    if (write)
        w->m.dirty = true;
}

enum x86_result x86_translate_as(struct x86_core *c, u64 linear, enum core_access access,
                                 enum x86_privilege privilege, paddr *ret_page)
{
    struct walk w;

    if (!walk(c, linear, &w))
        return page_fault(c, linear, access, privilege, w.error);
    if (!allowed(c, &w.m, access, privilege))
        return page_fault(c, linear, access, privilege, PF_P);
    if (UNLIKELY(c->core.speculation)) {
        *ret_page = w.m.page;
        return X86_OK;
    }
    mark_used(c, &w, access == CORE_WRITE);
    x86_tlb_fill(c, linear, &w.m, access, privilege,
                 w.m.dirty && allowed(c, &w.m, CORE_WRITE, privilege));
    *ret_page = w.m.page;
    return X86_OK;
}

enum x86_result x86_translate(struct x86_core *c, u64 linear, enum core_access access, bool user,
                              paddr *ret_page)
{
    enum x86_privilege privilege = X86_USER;

    if (!user)
        privilege = (c->s.cr4 & X86_CR4_SMAP) && (c->s.rflags & X86_AC) ? X86_SUPERVISOR_AC
                                                                        : X86_SUPERVISOR;
    return x86_translate_as(c, linear, access, privilege, ret_page);
}

bool x86_where(const struct core *core, vaddr va, paddr *ret_pa)
{
    const struct core_tlb *tlb = core->tlb[CORE_EXEC];
    u32 i = core_tlb_index(va);

    if (tlb->entry[i].tag == (va & CORE_PAGE_MASK)) {
        *ret_pa = tlb->page[i] | (va & ~CORE_PAGE_MASK);
        return true;
    }
    return x86_translate_debug(CONTAINER_OF(core, struct x86_core, core), va, ret_pa);
}

bool x86_walk_path(const struct core *core, vaddr va, struct timed_walk *ret)
{
    const struct x86_core *c = CONTAINER_OF(core, struct x86_core, core);
    struct walk w;
    bool mapped = walk(c, va, &w);

    *ret = (struct timed_walk){.page_shift = 12};
    for (; ret->levels < w.n; ret->levels++)
        ret->entry[ret->levels] = w.at[ret->levels];
    if (mapped)
        ret->page_shift = (u8)__builtin_ctzll(w.m.bytes);
    return mapped;
}

bool x86_translate_debug(const struct x86_core *c, u64 linear, paddr *ret_pa)
{
    struct walk w;

    if (!walk(c, linear, &w))
        return false;
    *ret_pa = w.m.page | (linear & ~CORE_PAGE_MASK);
    return true;
}
