// SPDX-License-Identifier: BSD-3-Clause
// Interrupts, NMI, HLT, start-up and traps between instructions, with real-mode code in a small RAM
// and a controller that hands out one vector.
#include "isa/x86/fault.h"

#include "isa/x86/mem.h"
#include "isa/x86/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RAM = 64 << 10, CODE = 0x1000, ISR = 0x2000, STACK = 0x4000 };

struct bench {
    struct x86_core *c;
    u8 ram[RAM];
    int vector; // that the controller hands out
    u64 tpr;
};

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    u8 *at = ((struct bench *)ctx)->ram + addr;

    if (addr + size > RAM)
        return false;
    memcpy(write ? at : data, write ? data : at, size);
    return true;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    return page < RAM ? ((struct bench *)ctx)->ram + page : NULL;
}

static int acknowledge(void *ctx)
{
    struct bench *b = ctx;
    int vector = b->vector;

    b->vector = -1;
    x86_set_irq(b->c, false);
    return vector;
}

static void set_tpr(void *ctx, u64 cr8)
{
    ((struct bench *)ctx)->tpr = cr8;
}

static const struct mem_port_ops ram_ops = {.access = ram_access, .host_page = ram_page};
static const struct x86_apic_ops apic_ops = {.acknowledge = acknowledge, .set_tpr = set_tpr};

// Vectors lead to ISR + 16 * vector, where there is IRET.
static struct bench *new_bench(u32 id, const void *code, size_t bytes)
{
    struct bench *b = calloc(1, sizeof(*b));
    struct error err;

    b->c = calloc(1, sizeof(*b->c));
    b->vector = -1;
    if (!x86_core_init(b->c, id, &(struct mem_port){.ops = &ram_ops, .ctx = b}, "x86-64-v3", &err))
        fail_msg("%s", err.message);
    b->c->apic = &apic_ops;
    b->c->apic_ctx = b;
    memcpy(b->ram + CODE, code, bytes);
    for (u32 v = 0; v < 64; v++) {
        u16 entry[2] = {(u16)(ISR + 16 * v), 0};

        memcpy(b->ram + 4 * v, entry, 4);
        b->ram[ISR + 16 * v] = 0xcf;
    }
    b->c->s.seg_sel[X86_CS] = 0;
    b->c->s.seg_base[X86_CS] = 0;
    b->c->s.rip = CODE;
    b->c->s.gpr[X86_RSP] = STACK;
    x86_state_loaded(b->c);
    return b;
}

static void free_bench(struct bench *b)
{
    x86_core_release(b->c);
    free(b->c);
    free(b);
}

#define BENCH(...) new_bench(0, (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

static void raise_irq(struct bench *b, int vector)
{
    b->vector = vector;
    x86_set_irq(b->c, true);
}

// One instruction, with what comes before it.
static enum core_exit step(struct bench *b)
{
    struct x86_core *c = b->c;
    struct x86_insn i;
    enum core_exit exit;

    c->core.budget = c->core.run_budget = 1;
    exit = x86_check_events(&c->core);
    if (exit != CORE_CONTINUE)
        return exit;
    c->core.budget--;
    if (x86_step(c, &i) == X86_FAULT) {
        c->core.budget++;
        return x86_deliver(c);
    }
    return CORE_CONTINUE;
}

static u16 pushed_ip(const struct bench *b)
{
    u16 ip;

    memcpy(&ip, b->ram + (b->c->s.gpr[X86_RSP] & 0xffff), 2);
    return ip;
}

static void an_interrupt_waits_for_the_instruction_behind_sti(void **state)
{
    struct bench *b = BENCH(0x90, 0xfb, 0x90, 0x90); // nop; sti; nop; nop

    raise_irq(b, 32);
    step(b);
    assert_int_equal(b->c->s.rip, CODE + 1); // IF is clear
    step(b);
    step(b);
    assert_int_equal(b->c->s.rip, CODE + 3);
    step(b); // IRET of the handler
    assert_int_equal(b->vector, -1);
    assert_int_equal(b->c->s.rip, CODE + 3);
    assert_true(b->c->s.rflags & X86_IF);
    free_bench(b);
}

