# SPDX-License-Identifier: BSD-3-Clause
# Privilege: what CPL 3 may not do, ways in and out, SMEP and SMAP. User code runs in an alias of the
# image at 70000H, with its stack at 72800H.
#include "long.inc"

.set ALIAS, 0x68000

.macro MAP_USER
    mov dword ptr [PT + 0x70 * 8], 0x8007
    mov dword ptr [PT + 0x71 * 8], 0x9007
    mov dword ptr [PT + 0x72 * 8], 0x7007
.endm

.macro GO_USER label, flags=2
    push 0x23
    push 0x72800
    push \flags
    push 0x2b
    lea rax, [rip + \label]
    add rax, ALIAS
    push rax
    iretq
.endm

# Executes an instruction at CPL 3; UD2 behind it faults if it does not.
.macro TRY_USER insn:vararg
    lea r14, [rip + .Luser_\@ + ALIAS]
    lea r13, [rip + .Lback_\@]
    GO_USER .Luser_\@
.Luser_\@:
    \insn
    ud2
.Lback_\@:
.endm

GUEST user
    LONG_START
    MAP_USER
    TRY_USER nop
    TRY_USER cli
    TRY_USER hlt
    TRY_USER mov rax, cr3
    TRY_USER mov dr0, rax
    TRY_USER clts
    TRY_USER invlpg [rax]
    TRY_USER wbinvd
    TRY_USER rdmsr
    TRY_USER swapgs
    TRY_USER sysretq
    TRY_USER in al, 0x80
    TRY_USER out 0x80, al
    TRY_USER mov eax, [0x4000]
    TRY_USER mov [0x4008], eax
    TRY_USER mov eax, [0x400000]
    TRY_USER mov [0x400000], eax
    mov eax, 0x9000
    TRY_USER push 0x10
    # execution of a supervisor page
    mov r14d, 0x8000
    lea r13, [rip + 1f]
    push 0x23
    push 0x72800
    push 2
    push 0x2b
    push 0x8000
    iretq
1:  hlt
END_GUEST user

# The I/O permission bit map, IOPL and the interrupt flag.
GUEST user_io
    LONG_START
    MAP_USER
    mov byte ptr [0x538 + 5], 0x89
    mov word ptr [0x538], 0x80 # up to port BFH
    mov eax, 0x38
    ltr ax
    mov byte ptr [TSS + 104 + 0x10], 0xfe
    mov byte ptr [TSS + 104 + 0x11], 0xfc
    TRY_USER in al, 0x80
    TRY_USER in al, 0x81
    TRY_USER in ax, 0x87
    TRY_USER in ax, 0x88
    TRY_USER in eax, 0x88
    TRY_USER in al, 0xc8
    lea r14, [rip + 1f + ALIAS]
    lea r13, [rip + 2f]
    GO_USER 1f, 0x3002
1:  cli
    sti
    in al, 0xc8
    pushfq
    pop r15
    ud2
2:  RECORD r15
    hlt
END_GUEST user_io

GUEST system_call
    LONG_START
    MAP_USER
    mov ecx, 0xc0000081
    xor eax, eax
    mov edx, 0x00180008
    wrmsr
    mov ecx, 0xc0000082
    lea rax, [rip + 2f]
    xor edx, edx
    wrmsr
    mov ecx, 0xc0000084
    mov eax, 0x40400
    wrmsr
    lea r14, [rip + 1f + ALIAS]
    lea r13, [rip + 3f]
    GO_USER 1f, 0x40c03
1:  syscall
    ud2
2:  pushfq
    pop rax
    RECORD r11
    sub rcx, r14
    RECORD rcx
    RECORD rax
    mov eax, cs
    RECORD rax
    mov eax, ss
    RECORD rax
    add rcx, r14
    mov r11d, 0x10097
    sysretq
3:  mov ecx, 0xc0000082 # a non-canonical entry point is refused
    mov edx, 0x9000
    TRY wrmsr
    mov ecx, 0xc0000080 # SYSCALL switched off
    rdmsr
    and al, 0xfe
    wrmsr
    TRY syscall
    hlt
END_GUEST system_call

# SYSRET without REX.W: to 32-bit code, with the low half of RCX.
GUEST sysret32
    LONG_START
    MAP_USER
    mov ecx, 0xc0000081
    xor eax, eax
    mov edx, 0x00180008
    wrmsr
    lea r13, [rip + 2f]
    lea r14, [rip + 3f + ALIAS]
    lea rcx, [rip + 1f + ALIAS]
    mov rax, 0x1234567800000000
    or rcx, rax
    mov r11d, 0x10097
    mov esp, 0x72800
    .byte 0x0f, 0x07
    .code32
1:  mov eax, 0xffffffff
    inc eax
    dec eax
    mov ebx, cs
    mov edx, ss
    pushfd
    pop edi
3:  ud2
    .code64
2:  RECORD rax
    RECORD rbx
    RECORD rdx
    RECORD rdi
    hlt
END_GUEST sysret32

# An interrupt gate that CPL 3 may call: stack switch, and an interrupt stack.
GUEST user_gate
    LONG_START
    MAP_USER
    mov byte ptr [IDT + 16 * 16 + 5], 0xee
    lea rax, [rip + 2f]
    mov [IDT + 16 * 16], ax
    TRY_USER int 0x11
    lea r14, [rip + 1f + ALIAS]
    lea r13, [rip + 3f]
    GO_USER 1f, 0x3302 # single-step trap: INT clears TF
1:  int 0x10
2:  RECORD rsp
    mov rax, [rsp]
    sub rax, r14
    RECORD rax
    mov rax, [rsp + 8]
    RECORD rax
    mov rax, [rsp + 16]
    RECORD rax
    mov rax, [rsp + 24]
    RECORD rax
    mov rax, [rsp + 32]
    RECORD rax
    mov eax, ss
    RECORD rax
    pushfq
    pop rax
    RECORD rax
    mov rsp, [SAVED_RSP]
    mov eax, 0x10
    mov ss, eax
    lea rax, [rip + 4f]
    mov [IDT + 6 * 16], ax
3:  mov rsp, 0x7ff9 # the stack is aligned
    ud2
4:  RECORD rsp
    lea rax, [rip + 5f]
    mov [IDT + 6 * 16], ax
    mov byte ptr [IDT + 6 * 16 + 4], 1
    mov rsp, 0x7ff0
    ud2
5:  RECORD rsp
    mov rax, [rsp + 24]
    RECORD rax
    mov eax, ss
    RECORD rax
    hlt
END_GUEST user_gate

GUEST smep_smap
    LONG_START
    MAP_USER
    mov rax, cr4
    or eax, 0x300000
    mov cr4, rax
    TRY mov eax, [0x70000]
    TRY mov [0x72000], eax
    mov eax, 0x70000
    mov r14, rax
    lea r13, [rip + 1f]
    jmp rax
1:  stac
    mov eax, 5
    mov [0x72000], eax
    mov eax, [0x7000]
    RECORD rax
    clac
    TRY mov eax, [0x72000]
    TRY_USER mov eax, [0x72000]
    TRY_USER stac
    hlt
END_GUEST smep_smap

GUEST umip
    LONG_START
    MAP_USER
    mov rax, cr4
    or eax, 0x800
    mov cr4, rax
    TRY_USER sgdt [rsp - 16]
    TRY_USER sidt [rsp - 16]
    TRY_USER sldt eax
    TRY_USER str eax
    TRY_USER smsw eax
    str r15d
    RECORD r15
    hlt
END_GUEST umip

    .section .note.GNU-stack, "", @progbits
