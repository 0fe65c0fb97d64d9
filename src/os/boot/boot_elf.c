// SPDX-License-Identifier: BSD-3-Clause
// Program headers and notes of an ELF kernel, of 32 or 64 bits. Unlike a program (os/elf.c), a
// kernel goes to physical addresses, and its linear ones mean nothing to the loader.
// SPEC: System V gABI chapters 4 and 5; Xen's public/elfnote.h.
#include "os/boot/boot_priv.h"
#include "os/elf.h"

#include <elf.h>

#define XEN_ELFNOTE_PHYS32_ENTRY 18

bool boot_is_elf(const u8 *data, u64 size)
{
    return size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0;
}

// Both classes as the wide one.
static void widen_header(const u8 *data, Elf64_Ehdr *h)
{
    Elf32_Ehdr n;

    memcpy(&n, data, sizeof(n));
    h->e_type = n.e_type;
    h->e_machine = n.e_machine;
    h->e_version = n.e_version;
    h->e_entry = n.e_entry;
    h->e_phoff = n.e_phoff;
    h->e_phentsize = n.e_phentsize;
    h->e_phnum = n.e_phnum;
}

static void read_program_header(const u8 *data, bool wide, Elf64_Phdr *p)
{
    Elf32_Phdr n;

    if (wide) {
        memcpy(p, data, sizeof(*p));
        return;
    }
    memcpy(&n, data, sizeof(n));
    *p = (Elf64_Phdr){.p_type = n.p_type,
                      .p_flags = n.p_flags,
                      .p_offset = n.p_offset,
                      .p_vaddr = n.p_vaddr,
                      .p_paddr = n.p_paddr,
                      .p_filesz = n.p_filesz,
                      .p_memsz = n.p_memsz,
                      .p_align = n.p_align};
}

static bool read_header(const struct boot_image *image, Elf64_Ehdr *h, bool *wide,
                        struct error *err)
{
    const u8 *data = image->bytes;

    if (image->size < sizeof(Elf32_Ehdr))
        return error_set(err, ERROR_INPUT, "truncated ELF file (%llu bytes)",
                         (unsigned long long)image->size);
    *wide = data[EI_CLASS] == ELFCLASS64;
    if (!*wide && data[EI_CLASS] != ELFCLASS32)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: no class");
    if (data[EI_DATA] == ELFDATA2MSB)
        return error_set(err, ERROR_INPUT, "a big-endian kernel, not one for x86-64");
    if (data[EI_DATA] != ELFDATA2LSB)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: no byte order");
    if (*wide && image->size < sizeof(*h))
        return error_set(err, ERROR_INPUT, "truncated ELF file (%llu bytes)",
                         (unsigned long long)image->size);
    if (*wide)
        memcpy(h, data, sizeof(*h));
    else
        widen_header(data, h);
    return true;
}

static bool check_header(const struct boot_image *image, const Elf64_Ehdr *h, bool wide,
                         struct error *err)
{
    u64 entry_bytes = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr), end;

    if (h->e_machine != EM_X86_64 && h->e_machine != EM_386)
        return error_set(err, ERROR_INPUT, "a kernel for %s, not for x86-64",
                         elf_machine_name(h->e_machine));
    if (!image->has_multiboot && (!wide || h->e_machine != EM_X86_64))
        return error_set(err, ERROR_INPUT,
                         "a 32-bit kernel without a Multiboot header; only 64-bit kernels are "
                         "supported");
    if (h->e_version != EV_CURRENT)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: version %u", h->e_version);
    if (h->e_type == ET_REL)
        return error_set(err, ERROR_INPUT, "an object file (a kernel module?), not a kernel");
    if (h->e_type == ET_CORE)
        return error_set(err, ERROR_INPUT, "a core dump, not a kernel");
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: type %u", h->e_type);
    if (h->e_phnum == 0 || h->e_phentsize != entry_bytes)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: %u program headers of %u bytes",
                         h->e_phnum, h->e_phentsize);
    if (__builtin_add_overflow(h->e_phoff, h->e_phnum * entry_bytes, &end) || end > image->size)
        return error_set(err, ERROR_INPUT,
                         "truncated or corrupt ELF file: its program headers lie beyond its end");
    return true;
}

