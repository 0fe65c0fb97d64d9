// SPDX-License-Identifier: BSD-3-Clause
#include "base/hash.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <xxhash.h>

u64 hash64(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

u64 hash64_more(u64 hash, const void *data, size_t size)
{
    return XXH3_64bits_withSeed(data, size, hash);
}

struct hash128 hash128(const void *data, size_t size)
{
    XXH128_hash_t h = XXH3_128bits(data, size);

    return (struct hash128){h.low64, h.high64};
}

struct sha256 sha256_start(void)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    if (!c || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1)
        BUG("libcrypto offers no SHA-256");
    return (struct sha256){c};
}

void sha256_add(struct sha256 *s, const void *data, size_t size)
{
    if (EVP_DigestUpdate(s->context, data, size) != 1)
        BUG("SHA-256 update failed");
}

struct sha256_digest sha256_finish(struct sha256 *s)
{
    struct sha256_digest d;
    unsigned n = 0;

    if (EVP_DigestFinal_ex(s->context, d.bytes, &n) != 1 || n != sizeof(d.bytes))
        BUG("SHA-256 failed");
    sha256_release(s);
    return d;
}

void sha256_release(struct sha256 *s)
{
    EVP_MD_CTX_free(s->context);
    s->context = NULL;
}

struct sha256_digest sha256_of(const void *data, size_t size)
{
    struct sha256 s = sha256_start();

    sha256_add(&s, data, size);
    return sha256_finish(&s);
}

bool sha256_file(const char *path, struct sha256_digest *ret_digest, struct error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    AUTO_FREE u8 *buffer = NULL;
    AUTO(sha256) struct sha256 s = {0};
    enum { CHUNK = 1 << 20 };

    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    buffer = xcalloc(CHUNK, 1);
    s = sha256_start();
    for (;;) {
        ssize_t n = read(fd, buffer, CHUNK);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot read '%s'", path);
        if (n == 0)
            break;
        sha256_add(&s, buffer, (size_t)n);
    }
    *ret_digest = sha256_finish(&s);
    return true;
}

void sha256_hex(const struct sha256_digest *d, char text[65])
{
    for (unsigned i = 0; i < sizeof(d->bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", d->bytes[i]);
}
