# SPDX-License-Identifier: BSD-3-Clause
# From real mode through protected mode into 64-bit mode and back, as start-up code does it; and real
# mode by itself.
#include "long.inc"

GUEST boot
    .code16
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x5000
    mov word ptr [0x4f00], 0x6f
    mov dword ptr [0x4f02], 0x500
    lgdt [0x4f00]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    .byte 0x66, 0xea # to 32-bit code
    .long AT(1f)
    .word 0x30
    .code32
1:  mov eax, 0x10
    mov ds, ax
    mov ss, ax
    mov es, ax
    mov edi, RESULTS
    mov dword ptr [edi], 0x32
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov eax, 0x100000
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    rdmsr # LMA, compatibility mode
    mov [edi + 8], eax
    .byte 0xea
    .long AT(2f)
    .word 8
    .code64
2:  movabs rax, 0x8000000100 # the same page, 512 GiB up
    mov rbx, 0x123456789abcdef
    mov [rax + 0x6010 - 0x100], rbx
    mov rax, cs
    mov [rdi + 0x18], rax
    push 0x30
    lea rax, [rip + 3f]
    push rax
    lretq
    .code32
3:  mov eax, cs # compatibility mode again, out of IA-32e mode and back to real mode
    mov [edi + 0x20], eax
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    mov ecx, 0xc0000080
    rdmsr
    mov [edi + 0x28], eax
    and eax, 0xfffffeff
    wrmsr
    .byte 0xea
    .long AT(4f)
    .word 0x48
    .code16
4:  mov ax, 0x50
    mov ds, ax
    mov ss, ax
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    .byte 0xea
    .word AT(5f)
    .word 0
5:  mov ax, 0x600
    mov ds, ax
    mov word ptr [0x30], 0x16
    mov ax, cs
    mov [0x38], ax
    hlt
END_GUEST boot

# Real mode: interrupts through the vector table, far calls, segment limits.
GUEST real
    .code16
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x5000
    mov di, RESULTS
    mov word ptr [0x40 * 4], AT(1f)
    mov word ptr [0x40 * 4 + 2], 0
    mov word ptr [13 * 4], AT(2f)
    mov word ptr [13 * 4 + 2], 0
    mov word ptr [0], AT(3f)
    mov word ptr [2], 0
    mov word ptr [6 * 4], AT(4f)
    mov word ptr [6 * 4 + 2], 0
    sti
    stc
    int 0x40
    pushf
    pop ax
    mov [di + 8], ax
    .byte 0x9a # far call
    .word AT(5f) - 0x7000
    .word 0x700
    mov [di + 0x18], sp
    mov bx, 0xffff
    mov ax, [bx] # beyond the limit
    xor cx, cx
    div cx
    .byte 0x0f, 0x00, 0xc0 # SLDT is not recognised
    hlt
1:  pushf
    pop ax
    mov [di], ax
    mov word ptr [di + 2], sp
    iret
5:  mov ax, cs
    mov [di + 0x10], ax
    mov [di + 0x12], sp
    push ds
    pop fs
    retf
2:  mov word ptr [di + 0x20], 13
    pop word ptr [di + 0x22]
    add sp, 4
    add word ptr [di + 0x22], 2
    pushf
    push cs
    push word ptr [di + 0x22]
    mov word ptr [di + 0x22], 0
    iret
3:  mov word ptr [di + 0x28], 0x100
    pop ax
    add ax, 2
    push ax
    iret
4:  mov word ptr [di + 0x30], 6
    pop ax
    add ax, 3
    push ax
    iret
END_GUEST real

    .section .note.GNU-stack, "", @progbits
