// SPDX-License-Identifier: BSD-3-Clause
// The system calls of sockets (socket(2) and its family). See socket.h.
#include "os/linux/socket.h"
#include "os/linux/syscall.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>

enum { TYPE_MASK = 0xf };

static i64 socket_get(struct task *t, u64 fd, struct file **ret_file)
{
    struct file *f = fd_get(t, fd);

    if (!f || (f->flags & O_PATH))
        return -EBADF;
    *ret_file = f;
    return f->ops == &socket_ops ? 0 : -ENOTSOCK;
}

// Type and protocol that a family has, with the defaults put in.
static i64 check_kind(u64 family, int *type, int *protocol)
{
    if (family == AF_UNIX) {
        if (*protocol != 0 && *protocol != PF_UNIX)
            return -EPROTONOSUPPORT;
        *protocol = 0;
        if (*type == SOCK_RAW)
            *type = SOCK_DGRAM;
        return *type == SOCK_STREAM || *type == SOCK_DGRAM || *type == SOCK_SEQPACKET
                   ? 0
                   : -ESOCKTNOSUPPORT;
    }
    if (family != AF_INET && family != AF_INET6)
        return -EAFNOSUPPORT;
    if (*type == SOCK_RAW)
        return *protocol == 0 ? -EPROTONOSUPPORT : -EPERM;
    if (*type != SOCK_STREAM && *type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (*protocol == 0)
        *protocol = *type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    if (*type == SOCK_DGRAM && (*protocol == IPPROTO_ICMP || *protocol == IPPROTO_ICMPV6))
        return -EACCES;
    if (*type == SOCK_DGRAM && *protocol == IPPROTO_UDPLITE) // UDP with ports of its own
        return 0;
    return *protocol == (*type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP) ? 0 : -EPROTONOSUPPORT;
}

i64 sys_socket(struct task *t, const u64 *a)
{
    int type = (int)a[1] & TYPE_MASK, protocol = (int)a[2];
    i64 r;

    if ((u32)a[1] & ~(u32)(TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    r = check_kind((u32)a[0], &type, &protocol);
    if (r < 0)
        return r;
    return fd_add(t, socket_file(socket_new(t->kernel, (int)a[0], type, protocol), (u32)a[1]),
                  a[1] & SOCK_CLOEXEC, 0);
}

i64 sys_socketpair(struct task *t, const u64 *a)
{
    int type = (int)a[1] & TYPE_MASK, protocol = (int)a[2];
    struct socket *s[2];
    struct file *f[2];
    i64 r;

    if ((u32)a[1] & ~(u32)(TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    r = check_kind((u32)a[0], &type, &protocol);
    if (r < 0)
        return r;
    if (a[0] != AF_UNIX)
        return -EOPNOTSUPP;
    for (int i = 0; i < 2; i++) {
        s[i] = socket_new(t->kernel, AF_UNIX, type, protocol);
        s[i]->own = s[i]->other = socket_credentials(t);
        f[i] = socket_file(s[i], (u32)a[1]);
    }
    socket_join(s[0], s[1]);
    return fd_give_pair(t, f, a[1] & SOCK_CLOEXEC, a[3]);
}

// ---- addresses ----

static i64 get_name(struct task *t, vaddr va, u64 length, struct socket_name *ret_name)
{
    *ret_name = (struct socket_name){0};
    if ((i32)length < 0 || (u32)length > sizeof(struct sockaddr_storage))
        return -EINVAL;
    if ((u32)length > SOCKET_NAME_BYTES) // of no family here
        length = SOCKET_NAME_BYTES;
    ret_name->length = (u32)length;
    return user_read(t, va, ret_name->bytes, (u32)length) ? 0 : -EFAULT;
}

// As much as there is room for; the length is the whole one's.
static i64 put_name(struct task *t, vaddr va, vaddr length, const struct socket_name *name)
{
    i32 room;

    if (!va)
        return 0;
    if (!USER_GET(t, length, room))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    return user_write(t, va, name->bytes, MIN((u32)room, name->length)) &&
                   USER_PUT(t, length, name->length)
               ? 0
               : -EFAULT;
}

i64 sys_bind(struct task *t, const u64 *a)
{
    struct socket_name name;
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    if (r == 0)
        r = get_name(t, a[1], a[2], &name);
    return r < 0 ? r : socket_bind(t, f->data, &name);
}

i64 sys_connect(struct task *t, const u64 *a)
{
    struct socket_name name;
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    if (r == 0)
        r = get_name(t, a[1], a[2], &name);
    return r < 0 ? r : socket_connect(t, f, &name);
}

i64 sys_listen(struct task *t, const u64 *a)
{
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    return r < 0 ? r : socket_listen(t, f->data, (i32)a[1]);
}

i64 sys_accept4(struct task *t, const u64 *a)
{
    struct socket_name name = {0};
    struct file *f;
    i64 r = socket_get(t, a[0], &f), put;

    if (r < 0)
        return r;
    if (a[3] & ~(u64)(SOCK_CLOEXEC | SOCK_NONBLOCK))
        return -EINVAL;
    r = socket_accept(t, f, (u32)a[3], &name);
    if (r < 0)
        return r;
    put = put_name(t, a[1], a[2], &name);
    if (put < 0)
        fd_close(t, (u64)r);
    return put < 0 ? put : r;
}

i64 sys_accept(struct task *t, const u64 *a)
{
    u64 args[6] = {a[0], a[1], a[2], 0};

    return sys_accept4(t, args);
}

i64 sys_getsockname(struct task *t, const u64 *a)
{
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    return r < 0 ? r : put_name(t, a[1], a[2], &((struct socket *)f->data)->name);
}

i64 sys_getpeername(struct task *t, const u64 *a)
{
    const struct socket *s;
    struct socket_name name;
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    if (r < 0)
        return r;
    s = f->data;
    if (s->state != SOCKET_CONNECTED && s->state != SOCKET_CONNECTING)
        return -ENOTCONN;
    name = s->remote;
    if (socket_is_unix(s) && !s->peer)
        return -ENOTCONN;
    if (socket_is_unix(s))
        name = s->peer->name;
    return put_name(t, a[1], a[2], &name);
}

i64 sys_shutdown(struct task *t, const u64 *a)
{
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    return r < 0 ? r : socket_shutdown(f->data, (i32)a[1]);
}

i64 sys_setsockopt(struct task *t, const u64 *a)
{
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    if (r < 0)
        return r;
    return (i32)a[4] < 0 ? -EINVAL
                         : socket_set_option(t, f->data, (int)a[1], (int)a[2], a[3], (u32)a[4]);
}

i64 sys_getsockopt(struct task *t, const u64 *a)
{
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    return r < 0 ? r : socket_get_option(t, f->data, (int)a[1], (int)a[2], a[3], a[4]);
}

// ---- data ----

i64 socket_transfer(struct task *t, struct file *f, const struct iovec *iov, u32 n, bool write)
{
    struct message m = {.task = t, .iov = iov, .n_iov = n, .size = iov_bytes(iov, (int)n)};
    i64 r;

    if (write) {
        m.who = socket_credentials(t);
        return socket_send(t, f, &m);
    }
    if (m.size == 0)
        return 0;
    r = socket_receive(t, f, &m);
    message_release(&m);
    return r;
}

i64 sys_sendto(struct task *t, const u64 *a)
{
    struct iovec iov = {(void *)(uintptr_t)a[1], MIN(a[2], 0x7ffff000ull)};
    struct message m = {.task = t, .iov = &iov, .n_iov = 1, .size = iov.iov_len};
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    if (r == 0 && a[4])
        r = get_name(t, a[4], a[5], &m.to);
    if (r < 0)
        return r;
    m.flags = (u32)a[3];
    m.who = socket_credentials(t);
    return socket_send(t, f, &m);
}

i64 sys_recvfrom(struct task *t, const u64 *a)
{
    struct iovec iov = {(void *)(uintptr_t)a[1], MIN(a[2], 0x7ffff000ull)};
    struct message m = {.task = t, .iov = &iov, .n_iov = 1, .size = iov.iov_len};
    struct file *f;
    i64 r = socket_get(t, a[0], &f), put;

    if (r < 0)
        return r;
    m.flags = (u32)a[3];
    r = socket_receive(t, f, &m);
    message_release(&m);
    put = r < 0 ? 0 : put_name(t, a[4], a[5], &m.from);
    return put < 0 ? put : r;
}

// msghdr and its vector, which the caller frees.
static i64 get_header(struct task *t, vaddr va, struct msghdr *h, struct iovec **ret_iov,
                      struct message *m)
{
    struct iovec *v;
    u64 sum = 0;

    if (!USER_GET(t, va, *h))
        return -EFAULT;
    if (h->msg_iovlen > IOV_MAX)
        return -EMSGSIZE;
    v = xcalloc(h->msg_iovlen + 1, sizeof(*v));
    if (!user_read(t, (vaddr)h->msg_iov, v, h->msg_iovlen * sizeof(*v))) {
        free(v);
        return -EFAULT;
    }
    for (u64 i = 0; i < h->msg_iovlen; i++) {
        if (v[i].iov_len > 0x7ffff000ull || (sum += v[i].iov_len) > 0x7ffff000ull) {
            free(v);
            return -EINVAL;
        }
    }
    *ret_iov = v;
    *m = (struct message){.task = t, .iov = v, .n_iov = (u32)h->msg_iovlen, .size = sum};
    return 0;
}

// ---- control messages: descriptors and credentials (unix(7)) ----

static i64 send_files(struct task *t, struct message *m, const u8 *data, u64 bytes)
{
    u32 n = (u32)(bytes / sizeof(i32));

    if (m->n_files + n > SOCKET_FILES_MAX)
        return -EINVAL;
    m->files = xrealloc(m->files, m->n_files + n + 1, sizeof(struct file *));
    for (u32 i = 0; i < n; i++) {
        i32 fd;
        struct file *f;

        memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
        f = fd < 0 ? NULL : fd_get(t, (u64)fd);
        if (!f)
            return -EBADF;
        m->files[m->n_files++] = file_ref(f);
    }
    return 0;
}

static i64 send_credentials(struct task *t, struct message *m, const u8 *data, u64 bytes)
{
    struct credentials who;

    if (bytes != sizeof(who))
        return -EINVAL;
    memcpy(&who, data, sizeof(who));
    if (geteuid() != 0 &&
        (who.pid != t->process->pid || who.uid != getuid() || who.gid != getgid()))
        return -EPERM;
    if (!process_find(t->kernel, who.pid))
        return -ESRCH;
    m->who = who;
    return 0;
}

static i64 send_control(struct task *t, const struct socket *s, const struct msghdr *h,
                        struct message *m)
{
    u64 size = h->msg_controllen;
    AUTO_FREE u8 *data = NULL;
    i64 r = 0;

    if (size > 20480)
        return -ENOBUFS;
    data = xcalloc(size + 1, 1);
    if (!user_read(t, (vaddr)h->msg_control, data, size))
        return -EFAULT;
    for (u64 at = 0; r == 0 && at + sizeof(struct cmsghdr) <= size;) {
        struct cmsghdr c;
        u64 bytes;

        memcpy(&c, data + at, sizeof(c));
        if (c.cmsg_len < sizeof(c) || c.cmsg_len > size - at)
            return -EINVAL;
        bytes = c.cmsg_len - sizeof(c);
        if (c.cmsg_level == SOL_SOCKET && socket_is_unix(s)) {
            if (c.cmsg_type == SCM_RIGHTS)
                r = send_files(t, m, data + at + sizeof(c), bytes);
            else if (c.cmsg_type == SCM_CREDENTIALS)
                r = send_credentials(t, m, data + at + sizeof(c), bytes);
            else
                r = -EINVAL;
        }
        at += (c.cmsg_len + 7) & ~7ull;
    }
    return r;
}

struct control_out {
    vaddr at;
    u64 room, used;
    bool cut;
};

static void put_control(struct task *t, struct control_out *out, int type, const void *data,
                        u64 bytes)
{
    struct cmsghdr c = {.cmsg_len = sizeof(c) + bytes, .cmsg_level = SOL_SOCKET, .cmsg_type = type};
    u64 left = out->room - out->used;

    if (left < sizeof(c)) {
        out->cut = true;
        return;
    }
    if (c.cmsg_len > left) {
        out->cut = true;
        c.cmsg_len = left;
    }
    if (!USER_PUT(t, out->at + out->used, c) ||
        !user_write(t, out->at + out->used + sizeof(c), data, c.cmsg_len - sizeof(c)))
        return;
    out->used += MIN((c.cmsg_len + 7) & ~7ull, left);
}

static void receive_files(struct task *t, struct message *m, struct control_out *out)
{
    u64 left = out->room - out->used;
    u64 fit = left < sizeof(struct cmsghdr) ? 0 : (left - sizeof(struct cmsghdr)) / sizeof(i32);
    i32 numbers[SOCKET_FILES_MAX];
    u32 n = 0;

    if (m->n_files == 0)
        return;
    while (n < m->n_files && n < fit) {
        i64 fd = fd_add(t, file_ref(m->files[n]), m->flags & MSG_CMSG_CLOEXEC, 0);

        if (fd < 0)
            break;
        numbers[n++] = (i32)fd;
    }
    out->cut |= n < m->n_files;
    if (n > 0)
        put_control(t, out, SCM_RIGHTS, numbers, n * sizeof(i32));
}

static void receive_control(struct task *t, const struct socket *s, struct message *m,
                            struct msghdr *h)
{
    struct control_out out = {.at = (vaddr)h->msg_control, .room = h->msg_controllen};

    if (socket_is_unix(s) && m->have_who && socket_option(s, SOL_SOCKET, SO_PASSCRED))
        put_control(t, &out, SCM_CREDENTIALS, &m->who, sizeof(m->who));
    receive_files(t, m, &out);
    h->msg_controllen = out.used;
    if (out.cut)
        m->out_flags |= MSG_CTRUNC;
}

static i64 send_message(struct task *t, struct file *f, vaddr va, u32 flags)
{
    struct message m;
    struct msghdr h;
    struct iovec *iov = NULL;
    i64 r = get_header(t, va, &h, &iov, &m);

    if (r < 0)
        return r;
    m.flags = flags;
    m.who = socket_credentials(t);
    if (h.msg_name && h.msg_namelen)
        r = get_name(t, (vaddr)h.msg_name, h.msg_namelen, &m.to);
    if (r == 0 && h.msg_controllen && h.msg_control)
        r = send_control(t, f->data, &h, &m);
    if (r == 0)
        r = socket_send(t, f, &m);
    message_release(&m);
    free(iov);
    return r;
}

static i64 receive_message(struct task *t, struct file *f, vaddr va, u32 flags)
{
    struct message m;
    struct msghdr h;
    struct iovec *iov = NULL;
    i64 r = get_header(t, va, &h, &iov, &m);

    if (r < 0)
        return r;
    m.flags = flags;
    r = socket_receive(t, f, &m);
    free(iov);
    if (r >= 0) {
        receive_control(t, f->data, &m, &h);
        if (h.msg_name &&
            !user_write(t, (vaddr)h.msg_name, m.from.bytes, MIN(h.msg_namelen, m.from.length)))
            r = -EFAULT;
        h.msg_namelen = h.msg_name ? m.from.length : h.msg_namelen;
        h.msg_flags = (int)(m.out_flags | (flags & MSG_CMSG_CLOEXEC));
        if (!USER_PUT(t, va, h))
            r = -EFAULT;
    }
    message_release(&m);
    return r;
}

i64 sys_sendmsg(struct task *t, const u64 *a)
{
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    return r < 0 ? r : send_message(t, f, a[1], (u32)a[2]);
}

i64 sys_recvmsg(struct task *t, const u64 *a)
{
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    return r < 0 ? r : receive_message(t, f, a[1], (u32)a[2]);
}

// Several messages; the first may wait.
// APPROX: the others never do, as with MSG_WAITFORONE.
static i64 several(struct task *t, const u64 *a, bool send)
{
    u32 n = MIN((u32)a[2], (u32)IOV_MAX), done = 0, flags = (u32)a[3] & ~(u32)MSG_WAITFORONE;
    struct file *f;
    i64 r = socket_get(t, a[0], &f);

    for (; r >= 0 && done < n; done++) {
        vaddr at = a[1] + done * sizeof(struct mmsghdr);
        u32 length;

        if (done > 0)
            flags |= MSG_DONTWAIT;
        r = send ? send_message(t, f, at, flags) : receive_message(t, f, at, flags);
        if (r < 0)
            break;
        length = (u32)r;
        if (!USER_PUT(t, at + offsetof(struct mmsghdr, msg_len), length))
            r = -EFAULT;
    }
    return done > 0 ? (i64)done : r;
}

i64 sys_sendmmsg(struct task *t, const u64 *a)
{
    return several(t, a, true);
}

i64 sys_recvmmsg(struct task *t, const u64 *a)
{
    return several(t, a, false);
}
