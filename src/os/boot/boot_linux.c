// SPDX-License-Identifier: BSD-3-Clause
// Enters Linux in 64-bit mode with a zero page.
// SPEC: Documentation/arch/x86/boot.rst, "64-bit boot protocol"; zero-page.rst.
#include "os/boot/boot_layout.h"
#include "os/boot/boot_priv.h"

// Offsets in struct boot_params.
enum {
    ACPI_RSDP_ADDR = 0x070,
    EXT_RAMDISK_IMAGE = 0x0c0,
    EXT_RAMDISK_SIZE = 0x0c4,
    E820_ENTRIES = 0x1e8,
    SETUP = 0x1f1,
    VID_MODE = 0x1fa,
    BOOT_FLAG = 0x1fe,
    SETUP_MAGIC = 0x202,
    SETUP_VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    KERNEL_ALIGNMENT = 0x230,
    CMDLINE_SIZE = 0x238,
    E820_TABLE = 0x2d0,
    E820_ENTRY_BYTES = 20,
    PARAMS_BYTES = 4096,
};

// What a bzImage would say, for a vmlinux.
static void make_setup(u8 *params)
{
    boot_put16(params + BOOT_FLAG, 0xaa55);
    memcpy(params + SETUP_MAGIC, "HdrS", 4);
    boot_put16(params + SETUP_VERSION, 0x20f);
    boot_put32(params + INITRD_ADDR_MAX, 0x7fffffff);
    boot_put32(params + KERNEL_ALIGNMENT, (u32)MiB(2));
    boot_put32(params + CMDLINE_SIZE, 2047);
}

static void put_memory_map(const struct boot_plan *plan, u8 *params)
{
    params[E820_ENTRIES] = (u8)plan->n_ranges;
    for (u32 i = 0; i < plan->n_ranges; i++) {
        u8 *entry = params + E820_TABLE + i * E820_ENTRY_BYTES;

        boot_put64(entry, plan->range[i].base);
        boot_put64(entry + 8, plan->range[i].size);
        boot_put32(entry + 16, plan->range[i].type);
    }
}

static bool store_zero_page(const struct boot_plan *plan, paddr initrd, struct error *err)
{
    u8 params[PARAMS_BYTES] = {0};

    if (plan->image->setup_bytes)
        memcpy(params + SETUP, plan->image->setup, plan->image->setup_bytes);
    else
        make_setup(params);
    boot_put16(params + VID_MODE, 0xffff); // normal; and no screen at all is described
    params[TYPE_OF_LOADER] = 0xff;         // no assigned number
    params[LOADFLAGS] |= 1;                // loaded high
    boot_put32(params + CMD_LINE_PTR, BOOT_COMMAND_LINE);
    boot_put32(params + RAMDISK_IMAGE, (u32)initrd);
    boot_put32(params + RAMDISK_SIZE, (u32)plan->initrd_bytes);
    boot_put32(params + EXT_RAMDISK_IMAGE, (u32)(initrd >> 32));
    boot_put32(params + EXT_RAMDISK_SIZE, (u32)(plan->initrd_bytes >> 32));
    boot_put64(params + ACPI_RSDP_ADDR, plan->rsdp);
    put_memory_map(plan, params);
    return boot_store(plan, BOOT_ZERO_PAGE, params, sizeof(params), err);
}

// The first 4 GiB onto themselves.
static bool store_page_tables(const struct boot_plan *plan, struct error *err)
{
    const u64 table = 3, large = 0x83; // present, writable; large page
    u8 top[4096] = {0}, pointers[4096] = {0}, pages[4096];

    boot_put64(top, BOOT_PDPT | table);
    for (u32 i = 0; i < BOOT_MAPPED / GiB(1); i++) {
        paddr directory = BOOT_PD + i * 4096;

        boot_put64(pointers + i * 8, directory | table);
        for (u32 j = 0; j < 512; j++)
            boot_put64(pages + j * 8, (i * GiB(1) + j * MiB(2)) | large);
        if (!boot_store(plan, directory, pages, sizeof(pages), err))
            return false;
    }
    return boot_store(plan, BOOT_PML4, top, sizeof(top), err) &&
           boot_store(plan, BOOT_PDPT, pointers, sizeof(pointers), err);
}

// What init/initramfs.c unpacks, possibly behind zeros. A file system's image is no help: today's
// kernels have no driver for RAM disks built in.
static bool check_initrd(const u8 *data, u64 size, struct error *err)
{
    while (size && *data == 0) {
        data++;
        size--;
    }
    if ((size >= 6 && (memcmp(data, "070701", 6) == 0 || memcmp(data, "070702", 6) == 0)) ||
        boot_compression_name(data, size))
        return true;
    return error_set(err, ERROR_INPUT,
                     "the initial RAM disk is neither a cpio archive (format newc) nor compressed "
                     "in a way that Linux knows");
}

bool boot_enter_linux64(const struct boot_plan *plan, paddr initrd, struct x86_arch_state *s,
                        struct error *err)
{
    if (plan->initrd_bytes && !check_initrd(plan->initrd, plan->initrd_bytes, err))
        return false;
    if (!store_zero_page(plan, initrd, err) || !store_page_tables(plan, err) ||
        !boot_set_segments(plan, true, s, err))
        return false;
    s->cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_PG;
    s->cr3 = BOOT_PML4;
    s->cr4 = X86_CR4_PAE;
    s->efer = X86_EFER_LME | X86_EFER_LMA;
    memset(s->gpr, 0, sizeof(s->gpr));
    s->gpr[X86_RSI] = BOOT_ZERO_PAGE;
    s->gpr[X86_RSP] = BOOT_STACK;
    s->rip = plan->image->entry;
    s->halted = s->wait_for_sipi = 0;
    return true;
}
