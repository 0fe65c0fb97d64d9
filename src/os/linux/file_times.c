// SPDX-License-Identifier: BSD-3-Clause
// APPROX: reading a file leaves its time of last access alone, as on a file system that is mounted
// noatime. APPROX: the ctime of files that the program has not changed is their mtime, and so is
// the atime of those whose atime it has not set.
#include "os/linux/file_times.h"

#include "os/linux/inotify.h"
#include "os/linux/timer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SETS = 4096, WAYS = 4 };

struct entry {
    u64 dev, ino; // ino 0: free
    struct timespec atime, mtime, ctime;
    bool has_atime, has_mtime; // else those of the host count
};

struct file_times {
    struct {
        struct entry way[WAYS];
        u32 next; // to be replaced
    } set[SETS];
};

static struct timespec now(const struct kernel *k)
{
    return timespec_of_ns(KERNEL_EPOCH * 1000000000ull + kernel_now_ns(k));
}

static u32 set_of(u64 dev, u64 ino)
{
    return (u32)(((ino ^ dev << 40) * 0x9e3779b97f4a7c15u) >> 32) % SETS;
}

static struct entry *find(const struct kernel *k, u64 dev, u64 ino)
{
    struct entry *way;

    if (!k->times)
        return NULL;
    way = k->times->set[set_of(dev, ino)].way;
    for (u32 i = 0; i < WAYS; i++) {
        if (way[i].ino == ino && way[i].dev == dev)
            return &way[i];
    }
    return NULL;
}

static struct entry *find_or_add(struct kernel *k, const struct stat *st)
{
    struct entry *e = find(k, st->st_dev, st->st_ino);
    u32 set = set_of(st->st_dev, st->st_ino);

    if (e)
        return e;
    if (!k->times)
        k->times = xcalloc(1, sizeof(*k->times));
    e = &k->times->set[set].way[k->times->set[set].next++ % WAYS];
    *e = (struct entry){.dev = st->st_dev, .ino = st->st_ino};
    return e;
}

void file_times_free(struct file_times *table)
{
    free(table);
}

void file_times_show(struct kernel *k, struct stat *st)
{
    const struct entry *e = find(k, st->st_dev, st->st_ino);

    // Devices, and files without a place on the host, came with the machine.
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) || (!e && st->st_mtim.tv_sec == 0))
        st->st_mtim = (struct timespec){.tv_sec = KERNEL_EPOCH};
    else if (e && e->has_mtime)
        st->st_mtim = e->mtime;
    st->st_ctim = e ? e->ctime : st->st_mtim;
    st->st_atim = e && e->has_atime ? e->atime : st->st_mtim;
}

static void note(struct kernel *k, const struct stat *st, u32 which, bool host_knows)
{
    struct entry *e = find_or_add(k, st);

    e->ctime = now(k);
    if (which & TIMES_M) {
        e->has_mtime = !host_knows;
        e->mtime = e->ctime;
    }
    if (which & TIMES_A) {
        e->has_atime = true;
        e->atime = e->ctime;
    }
}

static void times_for_host(const struct kernel *k, u32 which, struct timespec times[2])
{
    times[0] = which & TIMES_A ? now(k) : (struct timespec){.tv_nsec = UTIME_OMIT};
    times[1] = which & TIMES_M ? now(k) : (struct timespec){.tv_nsec = UTIME_OMIT};
}

void file_times_touch(struct kernel *k, int host, u64 dev, u64 ino, u32 which, bool set_host)
{
    struct stat st = {.st_dev = dev, .st_ino = ino};
    struct timespec times[2];

    times_for_host(k, which, times);
    inotify_own_access(k, false);
    if (which & (TIMES_A | TIMES_M))
        set_host = set_host && futimens(host, times) == 0;
    inotify_own_access(k, true);
    note(k, &st, which, set_host);
}

void file_times_touch_at(struct kernel *k, int at, const char *path, u32 which, int flags)
{
    struct timespec times[2];
    struct stat st;
    bool set = true;

    if (fstatat(at, path, &st, flags) != 0)
        return;
    times_for_host(k, which, times);
    inotify_own_access(k, false);
    if (which & (TIMES_A | TIMES_M))
        set = utimensat(at, path, times, flags) == 0;
    inotify_own_access(k, true);
    note(k, &st, which, set);
}

void file_times_touch_folder(struct kernel *k, int at, const char *path)
{
    char folder[PATH_MAX];
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    snprintf(folder, sizeof(folder), "%.*s", n ? (int)n : 1, n ? path : ".");
    file_times_touch_at(k, at, folder, TIMES_M | TIMES_C, 0);
}

void file_times_created(struct kernel *k, int host)
{
    char link[64], name[PATH_MAX];
    struct stat st;
    ssize_t n;

    if (fstat(host, &st) != 0)
        return;
    file_times_touch(k, host, st.st_dev, st.st_ino, TIMES_A | TIMES_M | TIMES_C, true);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", host);
    n = readlink(link, name, sizeof(name) - 1);
    if (n <= 0 || st.st_nlink == 0) // without a name (O_TMPFILE)
        return;
    name[n] = 0;
    file_times_touch_folder(k, AT_FDCWD, name);
}

void file_times_given(struct kernel *k, const struct stat *st, const struct timespec times[2])
{
    struct entry *e = find_or_add(k, st);

    e->ctime = now(k);
    if (times[1].tv_nsec != UTIME_OMIT)
        e->has_mtime = false;
    if (times[0].tv_nsec != UTIME_OMIT) {
        e->has_atime = true;
        e->atime = times[0];
    }
}
