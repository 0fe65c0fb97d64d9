// SPDX-License-Identifier: BSD-3-Clause
#include "machine/acpi_priv.h"

#include "base/bug.h"

#include <string.h>

enum {
    RSDP_BYTES = 36,
    HEADER_BYTES = 36,
    FACS_BYTES = 64,
    FADT_BYTES = 268, // revision 5
    TABLES_MAX = 8,
};

// Tables under construction: text[0] is what will be at `base`.
struct tables {
    const struct acpi_machine *m;
    paddr base;
    size_t start; // where `base` is in *out
    struct strbuf *out;
    size_t table; // start of the table that is being written
    paddr listed[TABLES_MAX];
    u32 n_listed; // for the XSDT
};

static void put(struct tables *t, u64 value, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        strbuf_putc(t->out, (char)(value >> 8 * i));
}

static void put_zeros(struct tables *t, u32 bytes)
{
    while (bytes--)
        strbuf_putc(t->out, '\0');
}

static paddr here(const struct tables *t)
{
    return t->base + (t->out->length - t->start);
}

static void align(struct tables *t, u32 unit)
{
    while (here(t) % unit)
        strbuf_putc(t->out, '\0');
}

// Makes the sum of `size` bytes 0, by the byte at `at`.
static void set_checksum(struct tables *t, size_t start, size_t size, size_t at)
{
    u8 *p = (u8 *)t->out->text + start, sum = 0;

    p[at] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (u8)(sum + p[i]);
    p[at] = (u8)-sum;
}

static paddr begin_table(struct tables *t, const char *signature, u32 revision)
{
    align(t, 16);
    t->table = t->out->length;
    strbuf_add(t->out, signature, 4);
    put_zeros(t, 4); // length, set at the end
    put(t, revision, 1);
    put_zeros(t, 1); // checksum
    strbuf_puts(t->out, "FACET ");
    strbuf_puts(t->out, "FACETPC ");
    put(t, 1, 4); // OEM revision
    strbuf_puts(t->out, "FACT");
    put(t, 1, 4); // creator's revision
    return t->base + (t->table - t->start);
}

static void end_table(struct tables *t)
{
    size_t size = t->out->length - t->table;

    for (int i = 0; i < 4; i++)
        t->out->text[t->table + 4 + (size_t)i] = (char)(size >> 8 * i);
    set_checksum(t, t->table, size, 9);
}

static void list(struct tables *t, paddr table)
{
    ASSERT(t->n_listed < TABLES_MAX);
    t->listed[t->n_listed++] = table;
}

// The firmware control structure (§5.2.10) has no checksum, and is to be at a multiple of 64.
static paddr add_facs(struct tables *t)
{
    paddr addr;

    align(t, 64);
    addr = here(t);
    strbuf_puts(t->out, "FACS");
    put(t, FACS_BYTES, 4);
    put_zeros(t, 24); // hardware signature, waking vectors, global lock, flags
    put(t, 2, 1);     // version
    put_zeros(t, FACS_BYTES - 33);
    return addr;
}

static paddr add_dsdt(struct tables *t)
{
    paddr addr = begin_table(t, "DSDT", 2);

    acpi_dsdt_body(t->m, t->out);
    end_table(t);
    return addr;
}

// A generic address (§5.2.3.2) of I/O ports; port 0: none.
static void put_port(struct tables *t, u16 port, u32 bytes)
{
    put(t, port ? 1 : 0, 1);
    put(t, port ? bytes * 8 : 0, 1);
    put(t, 0, 1);
    put(t, port ? (bytes == 4 ? 3 : bytes) : 0, 1); // access size
    put(t, port, 8);
}

static void put_fadt_ports(struct tables *t)
{
    const struct acpi_machine *m = t->m;

    put(t, m->pm1_event_port, 4);
    put(t, 0, 4);
    put(t, m->pm1_control_port, 4);
    put(t, 0, 4);
    put(t, 0, 4); // PM2 control
    put(t, m->pm_timer_port, 4);
    put(t, 0, 8); // general-purpose events
    put(t, 4, 1); // lengths, in the same order
    put(t, 2, 1);
    put(t, 0, 1);
    put(t, 4, 1);
    put(t, 0, 4); // no events; no notification of C states
}

