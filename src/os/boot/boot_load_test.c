// SPDX-License-Identifier: BSD-3-Clause
// Offsets come from the kernel's own header <asm/bootparam.h>, and from Xen's and Multiboot's
// documents.
#include "os/boot/boot_load.h"

#include "base/alloc.h"
#include "os/boot/boot_layout.h"
#include "os/boot/boot_samples.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define RAM_BYTES MiB(64)

struct machine {
    u8 *ram;
    struct boot_range range[4];
    struct boot_image image;
    struct boot_plan plan;
    struct x86_arch_state s;
};

static bool no_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    return false;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    struct machine *m = ctx;

    return page < RAM_BYTES ? m->ram + page : NULL;
}

static int setup(void **arg)
{
    static const struct mem_port_ops ops = {.access = no_access, .host_page = ram_page};
    struct machine *m = xcalloc(1, sizeof(*m));

    m->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    m->range[0] = (struct boot_range){0, 0x9fc00, BOOT_RANGE_RAM};
    m->range[1] = (struct boot_range){0x9fc00, 0x60400, BOOT_RANGE_RESERVED};
    m->range[2] = (struct boot_range){MiB(1), RAM_BYTES - MiB(1), BOOT_RANGE_RAM};
    m->plan = (struct boot_plan){.image = &m->image,
                                 .command_line = "console=ttyS0",
                                 .range = m->range,
                                 .n_ranges = 3,
                                 .rsdp = 0xe0000,
                                 .memory = {&ops, m}};
    memset(&m->s, 0x55, sizeof(m->s));
    *arg = m;
    return 0;
}

static int teardown(void **arg)
{
    struct machine *m = *arg;

    boot_image_release(&m->image);
    munmap(m->ram, RAM_BYTES);
    free(m);
    return 0;
}

static void take(struct machine *m, struct strbuf *file)
{
    struct error err;

    boot_image_release(&m->image);
    if (!boot_image_parse(&m->image, file, &err))
        fail_msg("%s", err.message);
}

static void take_elf(struct machine *m, struct sample_elf what)
{
    struct strbuf file = {0};

    sample_elf(&file, &what);
    take(m, &file);
}

static void take_bzimage(struct machine *m)
{
    AUTO(strbuf) struct strbuf elf = {0};
    struct strbuf file = {0};

    sample_elf(&elf, &(struct sample_elf){.linux_note = true});
    sample_bzimage(&file, &elf, "lz4");
    take(m, &file);
}

static void load(struct machine *m)
{
    struct error err;

    if (!boot_load(&m->plan, &m->s, &err))
        fail_msg("%s", err.message);
}

static void refused(struct machine *m, const char *part)
{
    struct error err;

    assert_false(boot_load(&m->plan, &m->s, &err));
    if (!strstr(err.message, part))
        fail_msg("'%s' does not contain '%s'", err.message, part);
}

static u32 word(const struct machine *m, paddr addr)
{
    u32 value;

    memcpy(&value, m->ram + addr, 4);
    return value;
}

static u64 word64(const struct machine *m, paddr addr)
{
    return word(m, addr) | (u64)word(m, addr + 4) << 32;
}

static struct boot_params *zero_page(struct machine *m)
{
    return (struct boot_params *)(m->ram + m->s.gpr[X86_RSI]);
}

static void segments_go_to_their_physical_addresses(void **arg)
{
    struct machine *m = *arg;

    take_bzimage(m);
    memset(m->ram + SAMPLE_PA, 0xaa, 0x4000);
    load(m);
    for (u64 i = 0; i < SAMPLE_MEM_BYTES; i++)
        assert_int_equal(m->ram[SAMPLE_PA + i], i < SAMPLE_CONTENT_BYTES ? sample_content(i) : 0);
    assert_int_equal(m->ram[SAMPLE_PA + SAMPLE_MEM_BYTES], 0xaa);
}

static void the_zero_page_says_what_the_machine_has(void **arg)
{
    struct machine *m = *arg;
    struct boot_params *p;

    take_bzimage(m);
    load(m);
    p = zero_page(m);
    assert_int_equal(p->sentinel, 0);
    assert_int_equal(p->hdr.boot_flag, 0xaa55);
    assert_int_equal(p->hdr.header, 0x53726448);
    assert_int_equal(p->hdr.version, 0x20f);
    assert_int_equal(p->hdr.type_of_loader, 0xff);
    assert_int_equal(p->hdr.loadflags & (LOADED_HIGH | KASLR_FLAG), LOADED_HIGH);
    assert_int_equal(p->hdr.cmdline_size, 255); // copied from the file
    assert_int_equal(p->acpi_rsdp_addr, 0xe0000);
    assert_int_equal(p->hdr.ramdisk_image, 0);
    assert_int_equal(p->hdr.setup_data, 0);
    assert_string_equal(m->ram + p->hdr.cmd_line_ptr, "console=ttyS0");
    assert_int_equal(p->e820_entries, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(p->e820_table[i].addr, m->range[i].base);
        assert_int_equal(p->e820_table[i].size, m->range[i].size);
        assert_int_equal(p->e820_table[i].type, m->range[i].type);
    }
}

