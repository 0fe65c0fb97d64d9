// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/speculate.h"

#include "isa/x86/mem.h"

#include "base/alloc.h"
#include "base/bug.h"

enum { COPIES = 64, LOG_STORES = 4096, LOG_BYTES = 64 << 10 };

// What a level began with.
struct level {
    struct x86_arch_state s;
    struct x86_lazy lazy;
    struct x86_fault_info fault;
    bool stepped, step_trap, shadow_seen, rf_seen, repeating;
    u8 debug_hits;
    u32 n_copies, n_stores, n_bytes;
};

// Bytes of a copy that a store has replaced.
struct stored {
    u8 copy;
    u16 offset, size;
    u32 at; // in the log's bytes
};

struct x86_spec {
    struct level level[CORE_SPECULATION_MAX];
    u32 n_copies, n_stores, n_bytes;
    bool tlbs_used;
    paddr page[COPIES]; // of each copy
    struct stored stores[LOG_STORES];
    u8 bytes[LOG_BYTES];
    struct core_tlb tlb[X86_PRIVILEGES][2]; // CORE_READ, CORE_WRITE; of copies: to these
    u8 copy[COPIES][CORE_PAGE_SIZE];
};

static struct x86_spec *spec_new(void)
{
    struct x86_spec *sp = xcalloc(1, sizeof(*sp));

    for (u32 p = 0; p < X86_PRIVILEGES; p++)
        for (u32 a = 0; a < 2; a++)
            for (u32 i = 0; i < CORE_TLB_SIZE; i++)
                sp->tlb[p][a].entry[i].tag = CORE_TLB_EMPTY;
    return sp;
}

void x86_speculation_free(struct x86_core *c)
{
    free(c->spec);
    c->spec = NULL;
}

// ---- levels

u32 x86_speculate(struct core *core)
{
    struct x86_core *c = x86_core_of(core);
    u32 n = core->speculation;
    struct level *l;

    ASSERT(n < CORE_SPECULATION_MAX);
    if (UNLIKELY(!c->spec))
        c->spec = spec_new();
    l = &c->spec->level[n];
    l->s = c->s;
    l->lazy = c->lazy;
    l->fault = c->fault;
    l->stepped = c->stepped;
    l->step_trap = c->step_trap;
    l->shadow_seen = c->shadow_seen;
    l->rf_seen = c->rf_seen;
    l->repeating = c->repeating;
    l->debug_hits = c->debug_hits;
    l->n_copies = c->spec->n_copies;
    l->n_stores = c->spec->n_stores;
    l->n_bytes = c->spec->n_bytes;
    core->speculation = n + 1;
    x86_update_mode(c);
    return n;
}

static void empty(struct core_tlb *tlb)
{
    for (u32 word = 0; word < ARRAY_SIZE(tlb->used); word++) {
        for (u64 bits = tlb->used[word]; bits; bits &= bits - 1)
            tlb->entry[word * 64 + (u32)__builtin_ctzll(bits)].tag = CORE_TLB_EMPTY;
        tlb->used[word] = 0;
    }
}

void x86_speculation_flush(struct x86_core *c)
{
    if (!c->spec || !c->spec->tlbs_used)
        return;
    for (u32 p = 0; p < X86_PRIVILEGES; p++)
        for (u32 a = 0; a < 2; a++)
            empty(&c->spec->tlb[p][a]);
    c->spec->tlbs_used = false;
}

// Takes back what was stored since *l; what copies there are more than then, goes as a whole.
static void undo_stores(struct x86_core *c, const struct level *l)
{
    struct x86_spec *sp = c->spec;

    while (sp->n_stores > l->n_stores) {
        const struct stored *s = &sp->stores[--sp->n_stores];

        if (s->copy < l->n_copies)
            memcpy(sp->copy[s->copy] + s->offset, sp->bytes + s->at, s->size);
    }
    sp->n_bytes = l->n_bytes;
    if (sp->n_copies > l->n_copies || l == sp->level)
        x86_speculation_flush(c);
    sp->n_copies = l->n_copies;
}

void x86_rewind(struct core *core, u32 level)
{
    struct x86_core *c = x86_core_of(core);
    const struct level *l;

    if (level >= core->speculation)
        return;
    l = &c->spec->level[level];
    undo_stores(c, l);
    c->s = l->s;
    c->lazy = l->lazy;
    c->fault = l->fault;
    c->stepped = l->stepped;
    c->step_trap = l->step_trap;
    c->shadow_seen = l->shadow_seen;
    c->rf_seen = l->rf_seen;
    c->repeating = l->repeating;
    c->debug_hits = l->debug_hits;
    core->speculation = level;
    x86_update_mode(c);
}

void x86_speculation_forget(struct x86_core *c)
{
    if (c->core.speculation == 0)
        return;
    undo_stores(c, &c->spec->level[0]);
    c->core.speculation = 0;
}

const struct x86_arch_state *x86_speculation_state(const struct x86_core *c)
{
    return c->core.speculation ? &c->spec->level[0].s : &c->s;
}

void x86_speculation_set_nmi(struct x86_core *c)
{
    for (u32 i = 0; i < c->core.speculation; i++)
        c->spec->level[i].s.nmi_pending = 1;
    c->s.nmi_pending = 1;
}

