// SPDX-License-Identifier: BSD-3-Clause
// Offsets are those of the ACPI specification 6.4; iasl, where it is installed, takes every table
// apart, finds nothing to complain about, and puts it together again.
#include "machine/acpi.h"

#include "base/alloc.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BASE 0xe0000u

enum { CPUS_MAX = 300 };

struct fixture {
    u32 apic_id[CPUS_MAX];
    struct acpi_machine m;
    struct strbuf tables;
};

static const struct acpi_virtio_mmio virtio[] = {
    {0xd0000000, 0x200, 5},
    {0xd0000200, 0x200, 20},
};

// A machine with all there is.
static int setup(void **arg)
{
    struct fixture *x = xcalloc(1, sizeof(*x));

    for (u32 i = 0; i < CPUS_MAX; i++)
        x->apic_id[i] = i;
    x->m = (struct acpi_machine){
        .apic_id = x->apic_id,
        .n_cpus = 4,
        .lapic_base = 0xfee00000,
        .ioapic_id = 7,
        .ioapic_base = 0xfec00000,
        .pm1_event_port = 0x600,
        .pm1_control_port = 0x604,
        .pm_timer_port = 0x608,
        .pm_timer_32bit = true,
        .sci_irq = 9,
        .s5_type = 5,
        .reset_port = 0xcf9,
        .reset_value = 6,
        .ecam = {0xe0000000, MiB(256)},
        .has_pci = true,
        .pci_memory32 = {0xc0000000, MiB(512)},
        .pci_memory64 = {GiB(512), GiB(64)},
        .hpet_base = 0xfed00000,
        .hpet_id = 0x8086a201,
        .serial = {{0x3f8, 4}, {0x2f8, 3}},
        .has_keyboard = true,
        .has_mouse = true,
        .has_pic = true,
        .has_pit = true,
        .has_rtc = true,
        .pvpanic_port = 0x505,
        .virtio = virtio,
        .n_virtio = ARRAY_SIZE(virtio),
    };
    for (u32 i = 0; i < ACPI_SLOTS * 4; i++)
        x->m.intx_gsi[i / 4][i % 4] = 16 + (i / 4 + i % 4) % 8;
    *arg = x;
    return 0;
}

static int teardown(void **arg)
{
    struct fixture *x = *arg;

    strbuf_release(&x->tables);
    free(x);
    return 0;
}

static void build(struct fixture *x)
{
    struct error err;

    strbuf_clear(&x->tables);
    if (!acpi_build(&x->m, BASE, 0x20000, &x->tables, &err))
        fail_msg("%s", err.message);
}

static const u8 *at(const struct fixture *x, u64 addr, u64 size)
{
    assert_true(addr >= BASE && addr - BASE + size <= x->tables.length);
    return (const u8 *)x->tables.text + (addr - BASE);
}

static u64 get(const u8 *p, int bytes)
{
    u64 value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (u64)p[i] << 8 * i;
    return value;
}

static u8 sum(const u8 *p, u64 size)
{
    u8 total = 0;

    for (u64 i = 0; i < size; i++)
        total = (u8)(total + p[i]);
    return total;
}

// A whole table, with its checksum right.
static const u8 *table_at(const struct fixture *x, u64 addr)
{
    u64 size = get(at(x, addr, 36) + 4, 4);

    assert_int_equal(sum(at(x, addr, size), size), 0);
    return at(x, addr, size);
}

static const u8 *xsdt(const struct fixture *x)
{
    return table_at(x, get(at(x, BASE, 36) + 24, 8));
}

static u64 xsdt_entries(const struct fixture *x)
{
    return (get(xsdt(x) + 4, 4) - 36) / 8;
}

static const u8 *find(const struct fixture *x, const char *signature)
{
    for (u64 i = 0; i < xsdt_entries(x); i++) {
        const u8 *t = table_at(x, get(xsdt(x) + 36 + i * 8, 8));

        if (memcmp(t, signature, 4) == 0)
            return t;
    }
    return NULL;
}

static void the_root_pointer_leads_to_all_tables(void **arg)
{
    struct fixture *x = *arg;
    const u8 *rsdp;

    build(x);
    rsdp = at(x, BASE, 36);
    assert_memory_equal(rsdp, "RSD PTR ", 8);
    assert_int_equal(sum(rsdp, 20), 0);
    assert_int_equal(sum(rsdp, 36), 0);
    assert_int_equal(rsdp[15], 2);
    assert_int_equal(xsdt_entries(x), 4);
    assert_non_null(find(x, "FACP"));
    assert_non_null(find(x, "APIC"));
    assert_non_null(find(x, "MCFG"));
    assert_non_null(find(x, "HPET"));
}

static void what_the_board_lacks_has_no_table(void **arg)
{
    struct fixture *x = *arg;

    x->m.ecam.size = 0;
    x->m.hpet_base = 0;
    build(x);
    assert_int_equal(xsdt_entries(x), 2);
    assert_null(find(x, "MCFG"));
    assert_null(find(x, "HPET"));
}

