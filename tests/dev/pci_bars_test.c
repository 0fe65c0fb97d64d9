// SPDX-License-Identifier: BSD-3-Clause
// BARs (PCI Local Bus 3.0, section 6.2.5): sizing, moving, decoding; and what else the command
// register switches.
#include "mem/physmap.h"
#include "pci_sample.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { COMMAND = 4, BAR0 = 0x10, BAR1 = 0x14, BAR2 = 0x18, BAR3 = 0x1c, BAR4 = 0x20 };
enum { IO = 1, MEMORY = 2, MASTER = 4 };
#define NOTHING 0xffffffffu

static u64 bar_address(struct pci_machine *m, unsigned slot, unsigned bar)
{
    u32 low = config_get(m, slot, bar, 4);

    if (low & 1)
        return low & ~3u;
    return (low & ~15u) | (low & 4 ? (u64)config_get(m, slot, bar + 4, 4) << 32 : 0);
}

static void a_reset_machine_has_its_bars_in_the_windows(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 2, NULL);
    // By size, then by slot: 64 KiB of both, then BARs 0 and 4 of 4 KiB of each.
    assert_int_equal(bar_address(&m, 1, BAR2), MACHINE_MEMORY);
    assert_int_equal(bar_address(&m, 2, BAR2), MACHINE_MEMORY + 0x10000);
    assert_int_equal(bar_address(&m, 1, BAR0), MACHINE_MEMORY + 0x20000);
    assert_int_equal(bar_address(&m, 1, BAR4), MACHINE_MEMORY + 0x21000);
    assert_int_equal(bar_address(&m, 2, BAR4), MACHINE_MEMORY + 0x23000);
    assert_int_equal(bar_address(&m, 1, BAR1), MACHINE_IO);
    assert_int_equal(bar_address(&m, 2, BAR1), MACHINE_IO + 8);
    for (unsigned slot = 1; slot <= 2; slot++) {
        assert_int_equal(config_get(&m, slot, COMMAND, 2), IO | MEMORY);
        assert_int_equal(config_get(&m, slot, 0x3c, 2), 0x0100 | (16 + slot));
        assert_int_equal(mem_get(&m, bar_address(&m, slot, BAR0), 4), (slot - 1) << 8);
        assert_int_equal(io_get(&m, (u16)bar_address(&m, slot, BAR1), 4), (slot - 1) << 8 | 1);
        assert_int_equal(mem_get(&m, bar_address(&m, slot, BAR2), 4), (slot - 1) << 8 | 2);
        assert_int_equal(stat_of(m.functions[slot - 1], "bars_refused"), 0);
    }
    sim_release(&m.sim);
}

static void large_bars_go_to_the_64_bit_window(void **arg)
{
    static const char *const set[] = {
        "pci",         "memory64_size", "32GiB", "pci",  "memory64_base",
        "0x800100000", "dev0",          "large", "8GiB", NULL};
    struct pci_machine m;

    pci_machine_init(&m, 2, set);
    assert_int_equal(bar_address(&m, 1, BAR2), MACHINE_MEMORY64 + GiB(8));
    assert_int_equal(bar_address(&m, 2, BAR2), MACHINE_MEMORY64 + GiB(16));
    assert_int_equal(bar_address(&m, 1, BAR0), MACHINE_MEMORY);
    assert_int_equal(mem_get(&m, MACHINE_MEMORY64 + GiB(8), 4), 2);
    assert_int_equal(config_get(&m, 1, BAR2, 4) & 15, 12);
    // Sizing covers both halves.
    config_put(&m, 1, BAR2, 4, ~0u);
    config_put(&m, 1, BAR3, 4, ~0u);
    assert_int_equal(config_get(&m, 1, BAR2, 4), 12);
    assert_int_equal(config_get(&m, 1, BAR3, 4), 0xfffffffe);
    sim_release(&m.sim);
}

