// SPDX-License-Identifier: BSD-3-Clause
// From guest code to a block of threaded code, and the operations of the ISA on a core.
#include "isa/x86/thread.h"
#include "isa/x86/stub.h"

#include "base/bug.h"
#include "isa/x86/decode.h"
#include "isa/x86/fault.h"
#include "isa/x86/flags.h"
#include "isa/x86/mem.h"
#include "isa/x86/speculate.h"
#include "isa/x86/stub.h"
#include "isa/x86/uops.h"

#include <Zydis/Zydis.h>
#include <xmmintrin.h>

static u64 x86_pc(const struct core *core)
{
    return x86_linear_pc(
        (const struct x86_core *)((const char *)core - offsetof(struct x86_core, core)));
}

static void x86_set_pc(struct core *core, u64 pc)
{
    struct x86_core *c = x86_core_of(core);

    c->s.rip = c->code_mode == X86_CODE64 ? pc : (u32)(pc - c->s.seg_base[X86_CS]);
}

// A fault before an instruction was decoded: delivered, or left to the environment.
static bool fetch_fault(struct core *core)
{
    core->exit = x86_deliver(x86_core_of(core));
    return false;
}

// `va` is a linear address; what lies behind the code segment's limit is found when its first byte
// is decoded.
static bool x86_fetch(struct core *core, vaddr va, paddr *ret_pa)
{
    struct x86_core *c = x86_core_of(core);
    u64 linear = va;
    paddr page;

    if (c->code_mode == X86_CODE64) {
        if (x86_linear(c, X86_CS, va, 1, CORE_EXEC, &linear) != X86_OK)
            return fetch_fault(core);
    } else if (va == x86_linear_pc(c) && c->s.rip > c->s.seg_limit[X86_CS]) {
        x86_raise_gp(c);
        return fetch_fault(core);
    }
    if (x86_translate(c, linear, CORE_EXEC, c->cpl == 3, &page) != X86_OK)
        return fetch_fault(core);
    // A wrong path does not fetch from devices.
    if (UNLIKELY(core->speculation) && !mem_port_host_page(&core->mem, page, false))
        return fetch_fault(core);
    *ret_pa = page | (linear & (CORE_PAGE_SIZE - 1));
    return true;
}

// Copies up to n bytes of code from one physical page; what does not answer reads as 0xff.
static void read_code(struct core *core, paddr pa, u8 *bytes, u32 n)
{
    const u8 *host = mem_port_host_page(&core->mem, pa & CORE_PAGE_MASK, false);

    if (host) {
        memcpy(bytes, host + (pa & (CORE_PAGE_SIZE - 1)), n);
        return;
    }
    for (u32 i = 0; i < n; i++)
        if (!mem_port_access(&core->mem, pa + i, 1, bytes + i, false))
            bytes[i] = 0xff;
}

// Space for one block, laid out while its size is not known yet: the header and ops from the front,
// instructions and recipes from the back.
struct builder {
    u8 *mem;
    struct x86_insn insns[BLOCK_MAX_INSTS];
    u32 n;
    u32 bytes;
    bool ended;
    bool split;
    paddr pa2;
};

static bool ends_block(const struct x86_insn *i)
{
    return i->def->flags & INSN_END;
}

// Decodes the instruction at rip `pc` whose bytes continue on the next page. False: fetch fault.
static bool decode_split(struct core *core, struct builder *b, vaddr pc, const u8 *head, u32 n_head)
{
    struct x86_core *c = x86_core_of(core);
    u8 bytes[X86_MAX_LENGTH];
    paddr pa2;

    if (!x86_fetch(core, x86_linear_pc(c) + n_head, &pa2))
        return false;
    memcpy(bytes, head, n_head);
    read_code(core, pa2, bytes + n_head, X86_MAX_LENGTH - n_head);
    x86_decode(c, bytes, X86_MAX_LENGTH, pc, &b->insns[0]);
    b->ended = ends_block(&b->insns[0]);
    b->n = 1;
    b->bytes = b->insns[0].si.len;
    b->split = b->bytes > n_head;
    b->pa2 = pa2 & CORE_PAGE_MASK;
    return true;
}

// A debugger's breakpoint is the first instruction of its block.
static bool break_before(const struct x86_core *c, vaddr pc)
{
    u64 linear = c->code_mode == X86_CODE64 ? pc : (u32)(c->s.seg_base[X86_CS] + pc);

    return c->debug.breaks && x86_break_at(c, linear);
}

