// SPDX-License-Identifier: BSD-3-Clause
#include "os/boot/boot_load.h"

#include "base/bug.h"
#include "os/boot/boot_layout.h"
#include "os/boot/boot_priv.h"

#define PAGE 4096ull

const char *const boot_entry_names[] = {"auto", "linux64", "pvh", "multiboot", NULL};

static bool is_ram(const struct boot_plan *plan, paddr base, u64 size)
{
    for (u32 i = 0; i < plan->n_ranges; i++) {
        const struct boot_range *r = &plan->range[i];

        if (r->type == BOOT_RANGE_RAM && base >= r->base && base - r->base <= r->size &&
            size <= r->size - (base - r->base))
            return true;
    }
    return false;
}

// All RAM below 4 GiB, for messages.
static u64 low_ram_bytes(const struct boot_plan *plan)
{
    u64 bytes = 0;

    for (u32 i = 0; i < plan->n_ranges; i++) {
        if (plan->range[i].type == BOOT_RANGE_RAM && plan->range[i].base < BOOT_MAPPED)
            bytes += plan->range[i].size;
    }
    return bytes;
}

static unsigned long long in_mib(u64 bytes)
{
    return (bytes + MiB(1) - 1) >> 20;
}

static bool too_small(const struct boot_plan *plan, struct error *err)
{
    const struct boot_image *image = plan->image;
    const char *what = plan->initrd ? "kernel and initial RAM disk need" : "the kernel needs";
    u64 need = image->high + ((plan->initrd_bytes + PAGE - 1) & ~(PAGE - 1));

    return error_set(err, ERROR_INPUT,
                     "too little memory: %s at least %llu MiB below 4 GiB, the machine has "
                     "%llu MiB there",
                     what, in_mib(need), in_mib(low_ram_bytes(plan)));
}

bool boot_store(const struct boot_plan *plan, paddr addr, const void *data, u64 size,
                struct error *err)
{
    if (is_ram(plan, addr, size) && mem_port_copy_in(&plan->memory, addr, data, size))
        return true;
    return error_set(err, ERROR_INPUT, "no RAM at 0x%llx..0x%llx, where the kernel is loaded",
                     (unsigned long long)addr, (unsigned long long)(addr + size));
}

static bool store_zeros(const struct boot_plan *plan, paddr addr, u64 size, struct error *err)
{
    static const u8 zeros[PAGE];

    while (size) {
        u64 n = MIN(size, PAGE - addr % PAGE);

        if (!boot_store(plan, addr, zeros, n, err))
            return false;
        addr += n;
        size -= n;
    }
    return true;
}

static bool load_segments(const struct boot_plan *plan, struct error *err)
{
    const struct boot_image *image = plan->image;

    if (image->low < BOOT_AREA_END)
        return error_set(err, ERROR_INPUT,
                         "the kernel wants to be at 0x%llx, where the boot loader's own tables are "
                         "(below 0x%x)",
                         (unsigned long long)image->low, BOOT_AREA_END);
    if (image->high > BOOT_MAPPED)
        return error_set(err, ERROR_INPUT,
                         "the kernel wants to be at 0x%llx, above the first 4 GiB",
                         (unsigned long long)image->high - 1);
    for (u32 i = 0; i < image->n_segments; i++) {
        const struct boot_segment *s = &image->segment[i];

        if (!is_ram(plan, s->pa, s->mem_bytes)) {
            if (image->high + plan->initrd_bytes > low_ram_bytes(plan))
                return too_small(plan, err);
            return error_set(err, ERROR_INPUT,
                             "the kernel wants to be at 0x%llx..0x%llx, where the machine has no "
                             "RAM",
                             (unsigned long long)s->pa, (unsigned long long)(s->pa + s->mem_bytes));
        }
        if (!boot_store(plan, s->pa, image->bytes + s->offset, s->file_bytes, err) ||
            !store_zeros(plan, s->pa + s->file_bytes, s->mem_bytes - s->file_bytes, err))
            return false;
    }
    return true;
}

