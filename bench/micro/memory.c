// SPDX-License-Identifier: BSD-3-Clause
// Pointer chases, streams, strides, reach of the TLBs.
#include "micro.h"

#include <stddef.h>

enum { KB = 1 << 10, MB = 1 << 20 };

// ---- chases: a cycle through all lines (kind 0) or one line of each page (kind 1) in an order
// that looks random: a linear congruence over a power of two, its low bits mixed with the high ones

static u8 *place;

static u64 bits_for(u64 n)
{
    u64 bits = 1;

    while (1ull << bits < n)
        bits++;
    return bits;
}

static u64 offset_of(const struct micro *m, u64 i)
{
    return m->kind ? i * MICRO_PAGE + i * MICRO_LINE % MICRO_PAGE : i * MICRO_LINE;
}

static void prepare_chase(const struct micro *m, u8 *buffer)
{
    u64 n = m->size / (m->kind ? MICRO_PAGE : MICRO_LINE), bits = bits_for(n);
    u64 mask = (1ull << bits) - 1, half = (bits + 1) / 2;

    for (u64 i = 0; i < n; i++) {
        u64 to = i;

        do {
            to ^= to >> half;
            to = (to * 0x9e3779b5u + 0x3c6ef373u) & mask;
            to ^= to >> half;
        } while (to >= n);
        *(u8 **)(buffer + offset_of(m, i)) = buffer + offset_of(m, to);
    }
    place = buffer;
}

// Goes on where the last run ended, so that large chases do not see the same lines again.
static void run_chase(const struct micro *m, u64 n, u8 *buffer)
{
    u8 *p = place;

    (void)m;
    (void)buffer;
    __asm__ volatile(".p2align 6\n1:\n.rept 16\nmov (%0), %0\n.endr\ndec %1\njnz 1b"
                     : "+r"(p), "+r"(n)
                     :
                     : "memory", "cc");
    place = p;
}

// ---- streams over m->size bytes, `loops` lines each time; copies are to the m->size bytes behind

static u64 stream_at;

static void prepare_stream(const struct micro *m, u8 *buffer)
{
    u64 step = m->size > 16 * MB ? MICRO_PAGE : MICRO_LINE;

    for (u64 i = 0; i < m->size; i += step) {
        *(volatile u8 *)(buffer + i) = 0;
        if (m->kind == 2)
            *(volatile u8 *)(buffer + m->size + i) = 0;
    }
    stream_at = 0;
}

static void read_lines(u8 *p, u8 *q, u64 n)
{
    (void)q;
    __asm__ volatile(".p2align 6\n"
                     "1: vmovdqa (%0), %%ymm0\nvmovdqa 32(%0), %%ymm1\n"
                     "add $64, %0\ndec %1\njnz 1b\nvzeroupper"
                     : "+r"(p), "+r"(n)
                     :
                     : "xmm0", "xmm1", "memory", "cc");
}

static void write_lines(u8 *p, u8 *q, u64 n)
{
    (void)q;
    __asm__ volatile(".p2align 6\n"
                     "1: vmovdqa %%ymm0, (%0)\nvmovdqa %%ymm0, 32(%0)\n"
                     "add $64, %0\ndec %1\njnz 1b\nvzeroupper"
                     : "+r"(p), "+r"(n)
                     :
                     : "memory", "cc");
}

static void copy_lines(u8 *p, u8 *q, u64 n)
{
    __asm__ volatile(".p2align 6\n"
                     "1: vmovdqa (%0), %%ymm0\nvmovdqa 32(%0), %%ymm1\n"
                     "vmovdqa %%ymm0, (%1)\nvmovdqa %%ymm1, 32(%1)\n"
                     "add $64, %0\nadd $64, %1\ndec %2\njnz 1b\nvzeroupper"
                     : "+r"(p), "+r"(q), "+r"(n)
                     :
                     : "xmm0", "xmm1", "memory", "cc");
}

// Goes on where the last run ended, and from the begin again at the end.
static void run_stream(const struct micro *m, u64 n, u8 *buffer)
{
    static void (*const how[])(u8 *, u8 *, u64) = {read_lines, write_lines, copy_lines};

    while (n) {
        u64 left = (m->size - stream_at) / MICRO_LINE, piece = n < left ? n : left;
        u8 *at = buffer + stream_at;

        how[m->kind](at, at + m->size, piece);
        n -= piece;
        stream_at = (stream_at + piece * MICRO_LINE) % m->size;
    }
}

