// SPDX-License-Identifier: BSD-3-Clause
#include "machine/gdb/gdb_target.h"

#include "isa/x86/mem.h"
#include "machine/pc_core.h"

#include <string.h>

enum { SIGNAL_TRAP = 5 };

// A longer one is a mistake: every access of the guest is compared with it all the same.
enum { WATCH_MAX_BYTES = 1 << 20 };

void gdb_target_init(struct gdb_target *t, struct component *pc)
{
    *t = (struct gdb_target){.pc = pc};
}

static void forget(struct gdb_target *t)
{
    pc_set_breaks(t->pc, NULL, t->breaks.n_code);
    free(t->code);
    free(t->data);
    t->code = NULL;
    t->data = NULL;
    t->breaks = (struct x86_breaks){.n_code = 0};
}

void gdb_target_release(struct gdb_target *t)
{
    gdb_target_remove_all(t);
    VEC_RELEASE(&t->wanted);
}

struct x86_core *gdb_target_core(const struct gdb_target *t, u32 core)
{
    return pc_core_x86(pc_core(t->pc, core));
}

// ---- breakpoints

static size_t find(const struct gdb_target *t, const struct gdb_break *b)
{
    for (size_t i = 0; i < t->wanted.count; i++) {
        const struct gdb_break *w = &t->wanted.items[i];

        if (w->type == b->type && w->address == b->address && w->length == b->length)
            return i;
    }
    return t->wanted.count;
}

static bool is_code(const struct gdb_break *b)
{
    return b->type == GDB_BREAK_SOFTWARE || b->type == GDB_BREAK_HARDWARE;
}

static int compare(const void *a, const void *b)
{
    u64 x = *(const u64 *)a, y = *(const u64 *)b;

    return x < y ? -1 : x > y;
}

static u32 wanted_code(const struct gdb_target *t, u64 *code)
{
    u32 n = 0, unique = 0;

    for (size_t i = 0; i < t->wanted.count; i++)
        if (is_code(&t->wanted.items[i]))
            code[n++] = t->wanted.items[i].address;
    qsort(code, n, sizeof(*code), compare);
    for (u32 i = 0; i < n; i++)
        if (i == 0 || code[i] != code[unique - 1])
            code[unique++] = code[i];
    return unique;
}

static u32 wanted_data(const struct gdb_target *t, struct x86_watch *data)
{
    static const u8 on[GDB_BREAK_TYPES] = {
        [GDB_WATCH_WRITE] = X86_WATCH_WRITE,
        [GDB_WATCH_READ] = X86_WATCH_READ,
        [GDB_WATCH_ACCESS] = X86_WATCH_ACCESS,
    };
    u32 n = 0;

    for (size_t i = 0; i < t->wanted.count; i++) {
        const struct gdb_break *b = &t->wanted.items[i];

        if (!is_code(b))
            data[n++] = (struct x86_watch){
                .first = b->address, .last = b->address + (b->length - 1), .on = on[b->type]};
    }
    return n;
}

// Tells the cores. `code`: of breakpoints, too. A client removes all of them for each single step,
// which executes one instruction whatever is set: decoded code is not thrown away for that.
static void apply(struct gdb_target *t, bool code)
{
    struct x86_breaks now = t->breaks;
    u64 *new_code = xcalloc(t->wanted.count + 1, sizeof(*new_code)), *old_code = t->code;
    struct x86_watch *old_data = t->data;
    bool changed = false;

    t->data = xcalloc(t->wanted.count + 1, sizeof(*t->data));
    now.data = t->data;
    now.n_data = wanted_data(t, t->data);
    if (code) {
        now.n_code = wanted_code(t, new_code);
        changed = now.n_code != t->breaks.n_code ||
                  (now.n_code && memcmp(new_code, old_code, now.n_code * sizeof(*new_code)) != 0);
        t->code = new_code;
        now.code = new_code;
    }
    t->breaks = now;
    pc_set_breaks(t->pc, &t->breaks, changed);
    free(code ? old_code : new_code);
    free(old_data);
}

