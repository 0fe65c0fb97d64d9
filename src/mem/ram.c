// SPDX-License-Identifier: BSD-3-Clause
// RAM without timing. Its content is no state list but goes into checkpoints as chunks.
#include "mem/ram.h"

#include "base/bug.h"
#include "sim/checkpoint.h"
#include "sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BACKING_ANONYMOUS, BACKING_MEMFD };

#define RAM_PARAMS(P, PR, PB, PS, PC)                                                       \
    P(bytes, size, MiB(256), KiB(4), GiB(16384), "Size; a multiple of 4KiB")                \
    PC(backing, "anonymous", "anonymous|memfd", "Host memory: private, or a sharable file") \
    PB(huge_pages, true, "Ask the host for huge pages")

COMPONENT_LISTS(ram, RAM_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);

struct ram {
    struct component base;
    struct ram_params p;
    struct ram_state st;
    struct ram_stats n;
    WIRED(u8 *bytes); // owned; saved by ram_save
    WIRED(int fd);    // owned; one more than the descriptor, 0: none
    // Owned; what a restore has left to be filled, NULL: nothing.
    DERIVED(struct checkpoint_lazy *lazy);
};

static struct ram *ram_of(const struct component *c)
{
    ASSERT(c->type == &ram_type);
    return (struct ram *)(uintptr_t)c;
}

static bool ram_check(struct component *c, struct error *err)
{
    if (ram_of(c)->p.size % MEM_PAGE_SIZE)
        return error_set(err, ERROR_INPUT, "the size is not a multiple of 4KiB");
    return true;
}

