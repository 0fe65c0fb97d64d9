// SPDX-License-Identifier: BSD-3-Clause
// Vector arithmetic while MXCSR has unmasked exceptions (SDM vol. 1 §11.5): executed with all of
// them masked, and undone if one was raised that the guest wants to see.
#include "isa/x86/exec/vector.h"

#include <Zydis/Zydis.h>
#include <immintrin.h>

enum {
    MXCSR_IE = 1 << 0,
    MXCSR_DE = 1 << 1,
    MXCSR_ZE = 1 << 2,
    MXCSR_OE = 1 << 3,
    MXCSR_UE = 1 << 4,
    MXCSR_PE = 1 << 5,
    MXCSR_FTZ = 1 << 15,
    MXCSR_BEFORE = MXCSR_IE | MXCSR_DE | MXCSR_ZE, // found before the computation
};

// What an instruction can write.
struct before {
    u64 gpr[16];
    u64 ymm[64];
    u8 x87[128];
    u64 rflags;
    struct x86_lazy lazy;
    u16 fsw, ftw;
};

static void keep(const struct x86_core *c, struct before *b)
{
    memcpy(b->gpr, c->s.gpr, sizeof(b->gpr));
    memcpy(b->ymm, c->s.ymm, sizeof(b->ymm));
    memcpy(b->x87, c->s.x87, sizeof(b->x87));
    b->rflags = c->s.rflags;
    b->lazy = c->lazy;
    b->fsw = c->s.fsw;
    b->ftw = c->s.ftw;
}

static void undo(struct x86_core *c, const struct before *b)
{
    memcpy(c->s.gpr, b->gpr, sizeof(b->gpr));
    memcpy(c->s.ymm, b->ymm, sizeof(b->ymm));
    memcpy(c->s.x87, b->x87, sizeof(b->x87));
    c->s.rflags = b->rflags;
    c->lazy = b->lazy;
    c->s.fsw = b->fsw;
    c->s.ftw = b->ftw;
}

static bool is_denormal(u64 v, u32 size)
{
    switch (size) {
    case 2:
        return !(v & 0x7c00) && v & 0x3ff;
    case 4:
        return !(v & 0x7f800000) && v & 0x7fffff;
    default:
        return !(v & 0x7ff0000000000000) && v & 0xfffffffffffff;
    }
}

// Size of the floating-point elements that the instruction computes; 0 if they cannot be tiny.
static u32 result_size(const struct x86_insn *i, bool *ret_scalar)
{
    const char *name = ZydisMnemonicGetString((ZydisMnemonic)i->si.opcode);
    size_t n = strlen(name);

    *ret_scalar = name[n - 2] == 's';
    if (i->si.opcode == ZYDIS_MNEMONIC_VCVTPS2PH)
        return 2;
    if (strstr(name, "cmp") || strstr(name, "comis") || strstr(name, "max") ||
        strstr(name, "min") || strstr(name, "sqrt") || strstr(name, "round") ||
        (strstr(name, "cvt") && !strstr(name, "sd2ss") && !strstr(name, "pd2ps")))
        return 0;
    return name[n - 1] == 's' ? 4 : 8;
}

// An exact denormal result raises underflow only where that is unmasked, which execution with masks
// does not show (SDM vol. 1 §4.9.1.5).
static bool has_denormal_result(const struct x86_core *c, const struct x86_insn *i, const void *mem)
{
    bool scalar;
    u32 size = result_size(i, &scalar), bytes = i->vec_bytes;
    const u8 *result = i->o[0].kind == X86_O_MEM ? mem : (const u8 *)&c->s.ymm[i->o[0].reg * 4];
    u64 v = 0;

    if (!size || (i->o[0].kind != X86_O_MEM && i->o[0].kind != X86_O_VEC))
        return false;
    if (size == 2)
        bytes /= 2;
    if (scalar)
        bytes = size;
    for (u32 k = 0; k < bytes; k += size) {
        memcpy(&v, result + k, size);
        if (is_denormal(v, size))
            return true;
    }
    return false;
}

enum x86_result x86_vector_run_trapping(struct x86_core *c, const struct x86_insn *i, void *mem)
{
    u32 guest = x86_mxcsr_get(c), masks = guest >> 7 & X86_MXCSR_STATUS, raised, unmasked;
    u32 quiet = (guest | X86_MXCSR_MASKS) & ~(u32)X86_MXCSR_STATUS;
    struct before before;
    enum x86_result r;

    if (!(masks & MXCSR_UE))
        quiet &= ~(u32)MXCSR_FTZ; // flushing is the masked response
    keep(c, &before);
    _mm_setcsr(quiet);
    r = x86_vector_run(c, i, mem);
    raised = _mm_getcsr() & X86_MXCSR_STATUS;
    if (!r && !(masks & MXCSR_UE) && has_denormal_result(c, i, mem))
        raised |= MXCSR_UE;
    unmasked = raised & ~masks;
    if (unmasked & MXCSR_BEFORE) // nothing was computed
        raised &= MXCSR_BEFORE;
    _mm_setcsr(guest | raised | X86_MXCSR_MASKS);
    if (!r && unmasked) {
        undo(c, &before);
        r = x86_raise(c, c->s.cr4 & X86_CR4_OSXMMEXCPT ? X86_EXC_XM : X86_EXC_UD);
    }
    return r;
}
