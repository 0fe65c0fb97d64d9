// SPDX-License-Identifier: BSD-3-Clause
#include "os/boot/boot_samples.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { NOTES = 0x400, MULTIBOOT = 0x600, SETUP_SECTORS = 2, PAYLOAD_OFFSET = 0x40 };

u8 sample_content(u64 i)
{
    return (u8)(i * 7 + i / 256);
}

static u64 add_note(u8 *at, const char *name, u32 type, const void *content, u32 size)
{
    u32 name_bytes = (u32)strlen(name) + 1, padded = (name_bytes + 3) & ~3u;
    u32 head[3] = {name_bytes, size, type};

    memcpy(at, head, sizeof(head));
    memcpy(at + 12, name, name_bytes);
    memcpy(at + 12 + padded, content, size);
    return 12 + padded + ((size + 3) & ~3u);
}

static u64 add_notes(u8 *at, const struct sample_elf *what)
{
    u64 size = 0;

    if (what->linux_note)
        size += add_note(at + size, "Linux", 0x101, "6.1.0", 6);
    if (what->program_note)
        size += add_note(at + size, "GNU", NT_GNU_ABI_TAG, (const u8[16]){0}, 16);
    if (what->pvh)
        size += add_note(at + size, "Xen", 18, &what->pvh, 8);
    return size;
}

static void put_wide(u8 *file, const struct sample_elf *what, const Elf64_Phdr *p)
{
    Elf64_Ehdr h = {.e_type = what->type ? what->type : ET_EXEC,
                    .e_machine = what->machine ? what->machine : EM_X86_64,
                    .e_version = EV_CURRENT,
                    .e_entry = what->entry ? what->entry : SAMPLE_PA + 16,
                    .e_phoff = sizeof(h),
                    .e_phentsize = sizeof(*p),
                    .e_phnum = 2};

    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    h.e_ident[EI_VERSION] = EV_CURRENT;
    memcpy(file, &h, sizeof(h));
    memcpy(file + sizeof(h), p, 2 * sizeof(*p));
}

static void put_narrow(u8 *file, const struct sample_elf *what, const Elf64_Phdr *p)
{
    Elf32_Ehdr h = {.e_type = what->type ? what->type : ET_EXEC,
                    .e_machine = what->machine ? what->machine : EM_386,
                    .e_version = EV_CURRENT,
                    .e_entry = (u32)(what->entry ? what->entry : SAMPLE_PA + 16),
                    .e_phoff = sizeof(h),
                    .e_phentsize = sizeof(Elf32_Phdr),
                    .e_phnum = 2};

    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS32;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    h.e_ident[EI_VERSION] = EV_CURRENT;
    memcpy(file, &h, sizeof(h));
    for (int i = 0; i < 2; i++) {
        Elf32_Phdr n = {.p_type = p[i].p_type,
                        .p_offset = (u32)p[i].p_offset,
                        .p_paddr = (u32)p[i].p_paddr,
                        .p_filesz = (u32)p[i].p_filesz,
                        .p_memsz = (u32)p[i].p_memsz,
                        .p_align = (u32)p[i].p_align};

        memcpy(file + sizeof(h) + (size_t)i * sizeof(n), &n, sizeof(n));
    }
}

void sample_elf(struct strbuf *out, const struct sample_elf *what)
{
    u8 file[SAMPLE_BYTES] = {0};
    u64 notes = add_notes(file + NOTES, what);
    Elf64_Phdr p[2] = {{.p_type = PT_LOAD,
                        .p_offset = SAMPLE_OFFSET,
                        .p_vaddr = 0xffffffff81000000,
                        .p_paddr = what->pa ? what->pa : SAMPLE_PA,
                        .p_filesz = SAMPLE_CONTENT_BYTES,
                        .p_memsz = what->mem_bytes ? what->mem_bytes : SAMPLE_MEM_BYTES,
                        .p_align = 4096},
                       {.p_type = PT_NOTE, .p_offset = NOTES, .p_filesz = notes, .p_align = 4}};
    u32 multiboot[3] = {0x1badb002, what->multiboot, -(0x1badb002 + what->multiboot)};

    if (what->narrow)
        put_narrow(file, what, p);
    else
        put_wide(file, what, p);
    if (what->has_multiboot)
        memcpy(file + MULTIBOOT, multiboot, sizeof(multiboot));
    for (u64 i = 0; i < SAMPLE_CONTENT_BYTES; i++)
        file[SAMPLE_OFFSET + i] = sample_content(i);
    strbuf_add(out, file, sizeof(file));
}

