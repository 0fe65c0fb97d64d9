// SPDX-License-Identifier: BSD-3-Clause
// The functional CPU on code of this very program: guest memory is the host's, address by address,
// so the host's processor runs the same bytes. Plain and traced engine, and x86_step, must agree.
#include "cpu/functional/functional.h"

#include "isa/x86/core.h"
#include "isa/x86/flags.h"
#include "isa/x86/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { STACK_BYTES = 64 * 1024, CODE_BYTES = 4 * CORE_PAGE_SIZE };

struct bench {
    struct x86_core *core;
    struct block_cache *bc;
    struct cpu *cpu;
    struct dyn_batch *batch;
    u8 *stack, *code;          // the first bytes of code are UD2: where guest functions return to
    u64 records, refs, broken; // of the traced engine; `broken`: records that do not follow
    vaddr next_pc;
};

static bool flat_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    memcpy(write ? (void *)addr : data, write ? data : (void *)addr, size);
    return true;
}

static u8 *flat_page(void *ctx, paddr page, bool write)
{
    return (u8 *)page;
}

// What an instruction did to memory must be what its recipe says.
static bool fits_recipe(const struct dyn_batch *batch, const struct dyn_inst *d)
{
    u32 loads = 0, stores = 0;

    for (u32 k = 0; k < d->si->n_uops; k++) {
        loads += d->si->uops[k].class == UOP_LOAD;
        stores += d->si->uops[k].class == UOP_STORE_ADDR;
    }
    for (u32 k = 0; k < d->n_mem; k++)
        *(batch->mem[d->mem_first + k].write ? &stores : &loads) -= 1;
    return d->si->n_uops > 0 && loads == 0 && stores == 0;
}

static void consume(struct dyn_batch *batch)
{
    struct bench *b = batch->ctx;

    for (u32 k = 0; k < batch->n_inst; k++) {
        const struct dyn_inst *d = &batch->inst[k];

        if (b->next_pc && d->si->pc != b->next_pc)
            b->broken++;
        if (d->mem_first + d->n_mem > batch->n_mem ||
            (!(d->flags & DYN_FAULT) && !fits_recipe(batch, d)))
            b->broken++;
        b->next_pc = d->flags & DYN_FAULT ? 0 : d->next_pc;
        b->records += !(d->flags & DYN_FAULT);
        b->refs += d->n_mem;
    }
}

