// SPDX-License-Identifier: BSD-3-Clause
#include "native_asm.h"

#define C(offset) (NATIVE_CONTROL + (offset))

    .text
    .globl native_enter, native_exit, native_signal

native_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    stmxcsr C(NATIVE_MXCSR)
    mov %rsp, C(NATIVE_HOST_RSP)
    movw C(NATIVE_SEL + 0), %ax
    mov %eax, %es
    movw C(NATIVE_SEL + 6), %ax
    mov %eax, %ds
    movw C(NATIVE_SEL + 8), %ax
    mov %eax, %fs
    movw C(NATIVE_SEL + 10), %ax
    mov %eax, %gs
    cmpl $0, C(NATIVE_BY_KERNEL)
    je 1f
    sub $8, %rsp
    call native_put_bases
    jmp 2f
1:  mov C(NATIVE_FS), %rax
    wrfsbase %rax
    mov C(NATIVE_GS), %rax
    wrgsbase %rax
2:  mov $7, %eax
    xor %edx, %edx
    xrstor64 C(NATIVE_XSAVE)
    mov C(NATIVE_GPR + 0x00), %rax
    mov C(NATIVE_GPR + 0x08), %rcx
    mov C(NATIVE_GPR + 0x10), %rdx
    mov C(NATIVE_GPR + 0x18), %rbx
    mov C(NATIVE_GPR + 0x28), %rbp
    mov C(NATIVE_GPR + 0x30), %rsi
    mov C(NATIVE_GPR + 0x38), %rdi
    mov C(NATIVE_GPR + 0x40), %r8
    mov C(NATIVE_GPR + 0x48), %r9
    mov C(NATIVE_GPR + 0x50), %r10
    mov C(NATIVE_GPR + 0x58), %r11
    mov C(NATIVE_GPR + 0x60), %r12
    mov C(NATIVE_GPR + 0x68), %r13
    mov C(NATIVE_GPR + 0x70), %r14
    mov C(NATIVE_GPR + 0x78), %r15
    mov $C(NATIVE_IRET), %esp
    iretq

native_exit:
    mov %rsp, C(NATIVE_GPR + 0x20)
    mov $C(NATIVE_STACK), %esp
    pushfq
    popq C(NATIVE_RFLAGS)
    pushq $2 // no AC, DF, NT
    popfq
    mov %rax, C(NATIVE_GPR + 0x00)
    mov %rcx, C(NATIVE_GPR + 0x08)
    mov %rdx, C(NATIVE_GPR + 0x10)
    mov %rbx, C(NATIVE_GPR + 0x18)
    mov %rbp, C(NATIVE_GPR + 0x28)
    mov %rsi, C(NATIVE_GPR + 0x30)
    mov %rdi, C(NATIVE_GPR + 0x38)
    mov %r8, C(NATIVE_GPR + 0x40)
    mov %r9, C(NATIVE_GPR + 0x48)
    mov %r10, C(NATIVE_GPR + 0x50)
    mov %r11, C(NATIVE_GPR + 0x58)
    mov %r12, C(NATIVE_GPR + 0x60)
    mov %r13, C(NATIVE_GPR + 0x68)
    mov %r14, C(NATIVE_GPR + 0x70)
    mov %r15, C(NATIVE_GPR + 0x78)
    mov $7, %eax
    xor %edx, %edx
    xsave64 C(NATIVE_XSAVE)
    mov %es, C(NATIVE_SEL + 0)
    mov %ss, C(NATIVE_SEL + 4)
    mov %ds, C(NATIVE_SEL + 6)
    mov %fs, C(NATIVE_SEL + 8)
    mov %gs, C(NATIVE_SEL + 10)
    cmpl $0, C(NATIVE_BY_KERNEL)
    je 1f
    mov $C(NATIVE_FS), %edi
    call native_take_bases
    jmp native_leave
1:  rdfsbase %rax
    mov %rax, C(NATIVE_FS)
    rdgsbase %rax
    mov %rax, C(NATIVE_GS)

// Back to the caller of native_enter, whatever the state.
native_leave:
    xor %eax, %eax
    mov %eax, %es
    mov %eax, %ds
    mov %eax, %fs
    mov %eax, %gs
    mov $0x2b, %eax
    mov %eax, %ss
    cmpl $0, C(NATIVE_BY_KERNEL)
    jne 1f // later: native.c
    mov C(NATIVE_HOST_FS), %rax
    wrfsbase %rax
    mov C(NATIVE_HOST_GS), %rax
    wrgsbase %rax
1:  fninit
    ldmxcsr C(NATIVE_MXCSR)
    vzeroupper
    mov C(NATIVE_HOST_RSP), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

// The kernel leaves AC, NT, the FS base and the data segments as the case had them.
native_signal:
    pushq $2
    popfq
    mov %es, C(NATIVE_SIGNAL_SEL + 0)
    mov %ds, C(NATIVE_SIGNAL_SEL + 6)
    mov %fs, C(NATIVE_SIGNAL_SEL + 8)
    mov %gs, C(NATIVE_SIGNAL_SEL + 10)
    cmpl $0, C(NATIVE_BY_KERNEL)
    jne signal_by_kernel
    rdfsbase %rax
    mov %rax, C(NATIVE_SIGNAL_FS)
    rdgsbase %rax
    mov %rax, C(NATIVE_SIGNAL_GS)
    mov C(NATIVE_HOST_FS), %rax
    wrfsbase %rax
    sub $8, %rsp
    call native_record
    add $8, %rsp
    test %eax, %eax
    jnz native_leave
    mov C(NATIVE_SIGNAL_FS), %rax
    wrfsbase %rax
    ret // to the kernel's return from signals


signal_by_kernel:
    mov %rdi, %rbx
    mov %rdx, %r12
    sub $8, %rsp
    mov $C(NATIVE_SIGNAL_FS), %edi
    call native_take_bases
    mov %ebx, %edi
    mov %r12, %rdx
    call native_record
    add $8, %rsp
    test %eax, %eax
    jnz native_leave
    ret

    .section .note.GNU-stack, "", @progbits
