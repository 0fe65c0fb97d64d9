// SPDX-License-Identifier: BSD-3-Clause
// ACPI tables of a PC board: how a kernel finds processors, interrupt controllers, PCI and the
// devices that cannot be probed. The board describes what it has; this encodes it.
// SPEC: ACPI specification 6.4 (chapters 5, 6, 19, 20).
// UNMODELLED: general-purpose events, thermal zones, sleep states but S5, hotplug.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

struct acpi_window {
    paddr base;
    u64 size; // 0: there is none
};

struct acpi_serial {
    u16 port; // 8 ports; 0: there is none
    u8 irq;
};

struct acpi_virtio_mmio {
    paddr base; // below 4 GiB
    u32 size;
    u32 gsi; // level triggered, active high
};

enum { ACPI_SLOTS = 32, ACPI_SERIAL_MAX = 4, ACPI_VIRTIO_MAX = 32 };

struct acpi_machine {
    const u32 *apic_id; // of the processors, the boot processor first; borrowed
    u32 n_cpus;
    u32 lapic_base; // 0xfee00000
    u8 ioapic_id;
    u32 ioapic_base; // 0xfec00000; its inputs are GSI 0 and up, ISA's IRQ 0 is at 2

    // Fixed hardware: PM1 events (4 ports), control (2) and the timer (4).
    u16 pm1_event_port, pm1_control_port, pm_timer_port;
    bool pm_timer_32bit; // else 24
    u8 sci_irq;          // level triggered, active high
    u8 s5_type;          // SLP_TYP that turns the power off
    u16 reset_port;      // 0xcf9…
    u8 reset_value;      // …6

    struct acpi_window ecam; // MMCONFIG, 1 MiB a bus from bus 0 on
    bool has_pci;            // one root, buses 0 to 255 or as many as there is ECAM for
    struct acpi_window pci_memory32, pci_memory64;
    u32 intx_gsi[ACPI_SLOTS][4]; // of INTA#..INTD#; 0: not connected

    paddr hpet_base; // 0: there is none
    u32 hpet_id;     // the low half of its capabilities register

    struct acpi_serial serial[ACPI_SERIAL_MAX];
    bool has_keyboard, has_mouse; // i8042
    bool has_pic, has_pit, has_rtc;
    u16 pvpanic_port;                      // 0: there is none
    const struct acpi_virtio_mmio *virtio; // borrowed
    u32 n_virtio;
};

// Appends all tables to *out, as they are to be at `base` (a multiple of 64), with the root pointer
// first: the RSDP is at `base`. False when they take more than `room` bytes.
bool acpi_build(const struct acpi_machine *m, paddr base, u64 room, struct strbuf *out,
                struct error *err) MUST_CHECK;
