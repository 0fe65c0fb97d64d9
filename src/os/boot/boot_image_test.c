// SPDX-License-Identifier: BSD-3-Clause
#include "os/boot/boot_image.h"

#include "base/alloc.h"
#include "os/boot/boot_samples.h"

#include <elf.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void accepted(struct strbuf *file, struct boot_image *image)
{
    struct error err;

    if (!boot_image_parse(image, file, &err))
        fail_msg("%s", err.message);
}

static void refused(struct strbuf *file, const char *part)
{
    struct boot_image image;
    struct error err;

    assert_false(boot_image_parse(&image, file, &err));
    if (!strstr(err.message, part))
        fail_msg("'%s' does not contain '%s'", err.message, part);
    assert_null(image.bytes);
    assert_null(file->text);
}

static void refused_elf(struct sample_elf what, const char *part)
{
    struct strbuf file = {0};

    sample_elf(&file, &what);
    refused(&file, part);
}

static void check_content(const struct boot_image *image)
{
    assert_int_equal(image->n_segments, 1);
    assert_int_equal(image->segment[0].pa, SAMPLE_PA);
    assert_int_equal(image->segment[0].mem_bytes, SAMPLE_MEM_BYTES);
    assert_int_equal(image->segment[0].file_bytes, SAMPLE_CONTENT_BYTES);
    for (u64 i = 0; i < SAMPLE_CONTENT_BYTES; i++)
        assert_int_equal(image->bytes[image->segment[0].offset + i], sample_content(i));
}

static void a_vmlinux_is_read(void **arg)
{
    struct strbuf file = {0};
    struct boot_image image;

    sample_elf(&file, &(struct sample_elf){.pvh = SAMPLE_PA + 0x100, .linux_note = true});
    accepted(&file, &image);
    check_content(&image);
    assert_true(image.has_linux64 && image.has_pvh && image.is_linux && !image.has_multiboot);
    assert_int_equal(image.entry, SAMPLE_PA + 16);
    assert_int_equal(image.pvh_entry, SAMPLE_PA + 0x100);
    assert_int_equal(image.low, SAMPLE_PA);
    assert_int_equal(image.high, SAMPLE_PA + SAMPLE_MEM_BYTES);
    assert_int_equal(image.setup_bytes, 0);
    boot_image_release(&image);
}

static void a_bzimage_is_decompressed_whatever_its_compression(void **arg)
{
    static const char *const compressions[] = {"gzip", "xz", "lzma", "zstd", "lz4"};

    for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
        AUTO(strbuf) struct strbuf elf = {0};
        struct strbuf file = {0};
        struct boot_image image;

        sample_elf(&elf, &(struct sample_elf){.pvh = 0});
        sample_bzimage(&file, &elf, compressions[i]);
        accepted(&file, &image);
        check_content(&image);
        assert_true(image.is_linux && image.has_linux64);
        assert_int_equal(image.setup_bytes, 0x26c - 0x1f1);
        boot_image_release(&image);
    }
}

// lz4's old format has no checksum.
static void damage_to_a_compressed_payload_is_noticed(void **arg)
{
    static const char *const compressions[] = {"gzip", "xz", "zstd"};

    for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
        AUTO(strbuf) struct strbuf elf = {0};
        struct strbuf file = {0};

        sample_elf(&elf, &(struct sample_elf){.pvh = 0});
        sample_bzimage(&file, &elf, compressions[i]);
        memset(file.text + 1536 + 64 + 40, 0xff, 60);
        refused(&file, "corrupt: its ");
    }
}

