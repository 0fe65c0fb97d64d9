// SPDX-License-Identifier: BSD-3-Clause
// CPUID: SDM vol. 2A, AMD64 APM vol. 3 appendix E. One table (feature.def) says what is shown; the
// rest follows from it. There is never a hypervisor leaf: its interfaces could not be served.
//
// Why the vendor is GenuineIntel and the model is one that no product has: Linux calibrates the TSC
// from leaf 15H and glibc takes cache sizes from leaf 4 for this vendor only (with an unknown one
// glibc's memcpy falls to non-temporal stores from 16 KiB on), while its lists of errata, microcode
// revisions and vulnerabilities go by model and thus do not match.
#include "isa/x86/cpuid.h"

#include "base/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { EAX, EBX, ECX, EDX, NONE };

enum { LEAF_MAX = 0x16, LEAF_EXT_MAX = 8 };

// Family 6, model F0H, stepping 1.
enum { SIGNATURE = 0xf0601 };

// The crystal that the TSC is a multiple of, and that local APICs count. Software multiplies by the
// ratio in 32 bits, so there is either a small one or none.
u32 x86_crystal_khz(u32 tsc_khz)
{
    return tsc_khz % 25000 == 0 ? 25000 : tsc_khz;
}

static const struct {
    const char *name;
    u32 leaf;
    u8 subleaf, reg, bit, level;
} features[X86_FEATURES] = {
#define FEATURE(name, leaf, subleaf, reg, bit, level, text) {#name, leaf, subleaf, reg, bit, level},
#include "isa/x86/feature.def"
#undef FEATURE
};

// Features that make no sense without another.
static const struct {
    u8 feature, needs;
} needs[] = {
    {X86_FEATURE_SSE, X86_FEATURE_FXSR},
    {X86_FEATURE_SSE2, X86_FEATURE_SSE},
    {X86_FEATURE_SSE3, X86_FEATURE_SSE2},
    {X86_FEATURE_SSSE3, X86_FEATURE_SSE3},
    {X86_FEATURE_SSE41, X86_FEATURE_SSSE3},
    {X86_FEATURE_SSE42, X86_FEATURE_SSE41},
    {X86_FEATURE_PCLMUL, X86_FEATURE_SSE2},
    {X86_FEATURE_AES, X86_FEATURE_SSE2},
    {X86_FEATURE_SHA, X86_FEATURE_SSSE3},
    {X86_FEATURE_AVX, X86_FEATURE_XSAVE},
    {X86_FEATURE_AVX, X86_FEATURE_SSE42},
    {X86_FEATURE_AVX2, X86_FEATURE_AVX},
    {X86_FEATURE_FMA, X86_FEATURE_AVX},
    {X86_FEATURE_F16C, X86_FEATURE_AVX},
    {X86_FEATURE_XSAVEOPT, X86_FEATURE_XSAVE},
    {X86_FEATURE_XSAVEC, X86_FEATURE_XSAVE},
    {X86_FEATURE_XGETBV1, X86_FEATURE_XSAVE},
    {X86_FEATURE_XSAVES, X86_FEATURE_XSAVEC},
    {X86_FEATURE_X2APIC, X86_FEATURE_APIC},
    {X86_FEATURE_TSC_DEADLINE, X86_FEATURE_APIC},
    {X86_FEATURE_MCA, X86_FEATURE_MCE},
    {X86_FEATURE_PSE36, X86_FEATURE_PSE},
    {X86_FEATURE_INVARIANT_TSC, X86_FEATURE_TSC},
    {X86_FEATURE_RDTSCP, X86_FEATURE_TSC},
    {X86_FEATURE_LM, X86_FEATURE_PAE},
    {X86_FEATURE_PDPE1GB, X86_FEATURE_LM},
    {X86_FEATURE_LA57, X86_FEATURE_LM},
};

// Leaf 4 and 80000006H. APPROX: the same for every machine, whatever caches are modelled.
static const struct {
    u8 type, level, ways;
    bool shared;
    u32 kib;
} caches[] = {
    {1, 1, 8, false, 32},
    {2, 1, 8, false, 32},
    {3, 2, 16, false, 1024},
    {3, 3, 16, true, 16384},
};

static bool get(const u64 set[4], u32 feature)
{
    return set[feature / 64] >> (feature % 64) & 1;
}

static void put(u64 set[4], u32 feature, bool on)
{
    u64 bit = 1ull << (feature % 64);

    set[feature / 64] = (set[feature / 64] & ~bit) | (on ? bit : 0);
}

// "sse4.1" and "SSE41" are the same.
static bool same_name(const char *feature, const char *word, size_t length)
{
    for (; length; word++, length--) {
        if (*word == '.' || *word == '_' || *word == '-')
            continue;
        while (*feature == '_')
            feature++;
        if (tolower((unsigned char)*feature) != tolower((unsigned char)*word))
            return false;
        feature++;
    }
    return *feature == 0;
}

