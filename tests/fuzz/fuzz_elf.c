// SPDX-License-Identifier: BSD-3-Clause
// The ELF reader: what it accepts must be consistent with itself and with the file.
#include "fuzz.h"

#include "base/bug.h"
#include "os/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    struct elf elf;
    u64 need = 0;

    if (!elf_parse(data, size, size, &elf, &need, &err)) {
        ASSERT(need > 0 || err.message[0]);
        return 0;
    }
    ASSERT(elf.n_segments <= ELF_SEGMENTS_MAX && elf.low <= elf.high);
    for (u32 i = 0; i < elf.n_segments; i++) {
        const struct elf_segment *s = &elf.segment[i];

        ASSERT(s->file_bytes <= s->mem_bytes);
        ASSERT(s->offset <= size && s->file_bytes <= size - s->offset);
        ASSERT(s->va >= elf.low && s->va + s->mem_bytes <= elf.high);
    }
    ASSERT(elf.interp_bytes == 0 ||
           (elf.interp_offset <= size && elf.interp_bytes <= size - elf.interp_offset));
    return 0;
}
