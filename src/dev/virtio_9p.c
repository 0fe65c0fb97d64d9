// SPDX-License-Identifier: BSD-3-Clause
// 9P transport, virtio 1.2 section 5.9 (the id) and Linux's net/9p/trans_virtio.c: a folder of the
// host as the guest mounts it by a tag. A request is a chain: the message to read, room for the
// reply to write. Repeatable: names come sorted, numbers, owners and times do not depend on the
// host (unless asked for); contents and permission bits are the folder's.
// Timing: one request after the other, each takes `latency`.
#include "dev/virtio_9p_priv.h"
#include "dev/virtio_devices.h"
#include "sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    ID_9P = 9,
    REQUEST_QUEUE = 0,
    FEATURE_MOUNT_TAG = 0,
    TAG_MAX = 32,
    CONFIG_BYTES = 2 + TAG_MAX, // its length, and the tag
    LISTING_ENTRY_BYTES = 16,   // of a directory's names, on average at least
};

COMPONENT_TABLES(nine, NINE_PARAMS, NINE_STATE, NINE_STATS, NINE_EVENTS);

static struct nine *nine_of(const struct component *c)
{
    ASSERT(c->type == &virtio_9p_type);
    return (struct nine *)(uintptr_t)c;
}

// Fids.

char *nine_fid_path(const struct nine *d, int fid)
{
    return (char *)d->st.paths + (size_t)fid * NINE_PATH_MAX;
}

char *nine_fid_last_name(const struct nine *d, int fid)
{
    return (char *)d->st.last_names + (size_t)fid * NINE_NAME_MAX;
}

int nine_fid_find(const struct nine *d, u32 number)
{
    for (u64 i = 0; i < d->p.fids; i++)
        if (d->st.in_use[i] && d->st.numbers[i] == number)
            return (int)i;
    return -1;
}

int nine_fid_new(struct nine *d, u32 number, const char *path)
{
    u64 i = 0;

    while (i < d->p.fids && d->st.in_use[i])
        i++;
    if (i == d->p.fids || nine_fid_find(d, number) >= 0)
        return -1;
    d->st.in_use[i] = 1;
    d->st.numbers[i] = number;
    memcpy(nine_fid_path(d, (int)i), path, strlen(path) + 1);
    return (int)i;
}

static void close_file(struct nine *d, int fid)
{
    if (!d->files[fid])
        return;
    close(d->files[fid] - 1);
    d->files[fid] = 0;
    d->files_open--;
}

static void close_files(struct nine *d)
{
    for (u64 i = 0; d->files && i < d->p.fids; i++)
        close_file(d, (int)i);
}

// All of it becomes zero: equal machines have equal states.
void nine_fid_drop(struct nine *d, int fid)
{
    close_file(d, fid);
    d->st.in_use[fid] = d->st.open[fid] = 0;
    d->st.numbers[fid] = 0;
    d->st.sent[fid] = 0;
    memset(nine_fid_path(d, fid), 0, NINE_PATH_MAX);
    memset(nine_fid_last_name(d, fid), 0, NINE_NAME_MAX);
}

void nine_fid_drop_all(struct nine *d)
{
    for (u64 i = 0; i < d->p.fids; i++)
        if (d->st.in_use[i])
            nine_fid_drop(d, (int)i);
}

void nine_fid_set_file(struct nine *d, int fid, int file)
{
    close_file(d, fid);
    for (; d->files_open >= NINE_FILES_MAX; d->next_victim = (d->next_victim + 1) % d->p.fids)
        close_file(d, (int)d->next_victim);
    d->files[fid] = file + 1;
    d->files_open++;
}

int nine_fid_file(struct nine *d, int fid)
{
    int file;

    if (!d->files[fid]) {
        file = nine_open_data(d->root, nine_fid_path(d, fid), d->st.open[fid] - 1);
        if (file < 0)
            return file;
        nine_fid_set_file(d, fid, file);
    }
    return d->files[fid] - 1;
}

int nine_fid_stat(const struct nine *d, int fid, struct stat *ret_stat)
{
    if (d->files[fid])
        return fstat(d->files[fid] - 1, ret_stat) == 0 ? 0 : -errno;
    return nine_stat(d->root, nine_fid_path(d, fid), ret_stat);
}

// The device.

static void nine_notify(struct component *c, unsigned queue)
{
    struct nine *d = nine_of(c);

    if (!d->st.serve.pending && virtio_pending(d->virtio, queue))
        event_schedule_in(&d->st.serve, d->p.latency);
}

