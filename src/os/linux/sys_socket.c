// SPDX-License-Identifier: BSD-3-Clause
// Sockets. Only pairs exist (socketpair in sys_fd.c): a simulated machine has no network, and every
// other family is refused as by a kernel without it.
#include "os/linux/file.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

i64 sys_socket(struct task *t, const u64 *a)
{
    return -EAFNOSUPPORT;
}

static i64 need_socket(struct task *t, u64 fd, i64 answer)
{
    const struct file *f = fd_get(t, fd);

    return !f ? -EBADF : f->ops != &socket_ops ? -ENOTSOCK : answer;
}

i64 sys_connect(struct task *t, const u64 *a)
{
    return need_socket(t, a[0], -EISCONN);
}

i64 sys_accept(struct task *t, const u64 *a)
{
    return need_socket(t, a[0], -EINVAL);
}

i64 sys_accept4(struct task *t, const u64 *a)
{
    return need_socket(t, a[0], -EINVAL);
}

i64 sys_bind(struct task *t, const u64 *a)
{
    return need_socket(t, a[0], -EINVAL);
}

i64 sys_listen(struct task *t, const u64 *a)
{
    return need_socket(t, a[0], -EINVAL);
}

static i64 put_unnamed(struct task *t, const u64 *a)
{
    i64 r = need_socket(t, a[0], 0);
    u16 family = AF_UNIX;
    u32 size;

    if (r < 0)
        return r;
    if (!USER_GET(t, a[2], size) || !user_write(t, a[1], &family, MIN(size, 2)))
        return -EFAULT;
    size = 2;
    return USER_PUT(t, a[2], size) ? 0 : -EFAULT;
}

i64 sys_getsockname(struct task *t, const u64 *a)
{
    return put_unnamed(t, a);
}

i64 sys_getpeername(struct task *t, const u64 *a)
{
    return put_unnamed(t, a);
}

i64 sys_shutdown(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);

    return f ? socket_shutdown(f, (int)a[1]) : -EBADF;
}

i64 sys_setsockopt(struct task *t, const u64 *a)
{
    return need_socket(t, a[0], 0);
}

i64 sys_getsockopt(struct task *t, const u64 *a)
{
    i64 r = need_socket(t, a[0], 0);
    i32 value = 0;
    u32 size;

    if (r < 0)
        return r;
    if (a[1] == SOL_SOCKET && a[2] == SO_TYPE)
        value = socket_type(fd_get(t, a[0]));
    else if (a[1] == SOL_SOCKET && a[2] == SO_DOMAIN)
        value = AF_UNIX;
    else if (a[1] == SOL_SOCKET && (a[2] == SO_SNDBUF || a[2] == SO_RCVBUF))
        value = 212992;
    if (!USER_GET(t, a[4], size) || !user_write(t, a[3], &value, MIN(size, 4)))
        return -EFAULT;
    size = MIN(size, 4);
    return USER_PUT(t, a[4], size) ? 0 : -EFAULT;
}

// One transfer with the flags that sockets have beside reading and writing.
static i64 with_flags(struct task *t, u64 fd, u64 flags, system_call_fn *call, const u64 *args)
{
    struct file *f = fd_get(t, fd);
    u32 saved;
    i64 r = need_socket(t, fd, 0);

    if (r < 0)
        return r;
    saved = f->flags;
    if (flags & MSG_DONTWAIT)
        f->flags |= O_NONBLOCK;
    file_ref(f);
    r = call(t, args);
    f->flags = saved;
    file_unref(f);
    return r;
}

i64 sys_sendto(struct task *t, const u64 *a)
{
    u64 args[6] = {a[0], a[1], a[2]};

    return with_flags(t, a[0], a[3], sys_write, args);
}

i64 sys_recvfrom(struct task *t, const u64 *a)
{
    u64 args[6] = {a[0], a[1], a[2]};

    if (a[3] & MSG_PEEK)
        return need_socket(t, a[0], -EOPNOTSUPP);
    return with_flags(t, a[0], a[3], sys_read, args);
}

i64 sys_sendmsg(struct task *t, const u64 *a)
{
    struct msghdr m;
    u64 args[6] = {a[0]};

    if (!USER_GET(t, a[1], m))
        return -EFAULT;
    if (m.msg_controllen)
        return need_socket(t, a[0], -EOPNOTSUPP);
    args[1] = (u64)(uintptr_t)m.msg_iov;
    args[2] = m.msg_iovlen;
    return with_flags(t, a[0], a[2], sys_writev, args);
}

i64 sys_recvmsg(struct task *t, const u64 *a)
{
    struct msghdr m;
    u64 args[6] = {a[0]};
    i64 r;

    if (!USER_GET(t, a[1], m))
        return -EFAULT;
    if (a[2] & MSG_PEEK)
        return need_socket(t, a[0], -EOPNOTSUPP);
    args[1] = (u64)(uintptr_t)m.msg_iov;
    args[2] = m.msg_iovlen;
    r = with_flags(t, a[0], a[2], sys_readv, args);
    if (r < 0)
        return r;
    m.msg_namelen = 0;
    m.msg_controllen = 0;
    m.msg_flags = 0;
    return USER_PUT(t, a[1], m) ? r : -EFAULT;
}

i64 sys_sendmmsg(struct task *t, const u64 *a)
{
    return need_socket(t, a[0], -EOPNOTSUPP);
}

i64 sys_recvmmsg(struct task *t, const u64 *a)
{
    return need_socket(t, a[0], -EOPNOTSUPP);
}