static void ones_show_the_size_of_each_kind(void **arg)
{
    static const struct {
        unsigned bar;
        u32 value;
    } cases[] = {{BAR0, 0xfffff000}, {BAR1, 0xfffffff9}, {BAR2, 0xffff000c}, {BAR3, 0xffffffff},
                 {BAR4, 0xfffff000}, {0x24, 0},          {0x30, 0}};
    struct pci_machine m;

    pci_machine_init(&m, 1, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        u32 before = config_get(&m, 1, cases[i].bar, 4);

        config_put(&m, 1, cases[i].bar, 4, ~0u);
        assert_int_equal(config_get(&m, 1, cases[i].bar, 4), cases[i].value);
        config_put(&m, 1, cases[i].bar, 4, before);
        assert_int_equal(config_get(&m, 1, cases[i].bar, 4), before);
    }
    // Not switching decoding off meanwhile is no mistake.
    assert_int_equal(stat_of(m.functions[0], "bars_refused"), 0);
    assert_int_equal(mem_get(&m, bar_address(&m, 1, BAR2), 4), 2);
    sim_release(&m.sim);
}

static void a_moved_bar_answers_at_its_new_place_only(void **arg)
{
    static const char *const set[] = {"pci", "memory64_size", "32GiB", NULL};
    struct pci_machine m;
    u64 old[3];

    pci_machine_init(&m, 1, set);
    for (unsigned i = 0; i < 3; i++)
        old[i] = bar_address(&m, 1, BAR0 + 4 * i);
    config_put(&m, 1, BAR0, 4, 0xc8000000);
    config_put(&m, 1, BAR1, 4, 0xd000);
    config_put(&m, 1, BAR2, 4, 0x10000);
    config_put(&m, 1, BAR3, 4, 0x9);
    assert_int_equal(mem_get(&m, 0xc8000000, 4), 0);
    assert_int_equal(io_get(&m, 0xd000, 4), 1);
    assert_int_equal(mem_get(&m, 0x900010000, 4), 2);
    assert_int_equal(mem_get(&m, old[0], 4), NOTHING);
    assert_int_equal(io_get(&m, (u16)old[1], 4), NOTHING);
    assert_int_equal(mem_get(&m, old[2], 4), NOTHING);
    mem_put(&m, 0x900010008, 4, 55);
    assert_int_equal(pci_seen.write_bar, 2);
    assert_int_equal(pci_seen.write_offset, 8);
    assert_int_equal(pci_seen.write_value, 55);
    // A 64-bit BAR may be in 32-bit memory, too.
    config_put(&m, 1, BAR3, 4, 0);
    config_put(&m, 1, BAR2, 4, 0xc9000000);
    assert_int_equal(mem_get(&m, 0xc9000000, 4), 2);
    sim_release(&m.sim);
}

static void decoding_is_switched_by_the_command_register(void **arg)
{
    struct pci_machine m;
    u64 memory, io;

    pci_machine_init(&m, 1, NULL);
    memory = bar_address(&m, 1, BAR0);
    io = bar_address(&m, 1, BAR1);
    config_put(&m, 1, COMMAND, 2, IO);
    assert_int_equal(mem_get(&m, memory, 4), NOTHING);
    assert_int_equal(io_get(&m, (u16)io, 4), 1);
    config_put(&m, 1, COMMAND, 2, MEMORY);
    assert_int_equal(mem_get(&m, memory, 4), 0);
    assert_int_equal(io_get(&m, (u16)io, 4), NOTHING);
    config_put(&m, 1, COMMAND, 2, 0);
    config_put(&m, 1, BAR0, 4, 0xc8000000);
    assert_int_equal(mem_get(&m, 0xc8000000, 4), NOTHING);
    config_put(&m, 1, COMMAND, 2, MEMORY);
    assert_int_equal(mem_get(&m, 0xc8000000, 4), 0);
    sim_release(&m.sim);
}