static void a_wrong_size_behind_the_payload_is_noticed(void **arg)
{
    static const struct {
        u32 size;
        const char *part;
    } cases[] = {
        {SAMPLE_BYTES + 1, "cannot be decompressed"},
        {SAMPLE_BYTES - 1, "cannot be decompressed"},
        {0, "claims to have 0 bytes"},
        {0xffffffff, "claims to have 4294967295 bytes"},
    };
    static const char *const compressions[] = {"gzip", "xz", "lzma", "zstd", "lz4"};

    for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(compressions); i++) {
        AUTO(strbuf) struct strbuf elf = {0};
        struct strbuf file = {0};

        sample_elf(&elf, &(struct sample_elf){.pvh = 0});
        sample_bzimage(&file, &elf, compressions[i / ARRAY_SIZE(cases)]);
        memcpy(file.text + file.length - 4, &cases[i % ARRAY_SIZE(cases)].size, 4);
        refused(&file, cases[i % ARRAY_SIZE(cases)].part);
    }
}

static void bzimage_with(struct strbuf *file, size_t offset, const char *bytes, size_t size)
{
    AUTO(strbuf) struct strbuf elf = {0};

    sample_elf(&elf, &(struct sample_elf){.pvh = 0});
    sample_bzimage(file, &elf, "gzip");
    memcpy(file->text + offset, bytes, size);
}

static void kernels_that_cannot_work_are_explained(void **arg)
{
    static const struct {
        size_t offset, size;
        const char *bytes, *part;
    } cases[] = {
        {0x206, 2, "\x04\x02", "boot protocol 2.04; 2.08 is needed"},
        {0x211, 1, "", "a zImage"},
        {0x236, 1, "", "a 32-bit Linux kernel"},
        {0x24c, 4, "\xff\xff\xff\x00", "truncated Linux kernel"},
        {0x248, 4, "\xff\xff\xff\xff", "truncated Linux kernel"},
        {1600, 4, "BZh9", "compressed with bzip2, which is not supported"},
        {1600, 4, "what", "not compressed in a known way"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct strbuf file = {0};

        bzimage_with(&file, cases[i].offset, cases[i].bytes, cases[i].size);
        refused(&file, cases[i].part);
    }
}

static void a_payload_that_is_no_kernel_is_refused(void **arg)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct strbuf file = {0};

    strbuf_puts(&text, "no ELF file at all");
    sample_bzimage(&file, &text, "zstd");
    refused(&file, "is no ELF file");
}

static void other_files_are_named(void **arg)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *part;
    } cases[] = {
        {"", 0, "the file is empty"},
        {"hello", 5, "not a kernel: neither"},
        {"\x1f\x8b\x08", 3, "compressed with gzip: decompress it first"},
        {"\x7f"
         "ELF",
         4, "truncated ELF file (4 bytes)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct strbuf file = {0};

        strbuf_add(&file, cases[i].bytes, cases[i].size);
        refused(&file, cases[i].part);
    }
}

static void an_arm_kernel_is_named(void **arg)
{
    struct strbuf file = {0};
    char bytes[64] = {0};

    memcpy(bytes + 0x38, "ARM\x64", 4);
    strbuf_add(&file, bytes, sizeof(bytes));
    refused(&file, "a kernel for AArch64");
}

static void elf_files_that_are_no_kernel_are_explained(void **arg)
{
    refused_elf((struct sample_elf){.machine = EM_AARCH64}, "a kernel for AArch64");
    refused_elf((struct sample_elf){.narrow = true}, "a 32-bit kernel without a Multiboot header");
    refused_elf((struct sample_elf){.type = ET_REL}, "an object file");
    refused_elf((struct sample_elf){.type = ET_CORE}, "a core dump");
    refused_elf((struct sample_elf){.program_note = true}, "a program of user mode");
    refused_elf((struct sample_elf){.entry = 0xffffffff81000000}, "no entry point");
    refused_elf((struct sample_elf){.pa = ~0ull - 10}, "leaves the address space");
    refused_elf((struct sample_elf){.mem_bytes = 16}, "larger in the file than in memory");
    refused_elf((struct sample_elf){.has_multiboot = true, .multiboot = 4}, "graphics mode");
    refused_elf((struct sample_elf){.has_multiboot = true, .multiboot = 8}, "unknown demands");
}

