// SPDX-License-Identifier: BSD-3-Clause
// MOVS, STOS, LODS, CMPS, SCAS (SDM vol. 1 §7.3.9).
#include "isa/x86/exec/string.h"

#include "isa/x86/debug.h"

// Iterations between two looks at what else there is to do: interrupts wait no longer than that.
enum { ITERATIONS_MAX = 4096 };

static bool compares(const struct x86_insn *i)
{
    return (i->flags_written & X86_ZF) != 0;
}

static void set_flags(struct x86_core *c, const struct x86_insn *i, const struct x86_compared *v)
{
    if (compares(i))
        x86_alu_sub(c, v->a, v->b, x86_log2(i->op_bytes));
}

// REPE ends at the first difference, REPNE at the first match. Other instructions do not ask.
static bool ends(const struct x86_insn *i, const struct x86_compared *v)
{
    return compares(i) && (v->a == v->b) != !(i->prefixes & X86_REPNE);
}

// With 32-bit addresses in 64-bit mode Intel's processors clear the upper half of rCX before they
// look at the count, and those of the pointers too where data is stored.
static void clear_upper_halves(struct x86_core *c, const struct x86_insn *i)
{
    c->s.gpr[X86_RCX] = (u32)c->s.gpr[X86_RCX];
    if (i->si.flags & STATIC_STORE) {
        c->s.gpr[X86_RDI] = (u32)c->s.gpr[X86_RDI];
        if (i->si.flags & STATIC_LOAD)
            c->s.gpr[X86_RSI] = (u32)c->s.gpr[X86_RSI];
    }
}

// Flags are those of the last comparison, and are set by it only: at a fault in between they are as
// before the instruction.
enum x86_result x86_repeat(struct x86_core *c, const struct x86_insn *i, x86_iteration *one,
                           x86_bulk *bulk)
{
    u64 count = x86_get_reg(c, X86_RCX, i->addr_bytes), limit = ITERATIONS_MAX;
    struct x86_compared v = {0, 0};
    enum x86_result r;

    if (!(i->prefixes & (X86_REP | X86_REPNE))) {
        r = one(c, i, &v);
        if (!r)
            set_flags(c, i, &v);
        return r;
    }
    if (i->addr_bytes == 4 && c->code_mode == X86_CODE64)
        clear_upper_halves(c, i);
    if (count == 0)
        return X86_OK;
    if (c->core.trace || c->s.rflags & X86_TF || (c->watched && x86_data_breakpoints(c)))
        limit = 1;
    for (u64 done = 0, n; done < limit && (!done || !c->core.leave_block); done += n) {
        n = bulk && limit > 1 ? bulk(c, i, count, &v) : 0;
        if (n == 0) {
            r = one(c, i, &v);
            if (r)
                return r;
            n = 1;
        }
        count -= n;
        x86_put_reg(c, X86_RCX, i->addr_bytes, count);
        if (count == 0 || ends(i, &v)) {
            set_flags(c, i, &v);
            return X86_OK;
        }
    }
    return X86_AGAIN;
}

// The host address of up to `count` elements upwards from `offset` that lie in one page of RAM;
// *count becomes their number. NULL: not so.
static u8 *elements(struct x86_core *c, const struct x86_insn *i, enum x86_seg seg, u32 reg,
                    enum core_access access, u64 *count)
{
    u32 size = i->op_bytes;
    u64 offset = x86_get_reg(c, reg, i->addr_bytes), linear, room;
    u64 wrap = i->addr_bytes == 8 ? ~0ull : (1ull << 8 * i->addr_bytes) - 1;

    if (x86_linear(c, seg, offset, size, access, &linear))
        return NULL;
    room = MIN(CORE_PAGE_SIZE - linear % CORE_PAGE_SIZE, wrap - offset) / size;
    *count = MIN(*count, room);
    if (*count < 2 || x86_linear(c, seg, offset, (u32)(*count * size), access, &linear))
        return NULL;
    return x86_host(c, linear, (u32)(*count * size), access);
}

