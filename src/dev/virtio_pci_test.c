// SPDX-License-Identifier: BSD-3-Clause
// The PCI transport in front of the entropy and the block device, with a driver that finds the
// structures by their capabilities as Linux does. Expectations are those of virtio 1.2 section 4.1.
#include "base/file.h"
#include "dev/pci.h"
#include "dev/virtio_mock.h"
#include "sim/checkpoint.h"

#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    COMMAND = 0x04,
    STATUS = 0x06,
    BAR0 = 0x10,
    CAPABILITIES = 0x34,
    SLOT = 1, // the first free one
    MASTER_AND_MEMORY = 6,
    MESSAGE = 0x1000, // in RAM: where messages of vector n land, at 16 n
};

struct pci_driver {
    struct driver d;
    struct component *host;
    struct mmio ecam;
    // Offsets in BAR 0, by the kind of structure.
    u32 at[6], length[6], capability[6];
    u32 notify_multiplier;
};

static u32 config_get(const struct pci_driver *x, unsigned offset, unsigned size)
{
    return (u32)mmio_read(&x->ecam, (u64)SLOT << 15 | offset, size);
}

static void config_put(const struct pci_driver *x, unsigned offset, unsigned size, u32 value)
{
    mmio_write(&x->ecam, (u64)SLOT << 15 | offset, size, value);
}

// The registers of a BAR, at the address it has.
static struct mmio bar(const struct pci_driver *x, unsigned index)
{
    u64 base = config_get(x, BAR0 + 4 * index, 4);
    const struct mock *m = x->d.board;

    if (base & 4)
        base |= (u64)config_get(x, BAR0 + 4 * index + 4, 4) << 32;
    for (size_t i = 0; i < m->range_count; i++)
        if (m->ranges[i].base == (base & ~15ull))
            return m->ranges[i].mmio;
    fail_msg("BAR %u is not mapped", index);
    return (struct mmio){0};
}

static void find_structures(struct pci_driver *x)
{
    assert_true(config_get(x, STATUS, 2) & 0x10);
    for (u32 at = config_get(x, CAPABILITIES, 1); at; at = config_get(x, at + 1, 1)) {
        u32 kind = config_get(x, at + 3, 1);

        if (config_get(x, at, 1) != 9)
            continue;
        assert_in_range(kind, 1, 5);
        assert_int_equal(config_get(x, at + 4, 1), 0);
        x->capability[kind] = at;
        x->at[kind] = config_get(x, at + 8, 4);
        x->length[kind] = config_get(x, at + 12, 4);
        if (kind == VIRTIO_PCI_CAP_NOTIFY_CFG)
            x->notify_multiplier = config_get(x, at + 16, 4);
    }
}

static void set(struct component *c, const char *param, const char *text)
{
    struct error err;

    if (!component_set(c, param, text, &err))
        fail_msg("%s", err.message);
}

static void build(struct pci_driver *x, const struct component_type *type)
{
    struct error err;

    *x = (struct pci_driver){0};
    driver_new(&x->d, type);
    x->host = component_new(&x->d.sim, &pci_type, &x->d.board->base, "pci", &err);
    set(x->host, "memory_bus", "board");
    set(x->host, "io_bus", "board");
    set(x->host, "memory", "board");
    set(x->host, "interrupts", "board");
    if (type == &virtio_blk_type)
        set(x->d.device, "disk", "board");
    if (!sim_build(&x->d.sim, &err))
        fail_msg("%s", err.message);
    x->ecam = pci_ecam(x->host);
}

static u32 get(const struct pci_driver *x, unsigned offset, unsigned size)
{
    struct mmio m = bar(x, 0);

    return (u32)mmio_read(&m, x->at[VIRTIO_PCI_CAP_COMMON_CFG] + offset, size);
}

static void put(const struct pci_driver *x, unsigned offset, unsigned size, u32 value)
{
    struct mmio m = bar(x, 0);

    mmio_write(&m, x->at[VIRTIO_PCI_CAP_COMMON_CFG] + offset, size, value);
}

// Vector n writes n to MESSAGE + 16 n.
static void enable_msix(struct pci_driver *x)
{
    struct mmio table = bar(x, 4);
    u32 at = config_get(x, CAPABILITIES, 1);

    while (config_get(x, at, 1) != 0x11)
        at = config_get(x, at + 1, 1);
    for (u32 n = 0; n <= (config_get(x, at + 2, 2) & 0x7ff); n++) {
        mmio_write(&table, 16 * n, 4, MESSAGE + 16 * n);
        mmio_write(&table, 16 * n + 4, 4, 0);
        mmio_write(&table, 16 * n + 8, 4, 0x50 + n);
        mmio_write(&table, 16 * n + 12, 4, 0);
    }
    config_put(x, at + 2, 2, 0x8000);
}

