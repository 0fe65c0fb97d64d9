// SPDX-License-Identifier: BSD-3-Clause
#include "isa/x86/exec/stack.h"

enum x86_result x86_modify_memory(struct x86_core *c, u64 linear, u32 size, bool lock,
                                  struct x86_modify *m)
{
    enum x86_result r;

    *m = (struct x86_modify){.linear = linear, .size = size, .memory = true};
    m->host = c->core.trace ? NULL : x86_host(c, linear, size, CORE_WRITE);
    if (LIKELY(m->host)) {
        memcpy(&m->old, m->host, size);
        m->atomic = lock && ((uintptr_t)m->host & (size - 1)) == 0;
        m->lazy = c->lazy;
        m->rflags = c->s.rflags;
        return X86_OK;
    }
    r = x86_probe_write(c, linear, size);
    return r ? r : x86_load_slow(c, linear, &m->old, size);
}

// Replaces *m->old by v, or finds another value there and puts it into m->old.
static bool exchange(struct x86_modify *m, u64 v)
{
    switch (m->size) {
#define CASE(bytes, type)                                                               \
    case bytes: {                                                                       \
        type seen = (type)m->old;                                                       \
        bool done = __atomic_compare_exchange_n((type *)m->host, &seen, (type)v, false, \
                                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);    \
        m->old = seen;                                                                  \
        return done;                                                                    \
    }
        CASE(1, u8)
        CASE(2, u16)
        CASE(4, u32)
    default:
        CASE(8, u64)
#undef CASE
    }
}

bool x86_modify_end_memory(struct x86_core *c, struct x86_modify *m, u64 v)
{
    if (UNLIKELY(!m->host)) {
        x86_store_slow(c, m->linear, &v, m->size); // was probed: cannot fault
        return true;
    }
    if (LIKELY(!m->atomic)) {
        memcpy(m->host, &v, m->size);
        return true;
    }
    if (exchange(m, v))
        return true;
    c->lazy = m->lazy;
    c->s.rflags = m->rflags;
    return false;
}

enum x86_result x86_check_target_slow(struct x86_core *c, u64 target)
{
    u32 unused = c->s.cr4 & X86_CR4_LA57 ? 64 - 57 : 64 - 48;

    if (c->code_mode == X86_CODE64)
        return (u64)((i64)(target << unused) >> unused) == target ? X86_OK : x86_raise_gp(c);
    return target <= c->s.seg_limit[X86_CS] ? X86_OK : x86_raise_gp(c);
}
