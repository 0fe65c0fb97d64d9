// SPDX-License-Identifier: BSD-3-Clause
// I/O APIC (type `ioapic`): turns interrupt lines into messages on an apic_bus. Provides
// IFACE(irq), input n is pin n, and IFACE(mmio), which a PC has at 0xfec00000.
//
// A line says whether the interrupt is asserted, not which voltage that is. Pins of `active_low`
// are those whose board asserts by a low voltage (PCI's, pins 16 and up); the guest must program
// that polarity, as ACPI or its knowledge of PCI tells it, or sees the line inverted.
#pragma once

#include "sim/component.h"

extern const struct component_type ioapic_type;
