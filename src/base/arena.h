// SPDX-License-Identifier: BSD-3-Clause
// Memory that lives and dies together: a machine's components, tables and pools. Everything comes
// zeroed and is given back at once. Once sealed (after reset) an allocation is a bug: the simulator
// does not allocate while it runs.
#pragma once

#include "base/types.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; // owned
    u64 used_bytes;
    bool sealed;
};

void arena_release(struct arena *a);
void arena_seal(struct arena *a);
void arena_unseal(struct arena *a);

// Aligned to 64 bytes when that large, else to 16. Cannot fail.
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
