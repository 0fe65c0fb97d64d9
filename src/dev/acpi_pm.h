// SPDX-License-Identifier: BSD-3-Clause
// The fixed hardware of ACPI that the FADT describes, as one range of ports: IFACE(mmio). The
// offsets of its blocks, all in one place as the board's tables need them.
#pragma once

#include "sim/component.h"

enum {
    ACPI_PM_EVENT = 0x00,   // PM1a_EVT_BLK: status, enable; 4 bytes
    ACPI_PM_CONTROL = 0x04, // PM1a_CNT_BLK, 2 bytes
    ACPI_PM_TIMER = 0x08,   // PM_TMR_BLK, 4 bytes
    ACPI_PM_GPE = 0x20,     // GPE0_BLK: status, enable; no event is wired
    ACPI_PM_GPE_SIZE = 4,
    ACPI_PM_SIZE = 0x24,
};
// What the FADT gives as ACPI_ENABLE and ACPI_DISABLE, for the SMI command port.
enum { ACPI_PM_ENABLE = 0xa0, ACPI_PM_DISABLE = 0xa1 };

extern const struct component_type acpi_pm_type;

// For the board: the SMI command port (SMI_CMD, 0xb2 on PCs).
struct mmio acpi_pm_smi_command(struct component *c);
// Somebody presses the power button.
void acpi_pm_press_power_button(struct component *c);
