// SPDX-License-Identifier: BSD-3-Clause
#include "base/arena.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, ALIGN = 64 };

struct arena_block {
    struct arena_block *next; // owned
    size_t size, used;
    _Alignas(ALIGN) u8 data[];
};

static struct arena_block *block_new(size_t size)
{
    void *p = NULL;

    if (posix_memalign(&p, ALIGN, sizeof(struct arena_block) + size) != 0)
        BUG("out of memory: arena block of %zu bytes", size);
    memset(p, 0, sizeof(struct arena_block) + size);
    ((struct arena_block *)p)->size = size;
    return p;
}

void arena_release(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
    *a = (struct arena){0};
}

void arena_seal(struct arena *a)
{
    a->sealed = true;
}

void arena_unseal(struct arena *a)
{
    a->sealed = false;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t align = size >= ALIGN ? ALIGN : 16;
    struct arena_block *b = a->blocks;
    size_t at;

    if (a->sealed)
        BUG("allocation of %zu bytes in a sealed arena", size);
    at = b ? (b->used + align - 1) & ~(align - 1) : 0;
    if (!b || at > b->size || size > b->size - at) {
        b = block_new(MAX(size, (size_t)BLOCK_BYTES));
        b->next = a->blocks;
        a->blocks = b;
        at = 0;
    }
    b->used = at + size;
    a->used_bytes += size;
    return b->data + at;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        BUG("array of %zu * %zu bytes", count, size);
    return arena_alloc(a, bytes);
}

char *arena_strdup(struct arena *a, const char *s)
{
    size_t n = strlen(s) + 1;

    return memcpy(arena_alloc(a, n), s, n);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *s;
    int n;

    ASSERT(fmt);
    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    s = arena_alloc(a, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}
