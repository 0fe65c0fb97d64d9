// SPDX-License-Identifier: BSD-3-Clause
#include "dev/isa_irqs.h"

#include "dev/test_board.h"

// The board stands for the 8259As, its second child for the IOAPIC.
static const struct test_board *start(struct fixture *x)
{
    struct error err;
    struct component *ioapic;

    fixture_new(x, &isa_irqs_type);
    ioapic = component_new(&x->sim, &test_board_type, &x->board->base, "ioapic", &err);
    assert_non_null(ioapic);
    fixture_set(x, "pic", "board");
    fixture_set(x, "ioapic", "board.ioapic");
    fixture_start(x);
    return (const struct test_board *)ioapic;
}

static void set(const struct fixture *x, unsigned number, bool level)
{
    const struct irq_ops *ops = component_interface(x->device, "irq");

    ops->set(x->device, number, level);
}

static void each_irq_goes_to_both_controllers(void **arg)
{
    struct fixture x;
    const struct test_board *ioapic = start(&x);

    for (unsigned n = 3; n < 16; n++) {
        set(&x, n, true);
        assert_true(x.board->st.level[n]);
        assert_true(ioapic->st.level[n]);
        set(&x, n, false);
        assert_false(x.board->st.level[n]);
        assert_false(ioapic->st.level[n]);
    }
    sim_release(&x.sim);
}

static void the_timer_is_pin_2_of_the_ioapic(void **arg)
{
    struct fixture x;
    const struct test_board *ioapic = start(&x);

    set(&x, 0, true);
    assert_true(x.board->st.level[0]);
    assert_false(ioapic->st.level[0]);
    assert_true(ioapic->st.level[2]);
    sim_release(&x.sim);
}

static void irq_2_and_beyond_15_go_nowhere(void **arg)
{
    static const unsigned numbers[] = {2, 16, 255};
    struct fixture x;
    const struct test_board *ioapic = start(&x);

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
        set(&x, numbers[i], true);
    for (unsigned i = 0; i < BOARD_INPUTS; i++) {
        assert_false(x.board->st.level[i]);
        assert_false(ioapic->st.level[i]);
    }
    sim_release(&x.sim);
}

static void both_controllers_are_optional(void **arg)
{
    struct fixture x;

    fixture_new(&x, &isa_irqs_type);
    fixture_start(&x);
    set(&x, 4, true);
    sim_release(&x.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_irq_goes_to_both_controllers),
        cmocka_unit_test(the_timer_is_pin_2_of_the_ioapic),
        cmocka_unit_test(irq_2_and_beyond_15_go_nowhere),
        cmocka_unit_test(both_controllers_are_optional),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