static void of_two_bars_at_one_place_the_first_is_there(void **arg)
{
    struct pci_machine m;

    pci_machine_init(&m, 2, NULL);
    config_put(&m, 2, BAR0, 4, 0xc8000000);
    config_put(&m, 1, BAR0, 4, 0xc8000000);
    assert_int_equal(mem_get(&m, 0xc8000000, 4), 0x000);
    assert_int_equal(stat_of(m.functions[1], "bars_refused"), 1);
    assert_int_equal(stat_of(m.functions[0], "bars_refused"), 0);
    config_put(&m, 1, 0x3c, 1, 5);
    assert_int_equal(stat_of(m.functions[1], "bars_refused"), 1);
    // A part is enough: BAR 2 is large. It comes before BAR 0 of slot 2 only.
    config_put(&m, 1, BAR2, 4, 0xc8000000);
    assert_int_equal(mem_get(&m, 0xc8008000, 4), NOTHING);
    config_put(&m, 1, BAR0, 4, 0xc8010000);
    assert_int_equal(mem_get(&m, 0xc8010000, 4), 0x000);
    assert_int_equal(mem_get(&m, 0xc8000000, 4), 0x002);
    // When they go, the other appears.
    config_put(&m, 1, COMMAND, 2, 0);
    assert_int_equal(mem_get(&m, 0xc8000000, 4), 0x100);
    assert_int_equal(mem_get(&m, 0xc8010000, 4), NOTHING);
    sim_release(&m.sim);
}

static void bars_outside_of_the_windows_are_refused(void **arg)
{
    static const u32 places[] = {0x1000, 0xb0000000, 0xf0000000, 0xfee00000, 0xbffff000};
    struct pci_machine m;
    unsigned refused = 0;

    pci_machine_init(&m, 1, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        config_put(&m, 1, BAR0, 4, places[i]);
        assert_int_equal(config_get(&m, 1, BAR0, 4), places[i]);
        assert_int_equal(stat_of(m.functions[0], "bars_refused"), ++refused);
    }
    config_put(&m, 1, BAR1, 4, 0xcf8);
    config_put(&m, 1, BAR1, 4, 0x1c000);
    config_put(&m, 1, BAR1, 4, 0xf000);
    assert_int_equal(stat_of(m.functions[0], "bars_refused"), refused + 3);
    config_put(&m, 1, BAR2 + 4, 4, 1);
    assert_int_equal(stat_of(m.functions[0], "bars_refused"), refused + 4);
    assert_int_equal(mem_get(&m, 0x1000, 4), 0);
    // The last place inside.
    config_put(&m, 1, BAR0, 4, 0xeffff000);
    assert_int_equal(mem_get(&m, 0xeffff004, 4), 0);
    sim_release(&m.sim);
}

static void a_bar_gives_way_to_what_the_board_has_there(void **arg)
{
    struct pci_machine m;
    struct error err;

    pci_machine_init(&m, 1, NULL);
    must(physmap_add_mmio(m.map, 0xc8000000, pci_ecam(m.host), &err), &err);
    config_put(&m, 1, BAR0, 4, 0xc8001000);
    assert_int_equal(stat_of(m.functions[0], "bars_refused"), 1);
    config_put(&m, 1, BAR4, 4, 0xd8000000);
    assert_int_equal(stat_of(m.functions[0], "bars_refused"), 1);
    // It comes when the place is free at the next change of the map.
    assert_true(physmap_remove(m.map, 0xc8000000));
    config_put(&m, 1, COMMAND, 2, MEMORY);
    assert_int_equal(mem_get(&m, 0xc8001000, 4), 0);
    assert_int_equal(mem_get(&m, 0xc8001004, 4), 0);
    sim_release(&m.sim);
}

