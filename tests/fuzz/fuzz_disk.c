// SPDX-License-Identifier: BSD-3-Clause
// Files that a disk is made of. The first byte of the input says which: 0, a qcow2 image, which is
// read from end to end; 1, an overlay over an image of 10 clusters: 64 bytes of header, whose hash
// is made good, the number of data clusters as a byte, and the table. What is accepted must be
// readable and, with an overlay, writable as every disk is.
#include "fuzz.h"

#include "base/bug.h"
#include "base/file.h"
#include "base/hash.h"
#include "dev/disk.h"
#include "sim/block.h"
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CLUSTER = 65536, CLUSTERS = 10, TABLE_AT = 4096 };

// A file in memory with a name.
struct file {
    int fd;
    char path[40];
};

static struct file make_file(u64 size)
{
    struct file f = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};

    ASSERT(f.fd >= 0 && ftruncate(f.fd, (off_t)size) == 0);
    snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
    return f;
}

static void put(const struct file *f, u64 at, const void *data, size_t size)
{
    ASSERT(pwrite(f->fd, data, size, (off_t)at) == (ssize_t)size);
}

static void use(struct component *disk, bool write)
{
    const struct block_ops *block = component_interface(disk, "block");
    static u8 data[CLUSTER], again[CLUSTER];
    struct error err;
    u64 size = block->size(disk);

    ASSERT(size % 512 == 0 && size > 0);
    for (u64 at = 0; at < MIN(size, CLUSTER * CLUSTERS); at += CLUSTER) {
        u64 n = MIN(size - at, CLUSTER);

        if (!block->read(disk, at, data, n, &err))
            continue;
        if (!write)
            continue;
        memset(data, (int)(at >> 16), n);
        if (block->write(disk, at, data, n, &err))
            ASSERT(block->read(disk, at, again, n, &err) && memcmp(data, again, n) == 0);
    }
    if (block->read(disk, size - 512, data, 512, &err))
        ASSERT(block->read(disk, size - 512, again, 512, &err) && memcmp(data, again, 512) == 0);
}

static void run(const char *image, const char *format, const char *overlay)
{
    struct sim sim;
    struct error err;
    struct component *disk;

    sim_init(&sim);
    disk = component_new(&sim, &disk_type, NULL, "disk", &err);
    ASSERT(disk && component_set(disk, "file", image, &err) &&
           component_set(disk, "format", format, &err) &&
           component_set(disk, "overlay", overlay, &err) &&
           component_set(disk, "backing", "none", &err));
    if (sim_build(&sim, &err)) {
        sim_reset(&sim);
        use(disk, true);
    } else {
        ASSERT(err.message[0]);
    }
    sim_release(&sim);
}

static void run_qcow2(const uint8_t *data, size_t size)
{
    struct file f = make_file(size);

    put(&f, 0, data, size);
    run(f.path, "qcow2", "");
    close(f.fd);
}

// The base's identity is not the input's business: whatever it says, the fields are made to fit
// when bit 7 of the count is set.
static void run_overlay(const uint8_t *data, size_t size)
{
    struct file base = make_file(CLUSTER * CLUSTERS), f = make_file(0);
    u8 header[64];
    u64 hash;

    memcpy(header, data, sizeof(header));
    hash = hash64(header, 56);
    memcpy(header + 56, &hash, sizeof(hash));
    if (data[64] & 0x80) {
        // Let facet itself make it, then only the table is the input's.
        run(base.path, "raw", f.path);
    } else {
        put(&f, 0, header, sizeof(header));
    }
    put(&f, TABLE_AT, data + 65, MIN(size - 65, TABLE_AT));
    ASSERT(ftruncate(f.fd, CLUSTER + CLUSTER * (data[64] & 15)) == 0);
    run(base.path, "raw", f.path);
    close(f.fd);
    close(base.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;

    if (!log_set_filter("error", &err))
        return 0;
    if (size > 1 && data[0] == 0)
        run_qcow2(data + 1, size - 1);
    else if (size > 66 && data[0] == 1)
        run_overlay(data + 1, size - 1);
    return 0;
}
