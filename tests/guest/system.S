# SPDX-License-Identifier: BSD-3-Clause
# System instructions of 64-bit mode, and compatibility mode.
#include "long.inc"

.set ALIAS, 0x68000

.macro MAP_USER
    mov dword ptr [PT + 0x70 * 8], 0x8007
    mov dword ptr [PT + 0x71 * 8], 0x9007
    mov dword ptr [PT + 0x72 * 8], 0x7007
.endm

GUEST tables
    LONG_START
    sgdt [0x6f00]
    movzx eax, word ptr [0x6f00]
    RECORD rax
    mov rax, [0x6f02]
    RECORD rax
    sidt [0x6f00]
    mov rax, [0x6f02]
    RECORD rax
    mov qword ptr [0x6f10], -1
    smsw [0x6f10]
    mov rax, [0x6f10]
    RECORD rax
    smsw rax
    RECORD rax
    mov eax, 0xfffe # LMSW cannot clear PE, and touches four bits
    lmsw ax
    mov rax, cr0
    RECORD rax
    clts
    mov rax, cr0
    RECORD rax
    str eax
    RECORD rax
    sldt eax
    RECORD rax
    movabs rax, 0x0000800000000000 # a table must be at a canonical address
    mov [0x6f02], rax
    TRY lgdt [0x6f00]
    movzx eax, byte ptr [0x500 + 0x3d] # LTR made it busy
    RECORD rax
    mov eax, 0x38
    TRY ltr ax
    hlt
END_GUEST tables

GUEST bases
    LONG_START
    mov ecx, 0xc0000100
    mov eax, 0x89abcdef
    mov edx, 0x1234
    wrmsr
    mov eax, 0x6f00
    xor edx, edx
    mov ecx, 0xc0000101
    wrmsr
    mov ecx, 0xc0000102
    mov eax, 0x6f80
    wrmsr
    mov qword ptr [0x6f08], 1
    mov qword ptr [0x6f88], 2
    mov rax, gs:[8]
    RECORD rax
    swapgs
    mov rax, gs:[8]
    RECORD rax
    rdmsr
    RECORD rax
    mov eax, 0x10 # loading the selector replaces the base
    mov fs, eax
    mov ecx, 0xc0000100
    rdmsr
    RECORD rax
    hlt
END_GUEST bases

GUEST base_instructions
    LONG_START
    TRY rdfsbase rax
    mov rax, cr4
    or eax, 0x10000
    mov cr4, rax
    movabs rax, 0x123456789abc
    wrfsbase rax
    rdfsbase rcx
    RECORD rcx
    rdfsbase ecx
    RECORD rcx
    wrgsbase eax
    rdgsbase rcx
    RECORD rcx
    movabs rax, 0x800000000000
    TRY wrgsbase rax
    hlt
END_GUEST base_instructions

# Nothing answers at these ports: all ones.
GUEST ports
    LONG_START
    xor eax, eax
    in al, 0x99
    RECORD rax
    mov edx, 0x1234
    xor eax, eax
    in ax, dx
    RECORD rax
    in eax, dx
    RECORD rax
    out dx, eax
    mov edi, 0x6f00
    mov ecx, 3
    rep insw
    RECORD rdi
    RECORD rcx
    mov rax, [0x6f00]
    RECORD rax
    mov esi, 0x6f00
    mov ecx, 2
    std
    rep outsb
    cld
    RECORD rsi
    outsd
    RECORD rsi
    mov edi, 0x400000
    mov ecx, 1
    TRY insb
    hlt
END_GUEST ports

GUEST invalidation
    LONG_START
    mov qword ptr [0x6f00], 0
    mov qword ptr [0x6f08], 0x50000
    mov rcx, [0x50000]
    xor eax, eax
    mov qword ptr [PT + 0x50 * 8], 0x51003
    mov qword ptr [0x51000], 7
    invpcid rax, [0x6f00]
    mov rcx, [0x50000]
    RECORD rcx
    mov eax, 4
    TRY invpcid rax, [0x6f00]
    mov qword ptr [0x6f00], 1
    xor eax, eax
    TRY invpcid rax, [0x6f00]
    mov qword ptr [0x6f00], 0
    movabs rcx, 0x800000000000
    mov [0x6f08], rcx
    TRY invpcid rax, [0x6f00]
    mov eax, 2
    invpcid rax, [0x6f00]
    # PCIDs: only with CR3's low bits clear
    mov rax, cr3
    or eax, 8
    mov cr3, rax
    mov rcx, cr4
    or ecx, 0x20000
    TRY mov cr4, rcx
    and eax, ~8
    mov cr3, rax
    mov cr4, rcx
    or eax, 5
    bts rax, 63
    mov cr3, rax
    mov rax, cr3
    RECORD rax
    mov rax, cr0
    hlt
END_GUEST invalidation

# A call gate of 16 bytes; a conforming segment keeps the privilege level.
GUEST call_gate64
    LONG_START
    MAP_USER
    lea rax, [rip + 3f]
    mov [0x5a0], ax # selector a0
    mov dword ptr [0x5a2], 0xec000008
    mov word ptr [0x5a6], 0
    mov qword ptr [0x5a8], 0
    mov word ptr [0x4f00], 0xaf
    mov qword ptr [0x4f02], 0x500
    lgdt [0x4f00]
    mov dword ptr [0x6f00], 0
    mov word ptr [0x6f04], 0xa3
    mov dword ptr [PT + 0x73 * 8], 0x6007
    lea r14, [rip + 2f + ALIAS]
    lea r13, [rip + 5f]
    push 0x23
    push 0x72800
    push 2
    push 0x2b
    lea rax, [rip + 1f + ALIAS]
    push rax
    iretq
1:  call fword ptr [0x73f00]
2:  jmp fword ptr [0x73f08]
3:  RECORD rsp
    mov rax, [rsp]
    sub rax, r14
    RECORD rax
    mov rax, [rsp + 8]
    RECORD rax
    mov rax, [rsp + 16]
    RECORD rax
    mov rax, [rsp + 24]
    RECORD rax
    mov eax, ss
    RECORD rax
    mov eax, cs
    RECORD rax
    lea rax, [rip + 4f + ALIAS]
    mov [0x6f08], eax
    mov word ptr [0x6f0c], 0x60 # conforming 64-bit code
    mov r14, rax
    lretq
4:  hlt
5:  hlt
END_GUEST call_gate64

# Compatibility mode at CPL 3: SYSENTER there and back, an exception.
GUEST compatibility
    LONG_START
    MAP_USER
    mov ecx, 0x174
    mov eax, 8
    xor edx, edx
    wrmsr
    inc ecx
    mov eax, 0x5d00
    wrmsr
    inc ecx
    lea rax, [rip + 2f]
    wrmsr
    lea r13, [rip + 4f]
    lea r14, [rip + 3f + ALIAS]
    push 0x23
    push 0x72800
    push 0x202
    push 0x1b
    lea rax, [rip + 1f + ALIAS]
    push rax
    iretq
    .code32
1:  mov eax, 0xffffffff
    mov edx, cs
    inc eax
    dec eax
    mov ebx, esp
    sysenter
3:  ud2
    .code64
2:  RECORD rax
    RECORD rdx
    RECORD rbx
    RECORD rsp
    mov eax, cs
    RECORD rax
    mov eax, ss
    RECORD rax
    pushfq
    pop rax
    and eax, 0x200
    RECORD rax
    mov rdx, r14
    mov ecx, 0x72700
    .byte 0x0f, 0x35 # SYSEXIT to 32-bit code
4:  hlt
END_GUEST compatibility

    .section .note.GNU-stack, "", @progbits
