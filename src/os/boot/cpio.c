// SPDX-License-Identifier: BSD-3-Clause
// SPEC: Documentation/driver-api/early-userspace/buffer-format.rst of Linux. Each entry: a header
// of 6 magic bytes and 13 numbers of 8 hexadecimal digits, the name with its NUL, the data; name
// and data each padded so that what follows is at a multiple of 4. UNMODELLED: hard links (each
// entry has its own inode), the checksums of "070702".
#include "os/boot/cpio.h"

#include "base/bug.h"

#include <inttypes.h>
#include <string.h>

#define TRAILER "TRAILER!!!"

enum { HEADER_BYTES = 110, NUMBERS = 13, NAME_MAX_BYTES = 4096 };
enum { INO, MODE, UID, GID, NLINK, MTIME, SIZE, MAJOR, MINOR, RMAJOR, RMINOR, NAME_BYTES, CHECK };

static void pad(struct strbuf *out, size_t start, size_t unit)
{
    static const char zeros[512];
    size_t over = (out->length - start) % unit;

    if (over)
        strbuf_add(out, zeros, unit - over);
}

static void put_entry(struct cpio_writer *w, const struct cpio_entry *e, u32 ino, u32 mtime)
{
    u32 number[NUMBERS] = {
        [INO] = ino,
        [MODE] = e->mode,
        [UID] = e->uid,
        [GID] = e->gid,
        [NLINK] = 1,
        [MTIME] = mtime,
        [SIZE] = (u32)e->size,
        [RMAJOR] = e->device_major,
        [RMINOR] = e->device_minor,
        [NAME_BYTES] = (u32)strlen(e->name) + 1,
    };

    strbuf_puts(w->out, "070701");
    for (int i = 0; i < NUMBERS; i++)
        strbuf_printf(w->out, "%08" PRIX32, number[i]);
    strbuf_add(w->out, e->name, number[NAME_BYTES]);
}

void cpio_add(struct cpio_writer *w, const struct cpio_entry *entry)
{
    size_t start = w->out->length;

    ASSERT(entry->size <= UINT32_MAX && start % 4 == 0);
    put_entry(w, entry, ++w->entries, w->mtime);
    pad(w->out, start, 4);
    strbuf_add(w->out, entry->data ? entry->data : "", entry->size);
    pad(w->out, start, 4);
}

void cpio_finish(struct cpio_writer *w)
{
    put_entry(w, &(struct cpio_entry){.name = TRAILER}, 0, 0);
    pad(w->out, 0, 512);
}

static bool get_number(const u8 *digits, u32 *ret_value)
{
    u32 value = 0;

    for (int i = 0; i < 8; i++) {
        u8 c = digits[i];
        u32 digit;

        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20u) - 'a' + 10;
        else
            return false;
        value = value << 4 | digit;
    }
    *ret_value = value;
    return true;
}

static enum cpio_result bad(const struct cpio_reader *r, const char *what, struct error *err)
{
    error_set(err, ERROR_INPUT, "damaged cpio archive: %s at byte %" PRIu64, what, r->at);
    return CPIO_BAD;
}

enum cpio_result cpio_next(struct cpio_reader *r, struct cpio_entry *ret_entry, struct error *err)
{
    const u8 *header = r->data + r->at;
    u64 left = r->size - r->at, name_end, data_end;
    const char *name = (const char *)header + HEADER_BYTES;
    u32 number[NUMBERS];

    if (left < HEADER_BYTES || memcmp(header, "070701", 6) != 0)
        return bad(r, left ? "no header" : "no trailer", err);
    for (u32 i = 0; i < NUMBERS; i++) {
        if (!get_number(header + 6 + i * 8, &number[i]))
            return bad(r, "a bad number", err);
    }
    name_end = HEADER_BYTES + (u64)number[NAME_BYTES];
    if (number[NAME_BYTES] == 0 || number[NAME_BYTES] > NAME_MAX_BYTES || name_end > left ||
        memchr(name, '\0', number[NAME_BYTES]) != name + number[NAME_BYTES] - 1)
        return bad(r, "a bad name", err);
    if (strcmp(name, TRAILER) == 0)
        return CPIO_END;
    name_end = (name_end + 3) & ~3ull;
    data_end = name_end + number[SIZE];
    if (data_end > left)
        return bad(r, "an entry beyond the end", err);
    *ret_entry = (struct cpio_entry){.name = name,
                                     .mode = number[MODE],
                                     .uid = number[UID],
                                     .gid = number[GID],
                                     .device_major = number[RMAJOR],
                                     .device_minor = number[RMINOR],
                                     .data = header + name_end,
                                     .size = number[SIZE]};
    r->at += MIN((data_end + 3) & ~3ull, left);
    return CPIO_ENTRY;
}
