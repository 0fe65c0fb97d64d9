// SPDX-License-Identifier: BSD-3-Clause
// Nearly all vector and MMX instructions: the memory operand is found and checked here, the host
// computes (isa/x86/stub.h).
#include "isa/x86/exec/vector.h"

#include "isa/x86/feature.h"
#include "isa/x86/stub.h"
#include "isa/x86/table.h"

enum x86_result x86_vector_run(struct x86_core *c, const struct x86_insn *i, void *mem)
{
    x86_stub_fn *stub = (x86_stub_fn *)(uintptr_t)i->stub;

    if (UNLIKELY(!stub)) {
        if (x86_vector_approx(c, i, mem))
            return X86_OK;
        stub = x86_stub_of(c->stubs, i);
        ((struct x86_insn *)i)->stub = (void *)(uintptr_t)stub; // remembered, not changed
    }
    if (LIKELY(stub))
        x86_stub_call(stub, c, mem);
    else if (i->def->feature == X86_FEATURE_SHA && !x86_stubs_host_has_sha(c->stubs))
        x86_vector_sha(c, i, mem);
    else if (!x86_stub_call_once(c->stubs, c, (enum x86_code_mode)i->mode, i->bytes, i->si.len,
                                 mem))
        return x86_raise(c, X86_EXC_UD); // no row has such an instruction
    return X86_OK;
}

static enum x86_result run(struct x86_core *c, const struct x86_insn *i, void *mem, bool trapping)
{
    return trapping ? x86_vector_run_trapping(c, i, mem) : x86_vector_run(c, i, mem);
}

// Single bytes are always aligned.
enum x86_result x86_vector_load(struct x86_core *c, u64 linear, void *data, u32 size)
{
    enum x86_result r = X86_OK;

    if (LIKELY(!c->watched))
        return x86_load(c, linear, data, size);
    for (u32 k = 0; !r && k < size; k++)
        r = x86_load(c, linear + k, (u8 *)data + k, 1);
    return r;
}

enum x86_result x86_vector_probe(struct x86_core *c, u64 linear, u32 size)
{
    enum x86_result r = X86_OK;

    if (LIKELY(!c->watched))
        return x86_probe_write(c, linear, size);
    for (u32 k = 0; !r && k < size; k++)
        r = x86_probe_write(c, linear + k, 1);
    return r;
}

enum x86_result x86_vector_store(struct x86_core *c, u64 linear, const void *data, u32 size)
{
    enum x86_result r = X86_OK;

    if (LIKELY(!c->watched))
        return x86_store(c, linear, data, size);
    for (u32 k = 0; !r && k < size; k++)
        r = x86_store(c, linear + k, (const u8 *)data + k, 1);
    return r;
}

// F16C: exception type 11 (SDM vol. 2A §2.5), without #AC.
static bool unchecked(const struct x86_insn *i)
{
    return i->def->feature == X86_FEATURE_F16C;
}

// The memory operand goes through a copy: it crosses pages, is no RAM, or must not be written yet.
static enum x86_result with_copy(struct x86_core *c, const struct x86_insn *i, u64 linear,
                                 bool write, bool trapping)
{
    _Alignas(32) u8 copy[32] = {0};
    u32 size = i->mem.size;
    enum x86_result r;

    if (write)
        r = x86_probe_write(c, linear, size);
    else
        r = unchecked(i) ? x86_vector_load(c, linear, copy, size) : x86_load(c, linear, copy, size);
    if (!r)
        r = run(c, i, copy, trapping);
    if (!r && write)
        r = x86_store(c, linear, copy, size);
    return r;
}

// VCVTPS2PH, the one store that computes, reports in MXCSR before its operand can fault.
static enum x86_result compute_and_store(struct x86_core *c, const struct x86_insn *i,
                                         bool trapping)
{
    _Alignas(32) u8 copy[32];
    enum x86_result r = run(c, i, copy, trapping);
    u64 linear;

    if (!r)
        r = x86_operand_address(c, i, CORE_WRITE, &linear);
    return r ? r : x86_vector_store(c, linear, copy, i->mem.size);
}

static bool misaligned(const struct x86_core *c, const struct x86_insn *i)
{
    u64 base = i->mode == X86_CODE64 && i->mem.seg < X86_FS ? 0 : c->s.seg_base[i->mem.seg];

    return (base + x86_offset(c, i)) & (i->mem.size - 1u);
}

static enum x86_result with_memory(struct x86_core *c, const struct x86_insn *i, bool trapping)
{
    bool write = i->o[0].kind == X86_O_MEM && i->o[0].action & X86_WRITE;
    enum core_access access = write ? CORE_WRITE : CORE_READ;
    enum x86_result r;
    u64 linear;
    u8 *host;

    if (write && i->def->flags & INSN_FP)
        return compute_and_store(c, i, trapping);
    r = x86_operand_address(c, i, access, &linear);
    if (i->def->flags & INSN_ALIGNED && misaligned(c, i))
        return x86_raise_gp(c); // even where the address is not canonical
    if (r)
        return r;
    host = x86_host(c, linear, i->mem.size, access);
    if (UNLIKELY(!host || c->core.trace || trapping))
        return with_copy(c, i, linear, write, trapping);
    return run(c, i, host, false);
}

enum x86_result x86_exec_vector(struct x86_core *c, const struct x86_insn *i)
{
    bool trapping = c->mode & X86_MODE_FPTRAP && i->def->flags & INSN_FP;

    if (i->mem.size)
        return with_memory(c, i, trapping);
    return run(c, i, NULL, trapping);
}

// VEX forms of AES and PCLMULQDQ with 256 bits are features of their own (VAES, VPCLMULQDQ), which
// no level has.
enum x86_result x86_exec_vector_128(struct x86_core *c, const struct x86_insn *i)
{
    if (i->vec_bytes != 16)
        return x86_raise(c, X86_EXC_UD);
    return x86_exec_vector(c, i);
}

enum x86_result x86_exec_mmx(struct x86_core *c, const struct x86_insn *i)
{
    enum x86_result r = x86_mmx_enter(c);

    return r ? r : x86_exec_vector(c, i);
}

// With a memory operand, CVTPI2PS and CVTPI2PD have nothing to do with MMX.
enum x86_result x86_exec_cvtpi(struct x86_core *c, const struct x86_insn *i)
{
    return i->mem.size ? x86_exec_vector(c, i) : x86_exec_mmx(c, i);
}
