// SPDX-License-Identifier: BSD-3-Clause
// Kernel files: bzImage, ELF, Multiboot. What is accepted is also loaded, into 32 MiB of RAM whose
// borders are guarded, with the file itself as initial RAM disk.
#include "fuzz.h"

#include "base/bug.h"
#include "os/boot/boot_load.h"

#include <string.h>
#include <sys/mman.h>

enum { RAM_BYTES = 32 << 20, GUARD_BYTES = 1 << 20 };

static u8 *ram;

static bool no_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    return false;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    return page < RAM_BYTES ? ram + page : NULL;
}

static void check(const struct boot_image *image)
{
    ASSERT(image->n_segments > 0 && image->n_segments <= BOOT_SEGMENTS_MAX);
    ASSERT(image->has_linux64 || image->has_pvh || image->has_multiboot);
    ASSERT(image->setup_bytes <= BOOT_SETUP_MAX);
    for (u32 i = 0; i < image->n_segments; i++) {
        const struct boot_segment *s = &image->segment[i];

        ASSERT(s->file_bytes <= s->mem_bytes && s->offset <= image->size);
        ASSERT(s->file_bytes <= image->size - s->offset);
        ASSERT(s->pa >= image->low && s->pa + s->mem_bytes <= image->high);
    }
}

static void load(const struct boot_image *image, const uint8_t *data, size_t size)
{
    static const struct mem_port_ops ops = {.access = no_access, .host_page = ram_page};
    static const struct boot_range ranges[] = {
        {0, 0x9fc00, BOOT_RANGE_RAM},
        {0x9fc00, 0x60400, BOOT_RANGE_RESERVED},
        {MiB(1), RAM_BYTES - MiB(1), BOOT_RANGE_RAM},
    };
    struct boot_plan plan = {.image = image,
                             .command_line = "console=ttyS0",
                             .initrd = data,
                             .initrd_bytes = size,
                             .range = ranges,
                             .n_ranges = ARRAY_SIZE(ranges),
                             .memory = {.ops = &ops}};
    struct x86_arch_state s = {0};
    struct error err;

    for (int entry = BOOT_ENTRY_AUTO; entry <= BOOT_ENTRY_MULTIBOOT; entry++) {
        plan.entry = (enum boot_entry)entry;
        if (boot_load(&plan, &s, &err)) {
            plan.initrd = NULL;
            plan.initrd_bytes = 0;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf file = {0};
    struct boot_image image;
    struct error err;

    if (!ram) {
        ram =
            mmap(NULL, RAM_BYTES + 2 * GUARD_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT(ram != MAP_FAILED);
        ram += GUARD_BYTES;
        ASSERT(mprotect(ram, RAM_BYTES, PROT_READ | PROT_WRITE) == 0);
    }
    strbuf_add(&file, data, size);
    if (!boot_image_parse(&image, &file, &err)) {
        ASSERT(err.message[0]);
        return 0;
    }
    check(&image);
    load(&image, data, size);
    boot_image_release(&image);
    return 0;
}