// Decodes from pc to the end of the block. False: fetch fault.
static bool decode_block(struct core *core, struct builder *b, vaddr pc, paddr pa)
{
    struct x86_core *c = x86_core_of(core);
    u32 room = CORE_PAGE_SIZE - (u32)(pa & (CORE_PAGE_SIZE - 1));
    u8 code[CORE_PAGE_SIZE];

    room = MIN(room, (u32)BLOCK_MAX_INSTS * X86_MAX_LENGTH);
    read_code(core, pa, code, room);
    while (b->n < BLOCK_MAX_INSTS && !b->ended && b->bytes < room) {
        struct x86_insn *i = &b->insns[b->n];
        u32 left = room - b->bytes;

        if (b->n && break_before(c, pc + b->bytes))
            break;
        if (!x86_decode(c, code + b->bytes, MIN(left, (u32)X86_MAX_LENGTH), pc + b->bytes, i)) {
            if (b->n == 0)
                return decode_split(core, b, pc, code, left);
            break;
        }
        b->bytes += i->si.len;
        b->n++;
        b->ended = ends_block(i);
    }
    return true;
}

// Whether *i sets all of flags_written whatever its operands; others may leave some alone (shifts
// by CL, repeated instructions).
static bool always_sets_flags(const struct x86_insn *i)
{
    switch (i->si.opcode) {
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_TEST:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
    case ZYDIS_MNEMONIC_NEG:
    case ZYDIS_MNEMONIC_IMUL:
        return true;
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
        return i->o[1].kind == X86_O_IMM && (i->imm & (i->op_bytes == 8 ? 63 : 31)) != 0;
    default:
        return false;
    }
}

// Whether *i is sure not to fault: an instruction on registers that a handler executes.
static bool cannot_fault(const struct x86_insn *i)
{
    if (i->si.flags & (STATIC_LOAD | STATIC_STORE) || i->exec != i->def->exec)
        return false;
    switch (i->si.opcode) {
    case ZYDIS_MNEMONIC_MOV:
        return i->def->form == FORM_ANY;
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
    case ZYDIS_MNEMONIC_LEA:
    case ZYDIS_MNEMONIC_NOT:
    case ZYDIS_MNEMONIC_CDQ:
    case ZYDIS_MNEMONIC_CQO:
    case ZYDIS_MNEMONIC_CWDE:
    case ZYDIS_MNEMONIC_CDQE:
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_ENDBR64:
        return true;
    default:
        return always_sets_flags(i) || x86_reads_condition(i->si.opcode);
    }
}

// live[k]: the arithmetic flags that may be read after instruction k, by a later instruction, by
// whoever runs behind the block, or by the handler of a fault in between.
static void find_live_flags(struct x86_insn *const *insns, u32 n, u16 *live)
{
    u16 now = X86_ARITH_FLAGS;

    for (u32 k = n; k-- > 0;) {
        const struct x86_insn *i = insns[k];

        live[k] = now;
        if (always_sets_flags(i))
            now &= (u16)~i->flags_written;
        now |= i->flags_read;
        if (!cannot_fault(i))
            now = X86_ARITH_FLAGS;
    }
}

static u32 make_ops(struct x86_core *c, const struct x86_handlers *h, struct x86_insn *const *insns,
                    u32 n, bool ended, vaddr next_pc, struct op *ops)
{
    const struct x86_insn *producer = NULL;
    u16 live[BLOCK_MAX_INSTS];
    u32 n_ops = 0, used;

    find_live_flags(insns, n, live);
    for (u32 k = 0; k < n;) {
        u32 taken = x86_pick_ops(c, h, insns, n, k, live, producer, &ops[n_ops], &used);

        n_ops += used;
        for (; taken; taken--, k++)
            if (insns[k]->flags_written & X86_ARITH_FLAGS)
                producer = always_sets_flags(insns[k]) ? insns[k] : NULL;
    }
    if (!ended) {
        ops[n_ops++] = (struct op){.fn = h->fall};
        *(struct op_links *)&ops[n_ops++] = (struct op_links){.at = {next_pc, next_pc}};
    }
    return n_ops;
}

static u8 *align(u8 *p)
{
    return (u8 *)(((uintptr_t)p + 15) & ~(uintptr_t)15);
}