static bool add_segment(struct boot_image *image, const Elf64_Phdr *p, struct error *err)
{
    u64 end;

    if (p->p_memsz == 0)
        return true;
    if (image->n_segments == BOOT_SEGMENTS_MAX)
        return error_set(err, ERROR_INPUT, "more than %u loadable segments", BOOT_SEGMENTS_MAX);
    if (p->p_filesz > p->p_memsz)
        return error_set(err, ERROR_INPUT,
                         "corrupt ELF file: a segment is larger in the file than in memory");
    if (__builtin_add_overflow(p->p_offset, p->p_filesz, &end) || end > image->size)
        return error_set(err, ERROR_INPUT,
                         "truncated or corrupt ELF file: a segment lies beyond its end (%llu "
                         "bytes)",
                         (unsigned long long)image->size);
    if (__builtin_add_overflow(p->p_paddr, p->p_memsz, &end))
        return error_set(err, ERROR_INPUT,
                         "corrupt ELF file: a segment at 0x%llx leaves the address space",
                         (unsigned long long)p->p_paddr);
    image->low = image->n_segments ? MIN(image->low, p->p_paddr) : p->p_paddr;
    image->high = MAX(image->high, end);
    image->segment[image->n_segments++] = (struct boot_segment){
        .offset = p->p_offset,
        .file_bytes = p->p_filesz,
        .pa = p->p_paddr,
        .mem_bytes = p->p_memsz,
    };
    return true;
}

// What the notes say besides what goes into the image.
struct findings {
    bool is_program; // NT_GNU_ABI_TAG or an interpreter: for the user mode of some kernel
};

static void read_note(struct boot_image *image, struct findings *found, const char *name,
                      u32 name_bytes, u32 type, const u8 *content, u32 size)
{
    if (name_bytes == 4 && memcmp(name, "GNU", 4) == 0 && type == NT_GNU_ABI_TAG)
        found->is_program = true;
    if (name_bytes == 6 && memcmp(name, "Linux", 6) == 0)
        image->is_linux = true;
    if (name_bytes != 4 || memcmp(name, "Xen", 4) != 0 || type != XEN_ELFNOTE_PHYS32_ENTRY)
        return;
    if (size == 4 || size == 8) {
        image->pvh_entry = boot_get32(content);
        if (size == 8)
            image->pvh_entry |= (u64)boot_get32(content + 4) << 32;
        image->has_pvh = true;
    }
}

// Damaged notes end the list, no more: a kernel may well be entered without them.
static void read_notes(struct boot_image *image, struct findings *found, const Elf64_Phdr *p)
{
    u64 align = p->p_align == 8 ? 8 : 4, at = 0;
    const u8 *notes;

    if (p->p_offset > image->size || p->p_filesz > image->size - p->p_offset)
        return;
    notes = image->bytes + p->p_offset;
    while (p->p_filesz - at >= 12) {
        u32 name_bytes = boot_get32(notes + at), size = boot_get32(notes + at + 4);
        u64 name = at + 12, content = (name + name_bytes + align - 1) & ~(align - 1);

        if (content > p->p_filesz || size > p->p_filesz - content)
            return;
        read_note(image, found, (const char *)notes + name, name_bytes, boot_get32(notes + at + 8),
                  notes + content, size);
        at = MIN((content + size + align - 1) & ~(align - 1), p->p_filesz);
    }
}

static bool in_segment(const struct boot_image *image, paddr addr)
{
    for (u32 i = 0; i < image->n_segments; i++) {
        const struct boot_segment *s = &image->segment[i];

        if (addr >= s->pa && addr - s->pa < s->mem_bytes)
            return true;
    }
    return false;
}

bool boot_elf_parse(struct boot_image *image, struct error *err)
{
    Elf64_Ehdr h = {.e_phnum = 0};
    struct findings found = {false};
    bool wide;

    if (!read_header(image, &h, &wide, err) || !check_header(image, &h, wide, err))
        return false;
    for (u32 i = 0; i < h.e_phnum; i++) {
        Elf64_Phdr p;

        read_program_header(image->bytes + h.e_phoff + i * (u64)h.e_phentsize, wide, &p);
        if (p.p_type == PT_LOAD && !add_segment(image, &p, err))
            return false;
        if (p.p_type == PT_NOTE)
            read_notes(image, &found, &p);
        if (p.p_type == PT_INTERP)
            found.is_program = true;
    }
    if (found.is_program)
        return error_set(err, ERROR_INPUT, "a program of user mode, not a kernel");
    if (image->n_segments == 0)
        return error_set(err, ERROR_INPUT, "corrupt ELF file: it has nothing to load");
    image->entry = h.e_entry;
    image->has_linux64 = wide && in_segment(image, h.e_entry);
    image->has_multiboot = image->has_multiboot && in_segment(image, h.e_entry);
    image->has_pvh = image->has_pvh && in_segment(image, image->pvh_entry);
    if (!image->has_linux64 && !image->has_multiboot && !image->has_pvh)
        return error_set(err, ERROR_INPUT,
                         "an ELF file that is no kernel: no entry point in physical memory, no "
                         "PVH note, no Multiboot header");
    return true;
}