static void sti_does_not_shadow_when_if_was_set(void **state)
{
    struct bench *b = BENCH(0xfb, 0x90, 0xfb, 0x90); // sti; nop; sti; nop

    step(b);
    step(b);
    step(b);
    raise_irq(b, 33);
    step(b);
    assert_int_equal(b->c->s.rip, CODE + 3);
    free_bench(b);
}

static void mov_ss_shadows(void **state)
{
    struct bench *b = BENCH(0xfb, 0x90, 0x8c, 0xd0, 0x8e, 0xd0, 0x90, 0x90); // … mov ss, ax; nop

    for (int i = 0; i < 3; i++)
        step(b);
    raise_irq(b, 33);
    b->c->irq = false; // arrives with MOV SS
    step(b);
    b->c->irq = true;
    assert_int_equal(b->c->s.rip, CODE + 6);
    step(b);
    assert_int_equal(b->c->s.rip, CODE + 7);
    step(b);
    assert_int_equal(b->vector, -1);
    free_bench(b);
}

static void sti_hlt_is_not_interrupted_in_between(void **state)
{
    struct bench *b = BENCH(0xfb, 0xf4, 0x90); // sti; hlt; nop

    raise_irq(b, 34);
    step(b);
    step(b);
    assert_true(b->c->s.halted);
    assert_int_equal(step(b), CORE_CONTINUE); // the handler's IRET
    assert_false(b->c->s.halted);
    assert_int_equal(b->c->s.rip, CODE + 2);
    free_bench(b);
}

static void hlt_waits(void **state)
{
    struct bench *b = BENCH(0xf4, 0x90);

    step(b);
    assert_int_equal(step(b), CORE_HALT);
    raise_irq(b, 34); // IF is clear
    assert_int_equal(step(b), CORE_HALT);
    x86_set_nmi(b->c);
    assert_int_equal(step(b), CORE_CONTINUE);
    assert_int_equal(b->c->s.rip, CODE + 1);
    free_bench(b);
}

static void an_nmi_masks_nmis_until_iret(void **state)
{
    struct bench *b = BENCH(0x90, 0x90);

    b->ram[ISR + 16 * 2] = 0x90; // nop; iret
    b->ram[ISR + 16 * 2 + 1] = 0xcf;
    x86_set_nmi(b->c);
    step(b);
    assert_int_equal(b->c->s.rip, ISR + 16 * 2 + 1);
    assert_int_equal(pushed_ip(b), CODE);
    x86_set_nmi(b->c);
    step(b);
    assert_int_equal(b->c->s.rip, CODE);
    assert_false(b->c->s.nmi_masked);
    step(b);
    assert_int_equal(b->c->s.rip, ISR + 16 * 2 + 1);
    free_bench(b);
}

static void a_repeated_instruction_is_interrupted_between_iterations(void **state)
{
    struct bench *b = BENCH(0xf3, 0x6c, 0x90); // rep insb

    b->c->s.gpr[X86_RCX] = 5;
    b->c->s.gpr[X86_RDI] = 0x5000;
    b->c->s.rflags |= X86_IF;
    step(b);
    raise_irq(b, 35);
    step(b);
    assert_int_equal(b->c->s.gpr[X86_RCX], 4);
    assert_int_equal(b->c->s.rip, CODE);
    for (int i = 0; i < 4; i++)
        step(b);
    assert_int_equal(b->c->s.gpr[X86_RCX], 0);
    assert_int_equal(b->c->s.rip, CODE + 2);
    free_bench(b);
}

static void a_second_core_starts_where_the_start_up_interrupt_says(void **state)
{
    struct bench *b = new_bench(1, "\x90", 1);

    assert_int_equal(step(b), CORE_HALT);
    x86_startup_ipi(b->c, 0x01);
    assert_int_equal(b->c->s.seg_base[X86_CS], 0x1000);
    assert_int_equal(b->c->s.rip, 0);
    assert_int_equal(step(b), CORE_CONTINUE);
    assert_int_equal(b->c->s.rip, 1);
    x86_startup_ipi(b->c, 0x07); // no longer waited for
    assert_int_equal(b->c->s.seg_base[X86_CS], 0x1000);
    x86_init_ipi(b->c);
    assert_int_equal(step(b), CORE_HALT);
    free_bench(b);
}