static void every_truncation_is_refused(void **arg)
{
    AUTO(strbuf) struct strbuf elf = {0}, whole = {0};

    sample_elf(&elf, &(struct sample_elf){.pvh = SAMPLE_PA});
    sample_bzimage(&whole, &elf, "xz");
    for (size_t size = 0; size < whole.length; size += size < 0x270 ? 1 : 13) {
        struct strbuf file = {0};

        strbuf_add(&file, whole.text, size);
        refused(&file, "");
    }
    for (size_t size = 0; size < elf.length; size += 7) {
        struct strbuf file = {0};

        strbuf_add(&file, elf.text, size);
        refused(&file, "");
    }
}

static void multiboot_elf_of_both_classes_is_read(void **arg)
{
    for (int narrow = 0; narrow < 2; narrow++) {
        struct strbuf file = {0};
        struct boot_image image;

        sample_elf(&file,
                   &(struct sample_elf){.narrow = narrow, .has_multiboot = true, .multiboot = 3});
        accepted(&file, &image);
        check_content(&image);
        assert_true(image.has_multiboot);
        assert_int_equal(image.has_linux64, !narrow);
        assert_int_equal(image.multiboot_flags, 3);
        boot_image_release(&image);
    }
}

static void multiboot_addresses_make_a_flat_file_a_kernel(void **arg)
{
    u32 words[16] = {0, 0x1badb002, 0x10000, 0, 0x100004, 0x100000, 0, 0x100100, 0x100028, 0x1234};
    struct strbuf file = {0};
    struct boot_image image;

    words[3] = -(words[1] + words[2]);
    strbuf_add(&file, words, sizeof(words));
    accepted(&file, &image);
    assert_true(image.has_multiboot && !image.has_linux64);
    assert_int_equal(image.entry, 0x100028);
    assert_int_equal(image.segment[0].offset, 0);
    assert_int_equal(image.segment[0].file_bytes, sizeof(words));
    assert_int_equal(image.low, 0x100000);
    assert_int_equal(image.high, 0x100100);
    boot_image_release(&image);
}

static void file_problems_name_the_file(void **arg)
{
    static const struct {
        const char *path, *message;
    } cases[] = {
        {"/nowhere/vmlinuz", "kernel '/nowhere/vmlinuz': No such file or directory"},
        {"/", "kernel '/': not a regular file"},
        {"/dev/zero", "kernel '/dev/zero': not a regular file"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct boot_image image;
        struct error err;

        assert_false(boot_image_read(&image, cases[i].path, &err));
        assert_string_equal(err.message, cases[i].message);
    }
}

// Where there is one: the kernels of this host, or those that the variable names.
static void debian_kernels_are_read(void **arg)
{
    const char *pattern = getenv("FACET_TEST_KERNELS");
    glob_t found;
    struct error err;

    if (glob(pattern ? pattern : "/boot/vmlinuz-*-amd64", 0, NULL, &found) != 0)
        skip();
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct boot_image image;

        if (!boot_image_read(&image, found.gl_pathv[i], &err))
            fail_msg("%s", err.message);
        assert_true(image.has_linux64 && image.has_pvh && image.n_segments >= 4);
        assert_int_equal(image.entry, 0x1000000); // CONFIG_PHYSICAL_START
        boot_image_release(&image);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vmlinux_is_read),
        cmocka_unit_test(a_bzimage_is_decompressed_whatever_its_compression),
        cmocka_unit_test(damage_to_a_compressed_payload_is_noticed),
        cmocka_unit_test(a_wrong_size_behind_the_payload_is_noticed),
        cmocka_unit_test(kernels_that_cannot_work_are_explained),
        cmocka_unit_test(a_payload_that_is_no_kernel_is_refused),
        cmocka_unit_test(other_files_are_named),
        cmocka_unit_test(an_arm_kernel_is_named),
        cmocka_unit_test(elf_files_that_are_no_kernel_are_explained),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(multiboot_elf_of_both_classes_is_read),
        cmocka_unit_test(multiboot_addresses_make_a_flat_file_a_kernel),
        cmocka_unit_test(file_problems_name_the_file),
        cmocka_unit_test(debian_kernels_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