static void copy_forward(u8 *to, const u8 *from, u64 n, u32 size)
{
    if (to <= from || to >= from + n * size) {
        memmove(to, from, n * size);
        return;
    }
    for (u64 k = 0; k < n * size; k += size) { // each element sees those written before it
        u64 v;

        memcpy(&v, from + k, size);
        memcpy(to + k, &v, size);
    }
}

static u64 move_many(struct x86_core *c, const struct x86_insn *i, u64 count,
                     struct x86_compared *ret)
{
    const u8 *from;
    u8 *to;
    u64 n = count;

    if (c->s.rflags & X86_DF)
        return 0;
    from = elements(c, i, (enum x86_seg)i->mem.seg, X86_RSI, CORE_READ, &n);
    if (!from)
        return 0;
    to = elements(c, i, X86_ES, X86_RDI, CORE_WRITE, &n);
    if (!to)
        return 0;
    copy_forward(to, from, n, i->op_bytes);
    x86_string_advance(c, i, X86_RSI, (u32)n * i->op_bytes);
    x86_string_advance(c, i, X86_RDI, (u32)n * i->op_bytes);
    return n;
}

static enum x86_result move_one(struct x86_core *c, const struct x86_insn *i,
                                struct x86_compared *ret)
{
    u32 size = i->op_bytes;
    u64 from, to, v;
    enum x86_result r = x86_string_source(c, i, size, &from);

    if (!r)
        r = x86_load(c, from, &v, size);
    if (!r)
        r = x86_string_destination(c, i, size, CORE_WRITE, &to);
    if (!r)
        r = x86_store(c, to, &v, size);
    if (r)
        return r;
    x86_string_advance(c, i, X86_RSI, size);
    x86_string_advance(c, i, X86_RDI, size);
    return X86_OK;
}

static void fill(u8 *to, u64 v, u64 n, u32 size)
{
    switch (size) {
    case 1:
        memset(to, (u8)v, n);
        break;
    case 2:
        for (u64 k = 0; k < n; k++)
            memcpy(to + 2 * k, &v, 2);
        break;
    case 4:
        for (u64 k = 0; k < n; k++)
            memcpy(to + 4 * k, &v, 4);
        break;
    default:
        for (u64 k = 0; k < n; k++)
            memcpy(to + 8 * k, &v, 8);
    }
}

static u64 store_many(struct x86_core *c, const struct x86_insn *i, u64 count,
                      struct x86_compared *ret)
{
    u64 n = count;
    u8 *to;

    if (c->s.rflags & X86_DF)
        return 0;
    to = elements(c, i, X86_ES, X86_RDI, CORE_WRITE, &n);
    if (!to)
        return 0;
    fill(to, c->s.gpr[X86_RAX], n, i->op_bytes);
    x86_string_advance(c, i, X86_RDI, (u32)n * i->op_bytes);
    return n;
}

static enum x86_result store_one(struct x86_core *c, const struct x86_insn *i,
                                 struct x86_compared *ret)
{
    u64 to;
    enum x86_result r = x86_string_destination(c, i, i->op_bytes, CORE_WRITE, &to);

    if (!r)
        r = x86_store(c, to, &c->s.gpr[X86_RAX], i->op_bytes);
    if (!r)
        x86_string_advance(c, i, X86_RDI, i->op_bytes);
    return r;
}

static enum x86_result load_one(struct x86_core *c, const struct x86_insn *i,
                                struct x86_compared *ret)
{
    u64 from, v = 0;
    enum x86_result r = x86_string_source(c, i, i->op_bytes, &from);

    if (!r)
        r = x86_load(c, from, &v, i->op_bytes);
    if (r)
        return r;
    x86_put_reg(c, X86_RAX, i->op_bytes, v);
    x86_string_advance(c, i, X86_RSI, i->op_bytes);
    return X86_OK;
}

static u64 element(const u8 *at, u32 size)
{
    u64 v = 0;

    memcpy(&v, at, size);
    return v;
}

// How many bytes of n are the same.
static u64 same_bytes(const u8 *a, const u8 *b, u64 n)
{
    u64 k = 0, x, y;

    for (; k + 8 <= n; k += 8) {
        memcpy(&x, a + k, 8);
        memcpy(&y, b + k, 8);
        if (x != y)
            return k + (u32)__builtin_ctzll(x ^ y) / 8;
    }
    while (k < n && a[k] == b[k])
        k++;
    return k;
}

