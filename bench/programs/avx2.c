// SPDX-License-Identifier: BSD-3-Clause
// AVX2 and FMA: a filter over doubles, and byte shuffles and sums over integers.
#include <immintrin.h>
#include <string.h>

#include "bench.h"

enum { SAMPLES = 16384, TAPS = 16, BYTES = 65536 };

static double input[SAMPLES + TAPS], output[SAMPLES], taps[TAPS];
static u8 bytes[BYTES];

static void filter(void)
{
    for (int i = 0; i < SAMPLES; i += 4) {
        __m256d sum = _mm256_setzero_pd();

        for (int k = 0; k < TAPS; k++)
            sum = _mm256_fmadd_pd(_mm256_set1_pd(taps[k]), _mm256_loadu_pd(&input[i + k]), sum);
        _mm256_storeu_pd(&output[i], sum);
    }
}

static u64 shuffle_bytes(u64 seed)
{
    __m256i table = _mm256_set1_epi64x((long long)seed), zero = _mm256_setzero_si256();
    __m256i nibble = _mm256_set1_epi8(15), total = zero;
    u64 lane[4];

    for (int i = 0; i < BYTES; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)&bytes[i]);
        __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(v, nibble));
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);

        low = _mm256_add_epi8(low, _mm256_shuffle_epi8(table, high));
        total = _mm256_add_epi64(total, _mm256_sad_epu8(low, zero));
        table = _mm256_permute4x64_epi64(_mm256_alignr_epi8(table, low, 1), 0x93);
    }
    memcpy(lane, &total, sizeof(lane));
    return lane[0] + lane[1] + lane[2] + lane[3];
}

static u64 round_of_work(void)
{
    u64 sum = 0, bits;

    for (int pass = 0; pass < 30; pass++) {
        filter();
        for (int i = 0; i < SAMPLES; i += 64) {
            memcpy(&bits, &output[i], sizeof(bits));
            sum = sum * 31 + bits;
        }
        for (int k = 0; k < 4; k++)
            sum += shuffle_bytes(sum);
    }
    return sum;
}

int main(int argc, char **argv)
{
    u64 state = 3;

    for (int i = 0; i < SAMPLES + TAPS; i++)
        input[i] = (double)(bench_random(&state) >> 40) * 0x1p-24;
    for (int k = 0; k < TAPS; k++)
        taps[k] = 1.0 / (k + 1);
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (u8)bench_random(&state);
    return bench_main(argc, argv, round_of_work, 0xa20bfee26ca5acaeull);
}