static u32 message(const struct pci_driver *x, u32 n)
{
    u32 value;

    memcpy(&value, ram(&x->d, MESSAGE + 16 * n), 4);
    memset(ram(&x->d, MESSAGE + 16 * n), 0, 4);
    return value;
}

static void put_queue_address(const struct pci_driver *x, unsigned offset, paddr addr)
{
    put(x, offset, 4, (u32)addr);
    put(x, offset + 4, 4, (u32)(addr >> 32));
}

static void negotiate(struct pci_driver *x)
{
    put(x, VIRTIO_PCI_COMMON_STATUS, 1, 0);
    assert_int_equal(get(x, VIRTIO_PCI_COMMON_STATUS, 1), 0);
    put(x, VIRTIO_PCI_COMMON_STATUS, 1, 1);
    put(x, VIRTIO_PCI_COMMON_STATUS, 1, 3);
    for (u32 i = 0; i < 2; i++) {
        put(x, VIRTIO_PCI_COMMON_DFSELECT, 4, i);
        put(x, VIRTIO_PCI_COMMON_GFSELECT, 4, i);
        put(x, VIRTIO_PCI_COMMON_GF, 4, get(x, VIRTIO_PCI_COMMON_DF, 4));
    }
    put(x, VIRTIO_PCI_COMMON_STATUS, 1, 11);
    assert_int_equal(get(x, VIRTIO_PCI_COMMON_STATUS, 1), 11);
}