static void a_vmlinux_gets_a_setup_header_too(void **arg)
{
    struct machine *m = *arg;
    struct boot_params *p;

    take_elf(m, (struct sample_elf){.linux_note = true});
    load(m);
    p = zero_page(m);
    assert_int_equal(p->hdr.boot_flag, 0xaa55);
    assert_int_equal(p->hdr.header, 0x53726448);
    assert_int_equal(p->hdr.type_of_loader, 0xff);
    assert_string_equal(m->ram + p->hdr.cmd_line_ptr, "console=ttyS0");
}

// boot.rst, "64-bit boot protocol", last paragraphs.
static void linux_is_entered_in_64_bit_mode(void **arg)
{
    struct machine *m = *arg;

    take_bzimage(m);
    load(m);
    assert_int_equal(m->s.rip, SAMPLE_PA + 16);
    assert_int_equal(m->s.rflags, 2);
    assert_int_equal(m->s.cr0 & (X86_CR0_PG | X86_CR0_PE | X86_CR0_CD | X86_CR0_NW),
                     X86_CR0_PG | X86_CR0_PE);
    assert_int_equal(m->s.cr4, X86_CR4_PAE);
    assert_int_equal(m->s.efer, X86_EFER_LME | X86_EFER_LMA);
    assert_int_equal(m->s.seg_sel[X86_CS], 0x10);
    assert_true(m->s.seg_attr[X86_CS] & X86_ATTR_L);
    assert_int_equal(m->s.seg_sel[X86_DS], 0x18);
    assert_int_equal(m->s.seg_sel[X86_ES], 0x18);
    assert_int_equal(m->s.seg_sel[X86_SS], 0x18);
    assert_int_equal(word64(m, m->s.gdt_base + 0x10), 0x00af9b000000ffff);
    assert_int_equal(word64(m, m->s.gdt_base + 0x18), 0x00cf93000000ffff);
    assert_int_equal(word64(m, m->s.gdt_base + 0x20), 0x00008b0000000067);
    assert_int_equal(m->s.halted + m->s.wait_for_sipi, 0);
}

static paddr translate(const struct machine *m, vaddr va)
{
    u64 l4 = word64(m, m->s.cr3 + (va >> 39 & 511) * 8);
    u64 l3 = word64(m, (l4 & ~0xfffull) + (va >> 30 & 511) * 8);
    u64 l2 = word64(m, (l3 & ~0xfffull) + (va >> 21 & 511) * 8);

    assert_int_equal(l4 & l3 & l2 & 3, 3);
    assert_int_equal(l2 & 0x80, 0x80);
    return (l2 & ~0x1fffffull) | (va & 0x1fffff);
}

static void the_first_4_gib_are_mapped_onto_themselves(void **arg)
{
    struct machine *m = *arg;

    take_bzimage(m);
    load(m);
    for (vaddr va = 0; va < GiB(4); va += 0x1ff123)
        assert_int_equal(translate(m, va), va);
}

static void *archive(struct machine *m, u64 size)
{
    u8 *data = xcalloc(1, size);

    memcpy(data, "070701", 6);
    data[size - 1] = 0x77;
    m->plan.initrd = data;
    m->plan.initrd_bytes = size;
    return data;
}

static void the_initrd_is_as_high_as_possible(void **arg)
{
    struct machine *m = *arg;
    AUTO_FREE u8 *data = archive(m, 10001);
    struct boot_params *p;

    take_bzimage(m);
    load(m);
    p = zero_page(m);
    assert_int_equal(p->hdr.ramdisk_size, 10001);
    assert_int_equal(p->hdr.ramdisk_image, RAM_BYTES - 0x3000);
    assert_memory_equal(m->ram + p->hdr.ramdisk_image, data, 10001);
}

static void the_initrd_obeys_the_limit_of_the_kernel(void **arg)
{
    struct machine *m = *arg;
    AUTO_FREE u8 *data = archive(m, 0x2800);
    u32 most = 0x2000fff;

    (void)data; // owned until the end
    take_bzimage(m);
    memcpy(m->image.setup + offsetof(struct setup_header, initrd_addr_max), &most, 4);
    load(m);
    assert_int_equal(zero_page(m)->hdr.ramdisk_image, 0x1ffe000);
}

