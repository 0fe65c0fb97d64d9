// SPDX-License-Identifier: BSD-3-Clause
#include "os/elf.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct image {
    Elf64_Ehdr h;
    Elf64_Phdr p[3];
    u8 rest[4096];
};

static struct image good(void)
{
    struct image x = {.h = {.e_type = ET_DYN,
                            .e_machine = EM_X86_64,
                            .e_version = EV_CURRENT,
                            .e_entry = 0x1234,
                            .e_phoff = sizeof(Elf64_Ehdr),
                            .e_phentsize = sizeof(Elf64_Phdr),
                            .e_phnum = 3},
                      .p = {{.p_type = PT_LOAD,
                             .p_flags = PF_R | PF_X,
                             .p_filesz = 300,
                             .p_memsz = 300,
                             .p_align = 4096},
                            {.p_type = PT_LOAD,
                             .p_flags = PF_R | PF_W,
                             .p_offset = 300,
                             .p_vaddr = 0x2000 + 300,
                             .p_filesz = 8,
                             .p_memsz = 0x3000,
                             .p_align = 0x200000},
                            {.p_type = PT_INTERP, .p_offset = 400, .p_filesz = 10}}};

    memcpy(x.h.e_ident, ELFMAG, SELFMAG);
    x.h.e_ident[EI_CLASS] = ELFCLASS64;
    x.h.e_ident[EI_DATA] = ELFDATA2LSB;
    x.h.e_ident[EI_VERSION] = EV_CURRENT;
    return x;
}

static void refused(const struct image *x, u64 size, u64 file_bytes, const char *part)
{
    struct elf e;
    u64 need;
    struct error err;

    assert_false(elf_parse((const u8 *)x, size, file_bytes, &e, &need, &err));
    if (!strstr(err.message, part))
        fail_msg("'%s' does not contain '%s'", err.message, part);
}

static void headers_are_read(void **arg)
{
    struct image x = good();
    struct elf e;
    u64 need;
    struct error err;

    assert_true(elf_parse((const u8 *)&x, sizeof(x), sizeof(x), &e, &need, &err));
    assert_int_equal(e.kind, ELF_KIND_DYN);
    assert_int_equal(e.entry, 0x1234);
    assert_int_equal(e.n_segments, 2);
    assert_int_equal(e.phdr_va, sizeof(Elf64_Ehdr));
    assert_int_equal(e.low, 0);
    assert_int_equal(e.high, 0x6000);
    assert_int_equal(e.align, 0x200000);
    assert_int_equal(e.interp_offset, 400);
    assert_true(e.segment[0].exec && !e.segment[0].write);
}

static void more_is_asked_for(void **arg)
{
    struct image x = good();
    struct elf e;
    u64 need;
    struct error err;

    assert_false(elf_parse((const u8 *)&x, 100, sizeof(x), &e, &need, &err));
    assert_int_equal(need, sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr));
}

static void bad_files_get_a_sentence(void **arg)
{
    struct image x = good();

    refused(&x, 0, 0, "empty");
    refused(&x, 3, 3, "truncated");
    refused(&x, 40, 40, "truncated");
    refused(&x, 200, 200, "beyond its end");
    refused(&x, 304, 304, "truncated");
    x.h.e_ident[0] = '#';
    refused(&x, sizeof(x), sizeof(x), "not an ELF file");
    x = good();
    x.h.e_ident[EI_CLASS] = ELFCLASS32;
    refused(&x, sizeof(x), sizeof(x), "32-bit");
    x = good();
    x.h.e_machine = EM_AARCH64;
    refused(&x, sizeof(x), sizeof(x), "AArch64");
    x = good();
    x.h.e_type = ET_REL;
    refused(&x, sizeof(x), sizeof(x), "not linked");
    x = good();
    x.p[1].p_vaddr = 0;
    refused(&x, sizeof(x), sizeof(x), "aligned");
    x.p[1].p_vaddr = 300 - 4096ull;
    refused(&x, sizeof(x), sizeof(x), "address space");
    x = good();
    x.p[0].p_memsz = 0x9000;
    refused(&x, sizeof(x), sizeof(x), "overlapping");
    x = good();
    x.p[2].p_offset = ~0ull;
    refused(&x, sizeof(x), sizeof(x), "interpreter");
}

static void host_programs_parse(void **arg)
{
    static const char *const paths[] = {"/bin/true", "/bin/bash"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        AUTO(strbuf) struct strbuf s = {0};
        struct elf e;
        u64 need;
        struct error err;

        if (!file_exists(paths[i]))
            continue;
        assert_true(file_read(paths[i], MiB(64), &s, &err));
        assert_true(elf_parse((const u8 *)s.text, s.length, s.length, &e, &need, &err));
        assert_int_equal(e.kind, ELF_KIND_DYN);
        assert_string_equal(s.text + e.interp_offset, "/lib64/ld-linux-x86-64.so.2");
    }
}

// Whatever the bytes are, segments of an accepted file lie in the file and in the address space.
static void damaged_files_never_lie(void **arg)
{
    struct rng rng = {42};

    for (int i = 0; i < 200000; i++) {
        struct image x = good();
        struct elf e;
        u64 need;
        struct error err;

        for (u64 n = 1 + rng_below(&rng, 4); n > 0; n--) {
            u64 at = rng_below(&rng, sizeof(x.h) + sizeof(x.p));

            ((u8 *)&x)[at] = (u8)(rng_next(&rng) >> (rng_below(&rng, 8) * 8));
        }
        if (!elf_parse((const u8 *)&x, sizeof(x), sizeof(x), &e, &need, &err))
            continue;
        for (u32 s = 0; s < e.n_segments; s++) {
            assert_true(e.segment[s].offset + e.segment[s].file_bytes <= sizeof(x));
            assert_true(e.segment[s].va + e.segment[s].mem_bytes <= 0x7ffffffff000);
            assert_true(e.segment[s].va >= e.low);
        }
        assert_true(e.interp_offset + e.interp_bytes <= sizeof(x));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),         cmocka_unit_test(more_is_asked_for),
        cmocka_unit_test(bad_files_get_a_sentence), cmocka_unit_test(host_programs_parse),
        cmocka_unit_test(damaged_files_never_lie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
