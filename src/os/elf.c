// SPDX-License-Identifier: BSD-3-Clause
#include "os/elf.h"

#include <elf.h>
#include <string.h>

#define PAGE 4096ull
#define USER_END 0x7ffffffff000ull

const char *elf_machine_name(u16 machine)
{
    static const struct {
        u16 machine;
        const char *name;
    } names[] = {
        {EM_386, "32-bit x86"}, {EM_ARM, "32-bit ARM"}, {EM_AARCH64, "AArch64"},
        {EM_RISCV, "RISC-V"},   {EM_PPC64, "PowerPC"},  {EM_PPC, "PowerPC"},
        {EM_S390, "S/390"},     {EM_MIPS, "MIPS"},      {EM_SPARCV9, "SPARC"},
        {EM_IA_64, "Itanium"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].machine == machine)
            return names[i].name;
    }
    return "another architecture";
}

static bool check_ident(const u8 *data, u64 size, u64 file_bytes, struct error *err)
{
    static const u8 magic[] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3};

    if (file_bytes == 0)
        return error_set(err, ERROR_INPUT, "the file is empty");
    if (memcmp(data, magic, MIN(size, sizeof(magic))) != 0)
        return error_set(err, ERROR_INPUT, "not an ELF file");
    if (size < EI_NIDENT)
        return error_set(err, ERROR_INPUT, "truncated ELF file (%llu bytes)",
                         (unsigned long long)file_bytes);
    if (data[EI_DATA] != ELFDATA2LSB && data[EI_DATA] != ELFDATA2MSB)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: no byte order");
    if (data[EI_DATA] == ELFDATA2MSB)
        return error_set(err, ERROR_INPUT, "a big-endian program, not one for x86-64");
    if (data[EI_CLASS] == ELFCLASS32)
        return error_set(err, ERROR_INPUT, "a 32-bit program; only 64-bit x86 programs run here");
    if (data[EI_CLASS] != ELFCLASS64)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: no class");
    return true;
}

static bool check_header(const Elf64_Ehdr *h, u64 file_bytes, struct error *err)
{
    u64 end;

    if (h->e_machine != EM_X86_64)
        return error_set(err, ERROR_INPUT, "a program for %s, not for x86-64",
                         elf_machine_name(h->e_machine));
    if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: version %u", h->e_version);
    if (h->e_type == ET_REL)
        return error_set(err, ERROR_INPUT, "an object file that was not linked");
    if (h->e_type == ET_CORE)
        return error_set(err, ERROR_INPUT, "a core dump, not a program");
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return error_set(err, ERROR_INPUT, "corrupt ELF header: type %u", h->e_type);
    if (h->e_phnum == 0)
        return error_set(err, ERROR_INPUT, "corrupt ELF file: no program headers");
    if (h->e_phentsize != sizeof(Elf64_Phdr))
        return error_set(err, ERROR_INPUT, "corrupt ELF header: program headers of %u bytes",
                         h->e_phentsize);
    if (__builtin_add_overflow(h->e_phoff, (u64)h->e_phnum * sizeof(Elf64_Phdr), &end) ||
        end > file_bytes)
        return error_set(err, ERROR_INPUT,
                         "truncated or corrupt ELF file: its program headers lie "
                         "beyond its end");
    return true;
}

