// SPDX-License-Identifier: BSD-3-Clause
// For the tests of the 9P device: a client over the driver of virtio_mock.h, and a folder made for
// it. A request is written with put(), sent with call(), its reply read with get().
//
//     struct client k;
//     client_boot(&k, "writable", "true", NULL);
//     begin(&k, T_CLUNK), put(&k, 4, 1);
//     assert_int_equal(call(&k), 0);           // or the errno that came back
#pragma once

#include "base/file.h"
#include "dev/virtio_mock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    R_ERROR = 7,
    T_STATFS = 8,
    T_LOPEN = 12,
    T_LCREATE = 14,
    T_SYMLINK = 16,
    T_MKNOD = 18,
    T_RENAME = 20,
    T_READLINK = 22,
    T_GETATTR = 24,
    T_SETATTR = 26,
    T_XATTRWALK = 30,
    T_READDIR = 40,
    T_FSYNC = 50,
    T_LOCK = 52,
    T_GETLOCK = 54,
    T_LINK = 70,
    T_MKDIR = 72,
    T_RENAMEAT = 74,
    T_UNLINKAT = 76,
    T_VERSION = 100,
    T_ATTACH = 104,
    T_FLUSH = 108,
    T_WALK = 110,
    T_READ = 116,
    T_WRITE = 118,
    T_CLUNK = 120,
    T_REMOVE = 122,

    MESSAGE_BYTES = 16384,
    NO_FID = -1,
    ROOT = 0, // the fid of the folder
};

struct client {
    struct driver d;
    char folder[64];
    u8 message[MESSAGE_BYTES]; // the request, then the reply
    u32 size, at;
};

static inline void begin(struct client *k, u8 type)
{
    k->size = 7;
    k->message[4] = type;
    k->message[5] = 0x34;
    k->message[6] = 0x12;
}

static inline void put(struct client *k, unsigned bytes, u64 value)
{
    memcpy(k->message + k->size, &value, bytes);
    k->size += bytes;
}

static inline void put_text(struct client *k, const char *text)
{
    put(k, 2, strlen(text));
    memcpy(k->message + k->size, text, strlen(text));
    k->size += (u32)strlen(text);
}

static inline u64 get(struct client *k, unsigned bytes)
{
    u64 value = 0;

    assert_true(k->at + bytes <= k->size);
    memcpy(&value, k->message + k->at, bytes);
    k->at += bytes;
    return value;
}

static inline void get_text(struct client *k, char *room)
{
    u32 n = (u32)get(k, 2);

    assert_true(k->at + n <= k->size);
    memcpy(room, k->message + k->at, n);
    room[n] = '\0';
    k->at += n;
}

// Sends the request as it is; false when the device did not answer.
static inline bool exchange(struct client *k, u32 room)
{
    struct buffer b[2];
    u32 head, length;

    k->d.next_buffer = MOCK_BUFFERS;
    b[0] = driver_buffer(&k->d, k->size);
    b[1] = driver_buffer(&k->d, room);
    memcpy(ram(&k->d, b[0].addr), k->message, k->size);
    driver_add(&k->d, 0, b, 1, 1);
    driver_kick(&k->d, 0);
    driver_advance(&k->d, TICKS_PER_SECOND);
    if (!driver_take(&k->d, 0, &head, &length))
        return false;
    assert_true(length <= room && length <= MESSAGE_BYTES);
    memcpy(k->message, ram(&k->d, b[1].addr), length);
    k->size = length;
    return true;
}

// Sends the request; 0 or the errno of the reply, which is then read from behind its header.
static inline int call(struct client *k)
{
    u8 type = k->message[4];

    memcpy(k->message, &k->size, 4);
    assert_true(exchange(k, MESSAGE_BYTES));
    k->at = 0;
    assert_int_equal(get(k, 4), k->size);
    if (get(k, 1) == R_ERROR) {
        assert_int_equal(get(k, 2), 0x1234);
        return (int)get(k, 4);
    }
    assert_int_equal(k->message[4], type + 1);
    assert_int_equal(get(k, 2), 0x1234);
    return 0;
}

// The usual calls; each gives 0 or an errno.

