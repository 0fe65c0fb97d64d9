// SPDX-License-Identifier: BSD-3-Clause
// INTx, MSI (PCI Local Bus 3.0, section 6.8.1) and MSI-X (section 6.8.2).
#include "pci_sample.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { COMMAND = 4, STATUS = 6, BAR4 = 0x20, MEMORY = 2, MASTER = 4, NO_INTX = 0x400 };
enum {
    MSI_CONTROL = SAMPLE_MSI + 2,
    MSI_MASK = SAMPLE_MSI + 0x10,
    MSI_PENDING = SAMPLE_MSI + 0x14
};
enum { MSIX_CONTROL = SAMPLE_MSIX + 2, MSIX_ENABLE = 0x8000, MSIX_MASK_ALL = 0x4000 };

// INTx.

static void slots_are_spread_over_the_lines(void **arg)
{
    static const char *const set[] = {"dev3", "slot", "8", "pci", "intx_d", "44", NULL};
    static const u8 inputs[] = {17, 18, 44, 16}; // of slots 1, 2, 3 and 8
    static const u8 slots[] = {1, 2, 3, 8};
    struct pci_machine m;

    pci_machine_init(&m, 4, set);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(config_get(&m, slots[i], 0x3c, 1), inputs[i]);
        pci_function_set_intx(m.functions[i], true);
        assert_int_equal(pci_seen.levels[inputs[i]], 1);
        pci_function_set_intx(m.functions[i], false);
        assert_int_equal(pci_seen.levels[inputs[i]], 0);
    }
    sim_release(&m.sim);
}

static void functions_share_a_line(void **arg)
{
    static const char *const set[] = {"dev1", "slot", "5", NULL};
    struct pci_machine m;

    pci_machine_init(&m, 2, set);
    pci_function_set_intx(m.functions[0], true);
    pci_function_set_intx(m.functions[1], true);
    pci_function_set_intx(m.functions[0], false);
    assert_int_equal(pci_seen.levels[17], 1);
    pci_function_set_intx(m.functions[1], false);
    assert_int_equal(pci_seen.levels[17], 0);
    sim_release(&m.sim);
}

static void the_disable_bit_silences_intx_but_not_its_status(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    pci_function_set_intx(m.functions[0], true);
    assert_int_equal(config_get(&m, 1, STATUS, 2) & 8, 8);
    config_put(&m, 1, COMMAND, 2, NO_INTX);
    assert_int_equal(pci_seen.levels[17], 0);
    assert_int_equal(config_get(&m, 1, STATUS, 2) & 8, 8);
    config_put(&m, 1, COMMAND, 2, 0);
    assert_int_equal(pci_seen.levels[17], 1);
    config_put(&m, 1, STATUS, 2, 0xffff);
    assert_int_equal(config_get(&m, 1, STATUS, 2) & 8, 8);
    sim_release(&m.sim);
}

static void messages_silence_intx(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    pci_function_set_intx(m.functions[0], true);
    assert_false(pci_function_message_enabled(m.functions[0]));
    config_put(&m, 1, MSI_CONTROL, 2, 1);
    assert_true(pci_function_message_enabled(m.functions[0]));
    assert_int_equal(pci_seen.levels[17], 0);
    config_put(&m, 1, MSI_CONTROL, 2, 0);
    assert_int_equal(pci_seen.levels[17], 1);
    config_put(&m, 1, MSIX_CONTROL, 2, MSIX_ENABLE);
    assert_true(pci_function_msix_enabled(m.functions[0]));
    assert_int_equal(pci_seen.levels[17], 0);
    sim_release(&m.sim);
}

static void a_function_without_intx_has_no_pin(void **arg)
{
    static const char *const set[] = {"dev0", "intx", "false", NULL};
    struct pci_machine m;

    pci_machine_init(&m, 1, set);
    assert_int_equal(config_get(&m, 1, 0x3c, 2), 0);
    pci_function_set_intx(m.functions[0], true);
    assert_int_equal(pci_seen.levels[17], 0);
    sim_release(&m.sim);
}

// MSI.

static void enable_msi(struct pci_machine *m, unsigned log2)
{
    config_put(m, 1, COMMAND, 2, MASTER | MEMORY);
    config_put(m, 1, SAMPLE_MSI + 4, 4, 0xfee01004);
    config_put(m, 1, SAMPLE_MSI + 8, 4, 0);
    config_put(m, 1, SAMPLE_MSI + 0xc, 2, 0x41f3);
    config_put(m, 1, MSI_CONTROL, 2, 1 | log2 << 4);
}

