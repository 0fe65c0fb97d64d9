// SPDX-License-Identifier: BSD-3-Clause
// RAM and the physical map together, with a mock device.
#include "mem/physmap.h"
#include "mem/ram.h"
#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// The device remembers its last access and reads as offset + 0x1122334455667700.
static struct {
    u64 offset, value;
    unsigned size, reads, writes;
} seen;

static u64 mock_read(struct component *c, u64 offset, unsigned size)
{
    seen.reads++;
    seen.offset = offset;
    seen.size = size;
    return 0x1122334455667700 + offset;
}

static void mock_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    seen.writes++;
    seen.offset = offset;
    seen.size = size;
    seen.value = value;
}

static const struct mmio_ops mock_ops = {.size = 0x20, .read = mock_read, .write = mock_write};

struct fixture {
    struct sim sim;
    struct component *map, *ram;
    struct mem_port port;
};

static void fixture_init(struct fixture *x, const char *backing)
{
    struct error err;

    sim_init(&x->sim);
    x->map = component_new(&x->sim, &physmap_type, NULL, "map", &err);
    x->ram = component_new(&x->sim, &ram_type, x->map, "ram", &err);
    assert_non_null(x->ram);
    assert_true(component_set(x->ram, "size", "1MiB", &err));
    assert_true(component_set(x->ram, "backing", backing, &err));
    assert_true(sim_build(&x->sim, &err));
    assert_true(component_mem_port(x->map, &x->port, &err));
    assert_true(physmap_add_ram(x->map, 0, x->ram, 0, 0x80000, false, &err));
    assert_true(physmap_add_ram(x->map, 0x100000000, x->ram, 0x80000, 0x7f000, false, &err));
    assert_true(physmap_add_ram(x->map, 0xfffff000, x->ram, 0xff000, 0x1000, true, &err));
    assert_true(physmap_add_mmio(x->map, 0xfe000000, (struct mmio){&mock_ops, x->map}, &err));
    sim_reset(&x->sim);
    assert_true(log_set_filter("error", &err));
}

static void bytes_land_in_ram(void **arg)
{
    static const char *const backings[] = {"anonymous", "memfd"};

    for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
        struct fixture x;
        u8 in[64], out[64];

        fixture_init(&x, backings[i]);
        assert_int_equal(ram_fd(x.ram) >= 0, i);
        for (unsigned k = 0; k < 64; k++)
            in[k] = (u8)(k * 7);
        for (unsigned size = 1; size <= 64; size++) {
            assert_true(mem_port_write(&x.port, 0x100000100, size, in));
            assert_true(mem_port_read(&x.port, 0x100000100, size, out));
            assert_memory_equal(in, out, size);
        }
        assert_memory_equal(ram_bytes(x.ram) + 0x80100, in, 64);
        assert_ptr_equal(mem_port_host_page(&x.port, 0x100000000, true),
                         ram_bytes(x.ram) + 0x80000);
        sim_reset(&x.sim);
        assert_int_equal(ram_bytes(x.ram)[0x80101], 0);
        sim_release(&x.sim);
    }
}

static void registers_see_offsets_and_power_of_two_sizes(void **arg)
{
    struct fixture x;
    u8 data[16];
    u64 v = 0;

    fixture_init(&x, "anonymous");
    seen.reads = seen.writes = 0;
    assert_true(mem_port_read(&x.port, 0xfe000008, 4, &v));
    assert_int_equal(v, 0x55667708);
    assert_int_equal(seen.offset, 8);
    v = 0xaabbccdd;
    assert_true(mem_port_write(&x.port, 0xfe000004, 2, &v));
    assert_int_equal(seen.value, 0xccdd);
    assert_true(mem_port_read(&x.port, 0xfe000000, 13, data));
    assert_int_equal(seen.reads, 4);
    assert_null(mem_port_host_page(&x.port, 0xfe000000, false));
    // Beyond the end of the registers nothing answers.
    assert_false(mem_port_read(&x.port, 0xfe00001c, 8, data));
    sim_release(&x.sim);
}

static void rom_ignores_writes(void **arg)
{
    struct fixture x;
    u32 v = 5;

    fixture_init(&x, "anonymous");
    assert_true(mem_port_write(&x.port, 0xfffffff0, 4, &v));
    assert_true(mem_port_read(&x.port, 0xfffffff0, 4, &v));
    assert_int_equal(v, 0);
    assert_null(mem_port_host_page(&x.port, 0xfffff000, true));
    assert_non_null(mem_port_host_page(&x.port, 0xfffff000, false));
    sim_release(&x.sim);
}

