// SPDX-License-Identifier: BSD-3-Clause
// The host processor's instruction sets. facet runs vector and x87 instructions of the guest on the
// host's own units, so a guest level needs its vector sets here. One instruction of each set is
// executed in a child process: CPUID may promise what the operating system does not enable.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/host_priv.h"

#define TRIAL(name, text)                                          \
    static void run_##name(void *result)                           \
    {                                                              \
        __asm__ volatile(text ::: "memory", "rax", "rcx", "xmm0"); \
        *(char *)result = 1;                                       \
    }

TRIAL(sse2, "paddq %%xmm0, %%xmm0")
TRIAL(sse3, "haddps %%xmm0, %%xmm0")
TRIAL(ssse3, "pshufb %%xmm0, %%xmm0")
TRIAL(sse41, "pmuldq %%xmm0, %%xmm0")
TRIAL(sse42, "pcmpgtq %%xmm0, %%xmm0")
TRIAL(popcnt, "popcnt %%rax, %%rax")
TRIAL(avx, "vaddps %%ymm0, %%ymm0, %%ymm0")
TRIAL(avx2, "vpaddq %%ymm0, %%ymm0, %%ymm0")
TRIAL(fma, "vfmadd132ps %%ymm0, %%ymm0, %%ymm0")
TRIAL(f16c, "vcvtph2ps %%xmm0, %%ymm0")
TRIAL(bmi1, "andn %%rax, %%rax, %%rax")
TRIAL(bmi2, "pdep %%rax, %%rax, %%rax")
TRIAL(lzcnt, "lzcnt %%rax, %%rax")
TRIAL(movbe, "movbe -8(%%rsp), %%rax")
TRIAL(aes, "aesenc %%xmm0, %%xmm0")
TRIAL(pclmul, "pclmulqdq $0, %%xmm0, %%xmm0")
TRIAL(sha, "sha1msg1 %%xmm0, %%xmm0")
TRIAL(avx512f, "vpaddq %%zmm0, %%zmm0, %%zmm0")

static void run_cx16(void *result)
{
    u128 pair = 0;

    __asm__ volatile("lock cmpxchg16b %0"
                     : "+m"(pair)
                     : "a"(0ul), "d"(0ul), "b"(0ul), "c"(0ul)
                     : "cc", "memory");
    *(char *)result = 1;
}

static const struct {
    const char *name;
    void (*run)(void *result);
    int level; // the guest level that holds it: 1 to 3; 4: beyond; 0: an extra set
} sets[] = {
    {"sse2", run_sse2, 1},       {"sse3", run_sse3, 2},     {"ssse3", run_ssse3, 2},
    {"sse4.1", run_sse41, 2},    {"sse4.2", run_sse42, 2},  {"popcnt", run_popcnt, 2},
    {"cx16", run_cx16, 2},       {"avx", run_avx, 3},       {"avx2", run_avx2, 3},
    {"fma", run_fma, 3},         {"f16c", run_f16c, 3},     {"bmi1", run_bmi1, 3},
    {"bmi2", run_bmi2, 3},       {"lzcnt", run_lzcnt, 3},   {"movbe", run_movbe, 3},
    {"aes", run_aes, 0},         {"pclmul", run_pclmul, 0}, {"sha", run_sha, 0},
    {"avx512f", run_avx512f, 4},
};

// The processor's own name, from CPUID leaves 0x80000002 to 4.
static void model_name(char name[49])
{
    unsigned *word = (unsigned *)name;
    char *start = name;

    for (unsigned leaf = 0x80000002; leaf <= 0x80000004; leaf++, word += 4)
        __asm__("cpuid"
                : "=a"(word[0]), "=b"(word[1]), "=c"(word[2]), "=d"(word[3])
                : "a"(leaf), "c"(0));
    name[48] = 0;
    start += strspn(start, " ");
    memmove(name, start, strlen(start) + 1);
}

static void add_level(struct facet_host *host, const char *name, int level, const char *missing)
{
    static const char *const lower[] = {"", "", "x86-64-v1", "x86-64-v2"};
    struct facet_finding *finding;

    if (!missing[0]) {
        finding =
            host_add(host, "cpu", name, FACET_GOOD, "guests of level x86-64-v%d can run", level);
    } else {
        finding = host_add(host, "cpu", name, FACET_MISSING, "without%s", missing);
        if (level > 1)
            host_advise(finding, "give 'facet exec' the option --cpuid %s", lower[level]);
    }
    finding->needed = level == 1;
}

void host_probe_cpu(struct facet_host *host)
{
    static const char *const level_names[] = {"", "cpu.x86-64-v1", "cpu.x86-64-v2",
                                              "cpu.x86-64-v3"};
    char present[256] = "", missing[4][128] = {"", "", "", ""}, name[49];

    model_name(name);
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        struct host_trial trial = host_try(sets[i].run, 2);
        char *list = trial.returned ? present : missing[sets[i].level & 3];
        size_t room = trial.returned ? sizeof(present) : sizeof(missing[0]), n = strlen(list);

        snprintf(list + n, room - n, " %s", sets[i].name);
    }
    host_add(host, "cpu", "cpu.model", FACET_GOOD, "%s", name);
    host_add(host, "cpu", "cpu.sets", FACET_GOOD, "%s", present + 1);
    for (int level = 1; level <= 3; level++) {
        // a level holds the ones below it
        for (int below = 1; below < level; below++) {
            size_t n = strlen(missing[level]);

            if (!strstr(missing[level], missing[below]))
                snprintf(missing[level] + n, sizeof(missing[0]) - n, "%s", missing[below]);
        }
        add_level(host, level_names[level], level, missing[level]);
    }
}