static void msi_is_a_write_with_the_vector_in_its_low_bits(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    assert_int_equal(config_get(&m, 1, MSI_CONTROL, 2), 0x184);
    pci_function_interrupt(m.functions[0], 0);
    assert_int_equal(pci_seen.messages, 0);
    enable_msi(&m, 2);
    pci_function_interrupt(m.functions[0], 2);
    assert_int_equal(pci_seen.messages, 1);
    assert_int_equal(pci_seen.address, 0xfee01004);
    assert_int_equal(pci_seen.data, 0x41f2);
    enable_msi(&m, 1);
    pci_function_interrupt(m.functions[0], 2);
    assert_int_equal(pci_seen.data, 0x41f2);
    enable_msi(&m, 0);
    pci_function_interrupt(m.functions[0], 2);
    assert_int_equal(pci_seen.data, 0x41f3);
    // More than it is capable of: what it is capable of.
    enable_msi(&m, 7);
    pci_function_interrupt(m.functions[0], 4);
    assert_int_equal(pci_seen.data, 0x41f0);
    assert_int_equal(stat_of(m.functions[0], "messages"), 4);
    sim_release(&m.sim);
}

static void a_masked_msi_is_pending_until_unmasked(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    enable_msi(&m, 2);
    config_put(&m, 1, MSI_MASK, 4, ~0u);
    assert_int_equal(config_get(&m, 1, MSI_MASK, 4), 0xf);
    pci_function_interrupt(m.functions[0], 1);
    pci_function_interrupt(m.functions[0], 3);
    pci_function_interrupt(m.functions[0], 3);
    assert_int_equal(pci_seen.messages, 0);
    assert_int_equal(config_get(&m, 1, MSI_PENDING, 4), 0xa);
    config_put(&m, 1, MSI_PENDING, 4, 0);
    assert_int_equal(config_get(&m, 1, MSI_PENDING, 4), 0xa);
    config_put(&m, 1, MSI_MASK, 1, 0x7);
    assert_int_equal(pci_seen.messages, 1);
    assert_int_equal(pci_seen.data, 0x41f3);
    assert_int_equal(config_get(&m, 1, MSI_PENDING, 4), 0x2);
    config_put(&m, 1, MSI_MASK, 1, 0);
    assert_int_equal(pci_seen.messages, 2);
    assert_int_equal(pci_seen.data, 0x41f1);
    assert_int_equal(config_get(&m, 1, MSI_PENDING, 4), 0);
    sim_release(&m.sim);
}

static void messages_need_bus_mastering_and_a_receiver(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    enable_msi(&m, 0);
    config_put(&m, 1, COMMAND, 2, 0);
    pci_function_interrupt(m.functions[0], 0);
    assert_int_equal(pci_seen.messages, 0);
    assert_int_equal(stat_of(m.functions[0], "messages_lost"), 1);
    config_put(&m, 1, COMMAND, 2, MASTER);
    config_put(&m, 1, SAMPLE_MSI + 4, 4, 0x1003);
    pci_function_interrupt(m.functions[0], 0);
    assert_int_equal(ram_bytes(m.ram)[0x1001], 0x41);
    // Other devices' registers are no receivers: this would write to configuration space.
    config_put(&m, 1, SAMPLE_MSI + 4, 4, MACHINE_ECAM + 0x803c);
    pci_function_interrupt(m.functions[0], 0);
    assert_int_equal(config_get(&m, 1, 0x3c, 1), 17);
    config_put(&m, 1, SAMPLE_MSI + 8, 4, 0x12345678);
    pci_function_interrupt(m.functions[0], 0);
    assert_int_equal(stat_of(m.functions[0], "messages_lost"), 3);
    sim_release(&m.sim);
}

// MSI-X.

static u64 msix_table(struct pci_machine *m)
{
    return config_get(m, 1, BAR4, 4);
}

static void enable_msix(struct pci_machine *m)
{
    u64 table = msix_table(m);

    config_put(m, 1, COMMAND, 2, MASTER | MEMORY);
    for (unsigned v = 0; v < 3; v++) {
        mem_put(m, table + 16 * v, 8, 0xfee02000 + 0x100 * v);
        mem_put(m, table + 16 * v + 8, 4, 0xabcd0050 + v);
        mem_put(m, table + 16 * v + 12, 4, 0);
    }
    config_put(m, 1, MSIX_CONTROL, 2, MSIX_ENABLE);
}