void x86_speculation_set_deadline(struct x86_core *c, u64 deadline)
{
    for (u32 i = 0; i < c->core.speculation; i++)
        c->spec->level[i].s.tsc_deadline = deadline;
    c->s.tsc_deadline = deadline;
}

// ---- memory

// In the outermost level nothing need be logged: stores may hit.
struct core_tlb *x86_speculation_tlb(struct x86_core *c, enum core_access access)
{
    if (access == CORE_READ || (access == CORE_WRITE && c->core.speculation == 1))
        return &c->spec->tlb[c->privilege][access];
    return NULL;
}

static u8 *find_copy(struct x86_spec *sp, paddr page)
{
    for (u32 i = 0; i < sp->n_copies; i++)
        if (sp->page[i] == page)
            return sp->copy[i];
    return NULL;
}

// From now on, loads of the page see its copy.
static void redirect(struct core_tlb *tlb, paddr page, const u8 *copy)
{
    for (u32 word = 0; word < ARRAY_SIZE(tlb->used); word++)
        for (u64 bits = tlb->used[word]; bits; bits &= bits - 1) {
            u32 i = word * 64 + (u32)__builtin_ctzll(bits);

            if (tlb->page[i] == page)
                tlb->entry[i].addend = (u64)(uintptr_t)copy - tlb->entry[i].tag;
        }
}

static u8 *new_copy(struct x86_spec *sp, paddr page, const u8 *memory)
{
    u8 *copy;

    if (sp->n_copies == COPIES)
        return NULL;
    sp->page[sp->n_copies] = page;
    copy = sp->copy[sp->n_copies++];
    memcpy(copy, memory, CORE_PAGE_SIZE);
    if (sp->tlbs_used)
        for (u32 p = 0; p < X86_PRIVILEGES; p++)
            redirect(&sp->tlb[p][CORE_READ], page, copy);
    return copy;
}

// The page of `linear`, and its memory: NULL where it is no RAM. What the real TLBs know is used.
static enum x86_result find_page(struct x86_core *c, u64 linear, enum core_access access,
                                 enum x86_privilege privilege, paddr *ret_page, u8 **ret_memory)
{
    const struct core_tlb *tlb = &c->tlbs[privilege][access];
    u32 i = core_tlb_index(linear);
    u64 tag = linear & CORE_PAGE_MASK;

    if (tlb->entry[i].tag == tag) {
        *ret_page = tlb->page[i];
        *ret_memory = (u8 *)(uintptr_t)(tag + tlb->entry[i].addend);
        return X86_OK;
    }
    if (tlb->entry[i].tag == (tag | CORE_TLB_DORMANT))
        *ret_page = tlb->page[i];
    else if (x86_translate_as(c, linear, access, privilege, ret_page) != X86_OK)
        return X86_FAULT;
    *ret_memory = mem_port_host_page(&c->core.mem, *ret_page, access == CORE_WRITE);
    return X86_OK;
}

static bool fill(struct x86_core *c, u64 linear, enum core_access access,
                 enum x86_privilege privilege)
{
    struct x86_spec *sp = c->spec;
    struct core_tlb *tlb = &sp->tlb[privilege][access];
    u32 i = core_tlb_index(linear);
    u64 tag = linear & CORE_PAGE_MASK;
    u8 *memory, *copy;
    paddr page;

    if (find_page(c, linear, access, privilege, &page, &memory) != X86_OK || !memory)
        return false;
    copy = find_copy(sp, page);
    if (!copy && access == CORE_WRITE) {
        copy = new_copy(sp, page, memory);
        if (!copy)
            return false;
    }
    tlb->entry[i] =
        (struct tlb_entry){.tag = tag, .addend = (u64)(uintptr_t)(copy ? copy : memory) - tag};
    tlb->page[i] = page;
    tlb->used[i / 64] |= 1ull << (i % 64);
    sp->tlbs_used = true;
    return true;
}

enum x86_result x86_speculation_locate(struct x86_core *c, u64 linear, enum core_access access,
                                       enum x86_privilege privilege, paddr *ret_pa, u8 **ret_host)
{
    const struct core_tlb *tlb = &c->spec->tlb[privilege][access];
    u32 i = core_tlb_index(linear);

    if (tlb->entry[i].tag != (linear & CORE_PAGE_MASK) && !fill(c, linear, access, privilege))
        return X86_FAULT;
    *ret_pa = tlb->page[i] | (linear & ~CORE_PAGE_MASK);
    *ret_host = (u8 *)(uintptr_t)(linear + tlb->entry[i].addend);
    return X86_OK;
}

bool x86_speculation_log(struct x86_core *c, const u8 *host, u32 size)
{
    struct x86_spec *sp = c->spec;
    u64 at = (u64)(host - sp->copy[0]);
    u32 copy = (u32)(at / CORE_PAGE_SIZE);

    ASSERT(copy < sp->n_copies);
    if (copy >= sp->level[c->core.speculation - 1].n_copies) // goes as a whole
        return true;
    if (sp->n_stores == LOG_STORES || size > LOG_BYTES - sp->n_bytes)
        return false;
    sp->stores[sp->n_stores++] = (struct stored){.copy = (u8)copy,
                                                 .offset = (u16)(at % CORE_PAGE_SIZE),
                                                 .size = (u16)size,
                                                 .at = sp->n_bytes};
    memcpy(sp->bytes + sp->n_bytes, host, size);
    sp->n_bytes += size;
    return true;
}
