// SPDX-License-Identifier: BSD-3-Clause
// What the files of os/boot share.
#pragma once

#include "os/boot/boot_image.h"
#include "os/boot/boot_load.h"

#include <string.h>

static inline u16 boot_get16(const u8 *p)
{
    return (u16)(p[0] | p[1] << 8);
}

static inline u32 boot_get32(const u8 *p)
{
    return boot_get16(p) | (u32)boot_get16(p + 2) << 16;
}

static inline void boot_put16(u8 *p, u32 value)
{
    p[0] = (u8)value;
    p[1] = (u8)(value >> 8);
}

static inline void boot_put32(u8 *p, u32 value)
{
    boot_put16(p, value);
    boot_put16(p + 2, value >> 16);
}

static inline void boot_put64(u8 *p, u64 value)
{
    boot_put32(p, (u32)value);
    boot_put32(p + 4, (u32)(value >> 32));
}

// boot_decompress.c: a bzImage's payload, to *ret_bytes (malloc). The Linux build puts the size of
// the result into the last 4 bytes.
bool boot_decompress(const u8 *payload, u64 size, u8 **ret_bytes, u64 *ret_size,
                     struct error *err) MUST_CHECK;
// The name of a compression by a file's first bytes, NULL if it is none.
const char *boot_compression_name(const u8 *data, u64 size);

// boot_elf.c: fills segments and entries from image->bytes.
bool boot_elf_parse(struct boot_image *image, struct error *err) MUST_CHECK;
bool boot_is_elf(const u8 *data, u64 size);

// boot_multiboot.c: looks for a Multiboot header in image->bytes. *ret_done: it also says where
// everything goes, so that image->bytes need not be ELF.
bool boot_multiboot_parse(struct boot_image *image, bool *ret_done, struct error *err) MUST_CHECK;

// One part of the plan, in guest memory. What the board calls RAM answers; else *err.
bool boot_store(const struct boot_plan *plan, paddr addr, const void *data, u64 size,
                struct error *err) MUST_CHECK;

// The ways to enter: writes the kernel's information and sets the registers. The initial RAM disk
// is at `initrd` already.
bool boot_enter_linux64(const struct boot_plan *plan, paddr initrd, struct x86_arch_state *s,
                        struct error *err) MUST_CHECK;
bool boot_enter_pvh(const struct boot_plan *plan, paddr initrd, struct x86_arch_state *s,
                    struct error *err) MUST_CHECK;
bool boot_enter_multiboot(const struct boot_plan *plan, paddr initrd, struct x86_arch_state *s,
                          struct error *err) MUST_CHECK;

// Flat segments and the GDT that holds them: a 64-bit or a 32-bit code segment.
bool boot_set_segments(const struct boot_plan *plan, bool wide, struct x86_arch_state *s,
                       struct error *err) MUST_CHECK;
