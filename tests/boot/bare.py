# SPDX-License-Identifier: BSD-3-Clause
"""Bare-metal kernels: Multiboot, 32 bits, flat; made with the GNU assembler."""

import os
import subprocess

# A Multiboot loader leaves 32-bit protected mode without paging, interrupts off, no IDT.
HEAD = """
    .intel_syntax noprefix
    .global _start
    .macro PORT8 port, value
        mov edx, \\port
        mov eax, \\value
        out dx, al
    .endm
    .macro PORT16 port, value
        mov edx, \\port
        mov eax, \\value
        out dx, ax
    .endm
    .macro PORT32 port, value
        mov edx, \\port
        mov eax, \\value
        out dx, eax
    .endm
    .macro EXIT code # the exit port
        PORT8 0xf4, \\code
    .endm
    .macro POWER_OFF # ACPI: SLP_TYP 5, SLP_EN
        PORT16 0x604, 0x3400
    .endm
    .macro PRINT text # on the first serial port
        mov esi, offset 7f
        call print
        jmp 8f
    7:  .asciz "\\text\\n"
    8:
    .endm
    # Operations for the simulator (docs/formats/guest-operations.md), result in EAX: by the port,
    # the instruction and the address.
    .macro BY_PORT function
        PORT32 0xe4, \\function
        in eax, dx
    .endm
    .macro BY_INSN function
        .byte 0x0f, 0x04
        .word \\function
    .endm
    .macro BY_LOAD function
        mov eax, [0xffff0000 + (\\function << 8)]
    .endm
    .macro ARGS a=0, b=0, c=0, d=0
        mov edi, \\a
        mov esi, \\b
        mov edx, \\c
        mov ecx, \\d
    .endm
    .text
    .align 4
    .long 0x1badb002, 0, -0x1badb002
print:
    mov edx, 0x3fd
    in al, dx
    test al, 0x20
    jz print
    lodsb
    test al, al
    jz 1f
    mov edx, 0x3f8
    out dx, al
    jmp print
1:  ret
_start:
    mov esp, offset stack
"""
TAIL = """
1:  jmp 1b
    .bss
    .skip 4096
stack:
buffer: .skip 8192
"""


def build(folder, lines):
    """Assembles and links the lines behind HEAD; returns the path of the kernel."""
    base = os.path.join(folder, "k%d" % len(os.listdir(folder)))
    with open(base + ".S", "w", encoding="utf-8") as f:
        f.write(HEAD + lines + TAIL)
    subprocess.run(["as", "--32", "-o", base + ".o", base + ".S"], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-N", "--no-warn-rwx-segments", "-Ttext", "0x200000", "-o", base, base + ".o"],
                   check=True)
    return base
