// SPDX-License-Identifier: BSD-3-Clause
// Enters a kernel as Xen enters a PVH guest: 32-bit protected mode, paging off, EBX points to the
// start information.
// SPEC: Xen's docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h.
#include "os/boot/boot_layout.h"
#include "os/boot/boot_priv.h"

// Offsets in struct hvm_start_info, version 1, and the sizes of what it points to.
enum {
    MAGIC = 0,
    VERSION = 4,
    MODULES = 12,
    MODULE_LIST = 16,
    COMMAND_LINE = 24,
    RSDP = 32,
    MEMORY_MAP = 40,
    MEMORY_MAP_ENTRIES = 48,
    INFO_BYTES = 56,
    MODULE_BYTES = 32,
    MEMORY_MAP_BYTES = 24,
};
#define START_MAGIC 0x336ec578u

static bool store_info(const struct boot_plan *plan, paddr initrd, struct error *err)
{
    u8 info[INFO_BYTES] = {0}, module[MODULE_BYTES] = {0};
    u8 map[BOOT_RANGES_MAX * MEMORY_MAP_BYTES] = {0};

    boot_put32(info + MAGIC, START_MAGIC);
    boot_put32(info + VERSION, 1);
    boot_put64(info + COMMAND_LINE, BOOT_COMMAND_LINE);
    boot_put64(info + RSDP, plan->rsdp);
    boot_put64(info + MEMORY_MAP, BOOT_INFO_MAP);
    boot_put32(info + MEMORY_MAP_ENTRIES, plan->n_ranges);
    if (initrd) {
        boot_put32(info + MODULES, 1);
        boot_put64(info + MODULE_LIST, BOOT_INFO_MODULE);
        boot_put64(module, initrd);
        boot_put64(module + 8, plan->initrd_bytes);
    }
    for (u32 i = 0; i < plan->n_ranges; i++) {
        u8 *entry = map + i * MEMORY_MAP_BYTES;

        boot_put64(entry, plan->range[i].base);
        boot_put64(entry + 8, plan->range[i].size);
        boot_put32(entry + 16, plan->range[i].type);
    }
    return boot_store(plan, BOOT_INFO, info, sizeof(info), err) &&
           boot_store(plan, BOOT_INFO_MODULE, module, sizeof(module), err) &&
           boot_store(plan, BOOT_INFO_MAP, map, sizeof(map), err);
}

bool boot_enter_pvh(const struct boot_plan *plan, paddr initrd, struct x86_arch_state *s,
                    struct error *err)
{
    if (!store_info(plan, initrd, err) || !boot_set_segments(plan, false, s, err))
        return false;
    s->cr0 = X86_CR0_PE | X86_CR0_ET;
    s->cr3 = s->cr4 = s->efer = 0;
    memset(s->gpr, 0, sizeof(s->gpr));
    s->gpr[X86_RBX] = BOOT_INFO;
    s->gpr[X86_RSP] = BOOT_STACK;
    s->rip = plan->image->pvh_entry;
    s->halted = s->wait_for_sipi = 0;
    return true;
}
