# SPDX-License-Identifier: BSD-3-Clause
# 32-bit protected mode: segments, gates, tasks, virtual-8086 mode, paging. esi points to the next
# result, edi is where to go on after a fault, ebp what its eip is compared with; a fault leaves
# vector, error code, eip - ebp, and CR2 or CS << 4 | RF.
#include "long.inc"

.set SAVED_ESP, 0x5ff0
.set TSS_A, 0x4000
.set TSS_B, 0x4100

.macro RECORD32 reg
    mov [esi], \reg
    add esi, 8
.endm

.macro TRY32 insn:vararg
    mov ebp, offset AT(.Ltry_\@)
    mov edi, offset AT(.Lnext_\@)
.Ltry_\@:
    \insn
.Lnext_\@:
.endm

.macro STUB32 vector, has_error
    .balign 16
    .if \has_error == 0
    push 0
    .endif
    push \vector
    jmp 77f
.endm

.macro PROTECTED_START
    .code32
    jmp 78f
    .balign 16
76:
    .irp v, 0, 1, 2, 3, 4, 5, 6, 7
    STUB32 \v, 0
    .endr
    STUB32 8, 1
    STUB32 9, 0
    .irp v, 10, 11, 12, 13, 14
    STUB32 \v, 1
    .endr
    .irp v, 15, 16
    STUB32 \v, 0
    .endr
    STUB32 17, 1
    .balign 8
75: # the descriptor table
    .quad 0
    .quad 0x00cf9b000000ffff # 08 code
    .quad 0x00cf93000000ffff # 10 data
    .quad 0x00cffb000000ffff # 18 user code
    .quad 0x00cff3000000ffff # 20 user data
    .quad 0x0000890040000067 # 28 task A
    .quad 0x0000890041000067 # 30 task B
    .quad 0                  # 38 call gate, made by the guest
    .quad 0x0040970000000fff # 40 expand-down, above FFFH
    .quad 0x0040930000006fff # 48 data to 6FFFH
    .quad 0x00cf91000000ffff # 50 read-only data
    .quad 0x00cf99000000ffff # 58 execute-only code
    .quad 0x0000e50000300000 # 60 task gate to task B, DPL 3
    .quad 0x00cf13000000ffff # 68 not present
    .quad 0x0000890042000060 # 70 a task state segment that is too short
    .quad 0x0040820050000017 # 78 local descriptor table at 5000H
74:
77: push eax
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov eax, [esp + 4]
    mov [esi], eax
    mov eax, [esp + 8]
    mov [esi + 8], eax
    mov eax, [esp + 12]
    sub eax, ebp
    mov [esi + 16], eax
    mov eax, cr2
    cmp dword ptr [esp + 4], 14
    je 1f
    mov eax, [esp + 20]
    shr eax, 16
    and eax, 1
    mov [esi + 24], eax
    mov eax, [esp + 16]
    shl eax, 4
    or eax, [esi + 24]
1:  mov [esi + 24], eax
    add esi, 32
    test dword ptr [esp + 20], 0x20000
    jnz 2f
    test dword ptr [esp + 16], 3
    jnz 2f
    pop eax
    lea esp, [esp + 20]
    jmp 3f
2:  pop eax
    mov esp, [SAVED_ESP]
3:  push 2
    popfd
    jmp edi
78: mov esi, RESULTS
    mov eax, offset AT(76b)
    mov edi, IDT
    mov ecx, 18
1:  mov [edi], ax
    mov word ptr [edi + 2], 8
    mov dword ptr [edi + 4], 0x8e00
    add eax, 16
    add edi, 8
    dec ecx
    jnz 1b
    mov word ptr [0x4f00], 18 * 8 - 1
    mov dword ptr [0x4f02], IDT
    lidt [0x4f00]
    mov word ptr [0x4f00], 0x7f
    mov dword ptr [0x4f02], offset AT(75b)
    lgdt [0x4f00]
    .byte 0xea
    .long AT(79f)
    .word 8
