// SPDX-License-Identifier: BSD-3-Clause
// What the parts of the 9P device share: virtio_9p.c (the device and its fids), virtio_9p_server.c
// (messages), virtio_9p_change.c (those that change files), virtio_9p_wire.c (their bytes),
// virtio_9p_files.c (the host's files).
#pragma once

#include "dev/virtio.h"

#include <sys/stat.h>

enum {
    NINE_PATH_MAX = 1024, // with its NUL; relative to the folder, "" is the folder
    NINE_NAME_MAX = 256,  // with its NUL
    NINE_HEADER = 7,      // size[4] type[1] tag[2]
    NINE_ERROR_SIZE = 11, // of an error reply
    NINE_FILES_MAX = 128, // of the host's, open at a time
};

// The host's files. Results are descriptors or 0; minus an errno when that fails.

// No path leaves the folder, whatever links and ".." are in it; links are never followed.
int nine_open(int root, const char *path, int flags);
// As nine_open with O_PATH: the directory that holds `path`, and in *ret_name the rest.
int nine_open_parent(int root, const char *path, const char **ret_name);
int nine_stat(int root, const char *path, struct stat *ret_stat);
// A regular file or a directory; anything else (a pipe would wait) is refused.
int nine_open_data(int root, const char *path, int flags);

// The names of a directory in order, in memory of a fixed size.
struct nine_listing {
    char *text;     // borrowed: a type (DT_...) and a name with its NUL, one after the other
    u32 *entries;   // borrowed: where in `text` an entry begins, sorted
    char *raw;      // borrowed: NINE_RAW_BYTES of scratch
    u32 text_bytes; // room
    u32 most;       // room in `entries`
    u32 count;
};
enum { NINE_RAW_BYTES = 32768 };
int nine_list(int root, const char *path, struct nine_listing *l);
// The first entry behind `name`.
u32 nine_listing_after(const struct nine_listing *l, const char *name);

// Messages: numbers are little-endian, a string is its length in two bytes and its bytes. Reading
// beyond the end gives zeros and sets `bad`; so does writing, which then writes nothing.
struct nine_wire {
    u8 *data; // borrowed
    u32 size, at;
    bool bad, long_name;
};

u64 nine_get(struct nine_wire *w, unsigned bytes);
// Into room[room_bytes]; one that does not fit sets long_name. A NUL inside is bad.
void nine_get_string(struct nine_wire *w, char *room, u32 room_bytes);
void nine_put(struct nine_wire *w, unsigned bytes, u64 value);
void nine_put_string(struct nine_wire *w, const char *text);
static inline u32 nine_left(const struct nine_wire *w)
{
    return w->size - w->at;
}

// The device.

#define NINE_PARAMS(P, PR, PB, PS, PC)                                                       \
    VIRTIO_PARAMS(P, PR, PB, PS, PC)                                                         \
    PS(folder, NULL, "Directory of the host that the guest sees")                            \
    PS(tag, "host", "Name by which the guest mounts it, at most 32 characters")              \
    PB(writable, false, "The guest may change it")                                           \
    PB(real_attributes, false, "Show owners and times of the host's files")                  \
    P(u32, uid, 0, 0, 0xffffffff, "Owner of all files, without real_attributes")             \
    P(u32, gid, 0, 0, 0xffffffff, "Group of all files, without real_attributes")             \
    P(u64, mtime, 1000000000, 0, 0x7fffffffffff,                                             \
      "Seconds since 1970 that all files show as their times")                               \
    P(u32, fids, 1024, 16, 65536, "Files that the guest can have in its hands at a time")    \
    P(bytes, message_size, KiB(128), KiB(4), MiB(1), "Largest message")                      \
    P(bytes, directory_size, MiB(1), KiB(64), MiB(256), "Room for the names of a directory") \
    P(ticks, latency, 20000000, 1000, TICKS_PER_SECOND, "Time a request takes")

// A fid is its number and the path of its file; so a checkpoint holds it. `open` is 0, or 1 plus
// O_RDONLY, O_WRONLY or O_RDWR. Of a directory that is read: the last entry that was sent.
#define NINE_STATE(F, FA, FE, FV)              \
    F(u64, message_size)                       \
    FV(u32, numbers, p->fids)                  \
    FV(u8, in_use, p->fids)                    \
    FV(u8, open, p->fids)                      \
    FV(u64, sent, p->fids)                     \
    FV(u8, last_names, p->fids *NINE_NAME_MAX) \
    FV(u8, paths, p->fids *NINE_PATH_MAX)      \
    FE(serve)

#define NINE_EVENTS(E) E(serve, nine_run)

#define NINE_STATS(S, SV, SH, SG, SR)                     \
    S(requests, "Count", "Requests")                      \
    S(errors, "Count", "Requests answered with an error") \
    S(bytes_read, "Byte", "Bytes read from files")        \
    S(bytes_written, "Byte", "Bytes written to files")

PARAM_STRUCT(nine_params, NINE_PARAMS);
STATE_STRUCT(nine_state, NINE_STATE);
STAT_STRUCT(nine_stats, NINE_STATS);

struct nine {
    struct component base;
    struct nine_params p;
    struct nine_state st;
    struct nine_stats n;
    WIRED(struct virtio *virtio);
    WIRED(int root); // descriptor of the folder, when has_root
    WIRED(bool has_root);
    // Descriptors of open fids, plus 1: 0 is none. They save opening a file for each access, and
    // keep it alive when it is removed; whatever is missing is opened again by its path.
    DERIVED(int *files);
    DERIVED(unsigned files_open);
    DERIVED(u64 next_victim);
    DERIVED(u8 *request);                 // scratch, message_size
    DERIVED(u8 *reply);                   // the same
    DERIVED(struct nine_listing listing); // scratch
};

// The index of a fid, or -1.
int nine_fid_find(const struct nine *d, u32 number);
// A new fid; -1 when there is one with that number, or no room.
int nine_fid_new(struct nine *d, u32 number, const char *path);
void nine_fid_drop(struct nine *d, int fid);
void nine_fid_drop_all(struct nine *d);
char *nine_fid_path(const struct nine *d, int fid);
char *nine_fid_last_name(const struct nine *d, int fid);

// The descriptor of an open fid, which remains the device's; minus an errno on failure.
int nine_fid_file(struct nine *d, int fid);
// Makes it that of `fid`.
void nine_fid_set_file(struct nine *d, int fid, int file);
int nine_fid_stat(const struct nine *d, int fid, struct stat *ret_stat);

// path = directory/name. False when that is too long.
bool nine_join(char path[NINE_PATH_MAX], const char *directory, const char *name);
// A name that a file can have in a directory; "." and ".." are none.
bool nine_name_is_good(const char *name);

// Handlers of messages: 0, or an errno; then what they wrote is dropped. A message that was too
// short has set in->bad, which whoever called them looks at before what they did counts: so they
// check `in` before they change anything.
typedef int nine_handler(struct nine *d, struct nine_wire *in, struct nine_wire *out);
nine_handler nine_lcreate, nine_symlink, nine_mknod, nine_mkdir, nine_link, nine_rename,
    nine_renameat, nine_unlinkat, nine_remove, nine_setattr, nine_write, nine_fsync;
// EPROTO, ENAMETOOLONG or 0.
int nine_check(const struct nine_wire *in);
void nine_put_qid(struct nine_wire *out, const char *path, u32 mode);

// Answers d->request (of `size` bytes) in d->reply; at most `room` bytes (at least
// NINE_ERROR_SIZE). Returns the reply's size.
u32 nine_serve(struct nine *d, u32 size, u32 room);