static void put_fadt_wide_ports(struct tables *t)
{
    const struct acpi_machine *m = t->m;

    put_port(t, m->pm1_event_port, 4);
    put_port(t, 0, 0);
    put_port(t, m->pm1_control_port, 2);
    put_port(t, 0, 0);
    put_port(t, 0, 0);
    put_port(t, m->pm_timer_port, 4);
    for (int i = 0; i < 4; i++) // events; sleep registers of reduced hardware
        put_port(t, 0, 0);
}

static u32 fadt_boot_flags(const struct acpi_machine *m)
{
    enum { LEGACY_DEVICES = 1 << 0, HAS_8042 = 1 << 1, NO_VGA = 1 << 2, NO_RTC = 1 << 5 };

    return LEGACY_DEVICES | (m->has_keyboard || m->has_mouse ? HAS_8042 : 0) | NO_VGA |
           (m->has_rtc ? 0 : NO_RTC);
}

// §5.2.9 table 5.10. The power button is fixed hardware (bit 4 is clear); there is no sleep button.
static u32 fadt_flags(const struct acpi_machine *m)
{
    enum {
        WBINVD = 1 << 0,
        PROC_C1 = 1 << 2,
        SLP_BUTTON = 1 << 5,
        FIX_RTC = 1 << 6, // waking by the RTC is not in fixed registers
        TMR_VAL_EXT = 1 << 8,
        RESET_REG_SUP = 1 << 10,
    };

    return WBINVD | PROC_C1 | SLP_BUTTON | FIX_RTC | (m->pm_timer_32bit ? TMR_VAL_EXT : 0) |
           (m->reset_port ? RESET_REG_SUP : 0);
}

static void add_fadt(struct tables *t, paddr facs, paddr dsdt)
{
    enum { DESKTOP = 1, NO_C2 = 0x65, NO_C3 = 0x3e9 };
    const struct acpi_machine *m = t->m;

    list(t, begin_table(t, "FACP", 5));
    put(t, facs, 4);
    put(t, dsdt, 4);
    put(t, 0, 1);
    put(t, DESKTOP, 1);
    put(t, m->sci_irq, 2);
    put(t, 0, 8); // no SMI command port: ACPI mode is always on
    put_fadt_ports(t);
    put(t, NO_C2, 2);
    put(t, NO_C3, 2);
    put(t, 0, 4);                     // cache flushing: by WBINVD
    put(t, 0, 2);                     // duty cycle
    put(t, 0, 2);                     // alarm of the RTC: day, month
    put(t, m->has_rtc ? 0x32 : 0, 1); // century
    put(t, fadt_boot_flags(m), 2);
    put(t, 0, 1);
    put(t, fadt_flags(m), 4);
    put_port(t, m->reset_port, 1);
    put(t, m->reset_value, 1);
    put(t, 0, 2); // of Arm
    put(t, 1, 1); // version 5.1
    put(t, 0, 8); // the FACS has its address above
    put(t, dsdt, 8);
    put_fadt_wide_ports(t);
    ASSERT(t->out->length - t->table == FADT_BYTES);
    end_table(t);
}

// §5.2.12.2 and .12: identifiers from 255 on need the x2APIC structure.
static void put_processor(struct tables *t, u32 uid)
{
    u32 id = t->m->apic_id[uid];

    if (id < 255 && uid < 255) {
        put(t, 0 | 8 << 8, 2);
        put(t, uid, 1);
        put(t, id, 1);
        put(t, 1, 4); // enabled
        return;
    }
    put(t, 9 | 16 << 8, 2);
    put(t, 0, 2);
    put(t, id, 4);
    put(t, 1, 4);
    put(t, uid, 4);
}

// An ISA interrupt that is not at the GSI of its number, or not edge triggered, active high.
static void put_override(struct tables *t, u32 irq, u32 gsi, u32 flags)
{
    put(t, 2 | 10 << 8, 2);
    put(t, 0, 1);
    put(t, irq, 1);
    put(t, gsi, 4);
    put(t, flags, 2);
}

