// SPDX-License-Identifier: BSD-3-Clause
// Puts a kernel into guest memory and a core into the state in which firmware or a boot loader
// would enter it, so that no firmware is needed. Nothing here keeps state: a board calls boot_load
// at every reset of the machine.
//
//     boot_image_read(&image, path, err);
//     ... boot_firmware_state(state of each core), boot_load(&plan, state of core 0, err) ...
//     x86_state_loaded(core);
#pragma once

#include "isa/x86/state.h"
#include "os/boot/boot_image.h"
#include "sim/port.h"

// What AUTO takes: a bzImage and a vmlinux of Linux are entered in 64-bit mode, any other kernel by
// its Multiboot header or its PVH note, whichever there is.
enum boot_entry { BOOT_ENTRY_AUTO, BOOT_ENTRY_LINUX64, BOOT_ENTRY_PVH, BOOT_ENTRY_MULTIBOOT };
extern const char *const boot_entry_names[]; // "auto", "linux64", "pvh", "multiboot", NULL

// Types of the e820 memory map (ACPI 6.4 §15).
enum boot_range_type {
    BOOT_RANGE_RAM = 1,
    BOOT_RANGE_RESERVED = 2,
    BOOT_RANGE_ACPI = 3,
    BOOT_RANGE_NVS = 4,
};

struct boot_range {
    paddr base;
    u64 size;
    enum boot_range_type type;
};

enum { BOOT_RANGES_MAX = 128 };

// All pointers are borrowed.
struct boot_plan {
    const struct boot_image *image;
    enum boot_entry entry;
    const char *command_line; // not NULL
    const void *initrd;       // NULL: none
    u64 initrd_bytes;
    const struct boot_range *range; // ascending, at most BOOT_RANGES_MAX; RAM from 0 to 0x30000
    u32 n_ranges;
    paddr rsdp; // ACPI's root pointer, 0: none
    struct mem_port memory;
};

// Writes guest memory and changes *s, the state after reset of the first core; other registers of
// *s stay as they are. False with one sentence in *err; memory may have changed then.
bool boot_load(const struct boot_plan *plan, struct x86_arch_state *s,
               struct error *err) MUST_CHECK;

// What firmware leaves in model-specific registers of every core, after reset: MTRRs that make
// memory cacheable.
void boot_firmware_state(struct x86_arch_state *s);