static bool add_segment(struct elf *e, const Elf64_Phdr *p, u64 file_bytes, struct error *err)
{
    u64 file_end, end;
    struct elf_segment *s = &e->segment[e->n_segments];

    if (p->p_memsz == 0)
        return true;
    if (e->n_segments == ELF_SEGMENTS_MAX)
        return error_set(err, ERROR_INPUT, "more than %u loadable segments", ELF_SEGMENTS_MAX);
    if (p->p_filesz > p->p_memsz)
        return error_set(err, ERROR_INPUT,
                         "corrupt ELF file: a segment is larger in the file than "
                         "in memory");
    if (__builtin_add_overflow(p->p_offset, p->p_filesz, &file_end) || file_end > file_bytes)
        return error_set(err, ERROR_INPUT,
                         "truncated ELF file: a segment ends at byte %llu, the "
                         "file at %llu",
                         (unsigned long long)(p->p_offset + p->p_filesz),
                         (unsigned long long)file_bytes);
    if (__builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) || end > USER_END)
        return error_set(err, ERROR_INPUT,
                         "corrupt ELF file: a segment at 0x%llx leaves the "
                         "address space",
                         (unsigned long long)p->p_vaddr);
    if ((p->p_vaddr ^ p->p_offset) % PAGE != 0)
        return error_set(err, ERROR_INPUT,
                         "corrupt ELF file: a segment at 0x%llx is not aligned "
                         "with the file",
                         (unsigned long long)p->p_vaddr);
    if (e->n_segments > 0 && p->p_vaddr < s[-1].va + s[-1].mem_bytes)
        return error_set(err, ERROR_INPUT, "corrupt ELF file: overlapping or unsorted segments");
    *s = (struct elf_segment){.offset = p->p_offset,
                              .file_bytes = p->p_filesz,
                              .va = p->p_vaddr,
                              .mem_bytes = p->p_memsz,
                              .read = p->p_flags & PF_R,
                              .write = p->p_flags & PF_W,
                              .exec = p->p_flags & PF_X};
    if (e->phdr_offset >= p->p_offset && e->phdr_offset < file_end && !e->phdr_va)
        e->phdr_va = p->p_vaddr + (e->phdr_offset - p->p_offset);
    if (p->p_align > e->align && (p->p_align & (p->p_align - 1)) == 0 && p->p_align <= GiB(1))
        e->align = p->p_align;
    if (e->n_segments++ == 0)
        e->low = p->p_vaddr & ~(PAGE - 1);
    e->high = (end + PAGE - 1) & ~(PAGE - 1);
    return true;
}

static bool add_header(struct elf *e, const Elf64_Phdr *p, u64 file_bytes, struct error *err)
{
    switch (p->p_type) {
    case PT_LOAD:
        return add_segment(e, p, file_bytes, err);
    case PT_INTERP:
        if (p->p_filesz < 2 || p->p_filesz > 4096 || p->p_offset > file_bytes ||
            p->p_filesz > file_bytes - p->p_offset)
            return error_set(err, ERROR_INPUT, "corrupt ELF file: bad name of the interpreter");
        e->interp_offset = p->p_offset;
        e->interp_bytes = p->p_filesz;
        return true;
    case PT_GNU_STACK:
        e->exec_stack = p->p_flags & PF_X;
        return true;
    default:
        return true;
    }
}

bool elf_parse(const u8 *data, u64 size, u64 file_bytes, struct elf *ret_elf, u64 *ret_need,
               struct error *err)
{
    Elf64_Ehdr h;
    struct elf e = {.align = PAGE};
    u64 end;

    *ret_need = 0;
    if (!check_ident(data, size, file_bytes, err))
        return false;
    if (size < sizeof(h))
        return error_set(err, ERROR_INPUT, "truncated ELF file (%llu bytes)",
                         (unsigned long long)file_bytes);
    memcpy(&h, data, sizeof(h));
    if (!check_header(&h, file_bytes, err))
        return false;
    end = h.e_phoff + (u64)h.e_phnum * sizeof(Elf64_Phdr);
    if (end > size) {
        *ret_need = end;
        return error_set(err, ERROR_INPUT, "truncated ELF file");
    }
    e.kind = h.e_type == ET_DYN ? ELF_KIND_DYN : ELF_KIND_FIXED;
    e.entry = h.e_entry;
    e.phdr_offset = h.e_phoff;
    e.phdr_count = h.e_phnum;
    for (u32 i = 0; i < h.e_phnum; i++) {
        Elf64_Phdr p;

        memcpy(&p, data + h.e_phoff + (u64)i * sizeof(p), sizeof(p));
        if (!add_header(&e, &p, file_bytes, err))
            return false;
    }
    if (e.n_segments == 0)
        return error_set(err, ERROR_INPUT, "corrupt ELF file: nothing to load");
    *ret_elf = e;
    return true;
}
