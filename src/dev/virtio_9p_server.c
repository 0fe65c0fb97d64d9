// SPDX-License-Identifier: BSD-3-Clause
// 9P2000.L as Linux's client speaks it (the protocol of the diod server, with Plan 9's version,
// walk, read and clunk): the messages that look. One request after the other, so a flush finds
// nothing to stop. UNMODELLED: authentication, extended attributes, locks between guests (each is
// granted); a checkpoint does not hold an open file that was removed.
// APPROX: a qid's number is a hash of the path, the same on each host; renaming a file gives it
// another one. Versions are 0.
#include "base/hash.h"
#include "dev/virtio_9p_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    RLERROR = 7,
    QID_DIRECTORY = 0x80,
    QID_LINK = 0x02,
    WALK_MAX = 16,
    GETATTR_BASIC = 0x7ff,
    BLOCK_BYTES = 4096,
    ENTRY_OVERHEAD = 24, // of a directory entry: qid, offset, type, length
    LOCK_SUCCESS = 0,
    LOCK_UNLOCKED = 2,
    FILE_SYSTEM_TYPE = 0x01021997,
};

static void put_qid(struct nine_wire *out, const char *path, u8 type)
{
    nine_put(out, 1, type);
    nine_put(out, 4, 0);
    nine_put(out, 8, hash64(path, strlen(path)));
}

void nine_put_qid(struct nine_wire *out, const char *path, u32 mode)
{
    put_qid(out, path, S_ISDIR(mode) ? QID_DIRECTORY : S_ISLNK(mode) ? QID_LINK : 0);
}

// One step of a walk; ".." of the folder is the folder.
static int step(const struct nine *d, char path[NINE_PATH_MAX], const char *name,
                struct stat *ret_stat)
{
    char *slash = strrchr(path, '/');

    if (strcmp(name, "..") == 0)
        *(slash ? slash : path) = '\0';
    else if (!nine_name_is_good(name))
        return ENOENT;
    else if (!nine_join(path, path, name))
        return ENAMETOOLONG;
    return -nine_stat(d->root, path, ret_stat);
}

// The messages.

static int do_version(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    u64 size = nine_get(in, 4);
    char version[NINE_NAME_MAX];
    bool known;

    nine_get_string(in, version, sizeof(version));
    if (nine_check(in))
        return nine_check(in);
    nine_fid_drop_all(d);
    known = strcmp(version, "9P2000.L") == 0 && size >= KiB(4);
    d->st.message_size = known ? MIN(size, d->p.message_size) : d->p.message_size;
    nine_put(out, 4, MIN(size, d->st.message_size));
    nine_put_string(out, known ? "9P2000.L" : "unknown");
    return 0;
}

static int do_attach(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    u32 number = (u32)nine_get(in, 4);
    struct stat s;
    int result;

    if (in->bad)
        return EPROTO;
    result = nine_stat(d->root, "", &s);
    if (result < 0)
        return -result;
    if (nine_fid_new(d, number, "") < 0)
        return EBADF;
    nine_put_qid(out, "", s.st_mode);
    return 0;
}

static int do_walk(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), result = 0;
    u32 new_number = (u32)nine_get(in, 4), names = (u32)nine_get(in, 2), count_at = out->at, done;
    char path[NINE_PATH_MAX], name[NINE_NAME_MAX];
    struct stat s;

    if (in->bad || names > WALK_MAX)
        return EPROTO;
    if (fid < 0 || (d->st.open[fid] && new_number == d->st.numbers[fid]))
        return EBADF;
    memcpy(path, nine_fid_path(d, fid), NINE_PATH_MAX);
    nine_put(out, 2, 0);
    for (done = 0; done < names; done++) {
        nine_get_string(in, name, sizeof(name));
        result = nine_check(in);
        if (!result)
            result = step(d, path, name, &s);
        if (result)
            break;
        nine_put_qid(out, path, s.st_mode);
    }
    if (result && (!done || in->bad))
        return result;
    if (!result) {
        if (new_number == d->st.numbers[fid])
            nine_fid_drop(d, fid);
        if (nine_fid_new(d, new_number, path) < 0)
            return EBADF;
    }
    memcpy(out->data + count_at, &done, 2);
    return 0;
}