static u64 compare_many(struct x86_core *c, const struct x86_insn *i, u64 count,
                        struct x86_compared *ret)
{
    u32 size = i->op_bytes;
    u64 n = count, k;
    const u8 *a, *b;

    if (c->s.rflags & X86_DF)
        return 0;
    a = elements(c, i, (enum x86_seg)i->mem.seg, X86_RSI, CORE_READ, &n);
    b = a ? elements(c, i, X86_ES, X86_RDI, CORE_READ, &n) : NULL;
    if (!b)
        return 0;
    if (i->prefixes & X86_REPNE)
        for (k = 0; k < n - 1 && memcmp(a + k * size, b + k * size, size) != 0;)
            k++;
    else
        k = MIN(same_bytes(a, b, n * size) / size, n - 1);
    *ret = (struct x86_compared){element(a + k * size, size), element(b + k * size, size)};
    x86_string_advance(c, i, X86_RSI, (u32)(k + 1) * size);
    x86_string_advance(c, i, X86_RDI, (u32)(k + 1) * size);
    return k + 1;
}

static enum x86_result compare_one(struct x86_core *c, const struct x86_insn *i,
                                   struct x86_compared *ret)
{
    u32 size = i->op_bytes;
    struct x86_compared v = {0, 0};
    u64 a, b;
    enum x86_result r =
        x86_string_destination(c, i, size, CORE_READ, &b); // first, as processors do

    if (!r)
        r = x86_load(c, b, &v.b, size);
    if (!r)
        r = x86_string_source(c, i, size, &a);
    if (!r)
        r = x86_load(c, a, &v.a, size);
    if (r)
        return r;
    x86_string_advance(c, i, X86_RSI, size);
    x86_string_advance(c, i, X86_RDI, size);
    *ret = v;
    return X86_OK;
}

static u64 scan_many(struct x86_core *c, const struct x86_insn *i, u64 count,
                     struct x86_compared *ret)
{
    u32 size = i->op_bytes;
    u64 v = x86_get_reg(c, X86_RAX, size), n = count, k = 0;
    bool for_equal = i->prefixes & X86_REPNE;
    const u8 *at;

    if (c->s.rflags & X86_DF)
        return 0;
    at = elements(c, i, X86_ES, X86_RDI, CORE_READ, &n);
    if (!at)
        return 0;
    if (size == 1 && for_equal) {
        const u8 *found = memchr(at, (int)v, n);

        k = found ? (u64)(found - at) : n - 1;
    } else {
        while (k < n - 1 && (element(at + k * size, size) == v) != for_equal)
            k++;
    }
    *ret = (struct x86_compared){v, element(at + k * size, size)};
    x86_string_advance(c, i, X86_RDI, (u32)(k + 1) * size);
    return k + 1;
}

static enum x86_result scan_one(struct x86_core *c, const struct x86_insn *i,
                                struct x86_compared *ret)
{
    struct x86_compared v = {x86_get_reg(c, X86_RAX, i->op_bytes), 0};
    u64 b;
    enum x86_result r = x86_string_destination(c, i, i->op_bytes, CORE_READ, &b);

    if (!r)
        r = x86_load(c, b, &v.b, i->op_bytes);
    if (r)
        return r;
    x86_string_advance(c, i, X86_RDI, i->op_bytes);
    *ret = v;
    return X86_OK;
}

enum x86_result x86_exec_movs(struct x86_core *c, const struct x86_insn *i)
{
    return x86_repeat(c, i, move_one, move_many);
}

enum x86_result x86_exec_stos(struct x86_core *c, const struct x86_insn *i)
{
    return x86_repeat(c, i, store_one, store_many);
}

enum x86_result x86_exec_lods(struct x86_core *c, const struct x86_insn *i)
{
    return x86_repeat(c, i, load_one, NULL);
}

enum x86_result x86_exec_cmps(struct x86_core *c, const struct x86_insn *i)
{
    return x86_repeat(c, i, compare_one, compare_many);
}

enum x86_result x86_exec_scas(struct x86_core *c, const struct x86_insn *i)
{
    return x86_repeat(c, i, scan_one, scan_many);
}
