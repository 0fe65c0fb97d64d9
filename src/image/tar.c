// SPDX-License-Identifier: BSD-3-Clause
// POSIX.1-2017, pax: ustar interchange format and pax extended header.
#include "image/tar.h"

#include "base/alloc.h"
#include "base/strbuf.h"
#include "image/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 512 };

#define EXTRA_SIZE_MAX MiB(1)

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

struct reader {
    const char *file;
    int fd;
    u64 at, size;
    struct tree *tree; // borrowed
    // what extended headers said of the next entry
    char *path, *link; // owned
    bool has_size, has_uid, has_gid, has_mtime;
    u64 entry_size, uid, gid;
    i64 mtime;
    VEC(struct tree_attribute) attributes;
};

static void forget(struct reader *r)
{
    free(r->path);
    free(r->link);
    r->path = r->link = NULL;
    r->has_size = r->has_uid = r->has_gid = r->has_mtime = false;
    for (size_t i = 0; i < r->attributes.count; i++) {
        free(r->attributes.items[i].name);
        free(r->attributes.items[i].value);
    }
    VEC_RELEASE(&r->attributes);
}

static bool bad(const struct reader *r, const char *what, struct error *err)
{
    return error_set(err, ERROR_INPUT, "'%s' is a damaged tar archive: %s", r->file, what);
}

static bool read_bytes(struct reader *r, void *into, u64 size, struct error *err)
{
    ssize_t n;

    if (size > r->size - r->at)
        return bad(r, "it is truncated", err);
    n = pread(r->fd, into, size, (off_t)r->at);
    if (n < 0)
        return error_set_errno(err, "cannot read '%s'", r->file);
    if ((u64)n != size)
        return bad(r, "it is truncated", err);
    r->at += size;
    return true;
}

// Octal text, or, for large numbers, GNU's binary with the top bit set.
static bool get_number(const char *field, size_t size, u64 *ret_value)
{
    u64 value = 0;

    if (field[0] & 0x80) {
        for (size_t i = 1; i < size; i++)
            value = value << 8 | (u8)field[i];
        *ret_value = value;
        return true;
    }
    while (size && *field == ' ') {
        field++;
        size--;
    }
    for (; size && *field && *field != ' '; field++, size--) {
        if (*field < '0' || *field > '7')
            return false;
        value = value << 3 | (u64)(*field - '0');
    }
    *ret_value = value;
    return true;
}

