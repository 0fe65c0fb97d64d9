// SPDX-License-Identifier: BSD-3-Clause
// Extended attributes: files have none, and none can be set, as on a file system without them.
#include "os/linux/file.h"
#include "os/linux/fs.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>

static i64 check_path(struct task *t, vaddr path, u32 flags, i64 answer)
{
    struct place p;
    i64 r = place_user(t, (u64)AT_FDCWD, path, flags, &p);

    if (r < 0 || p.synthetic)
        return r < 0 ? r : answer;
    return faccessat(p.at, p.path, F_OK, flags & PLACE_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW) == 0
               ? answer
               : -errno;
}

static i64 check_fd(struct task *t, u64 fd, i64 answer)
{
    return fd_get(t, fd) ? answer : -EBADF;
}

i64 sys_getxattr(struct task *t, const u64 *a)
{
    return check_path(t, a[0], PLACE_FOLLOW, -EOPNOTSUPP);
}

i64 sys_lgetxattr(struct task *t, const u64 *a)
{
    return check_path(t, a[0], 0, -EOPNOTSUPP);
}

i64 sys_fgetxattr(struct task *t, const u64 *a)
{
    return check_fd(t, a[0], -EOPNOTSUPP);
}

i64 sys_setxattr(struct task *t, const u64 *a)
{
    return check_path(t, a[0], PLACE_FOLLOW, -EOPNOTSUPP);
}

i64 sys_lsetxattr(struct task *t, const u64 *a)
{
    return check_path(t, a[0], 0, -EOPNOTSUPP);
}

i64 sys_fsetxattr(struct task *t, const u64 *a)
{
    return check_fd(t, a[0], -EOPNOTSUPP);
}

i64 sys_listxattr(struct task *t, const u64 *a)
{
    return check_path(t, a[0], PLACE_FOLLOW, 0);
}

i64 sys_llistxattr(struct task *t, const u64 *a)
{
    return check_path(t, a[0], 0, 0);
}

i64 sys_flistxattr(struct task *t, const u64 *a)
{
    return check_fd(t, a[0], 0);
}

i64 sys_removexattr(struct task *t, const u64 *a)
{
    return check_path(t, a[0], PLACE_FOLLOW, -EOPNOTSUPP);
}

i64 sys_lremovexattr(struct task *t, const u64 *a)
{
    return check_path(t, a[0], 0, -EOPNOTSUPP);
}

i64 sys_fremovexattr(struct task *t, const u64 *a)
{
    return check_fd(t, a[0], -EOPNOTSUPP);
}