static void the_fadt_names_the_fixed_hardware(void **arg)
{
    struct fixture *x = *arg;
    const u8 *f, *facs;

    build(x);
    f = find(x, "FACP");
    assert_int_equal(get(f + 4, 4), 268);
    assert_int_equal(f[8], 5);
    assert_int_equal(get(f + 46, 2), 9);     // SCI
    assert_int_equal(get(f + 48, 4), 0);     // SMI command
    assert_int_equal(get(f + 56, 4), 0x600); // PM1a event
    assert_int_equal(get(f + 64, 4), 0x604);
    assert_int_equal(get(f + 76, 4), 0x608);
    assert_int_equal(f[88], 4); // lengths: PM1 event, PM1 control, timer
    assert_int_equal(f[89], 2);
    assert_int_equal(f[91], 4);
    assert_int_equal(f[108], 0x32);                       // century
    assert_int_equal(get(f + 109, 2), 1 | 2 | 4);         // legacy devices, 8042, no VGA
    assert_int_equal(get(f + 112, 4) & 1 << 10, 1 << 10); // reset register...
    assert_int_equal(get(f + 112, 4) & 1 << 4, 0);        // ...and power button are there
    assert_int_equal(get(f + 112, 4) & 1 << 8, 1 << 8);   // timer of 32 bits
    assert_int_equal(get(f + 112, 4) & 1u << 20, 0);      // not reduced hardware
    assert_memory_equal(f + 116, "\x01\x08\x00\x01\xf9\x0c\0\0\0\0\0\0\x06", 13);
    assert_int_equal(get(f + 140, 8), get(f + 40, 4)); // DSDT
    assert_memory_equal(f + 148, "\x01\x20\x00\x03\x00\x06\0\0\0\0\0\0", 12);
    assert_memory_equal(f + 172, "\x01\x10\x00\x02\x04\x06\0\0\0\0\0\0", 12);
    assert_memory_equal(f + 208, "\x01\x20\x00\x03\x08\x06\0\0\0\0\0\0", 12);
    assert_memory_equal(table_at(x, get(f + 40, 4)), "DSDT", 4);
    facs = at(x, get(f + 36, 4), 64);
    assert_memory_equal(facs, "FACS\x40\0\0\0", 8);
    assert_int_equal(get(f + 36, 4) % 64, 0);
}

struct madt_counts {
    u32 lapic, x2apic, ioapic, overrides, nmi, x2apic_nmi;
};

static struct madt_counts count(const struct fixture *x)
{
    const u8 *madt = find(x, "APIC");
    struct madt_counts n = {0};

    for (u64 i = 44, end = get(madt + 4, 4); i < end; i += madt[i + 1]) {
        const u8 *e = madt + i;
        u32 *const counters[] = {[0] = &n.lapic, [1] = &n.ioapic, [2] = &n.overrides,
                                 [4] = &n.nmi,   [9] = &n.x2apic, [10] = &n.x2apic_nmi};
        static const u8 lengths[] = {[0] = 8, [1] = 12, [2] = 10, [4] = 6, [9] = 16, [10] = 12};

        assert_true(e[0] < ARRAY_SIZE(lengths) && e[1] == lengths[e[0]] && i + e[1] <= end);
        ++*counters[e[0]];
        if (e[0] == 0)
            assert_int_equal(e[3], x->apic_id[e[2]]);
        if (e[0] == 9)
            assert_int_equal(get(e + 4, 4), x->apic_id[get(e + 12, 4)]);
    }
    return n;
}

static void the_madt_lists_every_processor(void **arg)
{
    static const u32 cpus[] = {1, 4, 64, 255, 300};
    struct fixture *x = *arg;

    for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
        struct madt_counts n;

        x->m.n_cpus = cpus[i];
        build(x);
        n = count(x);
        assert_int_equal(n.lapic, MIN(cpus[i], 255u));
        assert_int_equal(n.x2apic, cpus[i] - n.lapic);
        assert_int_equal(n.x2apic_nmi, n.x2apic ? 1 : 0);
        assert_int_equal(n.nmi, 1);
        assert_int_equal(n.ioapic, 1);
        assert_int_equal(n.overrides, 2);
        assert_int_equal(get(find(x, "APIC") + 36, 4), 0xfee00000);
    }
}

static void sparse_apic_ids_are_kept(void **arg)
{
    struct fixture *x = *arg;
    struct madt_counts n;

    x->apic_id[1] = 254;
    x->apic_id[2] = 255;
    x->apic_id[3] = 70000;
    build(x);
    n = count(x);
    assert_int_equal(n.lapic, 2);
    assert_int_equal(n.x2apic, 2);
}