bool gdb_target_set_break(struct gdb_target *t, const struct gdb_break *b)
{
    if (!is_code(b) && (b->length == 0 || b->length > WATCH_MAX_BYTES ||
                        b->address + (b->length - 1) < b->address))
        return false;
    if (find(t, b) < t->wanted.count)
        return true;
    if (t->wanted.count == GDB_BREAKS_MAX)
        return false;
    VEC_PUSH(&t->wanted, *b);
    return true;
}

bool gdb_target_remove_break(struct gdb_target *t, const struct gdb_break *b)
{
    size_t i = find(t, b);

    if (i == t->wanted.count)
        return false;
    t->wanted.items[i] = t->wanted.items[--t->wanted.count];
    return true;
}

void gdb_target_remove_all(struct gdb_target *t)
{
    t->wanted.count = 0;
    forget(t);
}

// ---- runs

void gdb_target_resume(struct gdb_target *t, const struct pc_debug *debug)
{
    apply(t, (debug->may_run & ~debug->step) != 0);
    for (u32 i = 0; i < pc_cpus(t->pc); i++) {
        struct x86_core *c = gdb_target_core(t, i);
        bool stopped_here =
            c->debug.hit == X86_HIT_CODE && c->debug.hit_address == x86_linear_pc(c);

        if (debug->may_run >> i & 1)
            x86_debug_resume(c, stopped_here || (debug->step >> i & 1));
    }
}

struct gdb_stop gdb_target_stop(const struct gdb_target *t, u32 core)
{
    const struct x86_core *c = gdb_target_core(t, core);
    const struct x86_debug *d = &c->debug;
    // With a code segment that has a base, gdb would not find its breakpoint at the pc, and go on.
    bool told = d->hit == X86_HIT_CODE && c->s.rip == d->hit_address;
    struct gdb_stop stop = {.signal = SIGNAL_TRAP, .core = core, .address = d->hit_address};

    if (d->hit == X86_HIT_DATA) {
        stop.hit = true;
        stop.type = d->hit_on == X86_WATCH_WRITE  ? GDB_WATCH_WRITE
                    : d->hit_on == X86_WATCH_READ ? GDB_WATCH_READ
                                                  : GDB_WATCH_ACCESS;
    }
    for (size_t i = 0; told && !stop.hit && i < t->wanted.count; i++) {
        const struct gdb_break *b = &t->wanted.items[i];

        stop.hit = is_code(b) && b->address == d->hit_address;
        stop.type = b->type;
    }
    return stop;
}

// ---- memory

// The host address of [address, address + *size), cut to what lies on one page; NULL: no memory.
static u8 *locate(const struct gdb_target *t, struct x86_core *c, u64 address, bool write,
                  u64 *size, paddr *ret_pa)
{
    u8 *page;

    if (c->code_mode != X86_CODE64 && !t->physical && !(c->s.efer & X86_EFER_LMA))
        address = (u32)address;
    *size = MIN(*size, CORE_PAGE_SIZE - address % CORE_PAGE_SIZE);
    *ret_pa = address;
    if (!t->physical && !x86_translate_debug(c, address, ret_pa))
        return NULL;
    page = mem_port_host_page(&c->core.mem, *ret_pa & CORE_PAGE_MASK, write);
    return page ? page + *ret_pa % CORE_PAGE_SIZE : NULL;
}

u64 gdb_target_read(const struct gdb_target *t, u32 core, u64 address, u8 *to, u64 size)
{
    struct x86_core *c = gdb_target_core(t, core);
    u64 done = 0;

    while (done < size) {
        u64 n = size - done;
        paddr pa;
        const u8 *host = locate(t, c, address + done, false, &n, &pa);

        if (!host)
            break;
        memcpy(to + done, host, n);
        done += n;
    }
    return done;
}

bool gdb_target_write(struct gdb_target *t, u32 core, u64 address, const u8 *from, u64 size)
{
    struct x86_core *c = gdb_target_core(t, core);

    for (u64 done = 0, n; done < size; done += n) {
        paddr pa;
        u8 *host;

        n = size - done;
        host = locate(t, c, address + done, true, &n, &pa);
        if (!host)
            return false;
        memcpy(host, from + done, n);
        if (c->core.page_has_code(c->core.cache, pa & CORE_PAGE_MASK))
            c->core.code_written(c->core.cache, &c->core, pa, (u32)n);
    }
    return true;
}