static u8 *low_pages(u64 bytes)
{
    u8 *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    assert_ptr_not_equal(p, MAP_FAILED);
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

static struct bench *bench_new(u64 pool_bytes, bool traced)
{
    struct bench *b = calloc(1, sizeof(*b));
    struct error err;

    b->core = new_core();
    b->stack = low_pages(STACK_BYTES);
    b->code = low_pages(CODE_BYTES);
    memcpy(b->code, "\x0f\x0b", 2);
    b->bc = block_cache_new(pool_bytes, traced, &err);
    if (traced)
        b->batch = dyn_batch_new(512, consume, b, &err);
    b->cpu = functional_new(&b->core->core, b->bc, b->batch, &err);
    assert_non_null(b->cpu);
    return b;
}

static void bench_free(struct bench *b)
{
    cpu_free(b->cpu);
    block_cache_free(b->bc);
    dyn_batch_free(b->batch);
    x86_core_release(b->core);
    free(b->core);
    munmap(b->stack, STACK_BYTES);
    munmap(b->code, CODE_BYTES);
    free(b);
}

static void call(struct bench *b, void *function, u64 argument)
{
    struct x86_arch_state *s = &b->core->s;

    memset(s->gpr, 0, sizeof(s->gpr));
    s->gpr[X86_RSP] = (u64)(b->stack + STACK_BYTES - 64);
    *(u64 *)s->gpr[X86_RSP] = (u64)b->code;
    s->gpr[X86_RDI] = argument;
    s->rip = (u64)function;
    b->next_pc = 0;
}

// Runs to the UD2 behind the function in pieces of at most `piece`; returns the instructions.
static u64 finish(struct bench *b, u64 piece)
{
    enum core_exit exit;
    u64 total = 0, n;

    do {
        exit = cpu_run(b->cpu, piece, &n);
        total += n;
        assert_true(exit == CORE_LIMIT ? n == piece : n <= piece);
    } while (exit == CORE_LIMIT);
    assert_int_equal(exit, CORE_EXCEPTION);
    assert_int_equal(b->core->fault.vector, X86_EXC_UD);
    assert_int_equal(b->core->s.rip, (u64)b->code);
    return total;
}

// ---- guest functions: position-dependent is fine, calls to libraries are not

static __attribute__((noinline)) u64 guest_fib(u64 n)
{
    return n < 2 ? n : guest_fib(n - 1) + guest_fib(n - 2);
}

static u32 sort_data[512];

static __attribute__((noinline, no_sanitize("address", "undefined"))) u64 guest_sort(u64 seed)
{
    u64 sum = 0;

    for (u32 i = 0; i < 512; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        sort_data[i] = (u32)(seed >> 33);
    }
    for (u32 i = 1; i < 512; i++) {
        u32 x = sort_data[i], j = i;

        for (; j > 0 && sort_data[j - 1] > x; j--)
            sort_data[j] = sort_data[j - 1];
        sort_data[j] = x;
    }
    for (u32 i = 0; i < 512; i++)
        sum = sum * 31 + (sort_data[i] ^ (i << (i & 7)));
    return sum;
}

// Much code, more blocks than the smallest pool holds, with calls of a function that is decoded
// early and stays hot.
static __attribute__((noinline)) u64 guest_hot(u64 x)
{
    return x ^ x >> 7;
}

// clang-format off
#define STEP(k) x = guest_hot(x & 1ull << ((k) % 60) ? x * (2 * (k) + 3) + (k) : x + (k) * 77);
#define STEPS_5(k) STEP(k) STEP(k + 1) STEP(k + 2) STEP(k + 3) STEP(k + 4)
#define STEPS_25(k) STEPS_5(k) STEPS_5(k + 5) STEPS_5(k + 10) STEPS_5(k + 15) STEPS_5(k + 20)
#define STEPS_100(k) STEPS_25(k) STEPS_25(k + 25) STEPS_25(k + 50) STEPS_25(k + 75)
// clang-format on

static __attribute__((noinline)) u64 guest_wide(u64 x)
{
    for (u32 round = 0; round < 4; round++) {
        STEPS_100(1u)
        STEPS_100(101u)
        STEPS_100(201u)
        STEPS_100(301u)
    }
    return x;
}

static u64 native(u8 *code, u64 argument)
{
    return ((u64(*)(u64))(uintptr_t)code)(argument);
}

static bool code_is_low(void)
{
    return (u64)(uintptr_t)guest_fib < 1ull << 32;
}

static void check_function(u64 (*function)(u64), u64 argument, bool traced, u64 pool)
{
    struct bench *b = bench_new(pool, traced);
    u64 want = function(argument), whole, pieces;

    if (!code_is_low())
        skip();
    call(b, (void *)function, argument);
    whole = finish(b, ~0ull >> 1);
    assert_int_equal(b->core->s.gpr[X86_RAX], want);
    call(b, (void *)function, argument);
    pieces = finish(b, 17);
    assert_int_equal(b->core->s.gpr[X86_RAX], want);
    assert_int_equal(whole, pieces);
    if (traced) {
        assert_int_equal(b->records, whole + pieces);
        assert_int_equal(b->broken, 0);
        assert_true(b->refs > 0);
    }
    bench_free(b);
}

static void functions_compute_what_the_host_computes(void **state)
{
    for (int traced = 0; traced < 2; traced++) {
        check_function(guest_fib, 12, traced, MiB(4));
        check_function(guest_sort, 42, traced, MiB(4));
    }
}

// A pool so small that blocks go all the time. Records that are not consumed yet name some of them.
static void a_full_pool_changes_nothing(void **state)
{
    for (int traced = 0; traced < 2; traced++) {
        check_function(guest_sort, 7, traced, 0);
        check_function(guest_wide, 7, traced, 0);
    }
}

// The engine stopped after k instructions is where k single steps lead, for every k.
static void every_limit_is_exact(void **state)
{
    struct bench *b = bench_new(MiB(4), false);
    struct x86_core *ref = new_core();
    struct x86_insn insn;
    u64 n;

    if (!code_is_low())
        skip();
    call(b, (void *)guest_fib, 6);
    ref->s = b->core->s;
    x86_state_loaded(ref);
    for (u32 k = 0;; k++) {
        call(b, (void *)guest_fib, 6);
        assert_int_equal(cpu_run(b->cpu, k, &n), CORE_LIMIT);
        assert_int_equal(n, k);
        assert_int_equal(b->core->s.rip, ref->s.rip);
        assert_memory_equal(b->core->s.gpr, ref->s.gpr, sizeof(ref->s.gpr));
        assert_int_equal(x86_rflags(b->core), x86_rflags(ref));
        if (ref->s.rip == (u64)b->code)
            break;
        assert_int_equal(x86_step(ref, &insn), X86_OK);
    }
    x86_core_release(ref);
    free(ref);
    bench_free(b);
}

// mov eax, imm (patched by the code itself, right before it is executed, in a loop)
static const u8 patching[] = {
    0x31, 0xd2,                         // xor edx, edx
    0xb9, 0x0a, 0x00, 0x00, 0x00,       // mov ecx, 10
    0x88, 0x0d, 0x01, 0x00, 0x00, 0x00, // again: mov [rip + 1], cl
    0xb8, 0x00, 0x00, 0x00, 0x00,       // mov eax, 0
    0x01, 0xc2,                         // add edx, eax
    0xff, 0xc9,                         // dec ecx
    0x75, 0xef,                         // jnz again
    0x89, 0xd0,                         // mov eax, edx
    0xc3,                               // ret
};

static void code_that_changes_itself_is_seen(void **state)
{
    for (u32 at = 64; at < 64 + 2 * CORE_PAGE_SIZE; at = at == 64 ? CORE_PAGE_SIZE - 24 : at + 1) {
        struct bench *b = bench_new(MiB(4), at & 1);

        if (at > CORE_PAGE_SIZE + 8) {
            bench_free(b);
            break;
        }
        memcpy(b->code + at, patching, sizeof(patching));
        assert_int_equal(native(b->code + at, 0), 55);
        memcpy(b->code + at, patching, sizeof(patching));
        call(b, b->code + at, 0);
        finish(b, ~0ull >> 1);
        assert_int_equal(b->core->s.gpr[X86_RAX], 55);
        assert_int_equal(b->broken, 0);
        bench_free(b);
    }
}

// Another core of the machine overwrites code that is decoded and linked.
static void code_that_another_core_changes_is_seen(void **state)
{
    static const u8 return_7[] = {0xb8, 7, 0, 0, 0, 0xc3}; // mov eax, 7; ret
    static const u8 poke[] = {0x40, 0x88, 0x3e, 0xc3};     // mov [rsi], dil; ret
    struct bench *b = bench_new(MiB(4), false);
    struct x86_core *other = new_core();
    struct error err;
    struct cpu *cpu2 = functional_new(&other->core, b->bc, NULL, &err), *cpu1 = b->cpu;
    struct x86_core *core1 = b->core;

    memcpy(b->code + 64, return_7, sizeof(return_7));
    memcpy(b->code + 2 * CORE_PAGE_SIZE, poke, sizeof(poke));
    call(b, b->code + 64, 0);
    finish(b, 100);
    assert_int_equal(core1->s.gpr[X86_RAX], 7);

    b->core = other;
    b->cpu = cpu2;
    call(b, b->code + 2 * CORE_PAGE_SIZE, 9);
    other->s.gpr[X86_RSI] = (u64)(b->code + 65);
    finish(b, 100);

    b->core = core1;
    b->cpu = cpu1;
    call(b, b->code + 64, 0);
    finish(b, 100);
    assert_int_equal(core1->s.gpr[X86_RAX], 9);
    assert_true(block_cache_stats(b->bc)->kills > 0);
    cpu_free(cpu2);
    x86_core_release(other);
    free(other);
    bench_free(b);
}

// A fault in the middle of a block: rip, registers, flags and the count are those of that point.
static void faults_are_precise(void **state)
{
    static const u8 code[] = {
        0x83, 0xc7, 0x01,       // add edi, 1
        0x48, 0x31, 0xc0,       // xor rax, rax
        0xb8, 5,    0,    0, 0, // mov eax, 5
        0x29, 0xf8,             // sub eax, edi
        0x0f, 0x0b,             // ud2
        0x01, 0xc0, 0xc3,       // add eax, eax; ret
    };

    for (int traced = 0; traced < 2; traced++) {
        struct bench *b = bench_new(MiB(4), traced);
        u64 n;

        memcpy(b->code + 64, code, sizeof(code));
        call(b, b->code + 64, 9);
        assert_int_equal(cpu_run(b->cpu, 1000, &n), CORE_EXCEPTION);
        assert_int_equal(n, 4);
        assert_int_equal(b->core->fault.vector, X86_EXC_UD);
        assert_int_equal(b->core->s.rip, (u64)(b->code + 64 + 13));
        assert_int_equal(b->core->s.gpr[X86_RAX], (u32)-5);
        assert_int_equal(x86_flags_get(b->core) & (X86_CF | X86_SF | X86_ZF | X86_OF),
                         X86_CF | X86_SF);
        bench_free(b);
    }
}

static void a_kick_stops_a_loop(void **state)
{
    static const u8 forever[] = {0xeb, 0xfe};
    struct bench *b = bench_new(MiB(4), false);
    u64 n;

    memcpy(b->code + 64, forever, sizeof(forever));
    call(b, b->code + 64, 0);
    assert_int_equal(cpu_run(b->cpu, 12345, &n), CORE_LIMIT);
    assert_int_equal(n, 12345);
    cpu_kick(b->cpu);
    assert_int_equal(cpu_run(b->cpu, ~0ull >> 1, &n), CORE_STOP);
    bench_free(b);
}

// The bench's core with breakpoints on these bytes of code.
static void set_breaks(struct bench *b, struct x86_breaks *breaks, const u64 *code, u32 n_code)
{
    breaks->code = code;
    breaks->n_code = n_code;
    b->core->debug.breaks = breaks;
    block_cache_flush(b->bc);
    x86_update_mode(b->core);
}

static void breakpoints_stop_before_their_instructions(void **state)
{
    static const u8 loop[] = {0xff, 0xc0, 0xff, 0xc1, 0x83, 0xc2, 0x05, 0xeb, 0xf7};

    for (int traced = 0; traced < 2; traced++) {
        struct bench *b = bench_new(MiB(4), traced);
        struct x86_breaks breaks = {0};
        u64 at[2] = {(u64)b->code + 66, (u64)b->code + 71}, n, total = 0;

        memcpy(b->code + 64, loop, sizeof(loop));
        call(b, b->code + 64, 0);
        b->core->s.gpr[X86_RAX] = b->core->s.gpr[X86_RCX] = b->core->s.gpr[X86_RDX] = 0;
        set_breaks(b, &breaks, at, 2);
        for (u64 round = 1; round <= 3; round++) {
            for (u32 k = 0; k < 2; k++) {
                assert_int_equal(cpu_run(b->cpu, 1000, &n), CORE_DEBUG);
                total += n;
                assert_int_equal(b->core->s.rip, at[k]);
                assert_int_equal(b->core->debug.hit, X86_HIT_CODE);
                assert_int_equal(total, round * 4 - (k ? 1 : 3));
                // It is still there for whoever does not pass it.
                assert_int_equal(cpu_run(b->cpu, 1000, &n), CORE_DEBUG);
                assert_int_equal(n, 0);
                x86_debug_resume(b->core, true);
            }
            assert_int_equal(b->core->s.gpr[X86_RCX], round);
            assert_int_equal(b->core->s.gpr[X86_RDX], 5 * round);
        }
        // One by one, and in blocks that a limit cuts.
        for (u32 k = 0; k < 40; k++) {
            x86_debug_resume(b->core, true);
            assert_int_equal(cpu_run(b->cpu, 1, &n), CORE_LIMIT);
            assert_int_equal(n, 1);
        }
        assert_int_equal(b->core->s.gpr[X86_RAX], 13);
        set_breaks(b, &breaks, NULL, 0);
        assert_int_equal(cpu_run(b->cpu, 1000, &n), CORE_LIMIT);
        bench_free(b);
    }
}

static void watchpoints_stop_behind_the_access(void **state)
{
    // mov rax, [rdi]; inc dword [rdi + 8]; push rax; pop rcx; jmp
    static const u8 loop[] = {0x48, 0x8b, 0x07, 0xff, 0x47, 0x08, 0x50, 0x59, 0xeb, 0xf6};
    struct bench *b = bench_new(MiB(4), false);
    u64 *data = (u64 *)b->stack, n;
    struct x86_watch watch[] = {
        {.first = (u64)data + 3, .last = (u64)data + 3, .on = X86_WATCH_READ},
        {.first = (u64)data + 8, .last = (u64)data + 11, .on = X86_WATCH_WRITE},
        {.first = (u64)b->stack + STACK_BYTES - 128,
         .last = (u64)b->stack + STACK_BYTES - 1,
         .on = X86_WATCH_ACCESS},
    };
    struct x86_breaks breaks = {.data = watch, .n_data = 3};
    static const u8 behind[] = {3, 6, 7, 8};

    memcpy(b->code + 64, loop, sizeof(loop));
    call(b, b->code + 64, 0);
    b->core->s.gpr[X86_RDI] = (u64)data;
    set_breaks(b, &breaks, NULL, 0);
    for (u64 k = 0; k < 8; k++) {
        assert_int_equal(cpu_run(b->cpu, 1000, &n), CORE_DEBUG);
        assert_int_equal(n, k && k % 4 == 0 ? 2 : 1);
        assert_int_equal(b->core->s.rip, (u64)b->code + 64 + behind[k % 4]);
        assert_int_equal(b->core->debug.hit, X86_HIT_DATA);
        if (k % 4 < 2)
            assert_int_equal(b->core->debug.hit_address, watch[k % 4].first);
        assert_int_equal(data[1], (k + 3) / 4);
        x86_debug_resume(b->core, false);
    }
    breaks.n_data = 0;
    x86_update_mode(b->core);
    assert_int_equal(cpu_run(b->cpu, 1000, &n), CORE_LIMIT);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_compute_what_the_host_computes),
        cmocka_unit_test(a_full_pool_changes_nothing),
        cmocka_unit_test(every_limit_is_exact),
        cmocka_unit_test(code_that_changes_itself_is_seen),
        cmocka_unit_test(code_that_another_core_changes_is_seen),
        cmocka_unit_test(faults_are_precise),
        cmocka_unit_test(a_kick_stops_a_loop),
        cmocka_unit_test(breakpoints_stop_before_their_instructions),
        cmocka_unit_test(watchpoints_stop_behind_the_access),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