static void nine_run(void *owner, struct event *event)
{
    struct nine *d = owner;
    struct virtio_chain chain;
    u64 size, room;

    if (!virtio_pop(d->virtio, REQUEST_QUEUE, &chain))
        return;
    size = MIN(chain.readable_bytes, d->st.message_size);
    room = MIN(chain.writable_bytes, d->st.message_size);
    if (size < NINE_HEADER || room < NINE_ERROR_SIZE) {
        virtio_fail(d->virtio, "a request that is too short, or has no room for a reply");
        return;
    }
    if (!virtio_chain_read(d->virtio, &chain, 0, d->request, size))
        return;
    size = nine_serve(d, (u32)size, (u32)room);
    if (virtio_chain_write(d->virtio, &chain, 0, d->reply, size))
        virtio_push(d->virtio, REQUEST_QUEUE, chain.head, size);
    nine_notify(&d->base, REQUEST_QUEUE);
}

static u64 nine_features(struct component *c)
{
    return 1ull << FEATURE_MOUNT_TAG;
}

static void nine_config(struct component *c, u8 *ret_bytes)
{
    const struct nine *d = nine_of(c);
    u16 size = (u16)strlen(d->p.tag);

    memcpy(ret_bytes, &size, sizeof(size));
    memcpy(ret_bytes + sizeof(size), d->p.tag, size);
}

static void forget(struct component *c)
{
    struct nine *d = nine_of(c);

    event_cancel(&d->st.serve);
    nine_fid_drop_all(d);
    d->st.message_size = d->p.message_size;
}

static const struct virtio_device_ops nine_device = {
    .id = ID_9P,
    .class_code = 0x018000,
    .queues = 1,
    .config_bytes = CONFIG_BYTES,
    .features = nine_features,
    .config = nine_config,
    .notify = nine_notify,
    .reset = forget,
};

// The component.

static bool nine_check_params(struct component *c, struct error *err)
{
    const struct nine *d = nine_of(c);
    size_t n = strlen(d->p.tag);

    if (!n || n > TAG_MAX)
        return error_set(err, ERROR_INPUT, "tag '%.40s' has not 1 to %d characters", d->p.tag,
                         TAG_MAX);
    return true;
}

static bool open_folder(struct nine *d, struct error *err)
{
    struct stat s;

    d->root = open(d->p.folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (d->root < 0)
        return error_set_errno(err, "folder '%s'", d->p.folder);
    d->has_root = true;
    if (nine_stat(d->root, "", &s) == -ENOSYS)
        return error_set(err, ERROR_UNSUPPORTED,
                         "folder '%s': this host has no openat2 (Linux 5.6)", d->p.folder);
    return true;
}

static bool nine_build(struct component *c, struct error *err)
{
    struct nine *d = nine_of(c);
    struct arena *a = &c->sim->arena;
    struct nine_listing *l = &d->listing;

    d->files = arena_array(a, d->p.fids, sizeof(d->files[0]));
    d->request = arena_alloc(a, d->p.message_size);
    d->reply = arena_alloc(a, d->p.message_size);
    l->text_bytes = (u32)d->p.directory_size;
    l->most = l->text_bytes / LISTING_ENTRY_BYTES;
    l->text = arena_alloc(a, l->text_bytes);
    l->entries = arena_array(a, l->most, sizeof(l->entries[0]));
    l->raw = arena_alloc(a, NINE_RAW_BYTES);
    if (!open_folder(d, err))
        return false;
    d->virtio = virtio_new(c, &nine_device, VIRTIO_WIRING(&d->p), err);
    return d->virtio;
}

static void nine_reset(struct component *c)
{
    close_files(nine_of(c));
    forget(c);
}

static bool fid_is_good(const struct nine *d, int fid)
{
    u32 number = d->st.numbers[fid];

    return d->st.in_use[fid] <= 1 && d->st.open[fid] <= 1 + O_RDWR &&
           memchr(nine_fid_path(d, fid), 0, NINE_PATH_MAX) &&
           memchr(nine_fid_last_name(d, fid), 0, NINE_NAME_MAX) &&
           (!d->st.in_use[fid] || nine_fid_find(d, number) == fid) &&
           (d->p.writable || d->st.open[fid] <= 1 + O_RDONLY);
}

static bool nine_after_load(struct component *c, struct error *err)
{
    struct nine *d = nine_of(c);
    bool good = d->st.message_size >= KiB(4) && d->st.message_size <= d->p.message_size;

    close_files(d);
    for (u64 i = 0; i < d->p.fids; i++)
        good &= fid_is_good(d, (int)i);
    return good || error_set(err, ERROR_INPUT, "%s: no possible state", c->path);
}

static void nine_destroy(struct component *c)
{
    struct nine *d = nine_of(c);

    close_files(d);
    if (d->has_root)
        close(d->root);
}

static const struct component_ops nine_ops = {
    .check = nine_check_params,
    .build = nine_build,
    .reset = nine_reset,
    .after_load = nine_after_load,
    .destroy = nine_destroy,
};

const struct component_type virtio_9p_type = {
    .name = "virtio_9p",
    .doc = "Virtio 9P: a folder of the host",
    COMPONENT_LAYOUT(nine),
    .ops = &nine_ops,
    .provides = {IFACE(mmio, &virtio_mmio)},
};
