// SPDX-License-Identifier: BSD-3-Clause
// Loops that compilers like to vectorise, in integers, floats and doubles; prints their results.
#include <complex.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4000 };
static float f[N];
static double d[N], e[N];
static int32_t i32[N];
static int64_t i64[N];
static uint8_t u8[N], v8[N];
static int16_t i16[N];

static uint64_t digest(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t h = 1469598103934665603;

    for (size_t i = 0; i < size; i++)
        h = (h ^ bytes[i]) * 1099511628211;
    return h;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    double sum = 0;
    double complex z = 0.3 + 0.4 * I;
    long double l = 1;
    unsigned __int128 wide = 1;
    int64_t best = INT64_MIN;
    unsigned bits = 0, x = 12345;

    for (int i = 0; i < N; i++) {
        x = x * 1664525u + 1013904223u;
        f[i] = (float)(int)x / 65536;
        d[i] = (double)x / 1e6 - 2000;
        i32[i] = (int32_t)(x >> 3);
        i64[i] = (int64_t)((uint64_t)x << 20) - 5 * (int64_t)x;
        u8[i] = (uint8_t)(x >> 24);
        i16[i] = (int16_t)(x >> 16);
    }
    for (int i = 0; i < N; i++) {
        sum += d[i] * d[(i * 7) % N];
        best = i64[i] > best ? i64[i] : best;
        bits += (unsigned)__builtin_popcount((unsigned)i32[i]) +
                (unsigned)__builtin_ctz((unsigned)i32[i] | 256);
        e[i] = sqrt(fabs(d[i])) + floor(d[i]) - trunc(d[i] * 0.5);
        v8[i] = (uint8_t)((u8[i] + u8[N - 1 - i] + 1) >> 1);
        i32[i] = i32[i] / 7 + (i32[i] % 13) * abs(i16[i]);
        f[i] = fmaf(f[i], 1.5f, -0.25f) + (float)i16[i];
        l += l / (i + 1) - 0.5L * (i & 1);
        wide = wide * 1000003 + x % (unsigned)(i + 1);
        z = z * z + 0.1 * I;
    }
    qsort(d, N, sizeof(d[0]), compare);
    memmove(u8 + 3, u8, N - 100);
    printf("%.17g %lld %u %016llx %016llx\n", sum, (long long)best, bits,
           (unsigned long long)digest(e, sizeof(e)), (unsigned long long)digest(v8, sizeof(v8)));
    printf("%016llx %016llx %016llx %016llx\n", (unsigned long long)digest(i32, sizeof(i32)),
           (unsigned long long)digest(f, sizeof(f)), (unsigned long long)digest(d, sizeof(d)),
           (unsigned long long)digest(u8, sizeof(u8)));
    printf("%.20Lg %016llx%016llx %.12g %.12g\n", l, (unsigned long long)(wide >> 64),
           (unsigned long long)wide, creal(z), cimag(z));
    printf("%.17g %.17g %.17g %.17g %.17g\n", sin(d[5]), cos(1e10), exp(-d[N / 2] / 1e3),
           log(d[N - 1]), pow(1.7, 33.3));
    printf("%.9g %.9g %.17g %.17g %d\n", (double)sinf(1.5f), (double)powf(2.5f, 3.5f), tgamma(4.5),
           cbrt(d[7]), ilogb(d[9]));
    printf("%.18Lg %.18Lg %.18Lg %.18Lg\n", sinl(0.7L), expl(1.3L), logl(77.5L), atan2l(1, 3));
    return 0;
}
