// SPDX-License-Identifier: BSD-3-Clause
// connect(2), listen(2), accept(2). A connection exists at once when there is a listener.
// APPROX: a connection over inet is made even when the listener's backlog is full (to 4096).
// APPROX: a port is free again as soon as its sockets are closed (no TIME_WAIT).
#include "os/linux/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void socket_join(struct socket *a, struct socket *b)
{
    a->peer = socket_ref(b);
    b->peer = socket_ref(a);
    a->state = b->state = SOCKET_CONNECTED;
}

static void disconnect(struct socket *s)
{
    if (s->peer) {
        socket_unref(s->peer);
        s->peer = NULL;
    }
    s->remote.length = 0;
    s->state = SOCKET_IDLE;
    s->other = (struct credentials){0, ~0u, ~0u};
    socket_changed(s);
}

// Fixes the peer of a socket for datagrams.
static i64 connect_datagrams(struct task *t, struct socket *s, const struct socket_name *name)
{
    struct socket *target = NULL;
    i64 r;

    if (socket_is_unix(s)) {
        r = socket_find(t, s, name, &target);
        if (r < 0)
            return r;
        if (target->type != s->type)
            return -EPROTOTYPE;
        if (target->peer && target->peer != s && target != s)
            return -EPERM;
        disconnect(s);
        s->peer = socket_ref(target);
    } else {
        r = socket_find(t, s, name, &target);
        if (r == -ENETUNREACH)
            return r;
        r = socket_bind_free(s);
        if (r < 0)
            return r;
    }
    s->remote = *name;
    s->state = SOCKET_CONNECTED;
    if (!socket_is_unix(s))
        socket_name_local(s);
    return 0;
}

static void connect_to(struct task *t, struct socket *s, struct socket *listener,
                       const struct socket_name *name)
{
    struct socket *fresh = socket_new(s->kernel, listener->family, s->type, s->protocol);

    for (u32 i = 0; i < socket_options_count(); i++)
        fresh->options[i] = listener->options[i];
    fresh->receive_ns = listener->receive_ns;
    fresh->send_ns = listener->send_ns;
    fresh->linger = listener->linger;
    socket_join(s, fresh);
    if (socket_is_unix(s)) {
        fresh->name = listener->name;
        fresh->other = socket_credentials(t);
        s->own = fresh->other;
        s->other = listener->own;
    } else {
        s->remote = *name;
        socket_name_local(s);
        fresh->name = socket_name_for(fresh, &s->remote);
        fresh->remote = socket_name_for(fresh, &s->name);
        socket_connected_options(s);
        socket_connected_options(fresh);
    }
    VEC_PUSH(&listener->pending, fresh);
    socket_changed(listener);
}

static i64 connect_stream(struct task *t, struct file *f, struct socket *s,
                          const struct socket_name *name)
{
    struct socket *listener = NULL;
    i64 r;

    switch (s->state) {
    case SOCKET_LISTENING:
        return socket_is_unix(s) ? -EINVAL : -EISCONN;
    case SOCKET_CONNECTED:
        return -EISCONN;
    case SOCKET_CONNECTING:
        s->state = SOCKET_CONNECTED;
        return 0;
    default:
        break;
    }
    if (s->error) {
        r = -s->error;
        s->error = 0;
        s->shut = 0;
        return r;
    }
    r = socket_find(t, s, name, &listener);
    if (r == 0 && listener->type != s->type)
        return -EPROTOTYPE;
    if (r == 0 &&
        (listener->state != SOCKET_LISTENING || listener->pending.count >= SOCKET_BACKLOG_MAX))
        r = -ECONNREFUSED;
    if (r == 0 && socket_is_unix(s) && listener->pending.count > listener->backlog)
        return socket_wait(t, f, &listener->pending, s->send_ns);
    if (!socket_is_unix(s) && r != -ENETUNREACH) {
        i64 bound = socket_bind_free(s);

        if (bound < 0)
            return bound;
    }
    if (r == 0)
        connect_to(t, s, listener, name);
    if (socket_is_unix(s) || r == -ENETUNREACH || !(f->flags & O_NONBLOCK))
        return r;
    // The answer of the other side is told by the next call, or by SO_ERROR.
    if (r < 0) {
        s->error = (int)-r;
        s->shut = SHUT_BOTH;
    } else {
        s->state = SOCKET_CONNECTING;
    }
    socket_changed(s);
    return -EINPROGRESS;
}

i64 socket_connect(struct task *t, struct file *f, const struct socket_name *name)
{
    struct socket *s = f->data;
    i64 r;

    if (name->length < sizeof(u16))
        return -EINVAL;
    if (name->family == AF_UNSPEC && s->type == SOCK_DGRAM) {
        disconnect(s);
        return 0;
    }
    if (name->family == AF_UNSPEC && !socket_is_unix(s)) {
        if (s->peer)
            socket_end(s->peer, ECONNRESET);
        disconnect(s);
        return 0;
    }
    r = socket_name_check(s, name);
    if (r < 0)
        return r;
    return s->type == SOCK_DGRAM ? connect_datagrams(t, s, name) : connect_stream(t, f, s, name);
}

i64 socket_listen(struct task *t, struct socket *s, int backlog)
{
    i64 r = 0;

    if (s->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (s->state != SOCKET_IDLE && s->state != SOCKET_LISTENING)
        return -EINVAL;
    if (socket_is_unix(s) && s->name.length <= sizeof(u16))
        return -EINVAL;
    if (!socket_is_unix(s))
        r = socket_bind_free(s);
    if (r < 0)
        return r;
    s->backlog = backlog < 0 || backlog > SOCKET_BACKLOG_MAX ? SOCKET_BACKLOG_MAX : (u32)backlog;
    s->state = SOCKET_LISTENING;
    s->own = socket_credentials(t);
    kernel_wake(s->kernel, &s->pending);
    return 0;
}

i64 socket_accept(struct task *t, struct file *f, u32 flags, struct socket_name *ret_peer)
{
    struct socket *s = f->data, *fresh;

    if (s->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (s->state != SOCKET_LISTENING)
        return -EINVAL;
    if (s->pending.count == 0)
        return socket_wait(t, f, s, s->receive_ns);
    fresh = s->pending.items[0];
    s->pending.count--;
    memmove(s->pending.items, s->pending.items + 1, s->pending.count * sizeof(fresh));
    kernel_wake(s->kernel, &s->pending);
    *ret_peer = fresh->remote;
    if (socket_is_unix(s))
        *ret_peer = fresh->peer ? fresh->peer->name : socket_unspecified(fresh);
    return fd_add(t, socket_file(fresh, flags), flags & SOCK_CLOEXEC, 0);
}