static bool ram_build(struct component *c, struct error *err)
{
    struct ram *r = ram_of(c);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, fd = -1;
    void *p;

    if (r->p.backing == BACKING_MEMFD) {
        fd = memfd_create("facet-ram", MFD_CLOEXEC);
        if (fd < 0)
            return error_set_errno(err, "cannot create a memory file");
        r->fd = fd + 1;
        if (ftruncate(fd, (off_t)r->p.size) < 0)
            return error_set_errno(err, "cannot give the memory file %llu bytes",
                                   (unsigned long long)r->p.size);
        flags = MAP_SHARED | MAP_NORESERVE;
    }
    p = mmap(NULL, r->p.size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (p == MAP_FAILED)
        return error_set_errno(err, "cannot map %llu bytes of memory",
                               (unsigned long long)r->p.size);
    r->bytes = p;
    // Advice only: a kernel without huge pages does as well.
    if (r->p.huge_pages)
        (void)madvise(p, r->p.size, MADV_HUGEPAGE);
    return true;
}

static void ram_destroy(struct component *c)
{
    struct ram *r = ram_of(c);

    checkpoint_lazy_free(r->lazy);
    r->lazy = NULL;
    if (r->bytes)
        munmap(r->bytes, r->p.size);
    if (r->fd)
        close(r->fd - 1);
    r->bytes = NULL;
    r->fd = 0;
}

// Gives the pages back; they read as zero.
static bool clear(struct ram *r)
{
    return madvise(r->bytes, r->p.size, r->fd ? MADV_REMOVE : MADV_DONTNEED) == 0;
}

static void ram_reset(struct component *c)
{
    struct ram *r = ram_of(c);

    checkpoint_lazy_free(r->lazy);
    r->lazy = NULL;
    if (!clear(r))
        memset(r->bytes, 0, r->p.size);
}

// ---- checkpoints ----

// Fills what a restore left; false when the machine has failed.
static bool fill(struct ram *r, u64 at, u64 size)
{
    struct error err;

    if (!checkpoint_lazy_fill(r->lazy, at, size, &err)) {
        sim_fail(&r->base, &err);
        return false;
    }
    if (!checkpoint_lazy_left(r->lazy)) {
        checkpoint_lazy_free(r->lazy);
        r->lazy = NULL;
    }
    return true;
}

static bool fill_all(struct ram *r, struct error *err)
{
    if (r->lazy && !checkpoint_lazy_complete(r->lazy, err))
        return false;
    checkpoint_lazy_free(r->lazy);
    r->lazy = NULL;
    return true;
}

// Private memory: the kernel's table of pages says which were ever touched (proc(5), pagemap).
enum { PAGEMAP_ENTRIES = 4096 };
#define PAGEMAP_HAS_DATA (3ull << 62) // present, or swapped out

struct pagemap {
    struct ram *ram; // borrowed
    int fd;          // owned; -1: no such file
    u64 first, count;
    u64 entries[PAGEMAP_ENTRIES];
};

static u64 private_data_from(void *context, u64 at)
{
    struct pagemap *m = context;
    u64 pages = m->ram->p.size / MEM_PAGE_SIZE;

    for (u64 page = at / MEM_PAGE_SIZE; page < pages; page++) {
        if (page - m->first >= m->count) {
            u64 want = MIN(pages - page, PAGEMAP_ENTRIES) * sizeof(u64);
            u64 from = ((u64)(uintptr_t)m->ram->bytes / MEM_PAGE_SIZE + page) * sizeof(u64);
            ssize_t n = pread(m->fd, m->entries, want, (off_t)from);

            if (n < (ssize_t)sizeof(u64))
                return at;
            m->first = page;
            m->count = (u64)n / sizeof(u64);
        }
        if (m->entries[page - m->first] & PAGEMAP_HAS_DATA)
            return MAX(at, page * MEM_PAGE_SIZE);
    }
    return m->ram->p.size;
}

static u64 shared_data_from(void *context, u64 at)
{
    struct ram *r = context;
    off_t next = lseek(r->fd - 1, (off_t)at, SEEK_DATA);

    if (next >= 0)
        return (u64)next;
    return errno == ENXIO ? r->p.size : at;
}

static bool ram_save(struct component *c, struct checkpoint_writer *w, struct error *err)
{
    struct ram *r = ram_of(c);
    struct pagemap map = {.ram = r};
    bool ok;

    if (!fill_all(r, err))
        return false;
    if (r->fd)
        return checkpoint_write_sparse(w, c->path, r->bytes, r->p.size, shared_data_from, r, err);
    map.fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    ok = checkpoint_write_sparse(w, c->path, r->bytes, r->p.size,
                                 map.fd >= 0 ? private_data_from : NULL, &map, err);
    if (map.fd >= 0)
        close(map.fd);
    return ok;
}

static bool ram_load(struct component *c, struct checkpoint_reader *r, struct error *err)
{
    struct ram *ram = ram_of(c);

    ram_reset(c);
    return checkpoint_read_lazily(r, c->path, ram->bytes, ram->p.size, &ram->lazy, err);
}

static const struct component_ops ram_ops = {
    .check = ram_check,
    .build = ram_build,
    .reset = ram_reset,
    .save = ram_save,
    .load = ram_load,
    .destroy = ram_destroy,
};

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    struct ram *r = ram_of(ctx);

    if (addr > r->p.size || size > r->p.size - addr || !ram_ready(&r->base, addr, size)) {
        if (!write)
            memset(data, 0xff, size);
        return false;
    }
    if (write)
        memcpy(r->bytes + addr, data, size);
    else
        memcpy(data, r->bytes + addr, size);
    return true;
}

static u8 *ram_host_page(void *ctx, paddr page, bool write)
{
    struct ram *r = ram_of(ctx);

    return page < r->p.size && ram_ready(&r->base, page, MEM_PAGE_SIZE) ? r->bytes + page : NULL;
}

// As a port of its own: the addresses are offsets.
static const struct mem_port_ops ram_port = {.access = ram_access, .host_page = ram_host_page};

const struct component_type ram_type = {
    .name = "ram",
    .doc = "Random access memory",
    COMPONENT_LAYOUT(ram),
    .ops = &ram_ops,
    .provides = {IFACE(mem_port, &ram_port)},
};

u8 *ram_bytes(const struct component *c)
{
    struct ram *r = ram_of(c);
    struct error err;

    if (!fill_all(r, &err))
        sim_fail(&r->base, &err);
    return r->bytes;
}

u8 *ram_place(const struct component *c)
{
    return ram_of(c)->bytes;
}

bool ram_ready(const struct component *c, u64 at, u64 size)
{
    struct ram *r = ram_of(c);

    return LIKELY(!r->lazy) || fill(r, at, size);
}

u64 ram_size(const struct component *c)
{
    return ram_of(c)->p.size;
}

int ram_fd(const struct component *c)
{
    return ram_of(c)->fd - 1;
}
