// SPDX-License-Identifier: BSD-3-Clause
// Small kernels for the tests of os/boot, made with the real compressors.
#pragma once

#include "base/strbuf.h"

// Zero means the default that is named.
struct sample_elf {
    bool narrow;       // ELF32
    u16 machine;       // EM_X86_64, or EM_386 with `narrow`
    u16 type;          // ET_EXEC
    u64 entry;         // SAMPLE_PA + 16
    u64 pa, mem_bytes; // SAMPLE_PA, SAMPLE_MEM_BYTES
    u64 pvh;           // entry of a PVH note; 0: no note
    bool linux_note;
    bool program_note; // NT_GNU_ABI_TAG
    bool has_multiboot;
    u32 multiboot; // its flags
};

#define SAMPLE_PA 0x1000000ull
#define SAMPLE_MEM_BYTES 0x3000ull

enum {
    SAMPLE_OFFSET = 0x1000,       // of the segment in the file...
    SAMPLE_CONTENT_BYTES = 0x800, // ...byte i is (u8)(i * 7 + i / 256)
    SAMPLE_BYTES = SAMPLE_OFFSET + SAMPLE_CONTENT_BYTES,
};

void sample_elf(struct strbuf *out, const struct sample_elf *what);
u8 sample_content(u64 i);

// A bzImage of protocol 2.15 with `elf` as its payload, compressed with "gzip", "xz", "lzma",
// "zstd" or "lz4".
void sample_bzimage(struct strbuf *out, const struct strbuf *elf, const char *compression);