// ---- one load every m->kind bytes, in turn over m->size bytes

static void run_stride(const struct micro *m, u64 n, u8 *buffer)
{
    u8 *p = buffer + stream_at;
    u64 stride = m->kind;

    if (stream_at + n * stride > m->size)
        p = buffer + (stream_at = 0);
    stream_at += n * stride;
    __asm__ volatile(".p2align 6\n1: mov (%0), %%rax\nadd %2, %0\ndec %1\njnz 1b"
                     : "+r"(p), "+r"(n)
                     : "r"(stride)
                     : "rax", "memory", "cc");
}

#define CHASE(id, text, bytes, loops_)                                                             \
    {                                                                                              \
        .name = id, .group = "memory", .what = text, .ops = 16, .loops = loops_, .run = run_chase, \
        .prepare = prepare_chase, .size = bytes                                                    \
    }
#define PAGES(id, text, pages, loops_)                                                             \
    {                                                                                              \
        .name = id, .group = "memory", .what = text, .ops = 16, .loops = loops_, .run = run_chase, \
        .prepare = prepare_chase, .size = (u64)(pages)*MICRO_PAGE, .kind = 1                       \
    }
#define STREAM(id, text, how, bytes, loops_)                                                       \
    {                                                                                              \
        .name = id, .group = "memory", .what = text, .ops = 1, .loops = loops_, .run = run_stream, \
        .prepare = prepare_stream, .size = bytes, .kind = KIND_##how                               \
    }
#define STRIDE(id, text, bytes, stride, loops_)                                                    \
    {                                                                                              \
        .name = id, .group = "memory", .what = text, .ops = 1, .loops = loops_, .run = run_stride, \
        .prepare = prepare_stream, .size = bytes, .kind = stride                                   \
    }
enum { KIND_read = 0, KIND_write = 1, KIND_copy = 2 };

const struct micro micro_memory[] = {
    CHASE("chase_16k", "load, random order in 16 KiB", 16 * KB, 300),
    CHASE("chase_256k", "load, random order in 256 KiB", 256 * KB, 512),
    CHASE("chase_4m", "load, random order in 4 MiB", 4 * MB, 16),
    CHASE("chase_24m", "load, random order in 24 MiB", 24 * MB, 16),
    CHASE("chase_128m", "load, random order in 128 MiB", 128 * MB, 100),
    PAGES("pages_32", "load, one line in each of 32 pages", 32, 200),
    PAGES("pages_128", "load, one line in each of 128 pages", 128, 200),
    PAGES("pages_2048", "load, one line in each of 2048 pages", 2048, 256),
    PAGES("pages_8192", "load, one line in each of 8192 pages", 8192, 32),
    STREAM("read_16k", "line read, 16 KiB", read, 16 * KB, 2048),
    STREAM("read_256k", "line read, 256 KiB", read, 256 * KB, 4096),
    STREAM("read_4m", "line read, 4 MiB", read, 4 * MB, 8192),
    STREAM("read_64m", "line read, 64 MiB", read, 64 * MB, 8192),
    STREAM("write_16k", "line written, 16 KiB", write, 16 * KB, 2048),
    STREAM("write_256k", "line written, 256 KiB", write, 256 * KB, 4096),
    STREAM("write_4m", "line written, 4 MiB", write, 4 * MB, 8192),
    STREAM("write_64m", "line written, 64 MiB", write, 64 * MB, 8192),
    STREAM("copy_16k", "line copied, 2 x 16 KiB", copy, 16 * KB, 2048),
    STREAM("copy_256k", "line copied, 2 x 256 KiB", copy, 256 * KB, 4096),
    STREAM("copy_4m", "line copied, 2 x 4 MiB", copy, 4 * MB, 8192),
    STREAM("copy_64m", "line copied, 2 x 64 MiB", copy, 64 * MB, 4096),
    STRIDE("stride_256", "load every 256 bytes of 512 KiB", 512 * KB, 256, 2048),
    STRIDE("stride_4160", "load every 4160 bytes of 4 MiB", 4 * MB, 4160, 1000),
    {.name = NULL},
};
