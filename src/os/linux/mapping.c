// SPDX-License-Identifier: BSD-3-Clause
#include "os/linux/mapping.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { IDLE_MAX = 64 }; // files without a user whose pages are kept

void mapping_set_init(struct mapping_set *s, struct pages *pages)
{
    *s = (struct mapping_set){.pages = pages};
}

// Nobody is to hear of what is done to a file between the two.
static void access_begins(const struct mapping_set *s)
{
    if (s->access)
        s->access(s->ctx, false);
}

static void access_ends(const struct mapping_set *s)
{
    if (s->access)
        s->access(s->ctx, true);
}

// A descriptor that has nothing to do with the program's: pages may stay when all of its are
// closed.
static int open_file(const struct mapping_set *s, int fd, bool writable)
{
    char path[64];
    int own;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    access_begins(s);
    own = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    access_ends(s);
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3); // its permissions may have changed
}

static void close_file(const struct mapping_set *s, int fd)
{
    access_begins(s);
    close(fd);
    access_ends(s);
}

static u32 slot_of(const struct mapping *m, u64 index)
{
    return (u32)((index * 0x9e3779b97f4a7c15u) >> 32) & (m->n_slots - 1);
}

static struct mapping_page *find(const struct mapping *m, u64 index)
{
    if (m->n_slots == 0)
        return NULL;
    for (u32 i = slot_of(m, index);; i = (i + 1) & (m->n_slots - 1)) {
        if (!m->slots[i].page)
            return NULL;
        if (m->slots[i].index == index)
            return &m->slots[i];
    }
}

static void put(struct mapping *m, struct mapping_page entry)
{
    u32 i = slot_of(m, entry.index);

    while (m->slots[i].page)
        i = (i + 1) & (m->n_slots - 1);
    m->slots[i] = entry;
}

static void insert(struct mapping *m, u64 index, u32 page)
{
    if (m->n_pages * 2 >= m->n_slots) {
        struct mapping_page *old = m->slots;
        u32 n = m->n_slots;

        m->n_slots = n ? n * 2 : 64;
        m->slots = xcalloc(m->n_slots, sizeof(*m->slots));
        for (u32 i = 0; i < n; i++) {
            if (old[i].page)
                put(m, old[i]);
        }
        free(old);
    }
    put(m, (struct mapping_page){.index = index, .page = page});
    m->n_pages++;
}

static void forget_pages(struct mapping *m)
{
    for (u32 i = 0; i < m->n_slots; i++) {
        if (m->slots[i].page)
            pages_unref(m->set->pages, m->slots[i].page);
    }
    free(m->slots);
    m->slots = NULL;
    m->n_slots = m->n_pages = m->n_dirty = 0;
}

static void mapping_free(struct mapping *m)
{
    mapping_sync(m, 0, ~0ull);
    forget_pages(m);
    if (m->fd >= 0)
        close_file(m->set, m->fd);
    free(m->path);
    free(m);
}

void mapping_set_release(struct mapping_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        mapping_free(s->items[i]);
    free(s->items);
    *s = (struct mapping_set){0};
}

static bool has_a_name(const struct mapping *m)
{
    struct stat st;

    return fstat(m->fd, &st) == 0 && st.st_nlink > 0;
}

// Files without a user keep their pages for the next program that maps them; the oldest go first.
static void trim(struct mapping_set *s)
{
    size_t idle = 0, kept = 0;

    for (size_t i = 0; i < s->count; i++)
        idle += s->items[i]->refs == 0;
    for (size_t i = 0; i < s->count; i++) {
        struct mapping *m = s->items[i];

        if (m->refs == 0 && (m->anonymous || m->dead || idle > IDLE_MAX)) {
            idle--;
            mapping_free(m);
        } else {
            s->items[kept++] = m;
        }
    }
    s->count = kept;
}

static struct mapping *add(struct mapping_set *s, struct mapping m, const char *path)
{
    struct mapping *copy = xcalloc(1, sizeof(*copy));