// What an open file can be opened for; `flags` are Linux's.
static int do_lopen(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), fd;
    int flags = (int)nine_get(in, 4), access = flags & O_ACCMODE;
    struct stat s;

    if (in->bad)
        return EPROTO;
    if (fid < 0 || d->st.open[fid] || access == O_ACCMODE)
        return EBADF;
    if (!d->p.writable && (access != O_RDONLY || flags & O_TRUNC))
        return EROFS;
    fd = nine_open_data(d->root, nine_fid_path(d, fid), access | (flags & (O_TRUNC | O_DIRECTORY)));
    if (fd < 0)
        return -fd;
    nine_fid_set_file(d, fid, fd);
    d->st.open[fid] = (u8)(1 + access);
    d->st.sent[fid] = 0;
    nine_fid_last_name(d, fid)[0] = '\0';
    if (nine_fid_stat(d, fid, &s) < 0)
        return EIO;
    nine_put_qid(out, nine_fid_path(d, fid), s.st_mode);
    nine_put(out, 4, 0);
    return 0;
}

static bool can_read(const struct nine *d, int fid)
{
    return fid >= 0 && (d->st.open[fid] == 1 + O_RDONLY || d->st.open[fid] == 1 + O_RDWR);
}

static int do_read(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), fd;
    u64 offset = nine_get(in, 8), count = nine_get(in, 4);
    ssize_t n;

    if (in->bad)
        return EPROTO;
    if (!can_read(d, fid))
        return EBADF;
    if (offset >> 63)
        return EINVAL;
    nine_put(out, 4, 0);
    count = MIN(count, nine_left(out));
    fd = nine_fid_file(d, fid);
    if (fd < 0)
        return -fd;
    n = pread(fd, out->data + out->at, count, (off_t)offset);
    if (n < 0)
        return errno;
    memcpy(out->data + out->at - 4, &n, 4);
    out->at += (u32)n;
    d->n.bytes_read += (u64)n;
    return 0;
}

// Entry `index` of a directory: ".", "..", then its names. False behind the last.
static bool entry(const struct nine_listing *l, u64 index, const char **ret_name, u8 *ret_type)
{
    if (index < 2) {
        *ret_name = index ? ".." : ".";
        *ret_type = DT_DIR;
        return true;
    }
    if (index - 2 >= l->count)
        return false;
    *ret_type = (u8)l->text[l->entries[index - 2]];
    *ret_name = l->text + l->entries[index - 2] + 1;
    return true;
}

// Where to go on. After what was sent last, by name: so nothing is skipped or comes twice when the
// directory changes meanwhile. Elsewhere the offset is a number of entries.
static u64 first_entry(const struct nine *d, int fid, u64 offset)
{
    if (offset <= 2 || offset != d->st.sent[fid])
        return offset;
    return 2 + nine_listing_after(&d->listing, nine_fid_last_name(d, fid));
}

// A path that is too long to be walked to has the number of the folder.
static void entry_path(const struct nine *d, int fid, u64 index, const char *name,
                       char path[NINE_PATH_MAX])
{
    char *slash;

    memcpy(path, nine_fid_path(d, fid), NINE_PATH_MAX);
    slash = strrchr(path, '/');
    if (index == 1)
        *(slash ? slash : path) = '\0';
    else if (index > 1 && !nine_join(path, path, name))
        path[0] = '\0';
}

