// SPDX-License-Identifier: BSD-3-Clause
// The entropy and the console device behind MMIO, with the driver of virtio_mock.h. Expectations
// are those of virtio 1.2 sections 5.3 and 5.4.
#include "dev/virtio_mock.h"
#include "sim/char_device.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ALL (~0ull)

static void random_bytes(const char *seed, u8 ret_bytes[32])
{
    struct driver d;
    struct buffer b;

    driver_new(&d, &virtio_rng_type);
    driver_set(&d, "seed", seed);
    driver_boot(&d, ALL);
    b = driver_buffer(&d, 32);
    driver_add(&d, 0, &b, 0, 1);
    driver_kick(&d, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    memcpy(ret_bytes, ram(&d, b.addr), 32);
    sim_release(&d.sim);
}

static void the_same_seed_gives_the_same_bytes(void **arg)
{
    u8 one[32], two[32], other[32];

    random_bytes("5", one);
    random_bytes("5", two);
    random_bytes("6", other);
    assert_memory_equal(one, two, 32);
    assert_memory_not_equal(one, other, 32);
}

static void later_bytes_are_others_also_after_a_reset(void **arg)
{
    struct driver d;
    u8 seen[3][32];

    driver_new(&d, &virtio_rng_type);
    driver_boot(&d, ALL);
    for (unsigned i = 0; i < 3; i++) {
        struct buffer b;

        if (i == 2)
            driver_start(&d, ALL, 16);
        b = driver_buffer(&d, 32);
        driver_add(&d, 0, &b, 0, 1);
        driver_kick(&d, 0);
        driver_advance(&d, TICKS_PER_SECOND);
        memcpy(seen[i], ram(&d, b.addr), 32);
    }
    assert_memory_not_equal(seen[0], seen[1], 32);
    assert_memory_not_equal(seen[0], seen[2], 32);
    assert_memory_not_equal(seen[1], seen[2], 32);
    sim_release(&d.sim);
}

static void a_large_buffer_is_filled_in_part(void **arg)
{
    struct driver d;
    struct buffer b = {MOCK_BUFFERS, 0x10000};
    u32 head, length;

    driver_new(&d, &virtio_rng_type);
    driver_boot(&d, ALL);
    driver_add(&d, 0, &b, 0, 1);
    driver_kick(&d, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(length, 4096);
    sim_release(&d.sim);
}

// The console.

struct terminal {
    char text[4096];
    size_t length;
};

static void terminal_write(void *ctx, const u8 *data, size_t size)
{
    struct terminal *t = ctx;

    assert_true(t->length + size < sizeof(t->text));
    memcpy(t->text + t->length, data, size);
    t->length += size;
}

static const struct char_device_ops *console_side(const struct driver *d)
{
    return component_interface(d->device, "char_device");
}

static void boot_console(struct driver *d, struct terminal *t)
{
    *t = (struct terminal){0};
    driver_new(d, &virtio_console_type);
    driver_set(d, "columns", "132");
    driver_set(d, "input_size", "16");
    driver_boot(d, ALL);
    console_side(d)->connect(d->device, (struct char_output){terminal_write, t});
}

static void input(struct driver *d, const char *text)
{
    console_side(d)->input(d->device, (const u8 *)text, strlen(text));
}

static void the_configuration_has_the_size_of_the_terminal(void **arg)
{
    struct driver d;
    struct terminal t;

    boot_console(&d, &t);
    assert_int_equal(driver_get(&d, 8), 3);
    assert_int_equal(mmio_read(&d.mmio, MMIO_CONFIG, 2), 132);
    assert_int_equal(mmio_read(&d.mmio, MMIO_CONFIG + 2, 2), 25);
    assert_int_equal(d.features & 7, 5);
    sim_release(&d.sim);
}

static void what_the_driver_sends_comes_out(void **arg)
{
    struct driver d;
    struct terminal t;
    struct buffer b[2];
    u32 head, length;

    boot_console(&d, &t);
    b[0] = driver_buffer(&d, 6);
    b[1] = driver_buffer(&d, 5);
    memcpy(ram(&d, b[0].addr), "hello ", 6);
    memcpy(ram(&d, b[1].addr), "world", 5);
    driver_add(&d, 1, b, 2, 0);
    driver_add(&d, 1, b, 1, 0);
    driver_kick(&d, 1);
    assert_int_equal(t.length, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_string_equal(t.text, "hello worldhello ");
    assert_true(driver_take(&d, 1, &head, &length));
    assert_int_equal(length, 0);
    sim_release(&d.sim);
}

static void input_goes_into_the_buffers_of_the_driver(void **arg)
{
    struct driver d;
    struct terminal t;
    struct buffer b[2];
    u32 head, length;

    boot_console(&d, &t);
    b[0] = driver_buffer(&d, 3);
    b[1] = driver_buffer(&d, 64);
    driver_add(&d, 0, &b[0], 0, 1);
    driver_add(&d, 0, &b[1], 0, 1);
    driver_kick(&d, 0);
    input(&d, "abcdefg");
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(length, 3);
    assert_memory_equal(ram(&d, b[0].addr), "abc", 3);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(length, 4);
    assert_memory_equal(ram(&d, b[1].addr), "defg", 4);
    sim_release(&d.sim);
}

static void input_waits_for_a_buffer_and_is_lost_beyond_the_room(void **arg)
{
    struct driver d;
    struct terminal t;
    struct buffer b;
    u32 head, length;

    boot_console(&d, &t);
    assert_int_equal(console_side(&d)->room(d.device), 16);
    input(&d, "0123456789");
    assert_int_equal(console_side(&d)->room(d.device), 6);
    input(&d, "0123456789");
    assert_int_equal(console_side(&d)->room(d.device), 0);
    driver_advance(&d, TICKS_PER_SECOND);
    b = driver_buffer(&d, 10);
    driver_add(&d, 0, &b, 0, 1);
    driver_kick(&d, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_memory_equal(ram(&d, b.addr), "0123456789", 10);
    // Around the end of the buffer.
    input(&d, "abcdefghij");
    b = driver_buffer(&d, 30);
    driver_add(&d, 0, &b, 0, 1);
    driver_kick(&d, 0);
    driver_advance(&d, TICKS_PER_SECOND);
    assert_true(driver_take(&d, 0, &head, &length));
    assert_int_equal(length, 16);
    assert_memory_equal(ram(&d, b.addr), "012345abcdefghij", 16);
    sim_release(&d.sim);
}

static void an_emergency_write_comes_out_at_once(void **arg)
{
    struct driver d;
    struct terminal t;

    boot_console(&d, &t);
    driver_put(&d, MMIO_STATUS, 0);
    driver_put(&d, MMIO_CONFIG + 8, '!');
    assert_string_equal(t.text, "!");
    sim_release(&d.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(later_bytes_are_others_also_after_a_reset),
        cmocka_unit_test(a_large_buffer_is_filled_in_part),
        cmocka_unit_test(the_configuration_has_the_size_of_the_terminal),
        cmocka_unit_test(what_the_driver_sends_comes_out),
        cmocka_unit_test(input_goes_into_the_buffers_of_the_driver),
        cmocka_unit_test(input_waits_for_a_buffer_and_is_lost_beyond_the_room),
        cmocka_unit_test(an_emergency_write_comes_out_at_once),
    };

    return cmocka_run_group_tests_name("dev/virtio_small", tests, NULL, NULL);
}
