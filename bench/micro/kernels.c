// SPDX-License-Identifier: BSD-3-Clause
// Loops of assembler: latencies, throughputs, mixes of ports, branches without a pattern, code
// size.
#include "micro.h"

#include <stddef.h>

#define REP(times, text) ".rept " #times "\n" text "\n.endr\n"
// Ten general registers, destinations of one instruction each.
#define EACH(op)                                                                                \
    op "%%rax\n" op "%%rcx\n" op "%%rdx\n" op "%%r8\n" op "%%r9\n" op "%%r10\n" op "%%r11\n" op \
       "%%r12\n" op "%%r13\n" op "%%r14\n"
#define EACH_SELF(op)                                                                            \
    op " %%eax, %%eax\n" op " %%ecx, %%ecx\n" op " %%edx, %%edx\n" op " %%r8d, %%r8d\n" op       \
       " %%r9d, %%r9d\n" op " %%r10d, %%r10d\n" op " %%r11d, %%r11d\n" op " %%r12d, %%r12d\n" op \
       " %%r13d, %%r13d\n" op " %%r14d, %%r14d\n"
#define EIGHT(op, r)                                                                          \
    op "%%" r "0\n" op "%%" r "1\n" op "%%" r "2\n" op "%%" r "3\n" op "%%" r "4\n" op "%%" r \
       "5\n" op "%%" r "6\n" op "%%" r "7\n"
#define TEN(op, r) EIGHT(op, r) op "%%" r "8\n" op "%%" r "9\n"
#define EACH_XMM(op) EIGHT(op, "xmm")
#define EACH_YMM(op, unused) EIGHT(op, "ymm")
#define EACH10_XMM(op) TEN(op, "xmm")
#define EACH10_YMM(op) TEN(op, "ymm")
#define STORES(op)                                                                       \
    op "(%%rdi)\n" op "8(%%rdi)\n" op "16(%%rdi)\n" op "24(%%rdi)\n" op "32(%%rdi)\n" op \
       "40(%%rdi)\n" op "48(%%rdi)\n" op "56(%%rdi)\n"
#define WIDE_STORES(op)                                                                    \
    op "(%%rdi)\n" op "32(%%rdi)\n" op "64(%%rdi)\n" op "96(%%rdi)\n" op "128(%%rdi)\n" op \
       "160(%%rdi)\n" op "192(%%rdi)\n" op "224(%%rdi)\n"
#define COPY(at) "mov " at "(%%rdi), %%rax\nmov %%rax, " at "(%%rsi)\n"
#define COPIES COPY("0") COPY("8") COPY("16") COPY("24") COPY("32") COPY("40") COPY("48") COPY("56")
// 1.0 in all elements of registers 0, 1, 14 and 15.
#define ONES                                                                            \
    "mov $0x3ff0000000000000, %%rax\nmovq %%rax, %%xmm1\nvpbroadcastq %%xmm1, %%ymm1\n" \
    "vmovdqa %%ymm1, %%ymm0\nvmovdqa %%ymm1, %%ymm14\nvmovdqa %%ymm1, %%ymm15"

#define K(id, group, what, ops, loops, first, body)                                              \
    static void run_##id(const struct micro *m, u64 n, u8 *buffer)                               \
    {                                                                                            \
        (void)m;                                                                                 \
        __asm__ volatile("push %%rbp\nmov $1, %%ebp\nvzeroall\n" first "\n.p2align 6\n1:\n" body \
                         "\ndec %%rbx\njnz 1b\npop %%rbp\n"                                      \
                         : "+b"(n), "+D"(buffer)                                                 \
                         :                                                                       \
                         : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13",   \
                           "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", \
                           "xmm7", "xmm8", "xmm9", "xmm14", "xmm15", "memory", "cc");            \
    }
#include "kernels.def"
#undef K

// Registers as every kernel finds them.
static void clear(const struct micro *m, u8 *buffer)
{
    (void)m;
    for (int i = 0; i < MICRO_PAGE; i++)
        buffer[i] = buffer[MICRO_PAGE + i] = 0;
}

#define K(id, g, w, o, l, first, body) \
    {.name = #id, .group = #g, .what = w, .ops = o, .loops = l, .run = run_##id, .prepare = clear},
const struct micro micro_kernels[] = {
#include "kernels.def"
    {.name = NULL},
};