static void each_msix_vector_has_its_own_message(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    pci_function_interrupt(m.functions[0], 1);
    enable_msix(&m);
    assert_int_equal(pci_seen.messages, 0);
    for (unsigned v = 0; v < 3; v++) {
        pci_function_interrupt(m.functions[0], v);
        assert_int_equal(pci_seen.messages, v + 1);
        assert_int_equal(pci_seen.address, 0xfee02000 + 0x100 * v);
        assert_int_equal(pci_seen.data, 0xabcd0050 + v);
    }
    pci_function_interrupt(m.functions[0], 3);
    pci_function_interrupt(m.functions[0], ~0u);
    assert_int_equal(pci_seen.messages, 3);
    sim_release(&m.sim);
}

static void msix_wins_over_msi(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    enable_msi(&m, 2);
    enable_msix(&m);
    pci_function_interrupt(m.functions[0], 2);
    assert_int_equal(pci_seen.address, 0xfee02200);
    sim_release(&m.sim);
}

static void a_masked_entry_is_pending_until_unmasked(void **arg)
{
    struct pci_machine m;
    u64 table;

    pci_machine_init(&m, 1, NULL);
    table = msix_table(&m);
    // After reset all are masked.
    assert_int_equal(mem_get(&m, table + 16 + 12, 4), 1);
    enable_msix(&m);
    mem_put(&m, table + 16 + 12, 4, 1);
    pci_function_interrupt(m.functions[0], 1);
    pci_function_interrupt(m.functions[0], 1);
    assert_int_equal(pci_seen.messages, 0);
    assert_int_equal(mem_get(&m, table + 0x800, 8), 2);
    assert_int_equal(stat_of(m.functions[0], "messages_kept"), 2);
    // The message as it is when it is unmasked.
    mem_put(&m, table + 16 + 8, 4, 77);
    mem_put(&m, table + 0x800, 8, 0);
    assert_int_equal(mem_get(&m, table + 0x800, 4), 2);
    mem_put(&m, table + 16 + 12, 4, 0);
    assert_int_equal(pci_seen.messages, 1);
    assert_int_equal(pci_seen.data, 77);
    assert_int_equal(mem_get(&m, table + 0x800, 8), 0);
    sim_release(&m.sim);
}

static void the_function_mask_covers_all_entries(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    enable_msix(&m);
    config_put(&m, 1, MSIX_CONTROL, 2, MSIX_ENABLE | MSIX_MASK_ALL);
    pci_function_interrupt(m.functions[0], 0);
    pci_function_interrupt(m.functions[0], 2);
    assert_int_equal(pci_seen.messages, 0);
    assert_int_equal(mem_get(&m, msix_table(&m) + 0x800, 8), 5);
    config_put(&m, 1, MSIX_CONTROL, 2, MSIX_ENABLE);
    assert_int_equal(pci_seen.messages, 2);
    assert_int_equal(mem_get(&m, msix_table(&m) + 0x800, 8), 0);
    assert_int_equal(config_get(&m, 1, MSIX_CONTROL, 2), MSIX_ENABLE | 2);
    sim_release(&m.sim);
}

static void the_rest_of_the_msix_bar_is_empty(void **arg)
{
    struct pci_machine m;
    u64 table;

    pci_machine_init(&m, 1, NULL);
    table = msix_table(&m);
    mem_put(&m, table + 16 * 3, 8, ~(u64)0);
    mem_put(&m, table + 0xff8, 8, ~(u64)0);
    assert_int_equal(mem_get(&m, table + 16 * 3, 8), 0);
    assert_int_equal(mem_get(&m, table + 0x808, 8), 0);
    assert_int_equal(mem_get(&m, table + 0xff8, 8), 0);
    mem_put(&m, table + 2, 2, 0xfee0);
    assert_int_equal(mem_get(&m, table, 4), 0xfee00000);
    sim_release(&m.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_spread_over_the_lines),
        cmocka_unit_test(functions_share_a_line),
        cmocka_unit_test(the_disable_bit_silences_intx_but_not_its_status),
        cmocka_unit_test(messages_silence_intx),
        cmocka_unit_test(a_function_without_intx_has_no_pin),
        cmocka_unit_test(msi_is_a_write_with_the_vector_in_its_low_bits),
        cmocka_unit_test(a_masked_msi_is_pending_until_unmasked),
        cmocka_unit_test(messages_need_bus_mastering_and_a_receiver),
        cmocka_unit_test(each_msix_vector_has_its_own_message),
        cmocka_unit_test(msix_wins_over_msi),
        cmocka_unit_test(a_masked_entry_is_pending_until_unmasked),
        cmocka_unit_test(the_function_mask_covers_all_entries),
        cmocka_unit_test(the_rest_of_the_msix_bar_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