    m.refs = 1;
    m.path = xstrdup(path);
    m.set = s;
    *copy = m;
    VEC_PUSH(s, copy);
    return copy;
}

struct mapping *mapping_find(const struct mapping_set *s, u64 dev, u64 ino)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->items[i]->anonymous && s->items[i]->ino == ino && s->items[i]->dev == dev)
            return s->items[i];
    }
    return NULL;
}

struct mapping *mapping_of_file(struct mapping_set *s, int fd, bool writable, const char *path)
{
    struct stat st;
    struct mapping *m;
    int copy;

    if (fstat(fd, &st) != 0)
        return NULL;
    m = mapping_find(s, st.st_dev, st.st_ino);
    if (m && m->refs == 0 &&
        (m->mtime_s != st.st_mtim.tv_sec || m->mtime_ns != st.st_mtim.tv_nsec)) {
        forget_pages(m);
        m->mtime_s = st.st_mtim.tv_sec;
        m->mtime_ns = st.st_mtim.tv_nsec;
    }
    if (m && (m->writable || !writable)) {
        m->refs++;
        m->dead = false;
        return m;
    }
    copy = open_file(s, fd, writable);
    if (copy < 0)
        return NULL;
    if (m) {
        close_file(s, m->fd);
        m->fd = copy;
        m->writable = true;
        m->refs++;
        m->dead = false;
        return m;
    }
    return add(s,
               (struct mapping){.fd = copy,
                                .writable = writable,
                                .dev = st.st_dev,
                                .ino = st.st_ino,
                                .mtime_s = st.st_mtim.tv_sec,
                                .mtime_ns = st.st_mtim.tv_nsec},
               path);
}

struct mapping *mapping_anonymous(struct mapping_set *s, const char *path)
{
    return add(s, (struct mapping){.anonymous = true, .fd = -1, .writable = true}, path);
}

struct mapping *mapping_ref(struct mapping *m)
{
    m->refs++;
    return m;
}

void mapping_unlinked(struct mapping_set *s, u64 dev, u64 ino)
{
    struct mapping *m = mapping_find(s, dev, ino);

    if (!m || m->refs > 0)
        return;
    m->dead = !has_a_name(m);
    trim(s);
}

void mapping_unref(struct mapping *m)
{
    ASSERT(m->refs > 0);
    if (--m->refs > 0)
        return;
    if (!m->anonymous && m->n_dirty > 0) {
        struct stat st;

        mapping_sync(m, 0, ~0ull);
        for (u32 i = 0; i < m->n_slots; i++)
            m->slots[i].dirty = false;
        m->n_dirty = 0;
        if (fstat(m->fd, &st) == 0) {
            m->mtime_s = st.st_mtim.tv_sec;
            m->mtime_ns = st.st_mtim.tv_nsec;
        }
    }
    m->dead = !m->anonymous && !has_a_name(m);
    trim(m->set);
}

static enum mapping_result read_page(const struct mapping *m, u64 index, u8 *host)
{
    u64 done = 0;