// The highest page in [low, high) that `size` bytes fit behind; 0: none.
static paddr highest_fit(paddr low, paddr high, u64 size)
{
    paddr base;

    if (high < size)
        return 0;
    base = (high - size) & ~(PAGE - 1);
    return base >= low ? base : 0;
}

// As high as possible below `limit`, above 1 MiB, beside the kernel.
static bool place_initrd(const struct boot_plan *plan, paddr limit, paddr *ret_base,
                         struct error *err)
{
    const struct boot_image *image = plan->image;
    paddr kernel_low = image->low & ~(PAGE - 1),
          kernel_high = (image->high + PAGE - 1) & ~(PAGE - 1);
    paddr best = 0;

    for (u32 i = 0; i < plan->n_ranges; i++) {
        const struct boot_range *r = &plan->range[i];
        paddr low = MAX(r->base, MiB(1)), high = MIN(r->base + r->size, limit), base;

        if (r->type != BOOT_RANGE_RAM)
            continue;
        base = highest_fit(MAX(low, kernel_high), high, plan->initrd_bytes);
        best = MAX(best, base);
        base = highest_fit(low, MIN(high, kernel_low), plan->initrd_bytes);
        best = MAX(best, base);
    }
    if (best == 0) {
        if (image->high + plan->initrd_bytes > low_ram_bytes(plan))
            return too_small(plan, err);
        return error_set(err, ERROR_INPUT,
                         "no room for an initial RAM disk of %llu MiB: the kernel (up to %llu MiB) "
                         "takes it only in one piece of memory below %llu MiB",
                         in_mib(plan->initrd_bytes), in_mib(image->high), in_mib(limit));
    }
    *ret_base = best;
    return true;
}

// Where hdr.initrd_addr_max of a bzImage allows its last byte.
static paddr initrd_limit(const struct boot_image *image, enum boot_entry entry)
{
    const u32 offset = 0x22c - 0x1f1;

    if (entry != BOOT_ENTRY_LINUX64)
        return BOOT_MAPPED;
    if (image->setup_bytes >= offset + 4)
        return (paddr)boot_get32(image->setup + offset) + 1;
    return 0x80000000; // what x86-64 kernels say
}

static bool choose_entry(const struct boot_plan *plan, enum boot_entry *ret_entry,
                         struct error *err)
{
    const struct boot_image *image = plan->image;
    bool can[] = {
        [BOOT_ENTRY_AUTO] = true,
        [BOOT_ENTRY_LINUX64] = image->has_linux64,
        [BOOT_ENTRY_PVH] = image->has_pvh,
        [BOOT_ENTRY_MULTIBOOT] = image->has_multiboot,
    };

    if (!can[plan->entry])
        return error_set(err, ERROR_INPUT, "this kernel has no entry of the kind '%s'",
                         boot_entry_names[plan->entry]);
    if (plan->entry != BOOT_ENTRY_AUTO)
        *ret_entry = plan->entry;
    else if (image->has_multiboot)
        *ret_entry = BOOT_ENTRY_MULTIBOOT;
    else if (image->has_pvh && !(image->has_linux64 && image->is_linux))
        *ret_entry = BOOT_ENTRY_PVH;
    else
        *ret_entry = BOOT_ENTRY_LINUX64;
    return true;
}

static u64 command_line_max(const struct boot_image *image)
{
    const u32 offset = 0x238 - 0x1f1;
    u64 most = BOOT_COMMAND_LINE_MAX - 1;

    if (!image->is_linux)
        return most;
    if (image->setup_bytes >= offset + 4)
        return MIN(most, boot_get32(image->setup + offset));
    return 2047; // COMMAND_LINE_SIZE - 1 of Linux on x86
}