static bool is_zero(const struct header *h)
{
    const char *bytes = (const char *)h;

    for (size_t i = 0; i < BLOCK; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static bool check_sum(const struct header *h)
{
    const u8 *bytes = (const u8 *)h;
    u64 sum = 0, wanted;

    for (size_t i = 0; i < BLOCK; i++) {
        bool own = i >= offsetof(struct header, checksum) && i < offsetof(struct header, type);

        sum += own ? ' ' : bytes[i];
    }
    return get_number(h->checksum, sizeof(h->checksum), &wanted) && sum == wanted;
}

// ---- extended headers ----

static void take_record(struct reader *r, const char *key, const char *value, size_t size)
{
    static const char attribute[] = "SCHILY.xattr.";

    if (strcmp(key, "path") == 0) {
        free(r->path);
        r->path = xasprintf("%.*s", (int)size, value);
    } else if (strcmp(key, "linkpath") == 0) {
        free(r->link);
        r->link = xasprintf("%.*s", (int)size, value);
    } else if (strcmp(key, "size") == 0) {
        r->has_size = true;
        r->entry_size = strtoull(value, NULL, 10);
    } else if (strcmp(key, "uid") == 0) {
        r->has_uid = true;
        r->uid = strtoull(value, NULL, 10);
    } else if (strcmp(key, "gid") == 0) {
        r->has_gid = true;
        r->gid = strtoull(value, NULL, 10);
    } else if (strcmp(key, "mtime") == 0) {
        r->has_mtime = true;
        r->mtime = strtoll(value, NULL, 10);
    } else if (strncmp(key, attribute, sizeof(attribute) - 1) == 0) {
        struct tree_attribute a = {.name = xstrdup(key + sizeof(attribute) - 1),
                                   .value = xcalloc(1, size + 1),
                                   .size = size};

        memcpy(a.value, value, size);
        VEC_PUSH(&r->attributes, a);
    }
}

// Records "LENGTH KEY=VALUE\n".
static bool take_records(struct reader *r, char *text, size_t size, struct error *err)
{
    while (size) {
        char *end, *equals;
        unsigned long length = strtoul(text, &end, 10);
        char *key = end + 1;

        if (end == text || *end != ' ' || length > size || key >= text + length ||
            text[length - 1] != '\n')
            return bad(r, "an extended header is malformed", err);
        text[length - 1] = '\0';
        equals = memchr(key, '=', (size_t)(text + length - key));
        if (!equals)
            return bad(r, "an extended header is malformed", err);
        *equals = '\0';
        take_record(r, key, equals + 1, (size_t)(text + length - 1 - (equals + 1)));
        text += length;
        size -= length;
    }
    return true;
}

static bool read_extra(struct reader *r, char type, u64 size, struct error *err)
{
    AUTO_FREE char *text = NULL;

    if (size > EXTRA_SIZE_MAX)
        return bad(r, "an extended header is too large", err);
    text = xcalloc(1, size + 1);
    if (!read_bytes(r, text, size, err))
        return false;
    switch (type) {
    case 'x':
        return take_records(r, text, size, err);
    case 'L':
        take_record(r, "path", text, strlen(text));
        break;
    case 'K':
        take_record(r, "linkpath", text, strlen(text));
        break;
    }
    return true;
}

// ---- entries ----

static u32 mode_of(char type)
{
    switch (type) {
    case '2':
        return S_IFLNK;
    case '3':
        return S_IFCHR;
    case '4':
        return S_IFBLK;
    case '5':
        return S_IFDIR;
    case '6':
        return S_IFIFO;
    default:
        return S_IFREG;
    }
}

// "./usr/bin/" as "usr/bin".
static char *plain(const char *path)
{
    char *text;
    size_t length;

    while (path[0] == '/' || (path[0] == '.' && (path[1] == '/' || !path[1])))
        path++;
    text = xstrdup(path);
    for (length = strlen(text); length && text[length - 1] == '/'; length--)
        text[length - 1] = '\0';
    return text;
}

static char *path_of(const struct reader *r, const struct header *h)
{
    AUTO_FREE char *path = NULL;

    if (r->path)
        return plain(r->path);
    if (strncmp(h->magic, "ustar", 6) == 0 && h->prefix[0])
        path = xasprintf("%.155s/%.100s", h->prefix, h->name);
    else
        path = xasprintf("%.100s", h->name);
    return plain(path);
}

static bool add_entry(struct reader *r, const struct header *h, u64 size, struct error *err)
{
    struct tree_entry entry = {0};
    u64 mode, uid, gid, mtime, major = 0, minor = 0;
    bool is_device = h->type == '3' || h->type == '4';

    if (!get_number(h->mode, sizeof(h->mode), &mode) || !get_number(h->uid, sizeof(h->uid), &uid) ||
        !get_number(h->gid, sizeof(h->gid), &gid) ||
        !get_number(h->mtime, sizeof(h->mtime), &mtime) ||
        (is_device && (!get_number(h->major, sizeof(h->major), &major) ||
                       !get_number(h->minor, sizeof(h->minor), &minor))))
        return bad(r, "a number is malformed", err);
    entry.path = path_of(r, h);
    entry.mode = mode_of(h->type) | (mode & 07777);
    entry.uid = (u32)(r->has_uid ? r->uid : uid);
    entry.gid = (u32)(r->has_gid ? r->gid : gid);
    entry.mtime = r->has_mtime ? r->mtime : (i64)mtime;
    entry.major = (u32)major;
    entry.minor = (u32)minor;
    if (h->type == '1' || h->type == '2') {
        AUTO_FREE char *link = r->link ? xstrdup(r->link) : xasprintf("%.100s", h->link);

        if (h->type == '1') {
            entry.link = plain(link);
        } else {
            entry.data = xstrdup(link);
            entry.size = strlen(link);
        }
    } else if (S_ISREG(entry.mode)) {
        entry.host_file = xstrdup(r->file);
        entry.host_offset = r->at;
        entry.size = size;
    }
    entry.attributes = r->attributes.items;
    entry.attribute_count = r->attributes.count;
    r->attributes.items = NULL;
    r->attributes.count = r->attributes.room = 0;
    tree_add(r->tree, &entry);
    return true;
}

// Moves on to the next header.
static bool skip(struct reader *r, u64 start, u64 size, struct error *err)
{
    u64 padded = (size + BLOCK - 1) / BLOCK * BLOCK;

    if (size > r->size - start)
        return bad(r, "it is truncated", err);
    r->at = MIN(start + padded, r->size);
    return true;
}

static bool read_entries(struct reader *r, struct error *err)
{
    struct header h;
    u64 size, start;

    while (r->at < r->size) {
        if (!read_bytes(r, &h, sizeof(h), err))
            return false;
        if (is_zero(&h))
            return true;
        if (!check_sum(&h) || !get_number(h.size, sizeof(h.size), &size))
            return bad(r, "a checksum is wrong", err);
        start = r->at;
        if (strchr("xgLK", h.type) && h.type) {
            if (!read_extra(r, h.type, size, err))
                return false;
        } else {
            size = r->has_size ? r->entry_size : size;
            if (h.type >= '1' && h.type <= '6')
                size = 0;
            if (!add_entry(r, &h, size, err))
                return false;
            forget(r);
        }
        if (!skip(r, start, size, err))
            return false;
    }
    return bad(r, "its end is missing", err);
}

bool tar_read(const char *file, struct tree *t, struct error *err)
{
    AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct reader r = {.file = file, .fd = fd, .tree = t};
    struct stat st;
    bool good;

    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set_errno(err, "cannot open '%s'", file);
    r.size = (u64)st.st_size;
    good = read_entries(&r, err);
    forget(&r);
    return good;
}