static size_t compress_gzip(u8 *out, size_t room, const u8 *in, size_t size)
{
    z_stream z = {.next_in = (u8 *)(uintptr_t)in,
                  .avail_in = (uInt)size,
                  .next_out = out,
                  .avail_out = (uInt)room};

    ASSERT(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

// As the Linux build does: xz with its filter for x86 code and CRC32; lzma as lzma(1).
static size_t compress_lzma(u8 *out, size_t room, const u8 *in, size_t size, bool old)
{
    lzma_stream z = LZMA_STREAM_INIT;
    lzma_options_lzma options;
    lzma_filter filters[] = {
        {LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};

    lzma_lzma_preset(&options, 6);
    ASSERT((old ? lzma_alone_encoder(&z, &options)
                : lzma_stream_encoder(&z, filters, LZMA_CHECK_CRC32)) == LZMA_OK);
    z.next_in = in;
    z.avail_in = size;
    z.next_out = out;
    z.avail_out = room;
    ASSERT(lzma_code(&z, LZMA_FINISH) == LZMA_STREAM_END);
    lzma_end(&z);
    return room - z.avail_out;
}

static size_t compress_lz4(u8 *out, size_t room, const u8 *in, size_t size)
{
    u32 magic = 0x184c2102;
    u32 length =
        (u32)LZ4_compress_default((const char *)in, (char *)out + 8, (int)size, (int)room - 8);

    ASSERT(length > 0);
    memcpy(out, &magic, 4);
    memcpy(out + 4, &length, 4);
    return length + 8;
}

// As zstd(1), with a checksum.
static size_t compress_zstd(u8 *out, size_t room, const u8 *in, size_t size)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    size_t length;

    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    length = ZSTD_compress2(z, out, room, in, size);
    ASSERT(!ZSTD_isError(length));
    ZSTD_freeCCtx(z);
    return length;
}

static size_t pack(u8 *out, size_t room, const u8 *in, size_t size, const char *how)
{
    if (strcmp(how, "gzip") == 0)
        return compress_gzip(out, room, in, size);
    if (strcmp(how, "lz4") == 0)
        return compress_lz4(out, room, in, size);
    if (strcmp(how, "zstd") == 0)
        return compress_zstd(out, room, in, size);
    return compress_lzma(out, room, in, size, strcmp(how, "lzma") == 0);
}

void sample_bzimage(struct strbuf *out, const struct strbuf *elf, const char *compression)
{
    size_t room = elf->length + 4096, start = (SETUP_SECTORS + 1) * 512 + PAYLOAD_OFFSET, size;
    u8 *file = xcalloc(1, start + room + 4);
    u32 elf_bytes = (u32)elf->length;
    struct setup_header hdr = {.setup_sects = SETUP_SECTORS,
                               .boot_flag = 0xaa55,
                               .jump = 0x6aeb, // to 0x26c
                               .header = 0x53726448,
                               .version = 0x20f,
                               .loadflags = LOADED_HIGH,
                               .initrd_addr_max = 0x7fffffff,
                               .kernel_alignment = 0x200000,
                               .relocatable_kernel = 1,
                               .xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
                               .cmdline_size = 255,
                               .payload_offset = PAYLOAD_OFFSET,
                               .pref_address = SAMPLE_PA,
                               .init_size = 0x10000};

    size = pack(file + start, room, (const u8 *)elf->text, elf->length, compression);
    // Linux's scripts/Makefile.lib, size_append; gzip has it anyway
    if (strcmp(compression, "gzip") != 0) {
        memcpy(file + start + size, &elf_bytes, 4);
        size += 4;
    }
    hdr.payload_length = (u32)size;
    memcpy(file + 0x1f1, &hdr, sizeof(hdr));
    strbuf_add(out, file, start + size);
    free(file);
}
