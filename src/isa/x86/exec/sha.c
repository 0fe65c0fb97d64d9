// SPDX-License-Identifier: BSD-3-Clause
// The SHA instructions (SDM vol. 2B SHA1MSG1 and so on; FIPS 180-4) for hosts that lack them:
// processors with all else of x86-64-v3 often do. Elements are counted from the low end.
#include "isa/x86/exec/vector.h"

#include <Zydis/Zydis.h>

static u32 rol(u32 v, u32 n)
{
    return v << n | v >> (32 - n);
}

static u32 ror(u32 v, u32 n)
{
    return rol(v, 32 - n);
}

static u32 choose(u32 x, u32 y, u32 z)
{
    return (x & y) ^ (~x & z);
}

static u32 majority(u32 x, u32 y, u32 z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}

static void sha1msg1(u32 d[4], const u32 s[4])
{
    d[3] ^= d[1];
    d[2] ^= d[0];
    d[1] ^= s[3];
    d[0] ^= s[2];
}

static void sha1msg2(u32 d[4], const u32 s[4])
{
    d[3] = rol(d[3] ^ s[2], 1);
    d[2] = rol(d[2] ^ s[1], 1);
    d[1] = rol(d[1] ^ s[0], 1);
    d[0] = rol(d[0] ^ d[3], 1);
}

static void sha1nexte(u32 d[4], const u32 s[4])
{
    u32 e = rol(d[3], 30);

    memcpy(d, s, 12);
    d[3] = s[3] + e;
}

static void sha1rnds4(u32 v[4], const u32 s[4], u32 function)
{
    static const u32 constant[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    u32 a = v[3], b = v[2], c = v[1], d = v[0], e = 0;

    for (u32 k = 0; k < 4; k++) { // the first word has E added already
        u32 f = function == 0 ? choose(b, c, d) : function == 2 ? majority(b, c, d) : b ^ c ^ d;
        u32 next = f + rol(a, 5) + s[3 - k] + e + constant[function];

        e = d;
        d = c;
        c = rol(b, 30);
        b = a;
        a = next;
    }
    v[3] = a;
    v[2] = b;
    v[1] = c;
    v[0] = d;
}

static u32 small_sigma0(u32 v)
{
    return ror(v, 7) ^ ror(v, 18) ^ v >> 3;
}

static u32 small_sigma1(u32 v)
{
    return ror(v, 17) ^ ror(v, 19) ^ v >> 10;
}

static void sha256msg1(u32 d[4], const u32 s[4])
{
    for (u32 k = 0; k < 4; k++)
        d[k] += small_sigma0(k < 3 ? d[k + 1] : s[0]);
}

static void sha256msg2(u32 d[4], const u32 s[4])
{
    d[0] += small_sigma1(s[2]);
    d[1] += small_sigma1(s[3]);
    d[2] += small_sigma1(d[0]);
    d[3] += small_sigma1(d[1]);
}

static void sha256rnds2(u32 v[4], const u32 s[4], const u32 wk[4])
{
    u32 a = s[3], b = s[2], c = v[3], d = v[2], e = s[1], f = s[0], g = v[1], h = v[0];

    for (u32 k = 0; k < 2; k++) {
        u32 t1 = h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + choose(e, f, g) + wk[k];
        u32 t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + majority(a, b, c);

        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    v[3] = a;
    v[2] = b;
    v[1] = e;
    v[0] = f;
}

void x86_vector_sha(struct x86_core *c, const struct x86_insn *i, const void *mem)
{
    u32 d[4], s[4], wk[4];

    memcpy(d, x86_ymm(c, i->o[0].reg), 16);
    memcpy(s, i->mem.size ? mem : x86_ymm(c, i->o[1].reg), 16);
    memcpy(wk, x86_ymm(c, 0), 16);
    switch (i->si.opcode) {
    case ZYDIS_MNEMONIC_SHA1MSG1:
        sha1msg1(d, s);
        break;
    case ZYDIS_MNEMONIC_SHA1MSG2:
        sha1msg2(d, s);
        break;
    case ZYDIS_MNEMONIC_SHA1NEXTE:
        sha1nexte(d, s);
        break;
    case ZYDIS_MNEMONIC_SHA1RNDS4:
        sha1rnds4(d, s, i->imm & 3);
        break;
    case ZYDIS_MNEMONIC_SHA256MSG1:
        sha256msg1(d, s);
        break;
    case ZYDIS_MNEMONIC_SHA256MSG2:
        sha256msg2(d, s);
        break;
    default:
        sha256rnds2(d, s, wk);
    }
    memcpy(x86_ymm(c, i->o[0].reg), d, 16);
}