static void the_mcfg_covers_all_buses(void **arg)
{
    struct fixture *x = *arg;

    build(x);
    assert_int_equal(get(find(x, "MCFG") + 44, 8), 0xe0000000);
    assert_int_equal(get(find(x, "MCFG") + 54, 2), 0xff00); // buses 0 to 255
    x->m.ecam.size = MiB(16);
    build(x);
    assert_int_equal(get(find(x, "MCFG") + 54, 2), 0x0f00);
}

static void too_little_room_is_an_error(void **arg)
{
    struct fixture *x = *arg;
    struct error err;

    assert_false(acpi_build(&x->m, BASE, 1000, &x->tables, &err));
    assert_non_null(strstr(err.message, "the ACPI tables of 4 processors take "));
}

static void the_same_machine_gives_the_same_bytes(void **arg)
{
    struct fixture *x = *arg;
    struct strbuf again = {0};
    struct error err;

    build(x);
    strbuf_puts(&again, "before"); // it appends
    assert_true(acpi_build(&x->m, BASE, 0x20000, &again, &err));
    assert_int_equal(again.length, x->tables.length + 6);
    assert_memory_equal(again.text + 6, x->tables.text, x->tables.length);
    strbuf_release(&again);
}

// What iasl may have changed: checksum, and its own name and version as creator.
static void compare_tables(const u8 *table, u64 size, const char *path)
{
    AUTO(strbuf) struct strbuf again = {0};
    struct error err;

    if (!file_read(path, MiB(1), &again, &err))
        fail_msg("%s", err.message);
    assert_int_equal(again.length, size);
    again.text[9] = (char)table[9];
    if (memcmp(table, "FACS", 4) != 0)
        memcpy(again.text + 28, table + 28, 8);
    assert_memory_equal(again.text, table, size);
}

static void iasl_accepts(const char *folder, const u8 *table)
{
    u64 size = get(table + 4, 4);
    char path[200], command[900];
    struct error err;

    snprintf(path, sizeof(path), "%s/%.4s.aml", folder, (const char *)table);
    if (!file_write(path, table, size, &err))
        fail_msg("%s", err.message);
    snprintf(command, sizeof(command),
             "cd %s && iasl -d %.4s.aml > log 2>&1 && ! grep -iE 'error|warning|invalid' log && "
             "iasl -we -p again %.4s.dsl > log 2>&1 && grep -q '0 Errors, 0 Warnings' log",
             folder, (const char *)table, (const char *)table);
    if (system(command) != 0) {
        snprintf(command, sizeof(command), "cat %s/log", folder);
        (void)!system(command);
        fail_msg("iasl complains about %.4s", (const char *)table);
    }
    snprintf(path, sizeof(path), "%s/again.aml", folder);
    compare_tables(table, size, path);
}

static void check_by_iasl(const struct fixture *x)
{
    char folder[] = "/tmp/facet-acpi-XXXXXX";
    const u8 *fadt = find(x, "FACP");
    struct error err;

    assert_non_null(mkdtemp(folder));
    for (u64 i = 0; i < xsdt_entries(x); i++)
        iasl_accepts(folder, table_at(x, get(xsdt(x) + 36 + i * 8, 8)));
    iasl_accepts(folder, table_at(x, get(fadt + 40, 4)));
    iasl_accepts(folder, at(x, get(fadt + 36, 4), 64));
    iasl_accepts(folder, xsdt(x));
    assert_true(file_remove_tree(folder, &err));
}

static void iasl_reproduces_every_table(void **arg)
{
    static const u32 cpus[] = {1, 4, 64, 300};
    struct fixture *x = *arg;

    if (system("iasl -v > /dev/null 2>&1") != 0)
        skip();
    for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
        x->m.n_cpus = cpus[i];
        build(x);
        check_by_iasl(x);
    }
}

static void iasl_reproduces_a_small_machine(void **arg)
{
    struct fixture *x = *arg;

    if (system("iasl -v > /dev/null 2>&1") != 0)
        skip();
    x->m = (struct acpi_machine){.apic_id = x->apic_id,
                                 .n_cpus = 1,
                                 .lapic_base = 0xfee00000,
                                 .ioapic_base = 0xfec00000,
                                 .pm1_event_port = 0x600,
                                 .pm1_control_port = 0x604,
                                 .pm_timer_port = 0x608,
                                 .sci_irq = 9};
    build(x);
    check_by_iasl(x);
    x->m.has_pci = true;
    x->m.pci_memory32 = (struct acpi_window){0xc0000000, MiB(512)};
    build(x);
    check_by_iasl(x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_root_pointer_leads_to_all_tables),
        TEST(what_the_board_lacks_has_no_table),
        TEST(the_fadt_names_the_fixed_hardware),
        TEST(the_madt_lists_every_processor),
        TEST(sparse_apic_ids_are_kept),
        TEST(the_mcfg_covers_all_buses),
        TEST(too_little_room_is_an_error),
        TEST(the_same_machine_gives_the_same_bytes),
        TEST(iasl_reproduces_every_table),
        TEST(iasl_reproduces_a_small_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
