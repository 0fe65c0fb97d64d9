// SPDX-License-Identifier: BSD-3-Clause
// Multiboot 1, for bare-metal programs: ELF of 32 or 64 bits, or a flat file with addresses.
// SPEC: Multiboot Specification version 0.6.96.
// UNMODELLED: video modes, boot devices, symbol tables, APM.
#include "os/boot/boot_layout.h"
#include "os/boot/boot_priv.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u

enum {
    SEARCHED = 8192, // bytes of the file that may hold the header
    // Of the header's flags.
    PAGE_ALIGNED = 1 << 0,
    MEMORY_INFO = 1 << 1,
    VIDEO = 1 << 2,
    DEMANDS = 0xffff, // what a loader has to know, or else refuse
    ADDRESSES = 1 << 16,
    // Of the information's flags, and its offsets.
    HAS_MEMORY = 1 << 0,
    HAS_COMMAND_LINE = 1 << 2,
    HAS_MODULES = 1 << 3,
    HAS_MAP = 1 << 6,
    INFO_MEM_LOWER = 4,
    INFO_MEM_UPPER = 8,
    INFO_COMMAND_LINE = 16,
    INFO_MODULES = 20,
    INFO_MODULE_LIST = 24,
    INFO_MAP_LENGTH = 44,
    INFO_MAP = 48,
    INFO_BYTES = 64,
    MODULE_BYTES = 16,
    MAP_ENTRY_BYTES = 24,
};

// The header's offset; false if there is none.
static bool find_header(const struct boot_image *image, u64 *ret_offset)
{
    for (u64 at = 0; at + 12 <= MIN(image->size, (u64)SEARCHED); at += 4) {
        const u8 *p = image->bytes + at;

        if (boot_get32(p) == HEADER_MAGIC &&
            HEADER_MAGIC + boot_get32(p + 4) + boot_get32(p + 8) == 0) {
            *ret_offset = at;
            return true;
        }
    }
    return false;
}

// The header's own addresses, which come before ELF's.
static bool take_addresses(struct boot_image *image, u64 header, struct error *err)
{
    const u8 *p = image->bytes + header;
    u64 header_pa, load, load_end, bss_end, offset;

    if (header + 32 > image->size)
        return error_set(err, ERROR_INPUT, "truncated Multiboot header");
    header_pa = boot_get32(p + 12);
    load = boot_get32(p + 16);
    load_end = boot_get32(p + 20);
    bss_end = boot_get32(p + 24);
    if (load > header_pa || header_pa - load > header)
        return error_set(err, ERROR_INPUT, "corrupt Multiboot header: the load address");
    offset = header - (header_pa - load);
    if (load_end == 0)
        load_end = load + image->size - offset;
    if (load_end <= load || load_end - load > image->size - offset)
        return error_set(err, ERROR_INPUT,
                         "truncated file: by its Multiboot header %llu bytes are to be loaded, it "
                         "has %llu",
                         (unsigned long long)(load_end - load),
                         (unsigned long long)(image->size - offset));
    bss_end = MAX(bss_end, load_end);
    image->segment[image->n_segments++] = (struct boot_segment){
        .offset = offset, .file_bytes = load_end - load, .pa = load, .mem_bytes = bss_end - load};
    image->low = load;
    image->high = bss_end;
    image->entry = boot_get32(p + 28);
    if (image->entry < load || image->entry >= load_end)
        return error_set(err, ERROR_INPUT, "corrupt Multiboot header: the entry address");
    return true;
}

bool boot_multiboot_parse(struct boot_image *image, bool *ret_done, struct error *err)
{
    u64 header;
    u32 flags;

    *ret_done = false;
    if (!find_header(image, &header))
        return true;
    flags = boot_get32(image->bytes + header + 4);
    if (flags & VIDEO)
        return error_set(err, ERROR_INPUT,
                         "a Multiboot kernel that demands a graphics mode, which this machine "
                         "does not have");
    if (flags & DEMANDS & ~(u32)(PAGE_ALIGNED | MEMORY_INFO))
        return error_set(err, ERROR_INPUT, "a Multiboot kernel with unknown demands (flags 0x%x)",
                         flags);
    image->has_multiboot = true;
    image->multiboot_flags = flags;
    *ret_done = flags & ADDRESSES;
    return !*ret_done || take_addresses(image, header, err);
}

// KiB of RAM from `base` on, without a gap.
static u32 memory_kib(const struct boot_plan *plan, paddr base)
{
    for (u32 i = 0; i < plan->n_ranges; i++) {
        const struct boot_range *r = &plan->range[i];

        if (r->type == BOOT_RANGE_RAM && base >= r->base && base - r->base < r->size)
            return (u32)MIN((r->size - (base - r->base)) >> 10, (u64)UINT32_MAX);
    }
    return 0;
}

static bool store_info(const struct boot_plan *plan, paddr initrd, struct error *err)
{
    u8 info[INFO_BYTES] = {0}, module[MODULE_BYTES] = {0};
    u8 map[BOOT_RANGES_MAX * MAP_ENTRY_BYTES] = {0};

    boot_put32(info, HAS_MEMORY | HAS_COMMAND_LINE | HAS_MODULES | HAS_MAP);
    boot_put32(info + INFO_MEM_LOWER, memory_kib(plan, 0));
    boot_put32(info + INFO_MEM_UPPER, memory_kib(plan, MiB(1)));
    boot_put32(info + INFO_COMMAND_LINE, BOOT_COMMAND_LINE);
    boot_put32(info + INFO_MODULES, initrd ? 1 : 0);
    boot_put32(info + INFO_MODULE_LIST, BOOT_INFO_MODULE);
    boot_put32(info + INFO_MAP_LENGTH, plan->n_ranges * MAP_ENTRY_BYTES);
    boot_put32(info + INFO_MAP, BOOT_INFO_MAP);
    if (initrd) {
        boot_put32(module, (u32)initrd);
        boot_put32(module + 4, (u32)(initrd + plan->initrd_bytes));
        boot_put32(module + 8, BOOT_COMMAND_LINE + (u32)strlen(plan->command_line));
    }
    for (u32 i = 0; i < plan->n_ranges; i++) {
        u8 *entry = map + i * MAP_ENTRY_BYTES;

        boot_put32(entry, MAP_ENTRY_BYTES - 4); // its size does not count itself
        boot_put64(entry + 4, plan->range[i].base);
        boot_put64(entry + 12, plan->range[i].size);
        boot_put32(entry + 20, plan->range[i].type);
    }
    return boot_store(plan, BOOT_INFO, info, sizeof(info), err) &&
           boot_store(plan, BOOT_INFO_MODULE, module, sizeof(module), err) &&
           boot_store(plan, BOOT_INFO_MAP, map, sizeof(map), err);
}

bool boot_enter_multiboot(const struct boot_plan *plan, paddr initrd, struct x86_arch_state *s,
                          struct error *err)
{
    if (!store_info(plan, initrd, err) || !boot_set_segments(plan, false, s, err))
        return false;
    s->cr0 = X86_CR0_PE | X86_CR0_ET;
    s->cr3 = s->cr4 = s->efer = 0;
    memset(s->gpr, 0, sizeof(s->gpr));
    s->gpr[X86_RAX] = LOADER_MAGIC;
    s->gpr[X86_RBX] = BOOT_INFO;
    s->gpr[X86_RSP] = BOOT_STACK;
    s->rip = plan->image->entry;
    s->halted = s->wait_for_sipi = 0;
    return true;
}