// NMI is at LINT1 of all processors.
static void put_nmi(struct tables *t)
{
    put(t, 4 | 6 << 8, 2);
    put(t, 0xff, 1);
    put(t, 0, 2);
    put(t, 1, 1);
    for (u32 i = 0; i < t->m->n_cpus; i++) {
        if (i < 255 && t->m->apic_id[i] < 255)
            continue;
        put(t, 0xa | 12 << 8, 2);
        put(t, 0, 2);
        put(t, 0xffffffff, 4);
        put(t, 1, 1);
        put(t, 0, 3);
        return;
    }
}

static void add_madt(struct tables *t)
{
    enum { ACTIVE_HIGH = 1, LEVEL = 3 << 2 };
    const struct acpi_machine *m = t->m;

    list(t, begin_table(t, "APIC", 4));
    put(t, m->lapic_base, 4);
    put(t, m->has_pic ? 1 : 0, 4);
    for (u32 i = 0; i < m->n_cpus; i++)
        put_processor(t, i);
    put(t, 1 | 12 << 8, 2);
    put(t, m->ioapic_id, 1);
    put(t, 0, 1);
    put(t, m->ioapic_base, 4);
    put(t, 0, 4); // its first GSI
    put_override(t, 0, 2, 0);
    put_override(t, m->sci_irq, m->sci_irq, ACTIVE_HIGH | LEVEL);
    put_nmi(t);
    end_table(t);
}

// PCI Firmware specification 3.2, §4.1.2.
static void add_mcfg(struct tables *t)
{
    list(t, begin_table(t, "MCFG", 1));
    put(t, 0, 8);
    put(t, t->m->ecam.base, 8);
    put(t, 0, 2); // segment
    put(t, 0, 1);
    put(t, (t->m->ecam.size >> 20) - 1, 1);
    put(t, 0, 4);
    end_table(t);
}

// IA-PC HPET specification 1.0a, §3.2.4.
static void add_hpet(struct tables *t)
{
    list(t, begin_table(t, "HPET", 1));
    put(t, t->m->hpet_id, 4);
    put(t, 0 | 64 << 8, 4); // memory
    put(t, t->m->hpet_base, 8);
    put(t, 0, 1);
    put(t, 0x80, 2); // least count for periodic interrupts without loss
    put(t, 0, 1);
    end_table(t);
}

static paddr add_xsdt(struct tables *t)
{
    paddr addr = begin_table(t, "XSDT", 1);

    for (u32 i = 0; i < t->n_listed; i++)
        put(t, t->listed[i], 8);
    end_table(t);
    return addr;
}

// §5.2.5.3, into the room that was left for it. The first 20 bytes have a checksum of their own.
static void set_rsdp(struct tables *t, paddr xsdt)
{
    u8 *p = (u8 *)t->out->text + t->start;

    memcpy(p, "RSD PTR ", 8);
    memcpy(p + 9, "FACET ", 6);
    p[15] = 2; // revision; no RSDT
    p[20] = RSDP_BYTES;
    for (int i = 0; i < 8; i++)
        p[24 + i] = (u8)(xsdt >> 8 * i);
    set_checksum(t, t->start, 20, 8);
    set_checksum(t, t->start, RSDP_BYTES, 32);
}

bool acpi_build(const struct acpi_machine *m, paddr base, u64 room, struct strbuf *out,
                struct error *err)
{
    struct tables t = {.m = m, .base = base, .start = out->length, .out = out};
    paddr facs, dsdt;

    ASSERT(base % 64 == 0 && base + room <= GiB(4));
    put_zeros(&t, RSDP_BYTES);
    facs = add_facs(&t);
    dsdt = add_dsdt(&t);
    add_fadt(&t, facs, dsdt);
    add_madt(&t);
    if (m->ecam.size)
        add_mcfg(&t);
    if (m->hpet_base)
        add_hpet(&t);
    set_rsdp(&t, add_xsdt(&t));
    if (out->length - t.start > room)
        return error_set(err, ERROR_INPUT,
                         "the ACPI tables of %u processors take %llu bytes, there is room for %llu",
                         m->n_cpus, (unsigned long long)(out->length - t.start),
                         (unsigned long long)room);
    return true;
}