static void a_reset_puts_bars_back(void **arg)
{
    struct pci_machine m;
    u64 first, second;

    pci_machine_init(&m, 2, NULL);
    first = bar_address(&m, 1, BAR0);
    second = bar_address(&m, 2, BAR0);
    // Each to the place of the other.
    config_put(&m, 1, COMMAND, 2, MASTER);
    config_put(&m, 1, BAR0, 4, (u32)second);
    config_put(&m, 2, BAR0, 4, (u32)first);
    config_put(&m, 1, COMMAND, 2, MEMORY);
    assert_int_equal(mem_get(&m, first, 4), 0x100);
    assert_int_equal(mem_get(&m, second, 4), 0x000);
    sim_reset(&m.sim);
    assert_int_equal(mem_get(&m, first, 4), 0x000);
    assert_int_equal(mem_get(&m, second, 4), 0x100);
    assert_int_equal(config_get(&m, 1, COMMAND, 2), IO | MEMORY);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(stat_of(m.functions[i], "bars_refused"), 0);
    sim_release(&m.sim);
}

static void only_a_bus_master_reaches_memory(void **arg)
{
    struct pci_machine m;
    struct mem_port dma;
    u8 bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    pci_machine_init(&m, 1, NULL);
    dma = pci_function_dma(m.functions[0]);
    assert_false(mem_port_copy_in(&dma, 0x1ffc, bytes, 8));
    assert_false(mem_port_read(&dma, 0x1ffc, 4, bytes));
    assert_int_equal(bytes[3], 0xff);
    assert_null(mem_port_host_page(&dma, 0x1000, false));
    assert_int_equal(ram_bytes(m.ram)[0x1ffc], 0);
    assert_int_equal(stat_of(m.functions[0], "dma_refused"), 2);
    config_put(&m, 1, COMMAND, 2, MASTER);
    bytes[3] = 4;
    assert_true(mem_port_copy_in(&dma, 0x1ffd, bytes + 3, 5));
    assert_int_equal(ram_bytes(m.ram)[0x1ffd], 4);
    assert_int_equal(ram_bytes(m.ram)[0x2001], 8);
    assert_ptr_equal(mem_port_host_page(&dma, 0x1000, true), ram_bytes(m.ram) + 0x1000);
    // Neither registers nor nothing.
    assert_false(mem_port_write(&dma, MACHINE_ECAM + 0x8004, 4, bytes));
    assert_false(mem_port_write(&dma, MACHINE_MESSAGES, 4, bytes));
    assert_false(mem_port_read(&dma, 0x200000, 4, bytes));
    assert_int_equal(pci_seen.messages, 0);
    sim_release(&m.sim);
}

// As where there is decoded code.
static void memory_may_want_to_see_writes(void **arg)
{
    static const char *const set[] = {"pci", "memory", "pc.watcher", NULL};
    struct pci_machine m;
    struct mem_port dma;
    u32 v = 0x12345678;

    pci_machine_init(&m, 1, set);
    dma = pci_function_dma(m.functions[0]);
    config_put(&m, 1, COMMAND, 2, MASTER);
    assert_null(mem_port_host_page(&dma, 0x1000, true));
    assert_true(mem_port_copy_in(&dma, 0x1ffe, &v, 4));
    assert_int_equal(pci_seen.memory_writes, 2);
    assert_int_equal(ram_bytes(m.ram)[0x2001], 0x12);
    sim_release(&m.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_machine_has_its_bars_in_the_windows),
        cmocka_unit_test(large_bars_go_to_the_64_bit_window),
        cmocka_unit_test(ones_show_the_size_of_each_kind),
        cmocka_unit_test(a_moved_bar_answers_at_its_new_place_only),
        cmocka_unit_test(decoding_is_switched_by_the_command_register),
        cmocka_unit_test(of_two_bars_at_one_place_the_first_is_there),
        cmocka_unit_test(bars_outside_of_the_windows_are_refused),
        cmocka_unit_test(a_bar_gives_way_to_what_the_board_has_there),
        cmocka_unit_test(a_reset_puts_bars_back),
        cmocka_unit_test(only_a_bus_master_reaches_memory),
        cmocka_unit_test(memory_may_want_to_see_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
