// SPDX-License-Identifier: BSD-3-Clause
// Small host allocations, which cannot fail (they abort), and the cleanup attribute. Guest-sized
// memory does not come from here: its failure is an error to report.
#pragma once

#include "base/types.h"

#include <stdlib.h>
#include <unistd.h>

void *xcalloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2)));
void *xrealloc(void *old, size_t count, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

// AUTO_FREE char *text = ...; is freed at the end of the scope. AUTO(strbuf) struct strbuf s = ...;
// calls strbuf_release(&s).
#define AUTO_FREE __attribute__((cleanup(auto_free)))
#define AUTO_CLOSE __attribute__((cleanup(auto_close)))
#define AUTO(type) __attribute__((cleanup(type##_release)))

static inline void auto_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void auto_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

// A growing array: VEC(struct thing) things = {0}; VEC_PUSH(&things, thing); VEC_RELEASE(&things).
#define VEC(type)           \
    struct {                \
        type *items;        \
        size_t count, room; \
    }
#define VEC_PUSH(v, ...)                                                         \
    do {                                                                         \
        if ((v)->count == (v)->room) {                                           \
            (v)->room = (v)->room ? (v)->room * 2 : 8;                           \
            (v)->items = xrealloc((v)->items, (v)->room, sizeof((v)->items[0])); \
        }                                                                        \
        (v)->items[(v)->count++] = (__VA_ARGS__);                                \
    } while (0)
#define VEC_RELEASE(v)              \
    do {                            \
        free((v)->items);           \
        (v)->items = NULL;          \
        (v)->count = (v)->room = 0; \
    } while (0)
