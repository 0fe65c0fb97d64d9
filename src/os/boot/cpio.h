// SPDX-License-Identifier: BSD-3-Clause
// Archives in the "newc" format of cpio, which Linux takes as initial RAM disks: written into
// memory, always the same bytes for the same calls, and read back for checks.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

struct cpio_entry {
    const char *name; // without a leading slash; not NULL
    u32 mode;         // type and permissions, as st_mode
    u32 uid, gid;
    u32 device_major, device_minor; // of a device node
    const void *data;               // content of a file, target of a symbolic link
    u64 size;                       // of data, less than 4 GiB
};

struct cpio_writer {
    struct strbuf *out; // borrowed; appended to
    u32 mtime;          // of all entries, in seconds
    u32 entries;        // written so far; they get the inode numbers 1, 2, …
};

// Parents come before children: the caller's order is kept.
void cpio_add(struct cpio_writer *w, const struct cpio_entry *entry);
void cpio_finish(struct cpio_writer *w); // the trailer, padded to 512 bytes

struct cpio_reader {
    const u8 *data; // borrowed
    u64 size, at;
};

enum cpio_result { CPIO_ENTRY, CPIO_END, CPIO_BAD };

// The next entry, whose name and data point into the archive; at the trailer CPIO_END. CPIO_BAD
// with a sentence in *err.
enum cpio_result cpio_next(struct cpio_reader *r, struct cpio_entry *ret_entry,
                           struct error *err) MUST_CHECK;