static void the_initrd_goes_below_a_kernel_at_the_top(void **arg)
{
    struct machine *m = *arg;
    AUTO_FREE u8 *data = archive(m, 0x2000);

    (void)data; // owned until the end
    take_elf(m, (struct sample_elf){
                    .pa = RAM_BYTES - 0x3800, .entry = RAM_BYTES - 0x3800, .linux_note = true});
    m->range[2].size -= 0x800;
    load(m);
    assert_int_equal(zero_page(m)->hdr.ramdisk_image, RAM_BYTES - 0x6000);
}

static void too_little_memory_says_how_much_is_needed(void **arg)
{
    struct machine *m = *arg;
    AUTO_FREE u8 *data = NULL;

    take_bzimage(m);
    m->range[2].size = MiB(7);
    refused(m, "too little memory: the kernel needs at least 17 MiB below 4 GiB, the machine has 8 "
               "MiB there");
    m->range[2].size = MiB(16);
    data = archive(m, MiB(30));
    refused(m, "kernel and initial RAM disk need at least 47 MiB");
    m->range[0].size = 0x10000;
    refused(m, "too little memory: the boot loader needs 192 KiB");
}

static void an_initrd_without_room_is_refused(void **arg)
{
    struct machine *m = *arg;
    AUTO_FREE u8 *data = archive(m, MiB(40));

    (void)data; // owned until the end
    take_elf(m, (struct sample_elf){.pa = MiB(30), .entry = MiB(30), .linux_note = true});
    m->range[2].size = MiB(62);
    m->range[3] = (struct boot_range){MiB(100), MiB(20), BOOT_RANGE_RAM};
    m->plan.n_ranges = 4;
    refused(m, "no room for an initial RAM disk of 40 MiB");
}

static void an_initrd_that_linux_cannot_unpack_is_refused(void **arg)
{
    struct machine *m = *arg;
    AUTO_FREE u8 *data = archive(m, 4096);

    take_bzimage(m);
    memcpy(data,
           "\0\0\0\0"
           "070701",
           10);
    load(m);
    memcpy(data, "\x28\xb5\x2f\xfd", 5);
    load(m);
    memcpy(data, "hello", 5);
    refused(m, "neither a cpio archive");
    memset(data, 0, 4096);
    refused(m, "neither a cpio archive");
}

static void a_command_line_that_is_too_long_is_refused(void **arg)
{
    struct machine *m = *arg;
    char text[300];

    memset(text, 'x', sizeof(text));
    m->plan.command_line = text;
    take_bzimage(m);
    text[255] = '\0';
    load(m);
    text[255] = 'x';
    text[256] = '\0';
    refused(m, "has 256 bytes; this kernel takes 255");
}

static void a_kernel_in_the_wrong_place_is_refused(void **arg)
{
    struct machine *m = *arg;

    take_elf(m, (struct sample_elf){.pa = 0x2f000, .entry = 0x2f000});
    refused(m, "the kernel wants to be at 0x2f000, where the boot loader's own tables are");
    take_elf(m, (struct sample_elf){.pa = 0x9f000, .entry = 0x9f000});
    refused(m, "0x9f000..0xa2000, where the machine has no RAM");
    take_elf(m, (struct sample_elf){.pa = GiB(4), .entry = GiB(4)});
    refused(m, "above the first 4 GiB");
}

static void the_entry_is_chosen_by_the_kernel(void **arg)
{
    static const struct {
        struct sample_elf elf;
        u64 rip;
        bool wide;
    } cases[] = {
        {{.linux_note = true, .pvh = SAMPLE_PA + 0x50}, SAMPLE_PA + 16, true},
        {{.pvh = SAMPLE_PA + 0x50}, SAMPLE_PA + 0x50, false},
        {{.pvh = 0}, SAMPLE_PA + 16, true},
        {{.has_multiboot = true}, SAMPLE_PA + 16, false},
        {{.narrow = true, .has_multiboot = true}, SAMPLE_PA + 16, false},
    };
    struct machine *m = *arg;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        take_elf(m, cases[i].elf);
        load(m);
        assert_int_equal(m->s.rip, cases[i].rip);
        assert_int_equal(!!(m->s.efer & X86_EFER_LMA), cases[i].wide);
    }
}

static void an_entry_that_the_kernel_lacks_is_refused(void **arg)
{
    struct machine *m = *arg;

    take_elf(m, (struct sample_elf){.pvh = 0});
    m->plan.entry = BOOT_ENTRY_PVH;
    refused(m, "no entry of the kind 'pvh'");
    m->plan.entry = BOOT_ENTRY_MULTIBOOT;
    refused(m, "no entry of the kind 'multiboot'");
}