// What can be asked for: not what is always there, follows from CR4, or could not be executed.
static bool offered(u32 feature)
{
    switch (feature) {
    case X86_FEATURE_BASE:
    case X86_FEATURE_NEVER:
    case X86_FEATURE_OSXSAVE:
    case X86_FEATURE_VME:
    case X86_FEATURE_MONITOR:
    case X86_FEATURE_XSAVES:
        return false;
    default:
        return true;
    }
}

static bool find_feature(const char *word, size_t length, u32 *ret, struct error *err)
{
    char copy[64];
    struct names_nearest nearest = {.word = copy};

    for (u32 f = 0; f < X86_FEATURES; f++)
        if (offered(f) && same_name(features[f].name, word, length)) {
            *ret = f;
            return true;
        }
    length = MIN(length, sizeof(copy) - 1);
    memcpy(copy, word, length);
    copy[length] = 0;
    for (u32 f = 0; f < X86_FEATURES; f++)
        if (offered(f))
            names_offer(&nearest, features[f].name);
    if (nearest.best)
        return error_set(err, ERROR_USAGE, "no CPU feature is called '%s' (did you mean '%s'?)",
                         copy, nearest.best);
    return error_set(err, ERROR_USAGE, "no CPU feature is called '%s'", copy);
}

// "+name" and "-name" behind the level. `asked`: those that were added.
static bool apply_changes(const char *list, u64 set[4], u64 asked[4], struct error *err)
{
    while (*list) {
        size_t length = strcspn(list + 1, ",");
        char sign = *list == ',' ? 0 : *list;
        u32 feature = 0;

        if (sign == 0) {
            list++;
            continue;
        }
        if (sign != '+' && sign != '-')
            return error_set(err, ERROR_USAGE, "a CPU feature must begin with '+' or '-', not '%s'",
                             list);
        if (!find_feature(list + 1, length, &feature, err))
            return false;
        put(set, feature, sign == '+');
        put(asked, feature, sign == '+');
        list += 1 + length;
    }
    return true;
}

static bool settle_needs(u64 set[4], const u64 asked[4], struct error *err)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (u32 i = 0; i < ARRAY_SIZE(needs); i++) {
            if (!get(set, needs[i].feature) || get(set, needs[i].needs))
                continue;
            if (get(asked, needs[i].feature))
                return error_set(err, ERROR_USAGE, "CPU feature %s needs %s",
                                 features[needs[i].feature].name, features[needs[i].needs].name);
            put(set, needs[i].feature, false);
            changed = true;
        }
    }
    return true;
}

bool x86_cpuid_features(const char *level, u64 ret_features[4], struct error *err)
{
    static const char prefix[] = "x86-64-v";
    u64 set[4] = {0}, asked[4] = {0};
    size_t n = sizeof(prefix) - 1;

    if (strncmp(level, prefix, n) != 0 || level[n] < '1' || level[n] > '3' ||
        (level[n + 1] != 0 && level[n + 1] != ','))
        return error_set(
            err, ERROR_USAGE,
            "'%s' is no CPU level: x86-64-v1, x86-64-v2 or x86-64-v3 (then ',+feature' "
            "or ',-feature')",
            level);
    for (u32 f = 0; f < X86_FEATURES; f++)
        put(set, f, features[f].level <= level[n] - '0');
    if (!apply_changes(level + n + 1, set, asked, err) || !settle_needs(set, asked, err))
        return false;
    memcpy(ret_features, set, sizeof(set));
    return true;
}

static u32 xsave_size(const struct x86_core *c, u64 components)
{
    return components & 4 ? 832 : 576;
}

static void leaf_cache(const struct x86_core *c, u32 subleaf, u32 r[4])
{
    u32 cores = c->topology.cores, sharing;

    if (subleaf >= ARRAY_SIZE(caches))
        return;
    sharing = caches[subleaf].shared ? cores : 1;
    r[EAX] = caches[subleaf].type | (u32)caches[subleaf].level << 5 | 1u << 8 |
             (sharing - 1) << 14 | MIN(cores - 1, 63) << 26;
    r[EBX] = (64 - 1) | (caches[subleaf].ways - 1u) << 22;
    r[ECX] = caches[subleaf].kib * 1024 / 64 / caches[subleaf].ways - 1;
}

static void leaf_topology(const struct x86_core *c, u32 subleaf, u32 r[4])
{
    u32 bits = c->topology.cores > 1 ? 32 - (u32)__builtin_clz(c->topology.cores - 1) : 0;

    r[ECX] = subleaf & 0xff;
    r[EDX] = c->topology.apic_id;
    if (subleaf == 0) { // one thread a core
        r[EBX] = 1;
        r[ECX] |= 1 << 8;
    } else if (subleaf == 1) {
        r[EAX] = bits;
        r[EBX] = c->topology.cores;
        r[ECX] |= 2 << 8;
    }
}

