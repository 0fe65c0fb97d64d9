// SPDX-License-Identifier: BSD-3-Clause
// Reads the headers of a 64-bit x86 ELF file (System V gABI chapter 4 and 5, x86-64 psABI). Pure:
// it looks only at the bytes it is given, so that it can be fuzzed. Loading is os/linux/exec.c's
// work.
#pragma once

#include "base/error.h"

enum elf_kind { ELF_KIND_FIXED, ELF_KIND_DYN }; // ET_EXEC and ET_DYN

struct elf_segment {
    u64 offset; // in the file
    u64 file_bytes;
    vaddr va;
    u64 mem_bytes;
    bool read, write, exec;
};

enum { ELF_SEGMENTS_MAX = 64 };

struct elf {
    enum elf_kind kind;
    vaddr entry;
    u64 phdr_offset;
    u32 phdr_count;
    vaddr phdr_va; // where a segment puts the program headers, 0 if none does
    u32 n_segments;
    struct elf_segment segment[ELF_SEGMENTS_MAX]; // PT_LOAD in ascending order
    vaddr low, high;                              // page-aligned bounds of all segments
    u64 align;                                    // greatest alignment that a segment asks for
    u64 interp_offset, interp_bytes;              // 0 bytes: static
    bool exec_stack;
};

// How a message names an architecture, by e_machine.
const char *elf_machine_name(u16 machine);

// `size` bytes from the start of a file of `file_bytes`. False with a sentence in *err when the
// file is no program that this machine can run. If more of the file is needed, *ret_need (else 0)
// says up to where, and the result is false.
bool elf_parse(const u8 *data, u64 size, u64 file_bytes, struct elf *ret_elf, u64 *ret_need,
               struct error *err) MUST_CHECK;
