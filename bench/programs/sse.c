// SPDX-License-Identifier: BSD-3-Clause
// SSE2: the Mandelbrot set four points at a time, and 16-bit integer vectors.
#include <emmintrin.h>
#include <string.h>

#include "bench.h"

static __m128i escape_times(__m128 cx, __m128 cy)
{
    __m128 x = cx, y = cy, four = _mm_set1_ps(4);
    __m128i count = _mm_setzero_si128();

    for (int i = 0; i < 64; i++) {
        __m128 xx = _mm_mul_ps(x, x), yy = _mm_mul_ps(y, y), xy = _mm_mul_ps(x, y);
        __m128 inside = _mm_cmplt_ps(_mm_add_ps(xx, yy), four);

        if (_mm_movemask_ps(inside) == 0)
            break;
        count = _mm_sub_epi32(count, _mm_castps_si128(inside));
        x = _mm_add_ps(_mm_sub_ps(xx, yy), cx);
        y = _mm_add_ps(_mm_add_ps(xy, xy), cy);
    }
    return count;
}

static u64 sum_of(__m128i v)
{
    u32 lane[4];

    memcpy(lane, &v, sizeof(lane));
    return (u64)lane[0] + lane[1] * 3ull + lane[2] * 5ull + lane[3] * 7ull;
}

static u64 round_of_work(void)
{
    __m128i words = _mm_set_epi16(1, 2, 3, 4, 5, 6, 7, 8), total = _mm_setzero_si128();
    u64 sum = 0;

    for (int row = 0; row < 220; row++) {
        __m128 cy = _mm_set1_ps((float)row * 0.01f - 1.1f);

        for (int column = 0; column < 300; column += 4) {
            float c = (float)column * 0.01f - 2.0f;

            sum += sum_of(escape_times(_mm_set_ps(c + 0.03f, c + 0.02f, c + 0.01f, c), cy));
        }
    }
    for (int i = 0; i < 600000; i++) {
        words = _mm_add_epi16(_mm_mullo_epi16(words, _mm_set1_epi16(75)), _mm_set1_epi16(74));
        total = _mm_add_epi32(total, _mm_madd_epi16(words, _mm_shufflelo_epi16(words, 0x1b)));
        total = _mm_xor_si128(total, _mm_unpacklo_epi8(words, total));
    }
    return sum + sum_of(total);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, round_of_work, 0x6d1d371bfull);
}
