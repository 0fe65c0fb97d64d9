// SPDX-License-Identifier: BSD-3-Clause
// What the tests of disks share: a folder, files in it, and machines that are a disk.
#pragma once

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "dev/disk.h"
#include "sim/block.h"
#include "sim/checkpoint.h"
#include "sim/sim.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char folder[64];

static int make_folder(void **arg)
{
    struct error err;

    snprintf(folder, sizeof(folder), "%s/facet-disk-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(folder) && log_set_filter("error", &err) ? 0 : -1;
}

static int remove_folder(void **arg)
{
    struct error err;

    return file_remove_tree(folder, &err) ? 0 : -1;
}

// "FOLDER/name", until the next few calls.
static const char *in_folder(const char *name)
{
    static char names[8][160];
    static unsigned next;

    next = (next + 1) % ARRAY_SIZE(names);
    snprintf(names[next], sizeof(names[next]), "%s/%s", folder, name);
    return names[next];
}

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->message);
}

// Random bytes; every fourth 64 KiB is zero.
static inline u8 *random_bytes(size_t size, u64 seed)
{
    struct rng rng = {seed};
    u8 *bytes = xcalloc(size, 1);

    for (size_t at = 0; at < size; at++)
        if (at / 65536 % 4 != 3)
            bytes[at] = (u8)(rng_next(&rng) & 0x3f);
    return bytes;
}

static inline void write_file(const char *name, const void *bytes, size_t size)
{
    AUTO_CLOSE int fd = -1;
    struct error err;

    // A new file, as editors and converters make one.
    unlink(in_folder(name));
    fd = open(in_folder(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(file_write_fd(fd, bytes, size, name, &err), &err);
}

// A machine that is a disk; parameters are pairs of names and texts, then NULL.
struct machine {
    struct sim sim;
    struct component *disk;
};

static inline bool machine_try(struct machine *m, struct error *err, va_list settings)
{
    const char *name;

    sim_init(&m->sim);
    m->disk = component_new(&m->sim, &disk_type, NULL, "disk", err);
    assert_non_null(m->disk);
    while ((name = va_arg(settings, const char *))) {
        const char *text = va_arg(settings, const char *);

        must(component_set(m->disk, name, text, err), err);
    }
    if (!sim_build(&m->sim, err))
        return false;
    sim_reset(&m->sim);
    return true;
}

static inline void machine_init(struct machine *m, ...)
{
    struct error err;
    va_list ap;

    va_start(ap, m);
    must(machine_try(m, &err, ap), &err);
    va_end(ap);
}

// Expects that it cannot be built, with a message that contains `part`.
static inline void machine_refused(const char *part, ...)
{
    struct machine m;
    struct error err;
    va_list ap;

    va_start(ap, part);
    assert_false(machine_try(&m, &err, ap));
    va_end(ap);
    if (!strstr(err.message, part))
        fail_msg("'%s' does not contain '%s'", err.message, part);
    sim_release(&m.sim);
}

static inline void machine_release(struct machine *m)
{
    sim_release(&m->sim);
}

static inline const struct block_ops *block(struct machine *m)
{
    return component_interface(m->disk, "block");
}

static inline void disk_put(struct machine *m, u64 at, const void *data, u64 size)
{
    struct error err;

    must(block(m)->write(m->disk, at, data, size, &err), &err);
}

static inline void disk_expect(struct machine *m, u64 at, const void *data, u64 size)
{
    AUTO_FREE u8 *got = xcalloc(size, 1);
    struct error err;

    must(block(m)->read(m->disk, at, got, size, &err), &err);
    assert_memory_equal(got, data, size);
}