// One queue of 16 entries; `vectors`: configuration gets vector 0, the queue vector 1.
static void start(struct pci_driver *x, bool vectors)
{
    struct driver *d = &x->d;

    negotiate(x);
    put(x, VIRTIO_PCI_COMMON_MSIX, 2, vectors ? 0 : 0xffff);
    put(x, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
    assert_int_equal(get(x, VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
    assert_int_equal(get(x, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
    put(x, VIRTIO_PCI_COMMON_Q_SIZE, 2, 16);
    put(x, VIRTIO_PCI_COMMON_Q_MSIX, 2, vectors ? 1 : 0xffff);
    assert_int_equal(get(x, VIRTIO_PCI_COMMON_Q_MSIX, 2), vectors ? 1 : 0xffff);
    put_queue_address(x, VIRTIO_PCI_COMMON_Q_DESCLO, desc_table(0));
    put_queue_address(x, VIRTIO_PCI_COMMON_Q_AVAILLO, avail_ring(0));
    put_queue_address(x, VIRTIO_PCI_COMMON_Q_USEDLO, used_ring(0));
    put(x, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
    memset(ram(d, desc_table(0)), 0, 0x4000);
    d->available[0] = d->seen[0] = d->next_descriptor[0] = 0;
    d->size = 16;
    d->next_buffer = MOCK_BUFFERS;
    put(x, VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

static void boot(struct pci_driver *x, const struct component_type *type, bool vectors)
{
    build(x, type);
    sim_reset(&x->d.sim);
    find_structures(x);
    config_put(x, COMMAND, 2, MASTER_AND_MEMORY);
    if (vectors)
        enable_msix(x);
    start(x, vectors);
}

static void kick(const struct pci_driver *x)
{
    struct mmio m = bar(x, 0);
    u32 offset = get(x, VIRTIO_PCI_COMMON_Q_NOFF, 2) * x->notify_multiplier;

    mmio_write(&m, x->at[VIRTIO_PCI_CAP_NOTIFY_CFG] + offset, 2, 0);
}

static void ask(struct pci_driver *x, struct buffer b)
{
    driver_add(&x->d, 0, &b, 0, 1);
    kick(x);
    driver_advance(&x->d, TICKS_PER_SECOND);
}

static void identity_is_that_of_a_modern_device(void **arg)
{
    struct pci_driver x;

    build(&x, &virtio_blk_type);
    sim_reset(&x.d.sim);
    assert_int_equal(config_get(&x, 0, 2), 0x1af4);
    assert_int_equal(config_get(&x, 2, 2), 0x1042);
    assert_true(config_get(&x, 8, 1) >= 1);
    assert_true(config_get(&x, 0x2e, 2) >= 0x40);
    assert_int_equal(config_get(&x, 0x3d, 1), 1);
    sim_release(&x.d.sim);
}

static void capabilities_lead_to_all_structures(void **arg)
{
    struct pci_driver x;

    boot(&x, &virtio_blk_type, false);
    assert_true(x.length[VIRTIO_PCI_CAP_COMMON_CFG] >= 56);
    assert_int_equal(x.at[VIRTIO_PCI_CAP_COMMON_CFG] % 4, 0);
    assert_true(x.length[VIRTIO_PCI_CAP_ISR_CFG] >= 1);
    assert_true(x.length[VIRTIO_PCI_CAP_DEVICE_CFG] >= 60);
    assert_true(x.length[VIRTIO_PCI_CAP_NOTIFY_CFG] >= 2);
    assert_true(x.capability[VIRTIO_PCI_CAP_PCI_CFG]);
    assert_int_equal(get(&x, VIRTIO_PCI_COMMON_NUMQ, 2), 1);
    put(&x, VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
    assert_int_equal(get(&x, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
    sim_release(&x.d.sim);
}

static void a_request_sends_the_message_of_its_queue(void **arg)
{
    struct pci_driver x;
    u32 head, length;

    boot(&x, &virtio_rng_type, true);
    ask(&x, (struct buffer){MOCK_BUFFERS, 40});
    assert_true(driver_take(&x.d, 0, &head, &length));
    assert_int_equal(length, 40);
    assert_int_equal(message(&x, 1), 0x51);
    assert_int_equal(message(&x, 0), 0);
    assert_int_equal(x.d.board->st.level, 0);
    sim_release(&x.d.sim);
}

static void without_messages_the_line_is_raised_until_the_status_is_read(void **arg)
{
    struct pci_driver x;
    struct mmio m;

    boot(&x, &virtio_rng_type, false);
    ask(&x, (struct buffer){MOCK_BUFFERS, 40});
    assert_int_equal(x.d.board->st.level, 1);
    m = bar(&x, 0);
    assert_int_equal(mmio_read(&m, x.at[VIRTIO_PCI_CAP_ISR_CFG], 1), 1);
    assert_int_equal(x.d.board->st.level, 0);
    assert_int_equal(mmio_read(&m, x.at[VIRTIO_PCI_CAP_ISR_CFG], 1), 0);
    sim_release(&x.d.sim);
}

static void a_broken_device_sends_the_message_of_the_configuration(void **arg)
{
    struct pci_driver x;

    boot(&x, &virtio_rng_type, true);
    driver_offer(&x.d, 0, 99);
    kick(&x);
    driver_advance(&x.d, TICKS_PER_SECOND);
    assert_int_equal(get(&x, VIRTIO_PCI_COMMON_STATUS, 1), 15 | 64);
    assert_int_equal(message(&x, 0), 0x50);
    start(&x, true);
    ask(&x, (struct buffer){MOCK_BUFFERS, 40});
    assert_int_equal(message(&x, 1), 0x51);
    sim_release(&x.d.sim);
}

static void a_vector_that_is_not_there_reads_back_as_none(void **arg)
{
    struct pci_driver x;

    boot(&x, &virtio_rng_type, true);
    put(&x, VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
    assert_int_equal(get(&x, VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
    put(&x, VIRTIO_PCI_COMMON_MSIX, 2, 0x1000);
    assert_int_equal(get(&x, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
    sim_release(&x.d.sim);
}

static void a_device_that_is_no_bus_master_reaches_no_memory(void **arg)
{
    struct pci_driver x;
    u32 head, length;

    boot(&x, &virtio_rng_type, false);
    config_put(&x, COMMAND, 2, 2);
    ask(&x, (struct buffer){MOCK_BUFFERS, 40});
    assert_false(driver_take(&x.d, 0, &head, &length));
    assert_true(get(&x, VIRTIO_PCI_COMMON_STATUS, 1) & 64);
    sim_release(&x.d.sim);
}

static void a_buffer_in_watched_memory_is_filled(void **arg)
{
    struct pci_driver x;
    u32 head, length;

    boot(&x, &virtio_rng_type, false);
    ask(&x, (struct buffer){MOCK_WATCHED + 8, 40});
    assert_true(driver_take(&x.d, 0, &head, &length));
    assert_int_equal(length, 40);
    sim_release(&x.d.sim);
}

static void the_configuration_of_the_device_is_in_its_structure(void **arg)
{
    struct pci_driver x;
    struct mmio m;

    boot(&x, &virtio_blk_type, false);
    m = bar(&x, 0);
    assert_int_equal(mmio_read(&m, x.at[VIRTIO_PCI_CAP_DEVICE_CFG], 8), MOCK_DISK / 512);
    assert_int_equal(mmio_read(&m, x.at[VIRTIO_PCI_CAP_DEVICE_CFG] + 1, 1), MOCK_DISK / 512 >> 8);
    sim_release(&x.d.sim);
}

static void the_window_in_configuration_space_reaches_the_registers(void **arg)
{
    struct pci_driver x;
    u32 at;

    boot(&x, &virtio_rng_type, false);
    at = x.capability[VIRTIO_PCI_CAP_PCI_CFG];
    config_put(&x, at + 4, 1, 0);
    config_put(&x, at + 8, 4, x.at[VIRTIO_PCI_CAP_COMMON_CFG] + VIRTIO_PCI_COMMON_STATUS);
    config_put(&x, at + 12, 4, 1);
    assert_int_equal(config_get(&x, at + 16, 1), 15);
    config_put(&x, at + 16, 1, 0);
    assert_int_equal(get(&x, VIRTIO_PCI_COMMON_STATUS, 1), 0);
    // Anything else does nothing.
    config_put(&x, at + 8, 4, 0xfffffffc);
    config_put(&x, at + 12, 4, 4);
    config_put(&x, at + 16, 4, 5);
    config_get(&x, at + 16, 4);
    config_put(&x, at + 12, 4, 3);
    config_get(&x, at + 16, 4);
    sim_release(&x.d.sim);
}

static void addresses_can_be_written_as_64_bits(void **arg)
{
    struct pci_driver x;
    struct mmio m;

    boot(&x, &virtio_rng_type, false);
    negotiate(&x);
    m = bar(&x, 0);
    mmio_write(&m, VIRTIO_PCI_COMMON_Q_AVAILLO, 8, 0x123456789abcdef0);
    assert_int_equal(get(&x, VIRTIO_PCI_COMMON_Q_AVAILLO, 4), 0x9abcdef0);
    assert_int_equal(get(&x, VIRTIO_PCI_COMMON_Q_AVAILHI, 4), 0x12345678);
    assert_int_equal(mmio_read(&m, VIRTIO_PCI_COMMON_Q_AVAILLO, 8), 0x123456789abcdef0);
    sim_release(&x.d.sim);
}

static void a_request_in_flight_survives_a_checkpoint(void **arg)
{
    char directory[] = "/tmp/facet-virtio-XXXXXX", path[64];
    struct buffer b = {MOCK_BUFFERS, 40};
    struct pci_driver x, y;
    struct error err;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/saved", directory);
    boot(&x, &virtio_rng_type, true);
    driver_add(&x.d, 0, &b, 0, 1);
    kick(&x);
    if (!checkpoint_save(&x.d.sim, path, NULL, &err))
        fail_msg("%s", err.message);
    build(&y, &virtio_rng_type);
    sim_reset(&y.d.sim);
    if (!checkpoint_load(&y.d.sim, path, NULL, &err))
        fail_msg("%s", err.message);
    driver_advance(&x.d, TICKS_PER_SECOND);
    driver_advance(&y.d, TICKS_PER_SECOND);
    assert_int_equal(sim_hash(&x.d.sim), sim_hash(&y.d.sim));
    assert_int_equal(message(&y, 1), 0x51);
    sim_release(&x.d.sim);
    sim_release(&y.d.sim);
    assert_true(file_remove_tree(directory, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_is_that_of_a_modern_device),
        cmocka_unit_test(capabilities_lead_to_all_structures),
        cmocka_unit_test(a_request_sends_the_message_of_its_queue),
        cmocka_unit_test(without_messages_the_line_is_raised_until_the_status_is_read),
        cmocka_unit_test(a_broken_device_sends_the_message_of_the_configuration),
        cmocka_unit_test(a_vector_that_is_not_there_reads_back_as_none),
        cmocka_unit_test(a_device_that_is_no_bus_master_reaches_no_memory),
        cmocka_unit_test(a_buffer_in_watched_memory_is_filled),
        cmocka_unit_test(the_configuration_of_the_device_is_in_its_structure),
        cmocka_unit_test(the_window_in_configuration_space_reaches_the_registers),
        cmocka_unit_test(addresses_can_be_written_as_64_bits),
        cmocka_unit_test(a_request_in_flight_survives_a_checkpoint),
    };

    return cmocka_run_group_tests_name("dev/virtio_pci", tests, NULL, NULL);
}
