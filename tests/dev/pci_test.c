// SPDX-License-Identifier: BSD-3-Clause
// Configuration space: how it is reached and what it says. Expectations: PCI Local Bus 3.0.
#include "pci_sample.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define IDENTITY (SAMPLE_DEVICE << 16 | SAMPLE_VENDOR)

static u32 mechanism_1(struct pci_machine *m, unsigned slot, unsigned offset, unsigned size)
{
    io_put(m, 0xcf8, 4, 0x80000000u | slot << 11 | (offset & 0xfc));
    return io_get(m, (u16)(0xcfc + offset % 4), size);
}

static void mechanism_1_reaches_configuration_space(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    assert_int_equal(mechanism_1(&m, 1, 0, 4), IDENTITY);
    assert_int_equal(mechanism_1(&m, 1, 2, 2), SAMPLE_DEVICE);
    assert_int_equal(mechanism_1(&m, 1, 8, 4), SAMPLE_CLASS << 8 | 7);
    assert_int_equal(mechanism_1(&m, 1, 0xb, 1), 0x01);
    assert_int_equal(mechanism_1(&m, 1, 0x2c, 4), 0x22221111);
    assert_int_equal(io_get(&m, 0xcf8, 4), 0x8000082c);
    io_put(&m, 0xcf8, 4, 0x8000083c);
    io_put(&m, 0xcfc, 1, 0x5a);
    assert_int_equal(mechanism_1(&m, 1, 0x3c, 2), 0x015a);
    assert_int_equal(mechanism_1(&m, 2, 0, 4), 0xffffffff);
    sim_release(&m.sim);
}

static void mechanism_1_needs_its_enable_bit_and_bus_0(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    io_put(&m, 0xcf8, 4, 0x00000800);
    assert_int_equal(io_get(&m, 0xcfc, 4), 0xffffffff);
    io_put(&m, 0xcf8, 4, 0x80010800);
    assert_int_equal(io_get(&m, 0xcfc, 4), 0xffffffff);
    io_put(&m, 0xcf8, 4, ~0u);
    assert_int_equal(io_get(&m, 0xcf8, 4), 0x80fffffc);
    sim_release(&m.sim);
}

static void the_address_register_takes_whole_words_only(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    io_put(&m, 0xcf8, 4, 0x80000800);
    io_put(&m, 0xcfb, 1, 0);
    io_put(&m, 0xcf8, 2, 0);
    io_put(&m, 0xcfa, 2, 0);
    assert_int_equal(io_get(&m, 0xcf8, 4), 0x80000800);
    assert_int_equal(io_get(&m, 0xcfb, 1), 0xff);
    assert_int_equal(pci_seen.reset_control, 0);
    sim_release(&m.sim);
}

static void bytes_of_port_cf9_go_to_reset_control(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 0, NULL);
    io_put(&m, 0xcf8, 4, 0xffffffff);
    assert_int_equal(pci_seen.reset_control, 0);
    io_put(&m, 0xcf9, 1, 0x06);
    assert_int_equal(pci_seen.reset_control, 0x06);
    assert_int_equal(io_get(&m, 0xcf9, 1), 0x06);
    assert_int_equal(io_get(&m, 0xcf8, 4), 0x80fffffc);
    sim_release(&m.sim);
}

static void mmconfig_reaches_the_same_registers(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    assert_int_equal(config_get(&m, 1, 0, 4), IDENTITY);
    assert_int_equal(mem_get(&m, MACHINE_ECAM + 0x8000, 8),
                     (u64)mechanism_1(&m, 1, 4, 4) << 32 | IDENTITY);
    assert_int_equal(config_get(&m, 1, 3, 1), SAMPLE_DEVICE >> 8);
    assert_int_equal(config_get(&m, 1, 1, 4), IDENTITY >> 8 | mechanism_1(&m, 1, 4, 1) << 24);
    config_put(&m, 1, 0x3c, 1, 0x77);
    assert_int_equal(mechanism_1(&m, 1, 0x3c, 1), 0x77);
    sim_release(&m.sim);
}

