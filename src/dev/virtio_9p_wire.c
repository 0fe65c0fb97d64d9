// SPDX-License-Identifier: BSD-3-Clause
// 9P messages as bytes, and paths as texts. Any bytes may come; no memory beyond what is said is
// touched, and nothing here looks at files.
#include "dev/virtio_9p_priv.h"

#include <errno.h>

u64 nine_get(struct nine_wire *w, unsigned bytes)
{
    u64 value = 0;

    if (nine_left(w) < bytes) {
        w->bad = true;
        return 0;
    }
    memcpy(&value, w->data + w->at, bytes);
    w->at += bytes;
    return value;
}

void nine_get_string(struct nine_wire *w, char *room, u32 room_bytes)
{
    u32 size = (u32)nine_get(w, 2);

    room[0] = '\0';
    if (nine_left(w) < size || memchr(w->data + w->at, 0, size)) {
        w->bad = true;
        return;
    }
    if (size < room_bytes) {
        memcpy(room, w->data + w->at, size);
        room[size] = '\0';
    } else {
        w->long_name = true;
    }
    w->at += size;
}

void nine_put(struct nine_wire *w, unsigned bytes, u64 value)
{
    if (nine_left(w) < bytes) {
        w->bad = true;
        return;
    }
    memcpy(w->data + w->at, &value, bytes);
    w->at += bytes;
}

void nine_put_string(struct nine_wire *w, const char *text)
{
    size_t size = strlen(text);

    if (nine_left(w) < size + 2) {
        w->bad = true;
        return;
    }
    nine_put(w, 2, size);
    memcpy(w->data + w->at, text, size);
    w->at += (u32)size;
}

int nine_check(const struct nine_wire *in)
{
    return in->bad ? EPROTO : in->long_name ? ENAMETOOLONG : 0;
}

// Paths.

bool nine_name_is_good(const char *name)
{
    return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

bool nine_join(char path[NINE_PATH_MAX], const char *directory, const char *name)
{
    size_t n = strlen(directory), m = strlen(name);
    bool slash = n > 0;

    if (n + slash + m >= NINE_PATH_MAX)
        return false;
    memmove(path, directory, n);
    if (slash)
        path[n] = '/';
    memcpy(path + n + slash, name, m + 1);
    return true;
}