// Moves everything to its final place in mem: block, ops, pointers, instructions, recipes.
static struct block *lay_out(struct core *core, const struct builder *b, vaddr pc, paddr pa,
                             bool traced, u8 *mem, size_t *ret_used)
{
    struct block *block = (struct block *)mem;
    const struct x86_handlers *h = traced ? &x86_handlers_traced : &x86_handlers_plain;
    struct op ops[2 * BLOCK_MAX_INSTS + 4];
    struct x86_insn *insns[BLOCK_MAX_INSTS];
    u8 *p = mem + sizeof(*block);
    u32 n_ops = 0;

    ASSERT(b->n > 0);
    *block = (struct block){.key = pc ^ core->mode_key, .va = pc, .pa = pa, .pa2 = b->pa2};
    block->n_insts = (u16)b->n;
    block->bytes = (u16)b->bytes;
    block->flags = b->split ? BLOCK_SPLIT : 0;
    for (u32 k = 0; k < b->n; k++)
        insns[k] = (struct x86_insn *)&b->insns[k];
    if (break_before(x86_core_of(core), insns[0]->si.pc))
        ops[n_ops++] = (struct op){.fn = h->debug};
    n_ops += make_ops(x86_core_of(core), h, insns, b->n, b->ended, insns[b->n - 1]->next_pc,
                      &ops[n_ops]);
    block->n_ops = (u16)n_ops;
    memcpy(p, ops, n_ops * sizeof(*ops));
    p = align(p + n_ops * sizeof(*ops));
    block->insns = (struct static_inst **)p;
    p = align(p + b->n * sizeof(*block->insns));
    for (u32 k = 0; k < b->n; k++) {
        struct x86_insn *i = (struct x86_insn *)p;

        *i = b->insns[k];
        block->insns[k] = &i->si;
        p = align(p + sizeof(*i));
    }
    for (u32 k = 0; traced && k < b->n; k++) {
        struct x86_insn *i = (struct x86_insn *)block->insns[k];
        struct uop *uops = (struct uop *)p;

        i->si.n_uops = (u8)x86_make_recipe(i, uops);
        i->si.uops = uops;
        p += MIN(i->si.n_uops, X86_RECIPE_MAX) * sizeof(*uops);
    }
    *ret_used = (size_t)(p - mem);
    ASSERT(*ret_used <= ISA_BLOCK_BYTES);
    return block;
}

static bool x86_thread_translate(struct core *core, bool traced, void *mem, size_t *ret_used,
                                 struct block **ret_block)
{
    vaddr rip = x86_core_of(core)->s.rip, pc = x86_pc(core);
    struct builder b;
    paddr pa;

    b.n = b.bytes = 0;
    b.ended = b.split = false;
    b.pa2 = 0;
    if (!x86_fetch(core, pc, &pa) || !decode_block(core, &b, rip, pa))
        return false;
    *ret_block = lay_out(core, &b, pc, pa, traced, mem, ret_used);
    return true;
}

// Every instruction goes through its exec function: this is for a few instructions before a limit.
static struct block *x86_shorten(const struct block *b, u32 n, bool traced, void *mem)
{
    const struct x86_handlers *h = traced ? &x86_handlers_traced : &x86_handlers_plain;
    vaddr next_pc = b->insns[n]->pc;
    struct block *s = mem;
    u32 at = 0;

    *s = *b;
    if (b->ops[0].fn == h->debug)
        s->ops[at++] = b->ops[0];
    for (u32 k = 0; k < n; k++)
        s->ops[at++] = (struct op){.fn = h->exec, .insn = (u8)k};
    s->ops[at++] = (struct op){.fn = h->fall};
    *(struct op_links *)&s->ops[at++] = (struct op_links){.at = {next_pc, next_pc}};
    s->n_insts = (u16)n;
    s->n_ops = (u16)at;
    return s;
}

static void x86_kill(struct block *b)
{
    b->ops[0].fn = x86_handlers_plain.dead;
}

// Inside the engine, the host's MXCSR is the guest's, with all exceptions masked.
static void x86_enter(struct core *core)
{
    x86_events_enter(x86_core_of(core));
    _mm_setcsr((x86_core_of(core)->s.mxcsr & 0xffff) | 0x1f80);
}

static void x86_leave(struct core *core)
{
    struct x86_core *c = x86_core_of(core);

    x86_stubs_done();
    c->s.mxcsr |= _mm_getcsr() & 0x3f;
    _mm_setcsr(0x1f80);
    x86_flags_commit(c);
    x86_events_leave(c);
}

static const char *x86_opcode_name(u16 opcode)
{
    return ZydisMnemonicGetString((ZydisMnemonic)opcode);
}

const struct isa_ops x86_isa_ops = {
    .name = "x86-64",
    .pc = x86_pc,
    .set_pc = x86_set_pc,
    .fetch = x86_fetch,
    .translate = x86_thread_translate,
    .shorten = x86_shorten,
    .kill = x86_kill,
    .protect_page = x86_tlb_protect_page,
    .check_events = x86_check_events,
    .pending = x86_events_pending,
    .where = x86_where,
    .walk = x86_walk_path,
    .enter = x86_enter,
    .leave = x86_leave,
    .speculate = x86_speculate,
    .rewind = x86_rewind,
    .reg_name = x86_uop_reg_name,
    .reg_bank = x86_uop_reg_bank,
    .opcode_name = x86_opcode_name,
};