static void check_protected_mode(const struct machine *m)
{
    assert_int_equal(m->s.cr0 & (X86_CR0_PE | X86_CR0_PG), X86_CR0_PE);
    assert_int_equal(m->s.cr4, 0);
    assert_int_equal(m->s.efer, 0);
    assert_int_equal(m->s.rflags, 2);
    for (int seg = X86_ES; seg <= X86_DS; seg++) {
        assert_int_equal(m->s.seg_base[seg], 0);
        assert_int_equal(m->s.seg_limit[seg], 0xffffffff);
        assert_int_equal(m->s.seg_attr[seg], seg == X86_CS ? 0xc09b : 0xc093);
    }
    assert_int_equal(m->s.seg_limit[X86_TR], 0x67);
    assert_int_equal(m->s.seg_attr[X86_TR], 0x8b);
}

// pvh.pandoc, and the layout in start_info.h.
static void a_pvh_kernel_gets_start_info(void **arg)
{
    struct machine *m = *arg;
    AUTO_FREE u8 *data = archive(m, 100);
    paddr info, modules, map;

    take_elf(m, (struct sample_elf){.pvh = SAMPLE_PA + 0x50});
    load(m);
    check_protected_mode(m);
    info = m->s.gpr[X86_RBX];
    assert_int_equal(word(m, info), 0x336ec578);
    assert_int_equal(word(m, info + 4), 1);
    assert_int_equal(word(m, info + 12), 1);
    modules = word64(m, info + 16);
    assert_int_equal(word64(m, modules + 8), 100);
    assert_memory_equal(m->ram + word64(m, modules), data, 100);
    assert_string_equal(m->ram + word64(m, info + 24), "console=ttyS0");
    assert_int_equal(word64(m, info + 32), 0xe0000);
    map = word64(m, info + 40);
    assert_int_equal(word(m, info + 48), 3);
    for (u64 i = 0; i < 3; i++) {
        assert_int_equal(word64(m, map + i * 24), m->range[i].base);
        assert_int_equal(word64(m, map + i * 24 + 8), m->range[i].size);
        assert_int_equal(word(m, map + i * 24 + 16), m->range[i].type);
    }
}

// Multiboot specification §3.2 and §3.3.
static void a_multiboot_kernel_gets_its_information(void **arg)
{
    struct machine *m = *arg;
    AUTO_FREE u8 *data = archive(m, 100);
    paddr info, module, map;

    take_elf(m, (struct sample_elf){.narrow = true, .has_multiboot = true});
    load(m);
    check_protected_mode(m);
    assert_int_equal(m->s.gpr[X86_RAX], 0x2badb002);
    info = m->s.gpr[X86_RBX];
    assert_int_equal(word(m, info), 1 | 4 | 8 | 64);
    assert_int_equal(word(m, info + 4), 0x9fc00 / 1024);
    assert_int_equal(word(m, info + 8), 63 * 1024);
    assert_string_equal(m->ram + word(m, info + 16), "console=ttyS0");
    assert_int_equal(word(m, info + 20), 1);
    module = word(m, info + 24);
    assert_int_equal(word(m, module + 4) - word(m, module), 100);
    assert_memory_equal(m->ram + word(m, module), data, 100);
    assert_string_equal(m->ram + word(m, module + 8), "");
    assert_int_equal(word(m, info + 44), 3 * 24);
    map = word(m, info + 48);
    assert_int_equal(word(m, map + 24), 20);
    assert_int_equal(word64(m, map + 28), 0x9fc00);
    assert_int_equal(word64(m, map + 36), 0x60400);
    assert_int_equal(word(m, map + 44), 2);
}

static void firmware_turns_mtrrs_on(void **arg)
{
    struct x86_arch_state s = {0};

    boot_firmware_state(&s);
    assert_int_equal(s.mtrr_def_type, 0x806); // SDM vol. 3A §12.11.2.1: E, write-back
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(segments_go_to_their_physical_addresses),
        TEST(the_zero_page_says_what_the_machine_has),
        TEST(a_vmlinux_gets_a_setup_header_too),
        TEST(linux_is_entered_in_64_bit_mode),
        TEST(the_first_4_gib_are_mapped_onto_themselves),
        TEST(the_initrd_is_as_high_as_possible),
        TEST(the_initrd_obeys_the_limit_of_the_kernel),
        TEST(the_initrd_goes_below_a_kernel_at_the_top),
        TEST(too_little_memory_says_how_much_is_needed),
        TEST(an_initrd_without_room_is_refused),
        TEST(an_initrd_that_linux_cannot_unpack_is_refused),
        TEST(a_command_line_that_is_too_long_is_refused),
        TEST(a_kernel_in_the_wrong_place_is_refused),
        TEST(the_entry_is_chosen_by_the_kernel),
        TEST(an_entry_that_the_kernel_lacks_is_refused),
        TEST(a_pvh_kernel_gets_start_info),
        TEST(a_multiboot_kernel_gets_its_information),
        TEST(firmware_turns_mtrrs_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
