// SPDX-License-Identifier: BSD-3-Clause
// Strings: rep movs, stos and scas, SSE4.2 string compares, and plain byte loops.
#include <nmmintrin.h>

#include "bench.h"

enum { SIZE = 16384 };

static u8 text[SIZE + 16], copy[SIZE + 16];

static void rep_move(void *to, const void *from, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void rep_store(void *to, u64 value, size_t words)
{
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(value) : "memory");
}

static size_t rep_find(const u8 *s, u8 wanted, size_t n)
{
    const u8 *p = s;

    __asm__ volatile("repne scasb" : "+D"(p), "+c"(n) : "a"(wanted) : "memory", "cc");
    return (size_t)(p - s);
}

// Bytes that are vowels, sixteen at a time.
static u64 count_vowels(const u8 *s)
{
    const __m128i vowels = _mm_setr_epi8('a', 'e', 'i', 'o', 'u', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    u64 count = 0;

    for (int i = 0; i < SIZE; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(s + i));
        __m128i mask = _mm_cmpestrm(vowels, 5, v, 16, _SIDD_CMP_EQUAL_ANY | _SIDD_BIT_MASK);

        count += (u64)__builtin_popcount((unsigned)_mm_cvtsi128_si32(mask));
    }
    return count;
}

static u64 count_words(const u8 *s)
{
    u64 words = 0;
    u8 last = ' ';

    for (int i = 0; i < SIZE; i++) {
        words += s[i] != ' ' && last == ' ';
        last = s[i];
        __asm__ volatile("" : "+r"(last)); // a byte at a time, not vectors
    }
    return words;
}

static u64 round_of_work(void)
{
    u64 sum = 0;
    u32 crc = 0;

    for (int pass = 0; pass < 200; pass++) {
        rep_store(copy, (u64)pass * 0x0101010101010101ull, SIZE / 8);
        rep_move(copy, text + pass, SIZE - (size_t)pass);
        sum += rep_find(copy, '#', SIZE) + count_vowels(copy) + count_words(copy);
        for (int i = 0; i < SIZE; i += 64)
            crc = (u32)_mm_crc32_u64(crc, copy[i] | (u64)copy[i + 1] << 32);
    }
    return sum << 32 ^ crc;
}

int main(int argc, char **argv)
{
    u64 state = 5;

    for (int i = 0; i < SIZE; i++) {
        u64 r = bench_random(&state) >> 32;

        text[i] = r % 6 == 0 ? ' ' : (u8)('a' + r % 26);
    }
    text[SIZE - 1000] = '#';
    return bench_main(argc, argv, round_of_work, 0x3bd7ddfe3d157dull);
}