static bool store_command_line(const struct boot_plan *plan, struct error *err)
{
    u64 most = command_line_max(plan->image), length = strlen(plan->command_line);

    if (length > most)
        return error_set(err, ERROR_INPUT,
                         "the kernel's command line has %llu bytes; this kernel takes %llu",
                         (unsigned long long)length, (unsigned long long)most);
    return boot_store(plan, BOOT_COMMAND_LINE, plan->command_line, length + 1, err);
}

bool boot_load(const struct boot_plan *plan, struct x86_arch_state *s, struct error *err)
{
    enum boot_entry entry = plan->entry;
    paddr initrd = 0;

    ASSERT(plan->n_ranges <= BOOT_RANGES_MAX);
    if (!is_ram(plan, 0, BOOT_AREA_END))
        return error_set(err, ERROR_INPUT, "too little memory: the boot loader needs %llu KiB",
                         (unsigned long long)BOOT_AREA_END >> 10);
    if (!choose_entry(plan, &entry, err) || !load_segments(plan, err))
        return false;
    if (plan->initrd_bytes &&
        (!place_initrd(plan, initrd_limit(plan->image, entry), &initrd, err) ||
         !boot_store(plan, initrd, plan->initrd, plan->initrd_bytes, err)))
        return false;
    if (!store_command_line(plan, err))
        return false;
    switch (entry) {
    case BOOT_ENTRY_PVH:
        return boot_enter_pvh(plan, initrd, s, err);
    case BOOT_ENTRY_MULTIBOOT:
        return boot_enter_multiboot(plan, initrd, s, err);
    default:
        return boot_enter_linux64(plan, initrd, s, err);
    }
}

void boot_firmware_state(struct x86_arch_state *s)
{
    s->mtrr_def_type = 0x806; // enabled; write-back where no range says otherwise
}

static void set_segment(struct x86_arch_state *s, enum x86_seg seg, u16 selector, u32 limit,
                        u32 attr)
{
    s->seg_sel[seg] = selector;
    s->seg_base[seg] = 0;
    s->seg_limit[seg] = limit;
    s->seg_attr[seg] = attr;
}

// A descriptor with base 0 (SDM vol. 3A figure 3-8): attributes as in seg_attr.
static u64 descriptor(u32 limit, u32 attr)
{
    u64 scaled = attr & X86_ATTR_G ? limit >> 12 : limit;

    return (scaled & 0xffff) | (scaled >> 16 & 0xf) << 48 | (u64)(attr & 0xf0ff) << 40;
}

bool boot_set_segments(const struct boot_plan *plan, bool wide, struct x86_arch_state *s,
                       struct error *err)
{
    const u32 flat = X86_ATTR_P | X86_ATTR_S | X86_ATTR_G;
    const u32 code = flat | 0xb | (wide ? X86_ATTR_L : X86_ATTR_DB), data = flat | X86_ATTR_DB | 3;
    const u32 tss = X86_ATTR_P | 0xb; // busy
    u8 gdt[BOOT_GDT_BYTES] = {0};

    boot_put64(gdt + BOOT_CS, descriptor(0xffffffff, code));
    boot_put64(gdt + BOOT_DS, descriptor(0xffffffff, data));
    boot_put64(gdt + BOOT_TSS, descriptor(0x67, tss)); // its second half is a base of 0
    if (!boot_store(plan, BOOT_GDT, gdt, sizeof(gdt), err))
        return false;
    for (enum x86_seg seg = X86_ES; seg <= X86_GS; seg++)
        set_segment(s, seg, BOOT_DS, 0xffffffff, data);
    set_segment(s, X86_CS, BOOT_CS, 0xffffffff, code);
    set_segment(s, X86_TR, BOOT_TSS, 0x67, tss);
    set_segment(s, X86_LDTR, 0, 0, X86_ATTR_UNUSABLE);
    s->gdt_base = BOOT_GDT;
    s->gdt_limit = BOOT_GDT_BYTES - 1;
    s->idt_base = BOOT_IDT;
    s->idt_limit = 0;
    s->rflags = 2;
    return true;
}
