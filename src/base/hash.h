// SPDX-License-Identifier: BSD-3-Clause
// Three hashes: hash64 (XXH3) finds accidents (damaged files, changed schemas) and is fast; hash128
// is as fast and also tells pieces of data apart where nobody makes them collide on purpose; sha256
// identifies content.
#pragma once

#include "base/error.h"

u64 hash64(const void *data, size_t size);
u64 hash64_more(u64 hash, const void *data, size_t size); // continues a hash over several pieces

struct hash128 {
    u64 low, high;
};
struct hash128 hash128(const void *data, size_t size);
static inline bool hash128_equal(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

struct sha256 {
    void *context; // owned
};
struct sha256_digest {
    u8 bytes[32];
};

struct sha256 sha256_start(void);
void sha256_add(struct sha256 *s, const void *data, size_t size);
struct sha256_digest sha256_finish(struct sha256 *s); // also releases
void sha256_release(struct sha256 *s);
struct sha256_digest sha256_of(const void *data, size_t size);
bool sha256_file(const char *path, struct sha256_digest *ret_digest, struct error *err) MUST_CHECK;
void sha256_hex(const struct sha256_digest *d, char text[65]);
