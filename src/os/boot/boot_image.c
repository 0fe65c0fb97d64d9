// SPDX-License-Identifier: BSD-3-Clause
// SPEC: Documentation/arch/x86/boot.rst of Linux (boot protocol 2.08 to 2.15).
// UNMODELLED: kernels are entered at their ELF entry point: neither the 16-bit set-up code, nor the
// decompressor in the kernel file, nor address randomisation by it runs.
#include "os/boot/boot_image.h"

#include "base/alloc.h"
#include "base/file.h"
#include "os/boot/boot_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

// A vmlinux with debugging information has some hundred MiB.
#define FILE_MAX MiB(1024)

// Offsets in the setup header, which begins at SETUP in the file.
enum {
    SETUP = 0x1f1,
    SETUP_SECTS = 0x1f1,
    BOOT_FLAG = 0x1fe,
    SETUP_LENGTH = 0x201,
    SETUP_MAGIC = 0x202,
    SETUP_VERSION = 0x206,
    SETUP_LOADFLAGS = 0x211,
    SETUP_XLOADFLAGS = 0x236,
    SETUP_PAYLOAD_OFFSET = 0x248,
    SETUP_PAYLOAD_LENGTH = 0x24c,
    SETUP_END = 0x250, // of what protocol 2.08 has
};

static bool is_bzimage(const u8 *data, u64 size)
{
    return size >= SETUP_VERSION && data[BOOT_FLAG] == 0x55 && data[BOOT_FLAG + 1] == 0xaa &&
           memcmp(data + SETUP_MAGIC, "HdrS", 4) == 0;
}

static bool check_setup(const u8 *data, u64 size, struct error *err)
{
    u32 version;

    if (size < SETUP_END)
        return error_set(err, ERROR_INPUT, "truncated Linux kernel (%llu bytes)",
                         (unsigned long long)size);
    version = boot_get16(data + SETUP_VERSION);
    if (version < 0x208)
        return error_set(err, ERROR_INPUT,
                         "a Linux kernel with boot protocol %u.%02u; 2.08 is needed (Linux 2.6.26 "
                         "or later)",
                         version >> 8, version & 0xff);
    if (!(data[SETUP_LOADFLAGS] & 1))
        return error_set(err, ERROR_INPUT, "a zImage, not a bzImage");
    if (version >= 0x20c && !(boot_get16(data + SETUP_XLOADFLAGS) & 1))
        return error_set(err, ERROR_INPUT, "a 32-bit Linux kernel; only 64-bit ones are supported");
    return true;
}

// Replaces the bzImage in *image by its payload.
static bool unpack_bzimage(struct boot_image *image, struct error *err)
{
    const u8 *data = image->bytes;
    u64 sectors, start, length;
    u8 *payload;
    u64 payload_bytes;

    if (!check_setup(data, image->size, err))
        return false;
    sectors = data[SETUP_SECTS] ? data[SETUP_SECTS] : 4;
    start = (sectors + 1) * 512 + boot_get32(data + SETUP_PAYLOAD_OFFSET);
    length = boot_get32(data + SETUP_PAYLOAD_LENGTH);
    if (start > image->size || length > image->size - start)
        return error_set(err, ERROR_INPUT,
                         "truncated Linux kernel: its payload ends at byte %llu, the file at %llu",
                         (unsigned long long)(start + length), (unsigned long long)image->size);
    if (!boot_decompress(data + start, length, &payload, &payload_bytes, err))
        return error_wrap(err, "the payload of the Linux kernel");
    image->setup_bytes = SETUP_MAGIC + data[SETUP_LENGTH] - SETUP;
    image->setup_bytes = MIN(image->setup_bytes, (u32)BOOT_SETUP_MAX);
    image->setup_bytes = (u32)MIN(image->setup_bytes, image->size - SETUP);
    memcpy(image->setup, data + SETUP, image->setup_bytes);
    free(image->bytes);
    image->bytes = payload;
    image->size = payload_bytes;
    image->is_linux = true;
    if (!boot_is_elf(payload, payload_bytes))
        return error_set(err, ERROR_INPUT, "the payload of the Linux kernel is no ELF file");
    if (!boot_elf_parse(image, err))
        return error_wrap(err, "the payload of the Linux kernel");
    return true;
}

static bool not_a_kernel(const u8 *data, u64 size, struct error *err)
{
    const char *compression = boot_compression_name(data, size);

    if (compression)
        return error_set(err, ERROR_INPUT,
                         "not a kernel but a file compressed with %s: decompress it first",
                         compression);
    if (size >= 0x3c && memcmp(data + 0x38, "ARM\x64", 4) == 0)
        return error_set(err, ERROR_INPUT, "a kernel for AArch64, not for x86-64");
    if (size >= 0x40 && (memcmp(data + 0x38, "RSC\x05", 4) == 0))
        return error_set(err, ERROR_INPUT, "a kernel for RISC-V, not for x86-64");
    return error_set(err, ERROR_INPUT,
                     "not a kernel: neither a Linux bzImage, nor an ELF file, nor Multiboot");
}

static bool parse(struct boot_image *image, struct error *err)
{
    bool done;

    if (image->size == 0)
        return error_set(err, ERROR_INPUT, "the file is empty");
    if (is_bzimage(image->bytes, image->size))
        return unpack_bzimage(image, err);
    if (!boot_multiboot_parse(image, &done, err))
        return false;
    if (done)
        return true;
    if (boot_is_elf(image->bytes, image->size))
        return boot_elf_parse(image, err);
    return not_a_kernel(image->bytes, image->size, err);
}

bool boot_image_parse(struct boot_image *image, struct strbuf *file, struct error *err)
{
    *image = (struct boot_image){.bytes = (u8 *)file->text, .size = file->length};
    *file = (struct strbuf){0};
    if (parse(image, err))
        return true;
    boot_image_release(image);
    return false;
}

bool boot_image_read(struct boot_image *image, const char *path, struct error *err)
{
    AUTO(strbuf) struct strbuf file = {0};
    struct stat st;

    // Opening a pipe or a terminal could wait for ever.
    if (stat(path, &st) < 0)
        return error_set_errno(err, "kernel '%s'", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_INPUT, "kernel '%s': not a regular file", path);
    if (!file_read(path, FILE_MAX, &file, err))
        return error_wrap(err, "kernel");
    if (!boot_image_parse(image, &file, err))
        return error_wrap(err, "kernel '%s'", path);
    return true;
}

void boot_image_release(struct boot_image *image)
{
    free(image->bytes);
    *image = (struct boot_image){0};
}
