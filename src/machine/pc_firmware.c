// SPDX-License-Identifier: BSD-3-Clause
// What firmware tells an operating system of the board: the memory map and the ACPI tables.
#include "machine/pc_priv.h"

// The extended BIOS data area and everything up to 1 MiB is not the kernel's.
#define LOW_END 0x9fc00ull
#define HIGH_BASE 0x100000ull

u32 pc_memory_ranges(const struct component *c, struct boot_range *ret_ranges)
{
    u64 mem = pc_of(c)->p.mem, low = MIN(mem, PC_HOLE_BASE);
    u32 n = 0;

    ret_ranges[n++] = (struct boot_range){0, LOW_END, BOOT_RANGE_RAM};
    ret_ranges[n++] = (struct boot_range){LOW_END, HIGH_BASE - LOW_END, BOOT_RANGE_RESERVED};
    if (low > HIGH_BASE)
        ret_ranges[n++] = (struct boot_range){HIGH_BASE, low - HIGH_BASE, BOOT_RANGE_RAM};
    ret_ranges[n++] = (struct boot_range){PC_ECAM_BASE, PCI_ECAM_SIZE, BOOT_RANGE_RESERVED};
    ret_ranges[n++] = (struct boot_range){PC_SIMOP_BASE, PC_SIMOP_SIZE, BOOT_RANGE_RESERVED};
    if (low < mem)
        ret_ranges[n++] = (struct boot_range){PC_HOLE_END, mem - low, BOOT_RANGE_RAM};
    return n;
}

bool pc_firmware(struct component *c, paddr *ret_rsdp, struct error *err)
{
    *ret_rsdp = 0;
    return true;
}
