// SPDX-License-Identifier: BSD-3-Clause
// Hard links become copies, and extended attributes are left out: the format has neither in a form
// that Linux reads.
#include "image/newc.h"

#include "base/alloc.h"
#include "image/tree.h"

#include <string.h>
#include <sys/stat.h>

enum { ALIGNMENT = 4, BLOCK = 512 };

static const char trailer[] = "TRAILER!!!";

static void pad(struct strbuf *out, size_t start, size_t alignment)
{
    while ((out->length - start) % alignment)
        strbuf_putc(out, '\0');
}

static void put_header(struct strbuf *out, u32 number, const struct tree_entry *entry, u64 size,
                       const char *name)
{
    // magic, inode, mode, uid, gid, links, mtime, size, device of the archive (2), own device (2),
    // length of the name with its NUL, checksum
    strbuf_printf(out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", number,
                  entry->mode, entry->uid, entry->gid, S_ISDIR(entry->mode) ? 2u : 1u,
                  (u32)entry->mtime, (u32)size, 0u, 0u, entry->major, entry->minor,
                  (u32)strlen(name) + 1, 0u);
    strbuf_add(out, name, strlen(name) + 1);
}

static bool put_entry(struct strbuf *out, size_t start, u32 number, const struct tree_entry *entry,
                      struct error *err)
{
    bool has_content = S_ISREG(entry->mode) || S_ISLNK(entry->mode);
    u64 size = has_content ? entry->size : 0;
    AUTO_FREE char *content = NULL;

    if (size >= GiB(4))
        return error_set(err, ERROR_INPUT, "'/%s' has 4 GiB or more, too much for an initramfs",
                         entry->path);
    put_header(out, number, entry, size, entry->path[0] ? entry->path : ".");
    pad(out, start, ALIGNMENT);
    if (size) {
        content = xcalloc(1, size);
        if (!tree_read(entry, content, err))
            return false;
        strbuf_add(out, content, size);
    }
    pad(out, start, ALIGNMENT);
    return true;
}

bool newc_write(const struct tree *t, struct strbuf *out, struct error *err)
{
    const struct tree_entry nothing = {0};
    size_t start = out->length;

    for (size_t i = 0; i < t->count; i++) {
        if (!put_entry(out, start, (u32)i + 1, &t->items[i], err))
            return false;
    }
    put_header(out, 0, &nothing, 0, trailer);
    pad(out, start, BLOCK);
    return true;
}