79: mov eax, 0x10
    mov ds, eax
    mov ss, eax
    mov dword ptr [TSS_A + 4], 0x5f00
    mov dword ptr [TSS_A + 8], 0x10
    mov word ptr [TSS_A + 102], 0x68
    mov eax, 0x28
    ltr ax
    mov [SAVED_ESP], esp
.endm

.macro TO_USER32 label, flags=2
    push 0x23
    push 0x7800
    push \flags
    push 0x1b
    push offset AT(\label)
    iretd
.endm

GUEST segments
    PROTECTED_START
    mov eax, 0x40
    mov fs, eax
    mov ax, fs:[0x1000]
    TRY32 mov al, fs:[0xfff]
    mov eax, 0x48
    mov gs, eax
    mov al, gs:[0x6fff]
    TRY32 mov ax, gs:[0x6fff]
    TRY32 mov gs:[0x7000], al
    mov eax, 0x50
    mov fs, eax
    mov al, fs:[0x6000]
    TRY32 mov fs:[0x6800], al
    mov eax, 0x58
    TRY32 mov fs, eax
    TRY32 mov ss, eax
    TRY32 mov al, cs:[0x6000]
    TRY32 mov cs:[0x6800], al
    xor eax, eax
    mov fs, eax
    TRY32 mov al, fs:[0x6000]
    TRY32 mov ss, eax
    mov eax, 0x68
    TRY32 mov fs, eax
    TRY32 mov ss, eax
    mov eax, 0x23
    mov fs, eax
    mov eax, 0x28
    TRY32 mov fs, eax
    mov eax, 0x0c
    TRY32 mov fs, eax
    # a local descriptor table
    mov dword ptr [0x5008], 0x0000ffff
    mov dword ptr [0x500c], 0x00cf9200
    mov eax, 0x78
    lldt ax
    mov eax, 0x0c
    mov fs, eax
    mov eax, [0x500c] # the accessed bit is set
    RECORD32 eax
    mov eax, 0x1c
    TRY32 mov fs, eax
    hlt
END_GUEST segments

# Looking into the table.
GUEST selectors
    PROTECTED_START
    mov ecx, 0x40
    lsl eax, ecx
    pushfd
    RECORD32 eax
    pop eax
    and eax, 0x40
    RECORD32 eax
    mov ecx, 0x60
    lar eax, ecx
    RECORD32 eax
    mov ecx, 0x60
    lsl eax, ecx
    setz al
    movzx eax, al
    RECORD32 eax
    mov ecx, 0x58
    verr cx
    setz al
    mov ecx, 0x50
    verw cx
    setz ah
    mov ecx, 0x48
    verw cx
    setz ch
    movzx ecx, ch
    movzx eax, ax
    RECORD32 eax
    RECORD32 ecx
    mov eax, 0x1230
    mov ecx, 2
    arpl ax, cx
    setz cl
    RECORD32 eax
    movzx ecx, cl
    RECORD32 ecx
    hlt
END_GUEST selectors

# A call gate to CPL 0 with two parameters, and back; faults on the way.
GUEST call_gate
    PROTECTED_START
    mov eax, offset AT(3f)
    mov [0x5e00], eax
    mov ebx, offset AT(75b)
    mov [ebx + 0x38], ax
    mov dword ptr [ebx + 0x3a], 0xec020008
    mov word ptr [ebx + 0x3e], 0
    mov edi, offset AT(5f)
    mov ebp, offset AT(2f)
    TO_USER32 1f
1:  push 0x1111
    push 0x2222
    mov eax, ds
    .byte 0x9a
    .long 0
    .word 0x38
2:  ud2
3:  mov eax, 0x10
    mov ds, eax
    mov [esi], esp
    mov eax, [esp]
    sub eax, ebp
    mov [esi + 8], eax
    mov eax, [esp + 4]
    mov [esi + 16], eax
    mov eax, [esp + 8]
    mov [esi + 24], eax
    mov eax, [esp + 12]
    mov [esi + 32], eax
    mov eax, [esp + 16]
    mov [esi + 40], eax
    mov eax, [esp + 20]
    mov [esi + 48], eax
    mov eax, cs
    mov [esi + 56], eax
    add esi, 64
    retf 8
