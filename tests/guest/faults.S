# SPDX-License-Identifier: BSD-3-Clause
# Exceptions in 64-bit mode: vector, error code, saved rip, RF.
#include "long.inc"

GUEST faults
    LONG_START
    TRY ud2
    xor ecx, ecx
    TRY div ecx
    movabs rax, 0x0000800000000000
    TRY mov rcx, [rax]
    mov rbp, rax
    TRY mov rcx, [rbp]
    mov eax, 0x58
    TRY mov ds, ax
    TRY mov ss, ax
    mov eax, 0x107
    TRY mov es, ax
    mov eax, 0x18 # null SS is allowed at CPL 0, another level's is not
    TRY mov ss, ax
    xor eax, eax
    mov ss, ax
    mov ax, ss
    RECORD rax
    mov eax, 0x10
    mov ss, ax
    TRY mov rcx, [0x400008]
    TRY mov [0x400010], rcx
    mov eax, 0x10
    TRY lldt ax
    TRY ltr ax
    mov ecx, 0xdead
    TRY rdmsr
    TRY wrmsr
    mov rax, cr4
    bts rax, 31
    TRY mov cr4, rax
    mov rax, cr0
    btr rax, 31
    TRY mov cr0, rax
    mov rax, cr4
    btr rax, 5
    TRY mov cr4, rax
    # far transfers to what is no code
    push 0x10
    lea rax, [rip + 1f]
    push rax
    TRY lretq
    add rsp, 16
1:  push 0x58
    push rax
    TRY lretq
    add rsp, 16
    # a reserved bit, write protection, no-execute
    mov rax, 0x0008000000050003
    mov [PT + 0x50 * 8], rax
    TRY mov rcx, [0x50123]
    mov qword ptr [PT + 0x51 * 8], 0x51001
    mov [0x51000], rcx
    mov rax, cr0
    bts rax, 16
    mov cr0, rax
    TRY mov [0x51ff8], rcx
    mov rax, 0x8000000000052003
    mov [PT + 0x52 * 8], rax
    mov eax, 0x52000
    mov r14, rax
    lea r13, [rip + 1f]
    jmp rax
1:
    # accessed and dirty bits
    mov rax, [PT + 0x51 * 8]
    RECORD rax
    mov rax, [PT + 0x52 * 8]
    RECORD rax
    mov rax, [0x100008]
    RECORD rax
    mov rcx, [0x200000]
    mov rax, [0x102008]
    RECORD rax
    hlt
END_GUEST faults

GUEST breakpoint
    LONG_START
    TRY int3
    TRY int 0x40
    TRY .byte 0xf1
    hlt
END_GUEST breakpoint

# A fault of IRET leaves rip at the IRET; a store across pages writes all or nothing.
GUEST all_or_nothing
    LONG_START
    # IRET to a non-canonical address
    mov rax, rsp
    push 0x10
    push rax
    push 2
    push 8
    mov rcx, 0x0000900000000000
    push rcx
    TRY iretq
    add rsp, 40
    # across pages: the second one faults, nothing of the first is written
    mov qword ptr [PT + 0x54 * 8], 0
    invlpg [0x54000]
    mov rcx, -1
    TRY mov [0x53ffc], rcx
    mov eax, [0x53ffc]
    RECORD rax
    hlt
END_GUEST all_or_nothing

# A fault in the delivery of one is a double fault; its handler runs on a stack of its own.
GUEST double_fault
    LONG_START
    mov byte ptr [IDT + 8 * 16 + 4], 1
    mov word ptr [IDT + 13 * 16 + 2], 0x10
    movabs rax, 0x0000800000000000
    TRY mov rcx, [rax]
    # a page fault while delivering a page fault
    mov word ptr [IDT + 14 * 16 + 2], 8
    mov rbp, rsp
    mov rsp, 0x480000
    TRY mov rcx, [0x500000]
    # benign first: no double fault
    mov rsp, rbp
    mov word ptr [IDT + 13 * 16 + 2], 8
    mov word ptr [IDT + 6 * 16 + 2], 0x58
    TRY ud2
    hlt
END_GUEST double_fault

# A branch to an instruction whose second half is on a page that is not there, then again when it is:
# what the first one led to, the handler, is not where the branch goes.
.set LAST, 0x60ff0
GUEST half_an_instruction
    LONG_START
    mov dword ptr [LAST], 0x00000beb      # jmp LAST + 13
    mov dword ptr [LAST + 12], 0x5678b800 # there: mov eax, 0x12345678
    mov dword ptr [LAST + 16], 0xff411234 # jmp r13
    mov byte ptr [LAST + 20], 0xe5
    mov qword ptr [PT + 0x61 * 8], 0
    invlpg [LAST + 16]
    mov r14d, LAST + 13
    lea r13, [rip + 1f]
    mov eax, LAST
    jmp rax
1:  mov qword ptr [PT + 0x61 * 8], 0x61003
    lea r13, [rip + 2f]
    mov eax, LAST
    jmp rax
2:  RECORD rax
    hlt
END_GUEST half_an_instruction

GUEST triple_fault
    LONG_START
    mov byte ptr [IDT + 13 * 16 + 5], 0
    mov byte ptr [IDT + 8 * 16 + 5], 0
    movabs rax, 0x0000800000000000
    TRY mov rcx, [rax]
    hlt
END_GUEST triple_fault

    .section .note.GNU-stack, "", @progbits
