# SPDX-License-Identifier: BSD-3-Clause
# A Multiboot kernel for two CPUs: from 32-bit protected mode (and, the second, from real mode) into
# 64-bit mode with the first 4 GiB mapped as they are, then to main and second_main.
    .intel_syntax noprefix

    .section .multiboot, "a"
    .long 0x1badb002, 0, -0x1badb002

    .text
    .code32
    .globl _start
_start:
    mov esp, offset first_stack
    mov ebx, offset main
    # page tables: 4 GiB of 2 MiB pages
    mov edi, offset level2
    mov eax, 0x83
1:  mov [edi], eax
    add edi, 8
    add eax, 0x200000
    jnc 1b
    mov edi, offset level3
    mov eax, offset level2 + 3
    mov ecx, 4
2:  mov [edi], eax
    add edi, 8
    add eax, 0x1000
    loop 2b
    mov dword ptr [level4], offset level3 + 3
    # where the second CPU starts
    mov esi, offset trampoline
    mov edi, 0x8000
    mov ecx, offset trampoline_size
    rep movsb

# ebx: where to go on in 64-bit mode, on the stack esp.
enter_long:
    lgdt [gdt_pointer]
    mov eax, cr4
    or eax, 0x620 # PAE, OSFXSR, OSXMMEXCPT
    mov cr4, eax
    mov eax, offset level4
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    and eax, ~6 # EM, MP
    or eax, 0x80000001
    mov cr0, eax
    ljmp 8, offset 3f
    .code64
3:  mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor ebp, ebp
    call rbx
4:  cli
    hlt
    jmp 4b

    .code16
trampoline:
    cli
    xor ax, ax
    mov ds, ax
    lgdtd [0x8000 + trampoline_gdt - trampoline]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    ljmpd 24, offset second_start
trampoline_gdt:
    .word gdt_end - gdt - 1
    .long gdt
    .set trampoline_size, . - trampoline

    .code32
second_start:
    mov eax, 32
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esp, offset second_stack
    mov ebx, offset second_main
    jmp enter_long

    .data
    .align 8
gdt:
    .quad 0
    .quad 0x00af9a000000ffff # 8: 64-bit code
    .quad 0x00cf92000000ffff # 16: data
    .quad 0x00cf9a000000ffff # 24: 32-bit code
    .quad 0x00cf92000000ffff # 32: data
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

    .bss
    .align 4096
level4: .skip 4096
level3: .skip 4096
level2: .skip 16384
    .skip 16384
first_stack:
    .skip 16384
second_stack:
    .section .note.GNU-stack, "", @progbits