// `path` has names with '/' between; "" gives another fid of the same file.
static inline int walk(struct client *k, u32 fid, u32 new_fid, const char *path)
{
    char names[1024], *name, *rest = NULL;
    u32 count_at;
    u16 count = 0;

    begin(k, T_WALK);
    put(k, 4, fid);
    put(k, 4, new_fid);
    count_at = k->size;
    put(k, 2, 0);
    snprintf(names, sizeof(names), "%s", path);
    for (name = strtok_r(names, "/", &rest); name; name = strtok_r(NULL, "/", &rest)) {
        put_text(k, name);
        count++;
    }
    memcpy(k->message + count_at, &count, 2);
    return call(k);
}

static inline int open_fid(struct client *k, u32 fid, u32 flags)
{
    begin(k, T_LOPEN);
    put(k, 4, fid);
    put(k, 4, flags);
    return call(k);
}

static inline int read_fid(struct client *k, u32 fid, u64 offset, u32 count)
{
    begin(k, T_READ);
    put(k, 4, fid);
    put(k, 8, offset);
    put(k, 4, count);
    return call(k);
}

static inline int write_fid(struct client *k, u32 fid, u64 offset, const char *text)
{
    begin(k, T_WRITE);
    put(k, 4, fid);
    put(k, 8, offset);
    put(k, 4, strlen(text));
    memcpy(k->message + k->size, text, strlen(text));
    k->size += (u32)strlen(text);
    return call(k);
}

static inline int clunk(struct client *k, u32 fid)
{
    begin(k, T_CLUNK);
    put(k, 4, fid);
    return call(k);
}

static inline int getattr(struct client *k, u32 fid)
{
    begin(k, T_GETATTR);
    put(k, 4, fid);
    put(k, 8, 0x7ff);
    return call(k);
}

static inline int attach(struct client *k)
{
    begin(k, T_VERSION);
    put(k, 4, MESSAGE_BYTES);
    put_text(k, "9P2000.L");
    if (call(k))
        return EIO;
    begin(k, T_ATTACH);
    put(k, 4, ROOT);
    put(k, 4, (u32)NO_FID);
    put_text(k, "root");
    put_text(k, "");
    put(k, 4, 0);
    return call(k);
}

// The folder.

static inline void make_file(const struct client *k, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", k->folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path, 0644);
}

static inline void make_folder(struct client *k)
{
    char path[256];

    snprintf(k->folder, sizeof(k->folder), "/tmp/facet-9p-XXXXXX");
    assert_non_null(mkdtemp(k->folder));
    make_file(k, "hello", "hello world\n");
    snprintf(path, sizeof(path), "%s/sub", k->folder);
    assert_int_equal(mkdir(path, 0755), 0);
    make_file(k, "sub/b", "b");
    make_file(k, "sub/a", "a");
    make_file(k, "sub/!", "!");
    snprintf(path, sizeof(path), "%s/passwd", k->folder);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/up", k->folder);
    assert_int_equal(symlink("..", path), 0);
    snprintf(path, sizeof(path), "%s/pipe", k->folder);
    assert_int_equal(mkfifo(path, 0644), 0);
}

// What a file of the folder holds.
static inline const char *content(const struct client *k, const char *name)
{
    static char text[256];
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", k->folder, name);
    f = fopen(path, "r");
    if (!f)
        return NULL;
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

// A machine on a folder that was made; parameters and values, then NULL.
static inline void client_build(struct client *k, va_list settings)
{
    const char *param;

    driver_new(&k->d, &virtio_9p_type);
    driver_set(&k->d, "folder", k->folder);
    driver_set(&k->d, "fids", "20");
    while ((param = va_arg(settings, const char *)))
        driver_set(&k->d, param, va_arg(settings, const char *));
    driver_build(&k->d);
}

static inline void client_boot(struct client *k, ...)
{
    va_list settings;

    *k = (struct client){0};
    make_folder(k);
    va_start(settings, k);
    client_build(k, settings);
    va_end(settings);
    driver_start(&k->d, ~0ull, 16);
    assert_int_equal(attach(k), 0);
}

static inline void client_end(struct client *k)
{
    struct error err;

    sim_release(&k->d.sim);
    assert_true(file_remove_tree(k->folder, &err));
}
