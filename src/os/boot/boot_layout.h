// SPDX-License-Identifier: BSD-3-Clause
// Where the loader puts what it makes. All of it is below the EBDA (0x9fc00) and the area of the
// ACPI tables (0xe0000), in memory that a kernel takes over once it has copied what it needs.
//
//     00500  GDT: null, null, code (0x10), data (0x18), TSS (0x20)
//     00530  IDT (empty)
//     06000  PVH start info or Multiboot information; 06040 the module; 06100 the memory map
//     07000  zero page (struct boot_params)
//     08000  stack, downwards from 08ff0
//     09000  PML4; 0a000 PDPT; 0b000..0efff page directories: the first 4 GiB, 2 MiB pages
//     20000  command line, up to 64 KiB
//     30000  end of the loader's area; kernels may begin here
//
// The kernel goes where its program headers say; the initial RAM disk as high as possible.
#pragma once

#include "base/types.h"

#define BOOT_GDT 0x500u
#define BOOT_GDT_BYTES 0x30u
#define BOOT_IDT 0x530u
#define BOOT_INFO 0x6000u
#define BOOT_INFO_MODULE 0x6040u
#define BOOT_INFO_MAP 0x6100u
#define BOOT_ZERO_PAGE 0x7000u
#define BOOT_STACK 0x8ff0u
#define BOOT_PML4 0x9000u
#define BOOT_PDPT 0xa000u
#define BOOT_PD 0xb000u
#define BOOT_COMMAND_LINE 0x20000u
#define BOOT_COMMAND_LINE_MAX 0x10000u // with its NUL
#define BOOT_AREA_END 0x30000u
#define BOOT_MAPPED GiB(4)

// Selectors, as the Linux boot protocol demands (__BOOT_CS, __BOOT_DS).
#define BOOT_CS 0x10u
#define BOOT_DS 0x18u
#define BOOT_TSS 0x20u
