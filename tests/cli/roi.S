# SPDX-License-Identifier: BSD-3-Clause
# Work before, in and behind a region of interest; then the sum of six arguments is the exit status.
#define OPERATION(n) .byte 0x0f, 0x04; .word n
#define LOOP(n) mov $n, %ecx; 1: dec %ecx; jnz 1b

.globl _start
_start:
    LOOP(20000)
    OPERATION(0x5a)
    LOOP(1000)
    OPERATION(0x5b)
    LOOP(20000)
    mov $1, %edi
    mov $2, %esi
    mov $3, %edx
    mov $4, %ecx
    mov $5, %r8d
    mov $6, %r9d
    OPERATION(0x23)
    mov %eax, %esi
    xor %edi, %edi
    OPERATION(0x22)
    ud2
