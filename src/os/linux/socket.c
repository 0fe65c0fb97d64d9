// SPDX-License-Identifier: BSD-3-Clause
// Life of sockets, their files, and their queues (unix(7), tcp(7), udp(7)).
// UNMODELLED: out-of-band data, raw sockets, netlink, control messages of inet (hop limits...), any
// address but those of the loopback interface.
#include "os/linux/socket.h"

#include "base/bug.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

struct socket *socket_new(struct kernel *k, int family, int type, int protocol)
{
    struct socket *s = xcalloc(1, sizeof(*s));

    *s = (struct socket){.kernel = k,
                         .refs = 1,
                         .family = family,
                         .type = type,
                         .protocol = protocol,
                         .own = {0, ~0u, ~0u},
                         .other = {0, ~0u, ~0u}};
    s->name = socket_unspecified(s);
    socket_options_init(s);
    VEC_PUSH(&k->sockets, s);
    return s;
}

struct socket *socket_ref(struct socket *s)
{
    s->refs++;
    return s;
}

void socket_unref(struct socket *s)
{
    struct kernel *k;

    if (!s || --s->refs > 0)
        return;
    k = s->kernel;
    ASSERT(!s->peer && !s->first);
    for (size_t i = 0; i < k->sockets.count; i++) {
        if (k->sockets.items[i] == s) {
            k->sockets.count--;
            memmove(&k->sockets.items[i], &k->sockets.items[i + 1],
                    (k->sockets.count - i) * sizeof(s));
            break;
        }
    }
    VEC_RELEASE(&s->pending);
    free(s->options);
    free(s);
}

void socket_changed(struct socket *s)
{
    s->edges++;
    kernel_wake(s->kernel, s);
}

struct credentials socket_credentials(const struct task *t)
{
    return (struct credentials){t->process->pid, getuid(), getgid()};
}

void socket_put_packet(struct socket *s, struct packet *p)
{
    p->next = NULL;
    if (s->first)
        s->last->next = p;
    else
        s->first = p;
    s->last = p;
    s->in_packets++;
    s->in_cost += p->cost;
    if (p->sender) {
        socket_ref(p->sender);
        p->sender->out_cost += p->cost;
    }
    socket_changed(s);
}

void socket_drop_packet(struct socket *s)
{
    struct packet *p = s->first;

    s->first = p->next;
    if (!s->first) {
        s->last = NULL;
        s->depth = 0;
    }
    s->in_packets--;
    s->in_cost -= p->cost;
    if (p->sender) {
        p->sender->out_cost -= p->cost;
        socket_changed(p->sender);
        socket_unref(p->sender);
    }
    kernel_wake(s->kernel, &s->in_packets); // those who wait for room in this queue
    for (u32 i = 0; i < p->n_files; i++)
        file_unref(p->files[i]);
    s->kernel->files_in_flight -= p->n_files;
    free(p->files);
    free(p);
}

void socket_drop_packets(struct socket *s)
{
    while (s->first)
        socket_drop_packet(s);
}

void socket_end(struct socket *s, int error)
{
    s->shut = SHUT_BOTH;
    s->state = SOCKET_ENDED;
    if (error)
        s->error = error;
    socket_changed(s);
}

// The other side of a connection learns that this one is gone.
static void leave_peer(struct socket *s, bool unread)
{
    struct socket *peer = s->peer;

    if (!peer)
        return;
    if (s->type != SOCK_DGRAM && peer->peer == s && !peer->closed) {
        if (socket_is_unix(s))
            peer->shut = SHUT_BOTH;
        else
            peer->shut |= SHUT_RECEIVE;
        if (unread && socket_is_unix(s))
            peer->error = ECONNRESET;
        else if (unread)
            socket_end(peer, ECONNRESET);
        socket_changed(peer);
    }
    s->peer = NULL;
    socket_unref(peer);
}

static void socket_close(struct socket *s)
{
    // Closing with data unread, or without lingering, is a reset.
    bool unread = s->first || (!socket_is_unix(s) && s->linger.l_onoff && s->linger.l_linger == 0);

    s->closed = true;
    for (size_t i = 0; i < s->pending.count; i++) {
        struct socket *fresh = s->pending.items[i];

        if (socket_is_unix(s) && fresh->peer)
            fresh->peer->error = ECONNRESET;
        else if (fresh->peer)
            socket_end(fresh->peer, ECONNRESET);
        socket_close(fresh);
        socket_unref(fresh);
    }
    s->pending.count = 0;
    socket_drop_packets(s);
    leave_peer(s, unread);
    s->ino = 0;
    socket_changed(s);
}

static void socket_release(struct file *f)
{
    struct socket *s = f->data;

    socket_close(s);
    socket_unref(s);
}

void sockets_release(struct kernel *k)
{
    // Descriptors that are in flight in each other's queues have nobody to take them.
    VEC(struct socket *) all = {0};

    for (size_t i = 0; i < k->sockets.count; i++)
        VEC_PUSH(&all, socket_ref(k->sockets.items[i]));
    for (size_t i = 0; i < all.count; i++)
        socket_close(all.items[i]);
    for (size_t i = 0; i < all.count; i++)
        socket_unref(all.items[i]);
    VEC_RELEASE(&all);
    VEC_RELEASE(&k->sockets);
}

// ---- the file ----

static i64 socket_file_read(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    struct message m = {.iov = iov, .n_iov = (u32)n, .size = iov_bytes(iov, n)};
    i64 r;

    if (at >= 0)
        return -ESPIPE;
    m.flags = MSG_DONTWAIT;
    r = socket_receive(t, f, &m);
    message_release(&m);
    return r;
}

