// SPDX-License-Identifier: BSD-3-Clause
// PCI and checkpoints, and what a hostile guest or file can do: nothing.
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "pci_sample.h"
#include "sim/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { COMMAND = 4, BAR0 = 0x10, BAR4 = 0x20 };

static char directory[64];

static int make_directory(void **arg)
{
    snprintf(directory, sizeof(directory), "%s/facet-pci-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **arg)
{
    struct error err;

    return file_remove_tree(directory, &err) ? 0 : -1;
}

static void move_machine(struct pci_machine *from, struct pci_machine *to)
{
    AUTO_FREE char *path = xasprintf("%s/checkpoint", directory);
    struct error err;

    must(checkpoint_save(&from->sim, path, NULL, &err), &err);
    must(checkpoint_load(&to->sim, path, NULL, &err), &err);
    must(file_remove_tree(path, &err), &err);
}

// What answers at every place where a BAR could be, and the counters.
static u64 machine_hash(struct pci_machine *m)
{
    u64 h = sim_hash(&m->sim);

    for (const struct component *c = m->sim.root; c; c = c->next)
        h = hash64_more(h, component_stats(c), stat_words(c->type->stats) * sizeof(u64));
    for (unsigned slot = 1; slot <= MACHINE_DEVICES; slot++)
        for (unsigned bar = BAR0; bar <= BAR4; bar += 4) {
            u32 at = config_get(m, slot, bar, 4), high = config_get(m, slot, bar + 4, 4);
            u64 v[3] = {mem_get(m, at & ~7u, 4), io_get(m, (u16)(at & ~3u), 4),
                        mem_get(m, (u64)high << 32 | (at & ~7u), 4)};

            h = hash64_more(h, v, sizeof(v));
        }
    return h;
}

static void a_loaded_machine_has_its_bars_where_they_were(void **arg)
{
    struct pci_machine a, b;

    pci_machine_init(&a, 2, NULL);
    config_put(&a, 1, BAR0, 4, 0xc8000000);
    config_put(&a, 2, COMMAND, 2, 5);
    config_put(&a, 2, 0x14, 4, 0xd100);
    pci_machine_init(&b, 2, NULL);
    config_put(&b, 1, BAR0, 4, 0xd8000000);
    move_machine(&a, &b);
    assert_int_equal(machine_hash(&a), machine_hash(&b));
    assert_int_equal(mem_get(&b, 0xc8000000, 4), 0x000);
    assert_int_equal(mem_get(&b, 0xd8000000, 4), 0xffffffff);
    assert_int_equal(io_get(&b, 0xd100, 4), 0x101);
    assert_int_equal(mem_get(&b, config_get(&b, 2, BAR0, 4), 4), 0xffffffff);
    sim_release(&a.sim);
    sim_release(&b.sim);
}

static void pending_interrupts_survive(void **arg)
{
    struct pci_machine a, b;
    u64 table;

    pci_machine_init(&a, 1, NULL);
    table = config_get(&a, 1, BAR4, 4);
    config_put(&a, 1, COMMAND, 2, 6);
    mem_put(&a, table, 8, 0xfee00000);
    config_put(&a, 1, SAMPLE_MSIX + 2, 2, 0x8000);
    pci_function_interrupt(a.functions[0], 0);
    pci_machine_init(&b, 1, NULL);
    move_machine(&a, &b);
    pci_seen.messages = 0;
    assert_int_equal(mem_get(&b, table + 0x800, 8), 1);
    mem_put(&b, table + 12, 4, 0);
    assert_int_equal(pci_seen.messages, 1);
    sim_release(&a.sim);
    sim_release(&b.sim);
}

static void the_state_of_another_device_is_refused(void **arg)
{
    static const u8 fixed[] = {0x00, 0x03, 0x08, 0x0b, 0x0e, 0x10, 0x14, 0x18, 0x2c, 0x34, 0x3d};
    struct pci_machine m;
    struct error err;

    pci_machine_init(&m, 1, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        u8 *byte = pci_function_config(m.functions[0]) + fixed[i];

        *byte ^= 2;
        assert_false(pci_function_type.ops->after_load(m.functions[0], &err));
        assert_non_null(strstr(err.message, "another device"));
        *byte ^= 2;
        assert_true(pci_function_type.ops->after_load(m.functions[0], &err));
    }
    sim_release(&m.sim);
}

// Something that a guest or a device does; addresses often meet.
static void act(struct pci_machine *m, struct rng *g)
{
    unsigned slot = (unsigned)rng_below(g, MACHINE_DEVICES + 2), i;
    unsigned size = 1u << rng_below(g, 4), offset = (unsigned)rng_below(g, 256);
    u64 v = rng_next(g);
    struct component *f = m->functions[rng_below(g, MACHINE_DEVICES)];
    struct mem_port dma = pci_function_dma(f);
    u8 data[16] = {(u8)v};

    switch (rng_below(g, 12)) {
    case 0:
        config_put(m, slot, offset & ~3u, 4, (u32)v);
        break;
    case 1:
        mem_put(m, MACHINE_ECAM + (slot << 15) + offset, size, v);
        break;
    case 2:
        io_put(m, 0xcf8, 4, 0x80000000u | slot << 11 | offset);
        io_put(m, (u16)(0xcf8 + v % 8), 1u << rng_below(g, 3), (u32)(v >> 8));
        break;
    case 3:
    case 4:
        i = BAR0 + 4 * (unsigned)rng_below(g, 6);
        config_put(m, slot, i, 4, i == 0x14 ? 0xc000 + (v & 0x3f) : 0xc0000000 + (v & 0x3f000));
        break;
    case 5:
        config_put(m, slot, 0x1c, 4, v & 8);
        config_put(m, slot, COMMAND, 2, v & 3 ? 7 : (u32)v);
        break;
    case 6:
        pci_function_interrupt(f, (unsigned)v & 63);
        break;
    case 7:
        pci_function_set_intx(f, v & 1);
        break;
    case 8:
        config_put(m, slot, SAMPLE_MSIX + 2, 2, (u32)v);
        config_put(m, slot, SAMPLE_MSI + (v & 0x1c), 4, (u32)(v >> 32));
        break;
    case 9:
        mem_put(m, 0xc0000000 + (v & 0x3f000) + (v >> 32 & 0xfff) % 0xff8, size, v >> 20);
        break;
    case 10:
        mem_port_write(&m->memory, MACHINE_ECAM + (slot << 15) + (offset & 0xf0), 16, data);
        mem_get(m, MACHINE_ECAM + (v & (PCI_ECAM_SIZE - 8)), size);
        break;
    default:
        mem_port_copy_in(&dma, v & 0x1fffff, data, sizeof(data));
        break;
    }
}

static void a_hostile_guest_breaks_nothing_and_its_machine_can_be_moved(void **arg)
{
    struct rng g = {2024};

    for (unsigned round = 0; round < 12; round++) {
        struct pci_machine a, b;
        static const char *const set[] = {"pci", "memory64_size", "32GiB", "dev1", "slot", "5",
                                          NULL};

        pci_machine_init(&a, MACHINE_DEVICES, round & 1 ? set : NULL);
        for (unsigned n = 0; n < 3000; n++)
            act(&a, &g);
        pci_machine_init(&b, MACHINE_DEVICES, round & 1 ? set : NULL);
        for (unsigned n = 0; n < 100; n++)
            act(&b, &g);
        move_machine(&a, &b);
        assert_int_equal(machine_hash(&a), machine_hash(&b));
        sim_reset(&a.sim);
        for (unsigned i = 0; i < MACHINE_DEVICES; i++)
            assert_int_equal(stat_of(a.functions[i], "bars_refused"), 0);
        sim_release(&a.sim);
        sim_release(&b.sim);
    }
}

static void a_hostile_state_breaks_nothing(void **arg)
{
    struct rng g = {7};
    struct pci_machine m;
    struct error err;

    pci_machine_init(&m, MACHINE_DEVICES, NULL);
    for (unsigned round = 0; round < 200; round++) {
        for (struct component *c = m.sim.root; c; c = c->next)
            state_randomise(component_state(c), c->type->state, &g);
        for (unsigned i = 0; i < MACHINE_DEVICES; i++) {
            assert_false(pci_function_type.ops->after_load(m.functions[i], &err));
            // What is left of a header, so that it is accepted.
            if (round & 1) {
                u8 *config = pci_function_config(m.functions[i]);
                static const u8 header[0x40] = {0x34,       0x12,        0x78,          0x56,
                                                0,          0,           0x10,          0,
                                                7,          0x02,        0x08,          0x01,
                                                [0x14] = 1, [0x18] = 12, [0x2c] = 0x11, 0x11,
                                                0x22,       0x22,        [0x34] = 0x40, [0x3d] = 1};

                memcpy(config, header, sizeof(header));
                config[COMMAND] = 7;
                config[BAR0 + 3] = 0xc0;
                config[0x1b] = 0xc0;
                config[0x1a] = (u8)(rng_next(&g) & 3);
                config[0x23] = 0xc0;
                config[0x22] = (u8)(rng_next(&g) & 3);
                must(pci_function_type.ops->after_load(m.functions[i], &err), &err);
            }
        }
        for (unsigned n = 0; n < 100; n++)
            act(&m, &g);
    }
    sim_release(&m.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_machine_has_its_bars_where_they_were),
        cmocka_unit_test(pending_interrupts_survive),
        cmocka_unit_test(the_state_of_another_device_is_refused),
        cmocka_unit_test(a_hostile_guest_breaks_nothing_and_its_machine_can_be_moved),
        cmocka_unit_test(a_hostile_state_breaks_nothing),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