static void extended_space_is_empty_and_absent_functions_read_as_ones(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    config_put(&m, 1, 0x100, 4, 0x12345678);
    assert_int_equal(config_get(&m, 1, 0x100, 4), 0);
    assert_int_equal(config_get(&m, 1, 0xffc, 4), 0);
    assert_int_equal(config_get(&m, 2, 0, 4), 0xffffffff);
    assert_int_equal(config_get(&m, 2, 0x100, 4), 0xffffffff);
    assert_int_equal(mem_get(&m, MACHINE_ECAM + (1 << 12), 4), 0xffffffff);
    assert_int_equal(mem_get(&m, MACHINE_ECAM + (1 << 20), 4), 0xffffffff);
    assert_int_equal(mem_get(&m, MACHINE_ECAM + PCI_ECAM_SIZE - 4, 4), 0xffffffff);
    config_put(&m, 2, 4, 4, ~0u);
    sim_release(&m.sim);
}

static void slot_0_is_a_host_bridge(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 0, NULL);
    assert_int_equal(config_get(&m, 0, 0xa, 2), 0x0600);
    assert_int_equal(config_get(&m, 0, 0xe, 1), 0);
    assert_int_equal(config_get(&m, 0, 0x34, 1), 0);
    sim_release(&m.sim);
}

static void capabilities_form_a_chain(void **arg)
{
    static const u8 ids[] = {0x05, 0x11, 0x10, 0x09};
    struct pci_machine m;
    unsigned at;

    pci_machine_init(&m, 1, NULL);
    assert_int_equal(config_get(&m, 1, 6, 2) & 0x10, 0x10);
    at = config_get(&m, 1, 0x34, 1);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        assert_int_equal(at % 4, 0);
        assert_int_equal(config_get(&m, 1, at, 1), ids[i]);
        at = config_get(&m, 1, at + 1, 1);
    }
    assert_int_equal(at, 0);
    // Express: version 2, an endpoint integrated into the root complex, without a link.
    assert_int_equal(config_get(&m, 1, SAMPLE_EXPRESS + 2, 2), 0x0092);
    assert_int_equal(config_get(&m, 1, SAMPLE_EXPRESS + 0x0c, 4), 0);
    // Both tables of MSI-X are in BAR 4.
    assert_int_equal(config_get(&m, 1, SAMPLE_MSIX + 2, 2), 2);
    assert_int_equal(config_get(&m, 1, SAMPLE_MSIX + 4, 4) & 7, 4);
    assert_int_equal(config_get(&m, 1, SAMPLE_MSIX + 8, 4) & 7, 4);
    sim_release(&m.sim);
}

static void only_writable_bits_change(void **arg)
{
    static const u8 writable_registers[] = {0x04, 0x05, 0x0c, 0x3c};
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    for (unsigned at = 0; at < 0x40; at++) {
        u32 before = config_get(&m, 1, at, 1);

        if ((at >= 0x10 && at < 0x28) || memchr(writable_registers, (int)at, 4))
            continue;
        config_put(&m, 1, at, 1, ~before & 0xff);
        assert_int_equal(config_get(&m, 1, at, 1), before);
    }
    config_put(&m, 1, 4, 2, 0xffff);
    assert_int_equal(config_get(&m, 1, 4, 2), 0x0547);
    config_put(&m, 1, 4, 2, 0);
    assert_int_equal(config_get(&m, 1, 4, 2), 0);
    sim_release(&m.sim);
}

static void a_device_has_registers_in_its_own_capability(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    config_put(&m, 1, SAMPLE_OWN, 4, ~0u);
    config_put(&m, 1, SAMPLE_OWN + 4, 4, ~0u);
    assert_int_equal(pci_seen.own_writes, 2);
    assert_int_equal(config_get(&m, 1, SAMPLE_OWN + 2, 2), 0xff01);
    assert_int_equal(config_get(&m, 1, SAMPLE_OWN + 4, 2), 0x040f);
    // The device counts reads in the last byte.
    assert_int_equal(config_get(&m, 1, SAMPLE_OWN + 7, 1), 3);
    sim_reset(&m.sim);
    assert_int_equal(config_get(&m, 1, SAMPLE_OWN + 2, 2), 0x0201);
    sim_release(&m.sim);
}

static void functions_take_the_next_free_slots(void **arg)
{
    static const char *const set[] = {"dev1", "slot", "1", "dev3", "slot", "3", NULL};
    static const unsigned slots[] = {2, 1, 4, 3};
    struct pci_machine m;

    pci_machine_init(&m, 4, set);
    for (unsigned i = 0; i < 4; i++) {
        u64 bar = config_get(&m, slots[i], 0x10, 4);

        assert_int_equal(mem_get(&m, bar, 4), i << 8);
    }
    sim_release(&m.sim);
}