static i64 socket_file_write(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at)
{
    struct message m = {.iov = iov, .n_iov = (u32)n, .size = iov_bytes(iov, n)};

    if (at >= 0)
        return -ESPIPE;
    m.flags = MSG_DONTWAIT;
    m.who = socket_credentials(t);
    return socket_send(t, f, &m);
}

static u32 unconnected(const struct socket *s)
{
    return s->type != SOCK_DGRAM && (s->state == SOCKET_IDLE || s->state == SOCKET_ENDED) ? POLLHUP
                                                                                          : 0;
}

u32 socket_poll(struct file *f, struct task *t)
{
    const struct socket *s = f->data;
    u32 ready = 0;

    if (s->state == SOCKET_LISTENING)
        return s->pending.count ? POLLIN | POLLRDNORM : 0;
    if (s->error)
        ready |= POLLERR;
    if (s->shut == SHUT_BOTH)
        ready |= POLLHUP;
    if (s->shut & SHUT_RECEIVE)
        ready |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (s->first)
        ready |= POLLIN | POLLRDNORM;
    ready |= unconnected(s);
    if (socket_writable(s) || (!socket_is_unix(s) && (s->shut & SHUT_SEND)))
        ready |= POLLOUT | POLLWRNORM;
    if ((ready & POLLOUT) && (socket_is_unix(s) || s->type == SOCK_DGRAM))
        ready |= POLLWRBAND;
    return ready;
}

static u64 waiting_bytes(const struct socket *s)
{
    u64 sum = 0;

    for (const struct packet *p = s->first; p; p = p->next) {
        sum += p->size - p->at;
        if (s->type == SOCK_DGRAM)
            break;
    }
    return sum;
}

// The one interface that there is.
static i64 interface_ioctl(struct task *t, u64 command, u64 arg)
{
    struct ifreq request;

    if (!mm_read(t->mm, arg, &request, sizeof(request)))
        return -EFAULT;
    request.ifr_name[IFNAMSIZ - 1] = 0;
    if (command == SIOCGIFNAME ? request.ifr_ifindex != 1 : strcmp(request.ifr_name, "lo") != 0)
        return -ENODEV;
    switch (command) {
    case SIOCGIFNAME:
        memcpy(request.ifr_name, "lo", 3);
        break;
    case SIOCGIFINDEX:
        request.ifr_ifindex = 1;
        break;
    case SIOCGIFFLAGS:
        request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
        break;
    case SIOCGIFMTU:
        request.ifr_mtu = 65536;
        break;
    default: {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};

        memcpy(&request.ifr_addr, &in, sizeof(in));
    }
    }
    return mm_write(t->mm, arg, &request, sizeof(request)) ? 0 : -EFAULT;
}

static i64 socket_ioctl(struct file *f, struct task *t, u64 command, u64 arg)
{
    const struct socket *s = f->data;
    u32 value;

    switch (command) {
    case FIONREAD:
        if (s->state == SOCKET_LISTENING)
            return -EINVAL;
        value = (u32)waiting_bytes(s);
        break;
    case TIOCOUTQ:
        value = (u32)s->out_cost;
        break;
    case SIOCGIFNAME:
    case SIOCGIFINDEX:
    case SIOCGIFFLAGS:
    case SIOCGIFMTU:
    case SIOCGIFADDR:
        return interface_ioctl(t, command, arg);
    default:
        return -ENOTTY;
    }
    return mm_write(t->mm, arg, &value, sizeof(value)) ? 0 : -EFAULT;
}

static int socket_status(struct file *f, struct stat *ret_stat)
{
    *ret_stat = (struct stat){.st_mode = S_IFSOCK | 0777,
                              .st_nlink = 1,
                              .st_ino = f->ino,
                              .st_dev = 8,
                              .st_uid = getuid(),
                              .st_gid = getgid(),
                              .st_blksize = 4096};
    return 0;
}

static void socket_keys(struct file *f, struct task *t)
{
    const struct socket *s = f->data;

    if (s->peer)
        task_wait_on(t, &s->peer->in_packets);
}

static u64 socket_edges(struct file *f)
{
    return ((const struct socket *)f->data)->edges;
}

const struct file_ops socket_ops = {
    .name = "socket",
    .read = socket_file_read,
    .write = socket_file_write,
    .poll = socket_poll,
    .edges = socket_edges,
    .ioctl = socket_ioctl,
    .status = socket_status,
    .wait = socket_keys,
    .release = socket_release,
};

struct file *socket_file(struct socket *s, u32 flags)
{
    struct file *f = file_new(s->kernel, &socket_ops, (flags & O_NONBLOCK) | O_RDWR, NULL);

    f->path = xasprintf("socket:[%llu]", (unsigned long long)f->ino);
    f->data = s;
    f->key = s;
    f->type = S_IFSOCK;
    return f;
}

i64 socket_shutdown(struct socket *s, int how)
{
    u32 mine = (u32)how + 1, theirs = (mine >> 1 & 1) | (mine << 1 & 2);
    bool connected = s->state == SOCKET_CONNECTED || s->state == SOCKET_CONNECTING;

    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    if (!socket_is_unix(s) && s->state == SOCKET_LISTENING && (mine & SHUT_RECEIVE)) {
        socket_end(s, 0);
        s->shut = 0;
        return 0;
    }
    if (!socket_is_unix(s) && !connected)
        return -ENOTCONN;
    s->shut |= mine;
    if (s->peer && s->type != SOCK_DGRAM && s->peer->peer == s) {
        s->peer->shut |= socket_is_unix(s) ? theirs : theirs & SHUT_RECEIVE;
        socket_changed(s->peer);
    }
    socket_changed(s);
    return 0;
}
