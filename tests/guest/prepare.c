// SPDX-License-Identifier: BSD-3-Clause
#include "guest.h"

#include <string.h>

// Selectors: 08 code 64, 10 data, 18 user code 32, 20 user data, 28 user code 64, 30 code 32,
// 38 task state (two slots), 48 code 16, 50 data 16, 58 not present, 60 conforming code 64.
static const u64 gdt[] = {
    0,
    0x00af9b000000ffff,
    0x00cf93000000ffff,
    0x00cffb000000ffff,
    0x00cff3000000ffff,
    0x00affb000000ffff,
    0x00cf9b000000ffff,
    0x0000890040000067, // task state segment at 0x4000
    0,
    0x00009b000000ffff,
    0x000093000000ffff,
    0x00cf13000000ffff,
    0x00af9f000000ffff,
};

static void put64(u8 *ram, u64 at, u64 v)
{
    memcpy(ram + at, &v, 8);
}

// PML4, PDPT, PD, PT at GUEST_TABLES and the pages behind: the first 2 MiB by 4 KiB pages, the next
// 2 MiB as one large page; also at 512 GiB. User access is allowed above the last level.
static void make_tables(u8 *ram)
{
    u64 t = GUEST_TABLES;

    put64(ram, t, (t + 0x1000) | 7);
    put64(ram, t + 8, (t + 0x1000) | 7);
    put64(ram, t + 0x1000, (t + 0x2000) | 7);
    put64(ram, t + 0x2000, (t + 0x3000) | 7);
    put64(ram, t + 0x2008, 0x200000 | 0x83);
    for (u64 i = 0; i < 512; i++)
        put64(ram, t + 0x3000 + i * 8, i << 12 | 3);
}

void guest_prepare(const struct guest_case *g, u8 *ram)
{
    memset(ram, 0, GUEST_RAM);
    memcpy(ram + GUEST_GDT, gdt, sizeof(gdt));
    memcpy(ram + GUEST_LOAD, g->image, (size_t)(g->image_end - g->image));
    make_tables(ram);
}