static void nothing_reads_as_ones(void **arg)
{
    struct fixture x;
    u32 v = 5;

    fixture_init(&x, "anonymous");
    assert_false(mem_port_read(&x.port, 0x80000, 4, &v));
    assert_int_equal(v, 0xffffffff);
    assert_false(mem_port_write(&x.port, ~(paddr)0, 1, &v));
    assert_null(mem_port_host_page(&x.port, 0x80000, false));
    sim_release(&x.sim);
}

static void ranges_never_overlap(void **arg)
{
    struct fixture x;
    struct error err;
    u64 generation;

    fixture_init(&x, "anonymous");
    generation = physmap_generation(x.map);
    assert_false(physmap_add_ram(x.map, 0x7f000, x.ram, 0, 0x1000, false, &err));
    assert_non_null(strstr(err.message, "overlaps 0x0-0x7ffff"));
    assert_false(physmap_add_mmio(x.map, 0xfe00001f, (struct mmio){&mock_ops, x.map}, &err));
    assert_false(physmap_add_ram(x.map, 0x200000, x.ram, 0xff000, 0x2000, false, &err));
    assert_false(physmap_add_ram(x.map, 0x200000, x.ram, 0, 0x100, false, &err));
    assert_int_equal(physmap_generation(x.map), generation);
    assert_true(physmap_remove(x.map, 0));
    assert_false(physmap_remove(x.map, 0));
    assert_true(physmap_add_mmio(x.map, 0xfe000020, (struct mmio){&mock_ops, x.map}, &err));
    assert_int_equal(physmap_generation(x.map), generation + 2);
    sim_release(&x.sim);
}

// Its first write takes away a range below its own, as a BAR that is moved.
static u64 removing_writes, removing_offset;
static void removing_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    physmap_remove(c, 0xfe000000);
    removing_writes++;
    removing_offset = offset;
}

static void a_write_that_changes_the_map_ends_at_its_device(void **arg)
{
    static const struct mmio_ops remover = {.size = 0x40, .write = removing_write};
    struct fixture x;
    struct error err;
    u8 data[16] = {0};

    fixture_init(&x, "anonymous");
    assert_true(physmap_add_mmio(x.map, 0xfe001000, (struct mmio){&remover, x.map}, &err));
    assert_true(physmap_add_mmio(x.map, 0xfe002000, (struct mmio){&mock_ops, x.map}, &err));
    seen.writes = 0;
    assert_true(mem_port_write(&x.port, 0xfe001030, 16, data));
    assert_int_equal(seen.writes, 0);
    assert_int_equal(removing_writes, 2);
    assert_int_equal(removing_offset, 0x38);
    sim_release(&x.sim);
}

static void long_copies_cross_pages_and_devices(void **arg)
{
    struct fixture x;
    u8 in[10000], out[10000];

    fixture_init(&x, "anonymous");
    for (size_t k = 0; k < sizeof(in); k++)
        in[k] = (u8)(k * 13 >> 3);
    assert_true(mem_port_copy_in(&x.port, 0x123, in, sizeof(in)));
    assert_true(mem_port_copy_out(&x.port, 0x123, out, sizeof(out)));
    assert_memory_equal(in, out, sizeof(in));
    assert_false(mem_port_copy_in(&x.port, 0x7f000, in, sizeof(in)));
    assert_true(mem_port_copy_out(&x.port, 0xfe000000, out, 32));
    sim_release(&x.sim);
}

static void sizes_are_whole_pages(void **arg)
{
    struct sim sim;
    struct component *ram;
    struct error err;

    sim_init(&sim);
    ram = component_new(&sim, &ram_type, NULL, "ram", &err);
    assert_true(component_set(ram, "size", "5000", &err));
    assert_false(sim_build(&sim, &err));
    assert_string_equal(err.message, "ram (ram): the size is not a multiple of 4KiB");
    sim_release(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_land_in_ram),
        cmocka_unit_test(registers_see_offsets_and_power_of_two_sizes),
        cmocka_unit_test(rom_ignores_writes),
        cmocka_unit_test(nothing_reads_as_ones),
        cmocka_unit_test(ranges_never_overlap),
        cmocka_unit_test(a_write_that_changes_the_map_ends_at_its_device),
        cmocka_unit_test(long_copies_cross_pages_and_devices),
        cmocka_unit_test(sizes_are_whole_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