static int do_readdir(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), result;
    u64 offset = nine_get(in, 8), count = nine_get(in, 4);
    u32 start;
    const char *name;
    u8 type;

    if (in->bad)
        return EPROTO;
    if (!can_read(d, fid))
        return EBADF;
    result = nine_list(d->root, nine_fid_path(d, fid), &d->listing);
    if (result < 0)
        return -result;
    nine_put(out, 4, 0);
    start = out->at;
    count = MIN(count, nine_left(out));
    for (u64 i = first_entry(d, fid, offset); entry(&d->listing, i, &name, &type); i++) {
        char path[NINE_PATH_MAX];

        if (out->at - start + ENTRY_OVERHEAD + strlen(name) > count)
            break;
        entry_path(d, fid, i, name, path);
        put_qid(out, path, type == DT_DIR ? QID_DIRECTORY : type == DT_LNK ? QID_LINK : 0);
        nine_put(out, 8, ++offset);
        nine_put(out, 1, type);
        nine_put_string(out, name);
        d->st.sent[fid] = offset;
        memcpy(nine_fid_last_name(d, fid), name, strlen(name) + 1);
    }
    count = out->at - start;
    memcpy(out->data + start - 4, &count, 4);
    return 0;
}

static void put_time(struct nine_wire *out, const struct nine *d, const struct timespec *t)
{
    bool real = d->p.real_attributes;

    nine_put(out, 8, real ? (u64)t->tv_sec : d->p.mtime);
    nine_put(out, 8, real ? (u64)t->tv_nsec : 0);
}

static int do_getattr(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), result;
    bool real = d->p.real_attributes;
    struct stat s;
    u64 size;

    if (in->bad)
        return EPROTO;
    if (fid < 0)
        return EBADF;
    result = nine_fid_stat(d, fid, &s);
    if (result < 0)
        return -result;
    // What depends on the host's file system is the same everywhere.
    size = S_ISDIR(s.st_mode) ? BLOCK_BYTES : (u64)s.st_size;
    nine_put(out, 8, GETATTR_BASIC);
    nine_put_qid(out, nine_fid_path(d, fid), s.st_mode);
    nine_put(out, 4, s.st_mode);
    nine_put(out, 4, real ? s.st_uid : d->p.uid);
    nine_put(out, 4, real ? s.st_gid : d->p.gid);
    nine_put(out, 8, S_ISDIR(s.st_mode) ? 2 : s.st_nlink);
    nine_put(out, 8, 0);
    nine_put(out, 8, size);
    nine_put(out, 8, BLOCK_BYTES);
    nine_put(out, 8, (size + 511) / 512);
    put_time(out, d, &s.st_atim);
    put_time(out, d, &s.st_mtim);
    put_time(out, d, &s.st_ctim);
    for (unsigned i = 0; i < 4; i++)
        nine_put(out, 8, 0); // time of birth, generation, data version
    return 0;
}

static int do_readlink(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4)), fd;
    char target[4096];
    ssize_t n;

    if (in->bad)
        return EPROTO;
    if (fid < 0)
        return EBADF;
    fd = nine_open(d->root, nine_fid_path(d, fid), O_PATH);
    if (fd < 0)
        return -fd;
    n = readlinkat(fd, "", target, sizeof(target) - 1);
    if (n < 0)
        n = errno == ENOENT ? -EINVAL : -errno; // no link
    close(fd);
    if (n < 0)
        return (int)-n;
    target[n] = '\0';
    nine_put_string(out, target);
    return 0;
}

// APPROX: sizes and counts of no particular disk.
static int do_statfs(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4));
    u64 blocks = (u64)1 << 28, files = (u64)1 << 24;

    if (in->bad)
        return EPROTO;
    if (fid < 0)
        return EBADF;
    nine_put(out, 4, FILE_SYSTEM_TYPE);
    nine_put(out, 4, BLOCK_BYTES);
    nine_put(out, 8, blocks);
    nine_put(out, 8, blocks / 2);
    nine_put(out, 8, blocks / 2);
    nine_put(out, 8, files);
    nine_put(out, 8, files / 2);
    nine_put(out, 8, 0);
    nine_put(out, 4, NINE_NAME_MAX - 1);
    return 0;
}

