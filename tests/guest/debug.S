# SPDX-License-Identifier: BSD-3-Clause
# Debug exceptions: single step, breakpoints, general detect.
#include "long.inc"

.macro SET_DR number, value
    mov rax, \value
    mov dr\number, rax
.endm

.macro RECORD_DR6
    mov rax, dr6
    RECORD rax
    mov rax, 0xffff0ff0
    mov dr6, rax
.endm

GUEST single_step
    LONG_START
    lea r14, [rip + 1f]
    lea r13, [rip + 2f]
    pushfq
    or dword ptr [rsp], 0x100
    popfq
1:  nop
    nop
2:  RECORD_DR6
    # a fault comes first, and its handler is not stepped
    lea r14, [rip + 1f]
    lea r13, [rip + 2f]
    pushfq
    or dword ptr [rsp], 0x100
    popfq
1:  ud2
2:  RECORD_DR6
    hlt
END_GUEST single_step

# Each iteration of a repeated instruction is stepped.
GUEST repeat
    LONG_START
    mov ecx, 2
    mov edi, 0x6f00
    lea r14, [rip + 1f]
    lea r13, [rip + 2f]
    pushfq
    or dword ptr [rsp], 0x100
    popfq
1:  rep stosb
2:  RECORD rcx
    lea r14, [rip + 1f]
    lea r13, [rip + 2f]
    pushfq
    or dword ptr [rsp], 0x100
    popfq
1:  rep stosb
2:  RECORD rcx
    hlt
END_GUEST repeat

GUEST mov_ss
    LONG_START
    # MOV SS holds the trap back for one instruction
    mov eax, ss
    lea r14, [rip + 1f]
    lea r13, [rip + 2f]
    pushfq
    or dword ptr [rsp], 0x100
    popfq
1:  mov ss, eax
    nop
    nop
2:  RECORD_DR6
    hlt
END_GUEST mov_ss

GUEST breakpoints
    LONG_START
    lea r14, [rip + 1f]
    mov dr0, r14
    SET_DR 7, 0x401
    lea r13, [rip + 2f]
    nop
1:  inc r15
    ud2
2:  RECORD_DR6
    # with RF the instruction executes
    mov r15d, 7
    lea r13, [rip + 2f]
    mov rax, rsp
    push 0x10
    push rax
    push 0x10002
    push 8
    push r14
    iretq
2:  RECORD r15
    RECORD_DR6
    # data: write of 4 bytes at 6f04h
    SET_DR 1, 0x6f04
    SET_DR 7, 0xd00404
    TRY mov eax, [0x6f04]
    TRY mov [0x6f00], eax
    TRY mov [0x6f00], rax
    RECORD_DR6
    # data: access of 1 byte, and two at once
    SET_DR 2, 0x6f05
    SET_DR 7, 0x3d00414
    TRY mov al, [0x6f05]
    RECORD_DR6
    TRY inc dword ptr [0x6f04]
    RECORD_DR6
    # the debug registers themselves
    SET_DR 7, 0x2400
    TRY mov rax, dr0
    RECORD_DR6
    mov rax, dr7
    RECORD rax
    mov rax, -1
    mov dr0, rax
    TRY mov dr7, rax
    mov eax, eax
    xor ah, ah
    mov dr6, rax
    mov rcx, dr6
    RECORD rcx
    mov rax, cr4
    or eax, 8
    mov cr4, rax
    TRY mov rax, dr4
    hlt
END_GUEST breakpoints

    .section .note.GNU-stack, "", @progbits