static void a_slot_can_have_several_functions(void **arg)
{
    static const char *const set[] = {"dev0", "slot", "5",        "dev1", "slot",
                                      "5",    "dev1", "function", "3",    NULL};
    struct pci_machine m;

    pci_machine_init(&m, 2, set);
    assert_int_equal(config_get(&m, 5, 0xe, 1), 0x80);
    assert_int_equal(mem_get(&m, MACHINE_ECAM + (5 << 15) + (3 << 12), 4), IDENTITY);
    assert_int_equal(mem_get(&m, MACHINE_ECAM + (5 << 15) + (3 << 12) + 0xe, 1), 0);
    assert_int_equal(mem_get(&m, MACHINE_ECAM + (5 << 15) + (1 << 12), 4), 0xffffffff);
    sim_release(&m.sim);
}

static void impossible_places_are_errors(void **arg)
{
    static const struct {
        const char *const set[13], *message;
    } cases[] = {
        {{"dev0", "slot", "32"}, "slots are 0 to 31"},
        {{"dev0", "function", "1"}, "needs a slot"},
        {{"dev0", "slot", "4", "dev0", "function", "1"}, "slot 4 has no function 0"},
        {{"dev0", "slot", "4", "dev1", "slot", "4"}, "are both function 0 of slot 4"},
        {{"dev0", "slot", "0"}, "are both function 0 of slot 0"},
        {{"pci", "io_size", "16"}, "no room for a BAR of 0x8 bytes"},
        {{"pci", "memory_size", "1KiB"}, "no room for a BAR of 0x"},
        {{"pci", "memory64_base", "0xc0001000", "pci", "memory64_size", "1GiB"}, "overlaps"},
        {{"pci", "memory_size", "3GiB"}, "beyond 4 GiB"},
        {{"pci", "io_size", "0x8000"}, "beyond the last port"},
        {{"pci", "memory", "pc.dev0"}, "provides no 'mem_port'"},
        {{"dev0", "host", "pc.ram"}, "pc.ram (ram) is no PCI host"},
        {{"dev0", "host", "pc.pcc"}, "did you mean 'pc.pci'?"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pci_machine m;
        struct error err = {0};

        assert_false(pci_machine_build(&m, 3, cases[i].set, &err));
        if (!strstr(err.message, cases[i].message))
            fail_msg("'%s' is not in '%s'", cases[i].message, err.message);
        sim_release(&m.sim);
    }
}

static void a_function_without_a_host_is_an_error(void **arg)
{
    struct sim sim;
    struct error err;

    sim_init(&sim);
    assert_non_null(component_new(&sim, &pci_sample_type, NULL, "alone", &err));
    assert_false(sim_build(&sim, &err));
    assert_non_null(strstr(err.message, "there is no PCI host"));
    sim_release(&sim);
}

static void a_function_can_name_its_host(void **arg)
{
    static const char *const set[] = {"dev0", "host", "pc.pci", NULL};
    struct pci_machine m;

    pci_machine_init(&m, 1, set);
    assert_int_equal(config_get(&m, 1, 0, 4), IDENTITY);
    sim_release(&m.sim);
}

static void a_function_is_made_by_its_device_only(void **arg)
{
    struct sim sim;
    struct error err;

    sim_init(&sim);
    assert_non_null(component_new(&sim, &pci_function_type, NULL, "alone", &err));
    assert_false(sim_build(&sim, &err));
    assert_non_null(strstr(err.message, "is made by its device"));
    sim_release(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mechanism_1_reaches_configuration_space),
        cmocka_unit_test(mechanism_1_needs_its_enable_bit_and_bus_0),
        cmocka_unit_test(the_address_register_takes_whole_words_only),
        cmocka_unit_test(bytes_of_port_cf9_go_to_reset_control),
        cmocka_unit_test(mmconfig_reaches_the_same_registers),
        cmocka_unit_test(extended_space_is_empty_and_absent_functions_read_as_ones),
        cmocka_unit_test(slot_0_is_a_host_bridge),
        cmocka_unit_test(capabilities_form_a_chain),
        cmocka_unit_test(only_writable_bits_change),
        cmocka_unit_test(a_device_has_registers_in_its_own_capability),
        cmocka_unit_test(functions_take_the_next_free_slots),
        cmocka_unit_test(a_slot_can_have_several_functions),
        cmocka_unit_test(impossible_places_are_errors),
        cmocka_unit_test(a_function_without_a_host_is_an_error),
        cmocka_unit_test(a_function_can_name_its_host),
        cmocka_unit_test(a_function_is_made_by_its_device_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
