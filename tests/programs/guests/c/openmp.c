// SPDX-License-Identifier: BSD-3-Clause
// OpenMP: reductions, schedules, critical, tasks, barriers, ordered, locks.
#include <omp.h>
#include <stdio.h>

static long fib(int n)
{
    long a, b;

    if (n < 10)
        return n < 2 ? n : fib(n - 1) + fib(n - 2);
#pragma omp task shared(a)
    a = fib(n - 1);
#pragma omp task shared(b)
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

int main(void)
{
    long sum = 0, product = 1, criticals = 0, atomics = 0, result = 0;
    int seen[4] = {0}, phases = 0;
    omp_lock_t lock;

    omp_set_num_threads(4);
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 100)
    for (int i = 0; i < 20000; i++)
        sum += i % 7 * (i & 3);
#pragma omp parallel for reduction(* : product) schedule(static)
    for (int i = 1; i <= 15; i++)
        product *= i;
    omp_init_lock(&lock);
#pragma omp parallel
    {
        seen[omp_get_thread_num()] = omp_get_num_threads();
#pragma omp critical
        criticals += 3;
        for (int i = 0; i < 100; i++) {
#pragma omp atomic
            atomics++;
        }
#pragma omp barrier
#pragma omp single
        phases++;
        omp_set_lock(&lock);
        result++;
        omp_unset_lock(&lock);
    }
#pragma omp parallel for ordered
    for (int i = 0; i < 8; i++) {
#pragma omp ordered
        printf("%d ", i);
    }
    printf("\n%ld %ld %ld %ld %d%d%d%d %d %ld\n", sum, product, criticals, atomics, seen[0],
           seen[1], seen[2], seen[3], phases, result);
#pragma omp parallel
#pragma omp single
    result = fib(17);
    printf("%ld\n", result);
    omp_destroy_lock(&lock);
    return 0;
}