5:  hlt
END_GUEST call_gate

GUEST tasks
    PROTECTED_START
    mov dword ptr [TSS_B + 32], offset AT(2f)
    mov dword ptr [TSS_B + 36], 2
    mov dword ptr [TSS_B + 40], 0x77
    mov dword ptr [TSS_B + 56], 0x5c00
    mov dword ptr [TSS_B + 64], RESULTS
    mov dword ptr [TSS_B + 72], 0x10
    mov dword ptr [TSS_B + 76], 8
    mov dword ptr [TSS_B + 80], 0x10
    mov dword ptr [TSS_B + 84], 0x10
    mov eax, 0x1234
    .byte 0x9a # CALL task B
    .long 0
    .word 0x30
1:  RECORD32 eax
    mov eax, [TSS_B + 40]
    RECORD32 eax
    str eax
    RECORD32 eax
    mov ebx, offset AT(75b)
    movzx eax, byte ptr [ebx + 0x2d]
    RECORD32 eax
    movzx eax, byte ptr [ebx + 0x35]
    RECORD32 eax
    # JMP to a busy one, and to a short one
    mov ebp, offset AT(3f)
    mov edi, offset AT(4f)
3:  .byte 0xea
    .long 0
    .word 0x28
4:  mov ebp, offset AT(3f)
    mov edi, offset AT(4f)
3:  .byte 0xea
    .long 0
    .word 0x70
4:  # JMP through a task gate; it comes back with JMP
    mov dword ptr [TSS_B + 32], offset AT(5f)
    mov [TSS_B + 64], esi
    .byte 0xea
    .long 0
    .word 0x60
    RECORD32 eax
    # a task gate for #UD
    mov dword ptr [IDT + 6 * 8], 0x00300000
    mov dword ptr [IDT + 6 * 8 + 4], 0x00008500
    mov dword ptr [TSS_B + 32], offset AT(6f)
    mov [TSS_B + 64], esi
    ud2
2:  mov dword ptr [esi], 0xb # in task B
    mov [esi + 8], eax
    pushfd
    pop eax
    mov [esi + 16], eax
    mov eax, cr0
    and eax, 8
    mov [esi + 24], eax
    movzx eax, word ptr [TSS_B]
    mov [esi + 32], eax
    mov eax, [TSS_A + 40]
    mov [esi + 40], eax
    mov eax, [TSS_A + 32]
    sub eax, offset AT(1b)
    mov [esi + 48], eax
    add dword ptr [TSS_A + 64], 56
    clts
    mov eax, 0x99
    iretd
5:  mov dword ptr [esi], 0xbb
    pushfd
    pop eax
    mov [esi + 8], eax
    add dword ptr [TSS_A + 64], 16
    .byte 0xea
    .long 0
    .word 0x28
6:  mov eax, [TSS_A + 36]
    and eax, 0x10000
    mov [esi], eax
    movzx eax, word ptr [TSS_B]
    mov [esi + 8], eax
    hlt
END_GUEST tasks

# A task with a 16-bit TSS, called from one with a 32-bit TSS.
GUEST tasks16
    PROTECTED_START
    mov ebx, offset AT(75b)
    mov byte ptr [ebx + 0x35], 0x81
    mov eax, offset AT(2f)
    mov [TSS_B + 14], ax
    mov word ptr [TSS_B + 16], 2
    mov word ptr [TSS_B + 18], 0x77
    mov word ptr [TSS_B + 26], 0x5c00
    mov word ptr [TSS_B + 30], RESULTS
    mov word ptr [TSS_B + 34], 0x10
    mov word ptr [TSS_B + 36], 8
    mov word ptr [TSS_B + 38], 0x10
    mov word ptr [TSS_B + 40], 0x10
    mov word ptr [TSS_B + 42], 0
    mov eax, 0x12345
    .byte 0x9a # CALL task B
    .long 0
    .word 0x30
