// SPDX-License-Identifier: BSD-3-Clause
#include "cpu/o3/o3_bench.h"

#include <sys/mman.h>

enum { STACK_BYTES = 64 * 1024, DATA_BYTES = 4 << 20 };

static bool flat_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    memcpy(write ? (void *)addr : data, write ? data : (void *)addr, size);
    return true;
}

static u8 *flat_page(void *ctx, paddr page, bool write)
{
    return (u8 *)page;
}

// The same addresses each time: caches count on them.
static u8 *pages(u64 at, u64 bytes)
{
    u8 *p = mmap((void *)at, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    assert_ptr_equal(p, (void *)at);
    return p;
}

static struct x86_core *new_core(void)
{
    static const struct mem_port_ops flat = {.access = flat_access, .host_page = flat_page};
    struct x86_core *c = calloc(1, sizeof(*c));
    struct error err;

    if (!x86_core_init(c, 0, &(struct mem_port){.ops = &flat}, "x86-64-v2", &err))
        fail_msg("%s", err.message);
    // 64-bit code without paging: no processor has that, but it is all that these tests need.
    c->s.efer = X86_EFER_LMA;
    c->s.seg_attr[X86_CS] |= X86_ATTR_L;
    c->s.cr4 |= X86_CR4_OSFXSR;
    c->core.user_env = true;
    x86_state_loaded(c);
    return c;
}

void o3_bench_init(struct o3_bench *b, const char *const *settings)
{
    struct error err;

    memset(b, 0, sizeof(*b));
    b->core = new_core();
    b->stack = pages(0x40000000, STACK_BYTES);
    b->data = pages(0x50000000, DATA_BYTES);
    b->end = pages(0x60000000, CORE_PAGE_SIZE);
    memcpy(b->end, "\x0f\x0b", 2);
    b->blocks = block_cache_new(MiB(4), true, &err);
    mock_machine_init(&b->machine, &b->core->core, b->blocks, settings);
}

void o3_bench_release(struct o3_bench *b)
{
    mock_machine_release(&b->machine);
    block_cache_free(b->blocks);
    x86_core_release(b->core);
    free(b->core);
    munmap(b->stack, STACK_BYTES);
    munmap(b->data, DATA_BYTES);
    munmap(b->end, CORE_PAGE_SIZE);
}

void o3_bench_call(struct o3_bench *b, void (*guest)(void), u64 argument)
{
    struct x86_arch_state *s = &b->core->s;

    memset(s->gpr, 0, sizeof(s->gpr));
    memset(s->ymm, 0, sizeof(s->ymm));
    s->gpr[X86_RSP] = (u64)(b->stack + STACK_BYTES / 2);
    *(u64 *)s->gpr[X86_RSP] = (u64)b->end;
    s->gpr[X86_RDI] = argument;
    s->gpr[X86_RSI] = (u64)b->data;
    s->rip = (u64)guest;
}

u64 o3_bench_run(struct o3_bench *b, void (*guest)(void), u64 argument)
{
    u64 before = mock_stat(&b->machine, "numCycles"), n = 0;
    enum core_exit exit;

    o3_bench_call(b, guest, argument);
    exit = cpu_run(b->machine.cpu, ~0ull >> 1, &n);
    b->insts += n;
    assert_int_equal(exit, CORE_EXCEPTION);
    assert_int_equal(b->core->s.rip, (u64)b->end);
    return mock_stat(&b->machine, "numCycles") - before;
}

u64 o3_bench_loop(const char *const *settings, void (*guest)(void), u64 count)
{
    struct o3_bench b;
    u64 cycles;

    o3_bench_init(&b, settings);
    o3_bench_run(&b, guest, 2 * count);
    cycles = o3_bench_run(&b, guest, 2 * count);
    cycles -= o3_bench_run(&b, guest, count);
    o3_bench_release(&b);
    return cycles;
}
