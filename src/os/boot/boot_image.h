// SPDX-License-Identifier: BSD-3-Clause
// A kernel file as the boot loader sees it: a Linux bzImage (its payload is decompressed on the
// host), a vmlinux, or another ELF kernel with a PVH note or a Multiboot header. Reading only:
// os/boot/boot_load.h puts it into guest memory.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

enum {
    BOOT_SEGMENTS_MAX = 64,
    BOOT_SETUP_MAX = 0x290 - 0x1f1, // the setup header's room in the zero page
};

struct boot_segment {
    u64 offset; // in boot_image.bytes
    u64 file_bytes;
    paddr pa;
    u64 mem_bytes; // at least file_bytes; the rest is zeros
};

struct boot_image {
    u8 *bytes; // owned: the ELF file, or what a Multiboot header with addresses describes
    u64 size;
    u32 n_segments;
    struct boot_segment segment[BOOT_SEGMENTS_MAX];
    paddr low, high; // bounds of all segments

    // How it can be entered.
    bool has_linux64, has_pvh, has_multiboot;
    bool is_linux;            // a bzImage, or an ELF file with notes of Linux
    paddr entry;              // the ELF header's: for Linux in 64-bit mode and for Multiboot
    paddr pvh_entry;          // of the note XEN_ELFNOTE_PHYS32_ENTRY
    u32 multiboot_flags;      // what the kernel asks for
    u8 setup[BOOT_SETUP_MAX]; // the bzImage's setup header, from offset 0x1f1 on
    u32 setup_bytes;          // 0: not from a bzImage
};

// Fills *image from a file; false with one sentence in *err, and nothing to release.
bool boot_image_read(struct boot_image *image, const char *path, struct error *err) MUST_CHECK;

// The same from the bytes of a file, which it takes over in any case (*file is empty afterwards).
bool boot_image_parse(struct boot_image *image, struct strbuf *file, struct error *err) MUST_CHECK;

void boot_image_release(struct boot_image *image);