static int do_clunk(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4));

    if (in->bad)
        return EPROTO;
    if (fid < 0)
        return EBADF;
    nine_fid_drop(d, fid);
    return 0;
}

static int do_flush(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    return 0;
}

static int do_lock(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    if (nine_fid_find(d, (u32)nine_get(in, 4)) < 0)
        return EBADF;
    nine_put(out, 1, LOCK_SUCCESS);
    return 0;
}

static int do_getlock(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    int fid = nine_fid_find(d, (u32)nine_get(in, 4));
    char client[NINE_NAME_MAX];
    u64 start, length, process;

    nine_get(in, 1);
    start = nine_get(in, 8);
    length = nine_get(in, 8);
    process = nine_get(in, 4);
    nine_get_string(in, client, sizeof(client));
    if (nine_check(in))
        return nine_check(in);
    if (fid < 0)
        return EBADF;
    nine_put(out, 1, LOCK_UNLOCKED);
    nine_put(out, 8, start);
    nine_put(out, 8, length);
    nine_put(out, 4, process);
    nine_put_string(out, client);
    return 0;
}

static int refuse(struct nine *d, struct nine_wire *in, struct nine_wire *out)
{
    return EOPNOTSUPP;
}

// By the type of the request; the reply's is one more.
static const struct {
    nine_handler *handle;
    bool changes; // needs `writable`
} messages[] = {
    [8] = {do_statfs, false},     [12] = {do_lopen, false},     [14] = {nine_lcreate, true},
    [16] = {nine_symlink, true},  [18] = {nine_mknod, true},    [20] = {nine_rename, true},
    [22] = {do_readlink, false},  [24] = {do_getattr, false},   [26] = {nine_setattr, true},
    [30] = {refuse, false}, // xattrwalk
    [32] = {refuse, false}, // xattrcreate
    [40] = {do_readdir, false},   [50] = {nine_fsync, false},   [52] = {do_lock, false},
    [54] = {do_getlock, false},   [70] = {nine_link, true},     [72] = {nine_mkdir, true},
    [74] = {nine_renameat, true}, [76] = {nine_unlinkat, true}, [100] = {do_version, false},
    [102] = {refuse, false}, // auth
    [104] = {do_attach, false},   [108] = {do_flush, false},    [110] = {do_walk, false},
    [116] = {do_read, false},     [118] = {nine_write, true},   [120] = {do_clunk, false},
    [122] = {nine_remove, false}, // also drops the fid
};

static int dispatch(struct nine *d, u32 type, struct nine_wire *in, struct nine_wire *out)
{
    if (type >= ARRAY_SIZE(messages) || !messages[type].handle)
        return EOPNOTSUPP;
    if (messages[type].changes && !d->p.writable)
        return EROFS;
    return messages[type].handle(d, in, out);
}

u32 nine_serve(struct nine *d, u32 size, u32 room)
{
    struct nine_wire in = {.data = d->request, .size = size};
    struct nine_wire out = {.data = d->reply, .size = room, .at = NINE_HEADER};
    u32 claimed = (u32)nine_get(&in, 4), type = (u32)nine_get(&in, 1), reply_type = type + 1;
    u32 tag = (u32)nine_get(&in, 2);
    int error = EPROTO;

    d->n.requests++;
    if (claimed >= NINE_HEADER && claimed <= size) {
        in.size = claimed;
        error = dispatch(d, type, &in, &out);
    }
    if (!error && (in.bad || out.bad))
        error = in.bad ? EPROTO : EMSGSIZE;
    if (error) {
        d->n.errors++;
        reply_type = RLERROR;
        out.at = NINE_HEADER;
        out.bad = false;
        nine_put(&out, 4, (u64)error);
    }
    size = out.at;
    out.at = 0;
    nine_put(&out, 4, size);
    nine_put(&out, 1, reply_type);
    nine_put(&out, 2, tag);
    return size;
}