static void leaf_xsave(const struct x86_core *c, u32 subleaf, u32 r[4])
{
    u64 all = x86_has(c, X86_FEATURE_AVX) ? 7 : 3;

    if (!x86_has(c, X86_FEATURE_XSAVE))
        return;
    if (subleaf == 0) {
        r[EAX] = (u32)all;
        r[EBX] = xsave_size(c, c->s.xcr0);
        r[ECX] = xsave_size(c, all);
    } else if (subleaf == 1) {
        r[EBX] = x86_has(c, X86_FEATURE_XSAVEC) ? xsave_size(c, c->s.xcr0 | c->s.xss) : 0;
    } else if (subleaf == 2 && (all & 4)) {
        r[EAX] = 256;
        r[EBX] = 576;
    }
}

static void leaf_brand(u32 part, u32 r[4])
{
    static const char brand[48] = "facet x86-64 processor";

    memcpy(r, brand + part * 16, 16);
}

static void basic_leaf(const struct x86_core *c, u32 leaf, u32 subleaf, u32 r[4])
{
    switch (leaf) {
    case 0:
        r[EAX] = LEAF_MAX;
        memcpy(&r[EBX], "Genu", 4);
        memcpy(&r[EDX], "ineI", 4);
        memcpy(&r[ECX], "ntel", 4);
        break;
    case 1:
        r[EAX] = SIGNATURE;
        r[EBX] = c->topology.apic_id << 24 | MIN(c->topology.cores, 255) << 16 | 8 << 8;
        r[EDX] |= c->topology.cores > 1 ? 1u << 28 : 0;
        break;
    case 2:
        r[EAX] = 0xff01; // see leaf 4
        r[EBX] = 0xf0;   // 64-byte prefetching
        break;
    case 4:
        leaf_cache(c, subleaf, r);
        break;
    case 0xb:
        leaf_topology(c, subleaf, r);
        break;
    case 0xd:
        leaf_xsave(c, subleaf, r);
        break;
    case 0x15:
        r[EAX] = 1;
        r[EBX] = c->topology.tsc_khz / x86_crystal_khz(c->topology.tsc_khz);
        r[ECX] = x86_crystal_khz(c->topology.tsc_khz) * 1000;
        break;
    case 0x16:
        r[EAX] = r[EBX] = c->topology.tsc_khz / 1000;
        r[ECX] = 100;
        break;
    }
}

static void extended_leaf(const struct x86_core *c, u32 leaf, u32 r[4])
{
    switch (leaf) {
    case 0x80000000:
        r[EAX] = 0x80000000u + LEAF_EXT_MAX;
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        leaf_brand(leaf - 0x80000002, r);
        break;
    case 0x80000006:
        r[ECX] = caches[2].kib << 16 | 8 << 12 | 64; // 16 ways
        break;
    case 0x80000008:
        r[EAX] = X86_MAXPHYADDR | (x86_has(c, X86_FEATURE_LA57) ? 57 : 48) << 8;
        break;
    }
}

static bool shown(const struct x86_core *c, u32 feature)
{
    switch (feature) {
    case X86_FEATURE_OSXSAVE:
        return x86_has(c, X86_FEATURE_XSAVE) && (c->s.cr4 & X86_CR4_OSXSAVE);
    case X86_FEATURE_APIC:
        return x86_has(c, feature) && (c->s.apic_base & 1 << 11);
    case X86_FEATURE_SYSCALL: // Intel: in 64-bit mode only
        return x86_has(c, feature) && c->code_mode == X86_CODE64;
    default:
        return x86_has(c, feature);
    }
}

void x86_cpuid(const struct x86_core *c, u32 leaf, u32 subleaf, u32 ret_regs[4])
{
    static const bool by_subleaf[LEAF_MAX + 1] = {
        [4] = true, [7] = true, [0xb] = true, [0xd] = true};
    u32 r[4] = {0};

    if (leaf > LEAF_MAX && leaf - 0x80000000u > LEAF_EXT_MAX)
        leaf = LEAF_MAX; // Intel: beyond the last leaf, the highest basic one
    for (u32 f = 0; f < X86_FEATURES; f++)
        if (features[f].reg != NONE && features[f].leaf == leaf && shown(c, f) &&
            (leaf > LEAF_MAX || !by_subleaf[leaf] || features[f].subleaf == subleaf))
            r[features[f].reg] |= 1u << features[f].bit;
    if (leaf <= LEAF_MAX)
        basic_leaf(c, leaf, subleaf, r);
    else
        extended_leaf(c, leaf, r);
    memcpy(ret_regs, r, sizeof(r));
}
