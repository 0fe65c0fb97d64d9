// SPDX-License-Identifier: BSD-3-Clause
// What can be mapped into memory: the pages of a host file, or anonymous pages that processes
// share. All mappings of a file use the same pages, so that they agree with each other; read and
// write calls agree with them through mapping_before_read and mapping_after_write.
#pragma once

#include "os/linux/pages.h"

struct mapping_set {
    struct mapping **items; // owned, and a reference to each item that is in use
    size_t count, room;
    struct pages *pages;                                 // borrowed
    void (*dirtied)(void *ctx, const struct mapping *m); // may be NULL: a clean page became dirty
    void (*access)(void *ctx, bool done); // may be NULL: pages are read or written: before, after
    void *ctx;
};

struct mapping {
    u32 refs;
    bool anonymous;
    bool dead; // without a name or a user: its pages are of no use
    int fd;    // owned host descriptor, of no program; -1 if anonymous
    bool writable;
    u64 dev, ino;
    i64 mtime_s, mtime_ns; // when the pages were read
    char *path;            // owned: for /proc/self/maps
    struct mapping_page {
        u64 index;
        u32 page; // 0: free slot
        bool dirty;
    } * slots; // owned: open addressing, a power of two
    u32 n_slots, n_pages, n_dirty;
    struct mapping_set *set;
};

void mapping_set_init(struct mapping_set *s, struct pages *pages);
void mapping_set_release(struct mapping_set *s);

// The mapping of the host file `fd` (opened once more), with one more reference. NULL: errno says
// why.
struct mapping *mapping_of_file(struct mapping_set *s, int fd, bool writable, const char *path);
struct mapping *mapping_anonymous(struct mapping_set *s, const char *path);
struct mapping *mapping_ref(struct mapping *m);
// The last one that goes writes dirty pages back.
void mapping_unref(struct mapping *m);

// The program removed a name of a file.
void mapping_unlinked(struct mapping_set *s, u64 dev, u64 ino);

enum mapping_result { MAPPING_OK, MAPPING_BEYOND_END, MAPPING_NO_MEMORY, MAPPING_IO_ERROR };
// Page `index`, read in if need be; no reference is added.
enum mapping_result mapping_get(struct mapping *m, u64 index, u32 *ret_page);
// The page, or 0 if it is not in memory.
u32 mapping_peek(const struct mapping *m, u64 index);
void mapping_dirty(struct mapping *m, u64 index);
// Writes dirty pages within [first, last] to the file; they stay dirty while somebody maps them.
bool mapping_sync(struct mapping *m, u64 first, u64 last);
// Drops pages from `index` on (truncation, hole punching of anonymous memory).
void mapping_drop(struct mapping *m, u64 first, u64 last);

// The program reads or has written the file with system calls.
void mapping_before_read(struct mapping_set *s, u64 dev, u64 ino);
void mapping_after_write(struct mapping_set *s, u64 dev, u64 ino, u64 offset, u64 size);
// The mapping of a host file, or NULL.
struct mapping *mapping_find(const struct mapping_set *s, u64 dev, u64 ino);
// The file now has `size` bytes: pages beyond go, the last one ends in zeros.
void mapping_truncate(struct mapping_set *s, u64 dev, u64 ino, u64 size);