static void a_trap_survives_the_end_of_a_run(void **state)
{
    struct bench *b = BENCH(0x90, 0x90);
    struct x86_core *c = b->c;
    struct x86_insn i;

    c->s.rflags |= X86_TF;
    c->core.budget = c->core.run_budget = 100;
    x86_events_enter(c);
    assert_int_equal(x86_check_events(&c->core), CORE_CONTINUE);
    assert_int_equal(c->core.budget, 1);
    c->core.budget--;
    x86_step(c, &i);
    x86_events_leave(c);
    assert_int_equal(c->s.exc_pending, 1);
    x86_events_enter(c);
    c->s.rflags &= ~(u64)X86_TF;
    step(b); // the handler's IRET
    assert_int_equal(c->s.dr[6] & 0x4000, 0x4000);
    assert_int_equal(c->s.rip, CODE + 1);
    free_bench(b);
}

static void the_budget_comes_back(void **state)
{
    struct bench *b = BENCH(0x90, 0x90);
    struct core *core = &b->c->core;

    core->budget = 70;
    core->run_budget = 100;
    x86_attention(b->c);
    assert_int_equal(core->budget, 0);
    assert_int_equal(core_run_insts(core), 30);
    assert_int_equal(x86_check_events(core), CORE_CONTINUE);
    assert_int_equal(core->budget, 70);
    assert_int_equal(core_run_insts(core), 30);
    free_bench(b);
}

static void cr8_reaches_the_controller(void **state)
{
    struct bench *b = BENCH(0xf0, 0x0f, 0x22, 0xc0, 0x90);

    b->ram[CODE] = 0x44; // mov cr8, rax in 64-bit code
    b->c->s.efer = X86_EFER_LMA;
    b->c->s.cr0 |= X86_CR0_PE;
    b->c->s.seg_attr[X86_CS] |= X86_ATTR_L;
    b->c->s.gpr[X86_RAX] = 9;
    x86_state_loaded(b->c);
    step(b);
    assert_int_equal(b->tpr, 9);
    assert_int_equal(b->c->s.cr8, 9);
    free_bench(b);
}

static void user_mode_emulation_gets_exceptions_itself(void **state)
{
    struct bench *b = BENCH(0x0f, 0x0b, 0xcc, 0x90); // ud2; int3; nop
    struct x86_insn i;

    b->c->core.user_env = true;
    assert_int_equal(step(b), CORE_EXCEPTION);
    assert_int_equal(b->c->fault.vector, X86_EXC_UD);
    assert_int_equal(b->c->s.rip, CODE);
    b->c->s.rip += 2;
    assert_int_equal(x86_step(b->c, &i), X86_LEAVE);
    assert_int_equal(b->c->core.exit, CORE_EXCEPTION);
    assert_int_equal(b->c->fault.vector, X86_EXC_BP);
    assert_int_equal(b->c->s.rip, CODE + 3);
    b->c->s.rflags |= X86_TF;
    assert_int_equal(step(b), CORE_CONTINUE);
    assert_int_equal(step(b), CORE_EXCEPTION);
    assert_int_equal(b->c->fault.vector, X86_EXC_DB);
    assert_int_equal(b->c->s.rip, CODE + 4);
    free_bench(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupt_waits_for_the_instruction_behind_sti),
        cmocka_unit_test(sti_does_not_shadow_when_if_was_set),
        cmocka_unit_test(mov_ss_shadows),
        cmocka_unit_test(sti_hlt_is_not_interrupted_in_between),
        cmocka_unit_test(hlt_waits),
        cmocka_unit_test(an_nmi_masks_nmis_until_iret),
        cmocka_unit_test(a_repeated_instruction_is_interrupted_between_iterations),
        cmocka_unit_test(a_second_core_starts_where_the_start_up_interrupt_says),
        cmocka_unit_test(a_trap_survives_the_end_of_a_run),
        cmocka_unit_test(the_budget_comes_back),
        cmocka_unit_test(cr8_reaches_the_controller),
        cmocka_unit_test(user_mode_emulation_gets_exceptions_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
