// SPDX-License-Identifier: BSD-3-Clause
// mmap(2) and its family.
#include "os/linux/file.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

static i64 map_of_file(struct task *t, struct file *f, u64 flags, u64 prot,
                       struct mapping **ret_map, u32 *area_flags)
{
    u32 access = f->flags & O_ACCMODE;
    bool shared = flags & MAP_SHARED;

    if (f->host < 0 || (f->type != S_IFREG && f->type != S_IFCHR))
        return -ENODEV;
    if (access == O_WRONLY || (f->flags & O_PATH))
        return -EACCES;
    if (shared && (prot & PROT_WRITE) && access != O_RDWR)
        return -EACCES;
    if (f->type == S_IFCHR) {
        *ret_map = shared ? mapping_anonymous(&t->kernel->mappings, f->path) : NULL;
        return 0;
    }
    if (shared && access != O_RDWR)
        *area_flags |= MM_MAY_NOT_WRITE;
    *ret_map = mapping_of_file(&t->kernel->mappings, f->host, shared && access == O_RDWR, f->path);
    return *ret_map ? 0 : -errno;
}

i64 sys_mmap(struct task *t, const u64 *a)
{
    u64 size = a[1], prot = a[2] & 7, flags = a[3], offset = a[5];
    u32 area_flags = 0;
    struct mapping *map = NULL;
    struct file *f;
    i64 r;

    if (size == 0 || offset % PAGE_BYTES)
        return -EINVAL;
    switch (flags & MAP_TYPE) {
    case MAP_SHARED:
    case MAP_SHARED_VALIDATE:
        area_flags |= MM_SHARED;
        flags |= MAP_SHARED;
        break;
    case MAP_PRIVATE:
        break;
    default:
        return -EINVAL;
    }
    if (offset + size < offset)
        return -EOVERFLOW;
    if (flags & MAP_ANONYMOUS) {
        if (flags & MAP_SHARED)
            map = mapping_anonymous(&t->kernel->mappings, "/dev/zero (deleted)");
        offset = 0;
    } else {
        f = fd_get(t, a[4]);
        if (!f)
            return -EBADF;
        r = map_of_file(t, f, flags, prot, &map, &area_flags);
        if (r < 0)
            return r;
    }
    area_flags |= (flags & MAP_NORESERVE ? MM_NO_RESERVE : 0) |
                  (flags & MAP_GROWSDOWN ? MM_GROWS_DOWN : 0) | (flags & MAP_FIXED ? MM_FIXED : 0) |
                  (flags & MAP_FIXED_NOREPLACE ? MM_FIXED_NOREPLACE : 0);
    r = mm_map(t->mm, a[0], size, (u32)prot, area_flags, map, offset);
    if (map)
        mapping_unref(map);
    return r;
}

i64 sys_munmap(struct task *t, const u64 *a)
{
    return mm_unmap(t->mm, a[0], a[1]);
}

i64 sys_mprotect(struct task *t, const u64 *a)
{
    if (a[2] & ~(u64)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP))
        return -EINVAL;
    return mm_protect(t->mm, a[0], a[1], (u32)a[2] & 7);
}

i64 sys_mremap(struct task *t, const u64 *a)
{
    return mm_remap(t->mm, a[0], a[1], a[2], (u32)a[3], a[4]);
}

i64 sys_brk(struct task *t, const u64 *a)
{
    return mm_set_brk(t->mm, a[0]);
}

i64 sys_msync(struct task *t, const u64 *a)
{
    if ((a[2] & ~(u64)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
        (a[2] & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
        return -EINVAL;
    return mm_sync(t->mm, a[0], a[1]);
}

i64 sys_madvise(struct task *t, const u64 *a)
{
    u64 size = PAGE_ROUND_UP(a[1]);

    if (a[0] % PAGE_BYTES || size < a[1])
        return -EINVAL;
    switch ((int)a[2]) {
    case MADV_DONTNEED:
    case MADV_FREE:
        return mm_discard(t->mm, a[0], size);
    case MADV_REMOVE:
        return -EOPNOTSUPP;
    case MADV_DONTFORK:
        return mm_set_flags(t->mm, a[0], size, MM_DONT_FORK, 0);
    case MADV_DOFORK:
        return mm_set_flags(t->mm, a[0], size, 0, MM_DONT_FORK);
    case MADV_WIPEONFORK:
        return mm_set_flags(t->mm, a[0], size, MM_WIPE_ON_FORK, 0);
    case MADV_KEEPONFORK:
        return mm_set_flags(t->mm, a[0], size, 0, MM_WIPE_ON_FORK);
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case 22: // MADV_POPULATE_READ
    case 23: // MADV_POPULATE_WRITE
        return mm_covered(t->mm, a[0], size) ? 0 : -ENOMEM;
    default:
        return -EINVAL;
    }
}

i64 sys_mincore(struct task *t, const u64 *a)
{
    u64 pages = PAGE_ROUND_UP(a[1]) >> PAGE_SHIFT;
    u8 in = 1;

    if (a[0] % PAGE_BYTES)
        return -EINVAL;
    if (pages > 1u << 24 || !mm_covered(t->mm, a[0], a[1]))
        return -ENOMEM;
    for (u64 i = 0; i < pages; i++) {
        if (!user_write(t, a[2] + i, &in, 1))
            return -EFAULT;
    }
    return 0;
}

i64 sys_mlock(struct task *t, const u64 *a)
{
    u64 start = PAGE_ROUND_DOWN(a[0]);

    return mm_covered(t->mm, start, PAGE_ROUND_UP(a[0] + a[1]) - start) ? 0 : -ENOMEM;
}

i64 sys_mlock2(struct task *t, const u64 *a)
{
    return a[2] & ~1ull ? -EINVAL : sys_mlock(t, a);
}

i64 sys_munlock(struct task *t, const u64 *a)
{
    return sys_mlock(t, a);
}

i64 sys_mlockall(struct task *t, const u64 *a)
{
    return a[0] == 0 || (a[0] & ~7ull) ? -EINVAL : 0;
}

i64 sys_munlockall(struct task *t, const u64 *a)
{
    return 0;
}

i64 sys_membarrier(struct task *t, const u64 *a)
{
    enum { QUERY = 0, ALL = 0x1ff };

    // Tasks take turns on one host thread: every access is ordered already.
    return a[0] == QUERY ? ALL : a[0] & ~(u64)ALL ? -EINVAL : 0;
}