1:  RECORD32 eax
    movzx eax, word ptr [TSS_B + 18]
    RECORD32 eax
    movzx eax, byte ptr [ebx + 0x2d]
    RECORD32 eax
    movzx eax, byte ptr [ebx + 0x35]
    RECORD32 eax
    hlt
2:  movzx esi, si # in task B; upper halves of its registers are not defined
    movzx esp, sp
    movzx eax, ax
    mov [esi], eax
    pushfd
    pop eax
    mov [esi + 8], eax
    movzx eax, word ptr [TSS_B]
    mov [esi + 16], eax
    mov eax, [TSS_A + 32]
    sub eax, offset AT(1b)
    mov [esi + 24], eax
    str eax
    mov [esi + 32], eax
    mov ax, fs
    mov [esi + 40], ax
    add dword ptr [TSS_A + 64], 48
    mov ax, 0x99
    iretd
END_GUEST tasks16

# Virtual-8086 mode: in by IRET, out by a fault and by an interrupt.
GUEST virtual_8086
    PROTECTED_START
    mov esi, RESULTS + 0x80
    mov ebp, offset AT(2f) - 1 - 0x8000
    mov edi, offset AT(2f)
    push 0x600 # GS
    push 0x600
    push 0x600
    push 0x600 # ES
    push 0x500 # SS
    push 0xf00
    push 0x20002
    push 0x800
    push offset AT(1f) - 0x8000
    iretd
    .code16
1:  mov ax, 0x77
    mov ds:[0], ax
    mov ax, cs
    mov fs:[8], ax
    mov [0x10], sp
    push 0x1234
    pop ax
    mov [0x18], ax
    cli
    .code32
2:  mov ebp, offset AT(4f) - 1 - 0x8000
    mov edi, offset AT(4f)
    push 0x600
    push 0x600
    push 0x601
    push 0x600
    push 0x500
    push 0xf00
    push 0x23002
    push 0x800
    push offset AT(3f) - 0x8000
    iretd
    .code16
3:  cli
    sti
    pushf
    pop ax
    mov es:[0x20], ax
    xor dx, dx
    in al, dx
    .code32
4:  hlt
END_GUEST virtual_8086

GUEST paging32
    PROTECTED_START
    mov eax, 0x200000 # page directory: 4 MiB page 0, table for 4 MiB up
    mov dword ptr [0x200000], 0x83
    mov dword ptr [0x200004], 0x201007
    mov dword ptr [0x201000], 0x6005
    mov dword ptr [0x201004], 0x7007
    mov cr3, eax
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    TRY32 mov [0x400800], eax
    mov dword ptr [0x401100], 0x55
    mov eax, [0x7100]
    RECORD32 eax
    TRY32 mov eax, [0x402000]
    mov eax, [0x200000]
    RECORD32 eax
    mov eax, [0x200004]
    RECORD32 eax
    mov eax, [0x201004]
    RECORD32 eax
    # PAE: two levels below four pointers
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    mov dword ptr [0x202000], 0x203001
    mov dword ptr [0x202008], 0
    mov dword ptr [0x203000], 0x83
    mov dword ptr [0x203008], 0x200083
    mov dword ptr [0x203010], 0x204003
    mov dword ptr [0x204000], 0x6003
    mov dword ptr [0x204008], 0x7003
    mov dword ptr [0x20400c], 0x80000000
    mov eax, cr4
    or eax, 0x20
    mov cr4, eax
    mov eax, 0x202000
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x800
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    mov dword ptr [0x400400], 0x66
    mov eax, [0x6400]
    RECORD32 eax
    mov dword ptr [0x6400], 0
    mov eax, 0x401000
    mov ebp, eax
    mov edi, offset AT(1f)
    jmp eax
1:  TRY32 mov eax, [0x40000000]
    mov dword ptr [0x202008], 0x203003
    mov eax, 0x202000
    TRY32 mov cr3, eax
    hlt
END_GUEST paging32

    .section .note.GNU-stack, "", @progbits