    while (done < PAGE_BYTES) {
        ssize_t n =
            pread(m->fd, host + done, PAGE_BYTES - done, (off_t)((index << PAGE_SHIFT) + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return MAPPING_IO_ERROR;
        if (n == 0)
            break;
        done += (u64)n;
    }
    memset(host + done, 0, PAGE_BYTES - done);
    return MAPPING_OK;
}

static enum mapping_result fill(const struct mapping *m, u64 index, u8 *host)
{
    enum mapping_result r;
    struct stat st;

    if (fstat(m->fd, &st) != 0)
        return MAPPING_IO_ERROR;
    if (index >= PAGE_ROUND_UP((u64)st.st_size) >> PAGE_SHIFT)
        return MAPPING_BEYOND_END;
    access_begins(m->set);
    r = read_page(m, index, host);
    access_ends(m->set);
    return r;
}

enum mapping_result mapping_get(struct mapping *m, u64 index, u32 *ret_page)
{
    struct mapping_page *entry = find(m, index);
    enum mapping_result r = MAPPING_OK;
    u32 page;

    if (entry) {
        *ret_page = entry->page;
        return MAPPING_OK;
    }
    page = m->anonymous ? pages_alloc_zeroed(m->set->pages) : pages_alloc(m->set->pages);
    if (!page)
        return MAPPING_NO_MEMORY;
    if (!m->anonymous)
        r = fill(m, index, pages_host(m->set->pages, page));
    if (r != MAPPING_OK) {
        pages_unref(m->set->pages, page);
        return r;
    }
    insert(m, index, page);
    *ret_page = page;
    return MAPPING_OK;
}

u32 mapping_peek(const struct mapping *m, u64 index)
{
    const struct mapping_page *entry = find(m, index);

    return entry ? entry->page : 0;
}

void mapping_dirty(struct mapping *m, u64 index)
{
    struct mapping_page *entry = find(m, index);

    if (entry && !entry->dirty) {
        entry->dirty = true;
        m->n_dirty++;
        if (m->set->dirtied && !m->anonymous)
            m->set->dirtied(m->set->ctx, m);
    }
}

bool mapping_sync(struct mapping *m, u64 first, u64 last)
{
    struct stat st;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    bool ok = true, wrote = false;

    if (m->anonymous || m->n_dirty == 0)
        return true;
    if (fstat(m->fd, &st) != 0)
        return false;
    access_begins(m->set);
    for (u32 i = 0; i < m->n_slots; i++) {
        const struct mapping_page *e = &m->slots[i];
        u64 at = e->index << PAGE_SHIFT;

        if (!e->page || !e->dirty || e->index < first || e->index > last || at >= (u64)st.st_size)
            continue;
        if (pwrite(m->fd, pages_host(m->set->pages, e->page), MIN(PAGE_BYTES, (u64)st.st_size - at),
                   (off_t)at) < 0)
            ok = false;
        wrote = true;
    }
    // The program wrote when it dirtied the page, not now (and not at the host's time).
    times[1] = st.st_mtim;
    if (wrote)
        (void)!futimens(m->fd, times); // it may be somebody else's file
    access_ends(m->set);
    return ok;
}

void mapping_drop(struct mapping *m, u64 first, u64 last)
{
    struct mapping_page *old = m->slots;
    u32 n = m->n_slots;

    m->slots = n ? xcalloc(n, sizeof(*old)) : NULL;
    m->n_pages = m->n_dirty = 0;
    for (u32 i = 0; i < n; i++) {
        if (!old[i].page)
            continue;
        if (old[i].index >= first && old[i].index <= last) {
            pages_unref(m->set->pages, old[i].page);
            continue;
        }
        put(m, old[i]);
        m->n_pages++;
        m->n_dirty += old[i].dirty;
    }
    free(old);
}

void mapping_before_read(struct mapping_set *s, u64 dev, u64 ino)
{
    struct mapping *m = mapping_find(s, dev, ino);

    if (m && m->n_dirty > 0)
        mapping_sync(m, 0, ~0ull);
}

void mapping_after_write(struct mapping_set *s, u64 dev, u64 ino, u64 offset, u64 size)
{
    struct mapping *m = mapping_find(s, dev, ino);

    if (!m || size == 0 || m->n_pages == 0)
        return;
    for (u64 i = offset >> PAGE_SHIFT; i <= (offset + size - 1) >> PAGE_SHIFT; i++) {
        u32 page = mapping_peek(m, i);

        if (page) {
            pages_written(s->pages, page);
            (void)fill(m, i, pages_host(s->pages, page));
        }
    }
}

void mapping_truncate(struct mapping_set *s, u64 dev, u64 ino, u64 size)
{
    struct mapping *m = mapping_find(s, dev, ino);

    if (!m)
        return;
    mapping_drop(m, PAGE_ROUND_UP(size) >> PAGE_SHIFT, ~0ull);
    if (size % PAGE_BYTES)
        mapping_after_write(s, dev, ino, size, 1);
}
