// SPDX-License-Identifier: BSD-3-Clause
// Sending and receiving (send(2), recv(2)), with the room that Linux gives to a sender.
// APPROX: a connection over inet has room for both sides' buffer sizes, not a window that adapts.
#include "os/linux/signal.h"
#include "os/linux/socket.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

enum {
    HEAD = 256,   // what Linux charges for a buffer's description (struct sk_buff)
    SHARED = 320, // and at its end (struct skb_shared_info)
    SKB_HEAD_MAX = 4096 - SHARED,
    SKB_ALLOC_MAX = 16384 - SHARED,
    FRAGMENTS_MAX = 32768,
    DATAGRAMS_MAX = 10, // net.unix.max_dgram_qlen
    UDP_MAX = 65507,
    SEGMENT = 4096, // small writes to a TCP connection share a packet
};

// ---- bytes of a message ----

static bool take_bytes(const struct message *m, u64 skip, void *to, u64 size)
{
    for (u32 i = 0; i < m->n_iov && size > 0; i++) {
        u64 part;

        if (skip >= m->iov[i].iov_len) {
            skip -= m->iov[i].iov_len;
            continue;
        }
        part = MIN(m->iov[i].iov_len - skip, size);
        if (!m->task)
            memcpy(to, (u8 *)m->iov[i].iov_base + skip, part);
        else if (!mm_read(m->task->mm, (vaddr)m->iov[i].iov_base + skip, to, part))
            return false;
        to = (u8 *)to + part;
        size -= part;
        skip = 0;
    }
    return true;
}

static bool give_bytes(const struct message *m, u64 skip, const void *from, u64 size)
{
    for (u32 i = 0; i < m->n_iov && size > 0; i++) {
        u64 part;

        if (skip >= m->iov[i].iov_len) {
            skip -= m->iov[i].iov_len;
            continue;
        }
        part = MIN(m->iov[i].iov_len - skip, size);
        if (!m->task)
            memcpy((u8 *)m->iov[i].iov_base + skip, from, part);
        else if (!mm_write(m->task->mm, (vaddr)m->iov[i].iov_base + skip, from, part))
            return false;
        from = (const u8 *)from + part;
        size -= part;
        skip = 0;
    }
    return true;
}

void message_release(struct message *m)
{
    for (u32 i = 0; i < m->n_files; i++)
        file_unref(m->files[i]);
    free(m->files);
    m->files = NULL;
    m->n_files = 0;
}

// ---- room ----

static u64 kmalloc_size(u64 n)
{
    u64 size = 512;

    while (size < n)
        size *= 2;
    return size;
}

// What Linux charges for `head` bytes in the buffer and `pages` beside it.
static u64 charge(u64 head, u64 pages)
{
    return kmalloc_size(head + SHARED) + HEAD + PAGE_ROUND_UP(pages);
}

static u64 send_room(const struct socket *s)
{
    u64 room = (u64)socket_option(s, SOL_SOCKET, SO_SNDBUF);

    if (!socket_is_unix(s) && s->type == SOCK_STREAM && s->peer)
        room += (u64)socket_option(s->peer, SOL_SOCKET, SO_RCVBUF);
    return room;
}

static bool queue_full(const struct socket *s, const struct socket *target)
{
    return target != s && target->peer != s && target->in_packets > DATAGRAMS_MAX;
}

bool socket_writable(const struct socket *s)
{
    u64 room = send_room(s);

    if (socket_is_unix(s) && s->type == SOCK_DGRAM)
        return s->out_cost < room / 2 && !(s->peer && queue_full(s, s->peer));
    if (socket_is_unix(s))
        return s->type == SOCK_STREAM ? s->out_cost * 4 <= room : s->out_cost < room / 2;
    if (s->type == SOCK_DGRAM)
        return true;
    return !(s->shut & SHUT_SEND) && s->out_cost < room - room / 3;
}

// ---- waiting ----

i64 socket_wait(struct task *t, const struct file *f, const void *key, i64 ns)
{
    i64 r;

    if (f->flags & O_NONBLOCK)
        return -EAGAIN;
    if (task_wait_expired(t))
        return -EAGAIN;
    if (ns && !t->wait.has_deadline)
        task_wait_until(t, kernel_now(t->kernel) + ticks_of_ns((u64)ns));
    task_wait_on(t, key);
    r = task_block(t);
    return r == -ERESTARTSYS && ns ? -EINTR : r;
}

// The end of a try that could not (completely) be done; t->wait.progress counts bytes that could.
static i64 wait_or_end(struct task *t, const struct file *f, const struct message *m,
                       const void *key, i64 ns)
{
    i64 done = (i64)t->wait.progress;

    if (done > 0 && ((m->flags & MSG_DONTWAIT) || (f->flags & O_NONBLOCK) || task_wait_expired(t) ||
                     signal_waits(t))) {
        t->wait.progress = 0;
        return done;
    }
    if (m->flags & MSG_DONTWAIT)
        return -EAGAIN;
    if (key != f->data)
        task_wait_on(t, f->data);
    return socket_wait(t, f, key, ns);
}

static i64 take_error(struct socket *s)
{
    i64 r = -s->error;

    s->error = 0;
    return r;
}

// ---- sending ----

// Descriptors go with the packet; sockets that carry sockets do so to a depth of four only.
static i64 attach_files(struct packet *p, struct socket *target, const struct message *m)
{
    struct kernel *k = target->kernel;
    u32 depth = 0;

    for (u32 i = 0; i < m->n_files; i++) {
        const struct socket *s = socket_of(m->files[i]);

        if (s)
            depth = MAX(depth, s->depth);
    }
    if (depth > 4 || k->files_in_flight + m->n_files > 1u << 14)
        return -ETOOMANYREFS;
    target->depth = MAX(target->depth, depth + 1);
    k->files_in_flight += m->n_files;
    p->files = xcalloc(m->n_files, sizeof(struct file *));
    for (u32 i = 0; i < m->n_files; i++)
        p->files[i] = file_ref(m->files[i]);
    p->n_files = m->n_files;
    return 0;
}

struct part {
    u64 skip, size; // of the message
    u64 room;       // for more in the same packet
    u64 cost;
};

static i64 send_packet(struct socket *s, struct socket *target, const struct message *m,
                       const struct part *part)
{
    u64 room = MAX(part->size, part->room);
    struct packet *p = xcalloc(1, sizeof(*p) + room);
    i64 r = take_bytes(m, part->skip, p->bytes, part->size) ? 0 : -EFAULT;

    if (r == 0 && m->n_files && part->skip == 0)
        r = attach_files(p, target, m);
    if (r < 0) {
        free(p);
        return r;
    }
    p->size = (u32)part->size;
    p->room = (u32)room;
    p->cost = part->cost;
    p->who = m->who;
    p->from = socket_name_for(target, &s->name);
    if (socket_is_unix(s) && p->from.length <= sizeof(u16))
        p->from.length = 0;
    if (socket_is_unix(s) || socket_is_stream(s))
        p->sender = s;
    socket_put_packet(target, p);
    return 0;
}

// The buffers that unix_stream_sendmsg makes.
static i64 send_unix_part(struct socket *s, const struct message *m, u64 done)
{
    u64 most = (u64)socket_option(s, SOL_SOCKET, SO_SNDBUF) / 2 - 64, pages;
    struct part part = {.skip = done, .size = MIN(m->size - done, most)};

    part.size = MIN(part.size, SKB_HEAD_MAX + FRAGMENTS_MAX);
    pages = part.size > SKB_HEAD_MAX ? part.size - SKB_HEAD_MAX : 0;
    pages = MIN(part.size, PAGE_ROUND_UP(pages));
    part.cost = charge(part.size - pages, pages);
    return send_packet(s, s->peer, m, &part) < 0 ? -EFAULT : (i64)part.size;
}

static i64 send_inet_part(struct socket *s, const struct message *m, u64 done)
{
    struct packet *last = s->peer->last;
    struct part part = {.skip = done, .room = SEGMENT};

    part.size = MIN(m->size - done, send_room(s) - s->out_cost);
    if (last && last->sender == s && last->room > last->size) {
        u64 n = MIN(part.size, last->room - last->size);

        if (!take_bytes(m, done, last->bytes + last->size, n))
            return -EFAULT;
        last->size += (u32)n;
        last->cost += n;
        s->peer->in_cost += n;
        s->out_cost += n;
        socket_changed(s->peer);
        return (i64)n;
    }
    part.size = part.cost = MIN(part.size, 65536);
    return send_packet(s, s->peer, m, &part) < 0 ? -EFAULT : (i64)part.size;
}

static i64 stream_state(struct socket *s, const struct message *m)
{
    bool connected = s->state == SOCKET_CONNECTED || s->state == SOCKET_CONNECTING;

    if (!socket_is_unix(s) && s->error)
        return take_error(s);
    if (s->shut & SHUT_SEND)
        return -EPIPE;
    if (!connected)
        return !socket_is_unix(s) ? -EPIPE : m->to.length ? -EOPNOTSUPP : -ENOTCONN;
    if (socket_is_unix(s) && m->to.length)
        return -EISCONN;
    if (!s->peer || s->peer->closed) {
        // What comes for a socket that is gone is answered by a reset.
        if (!socket_is_unix(s)) {
            socket_end(s, EPIPE);
            return 1;
        }
        return -EPIPE;
    }
    return socket_is_unix(s) && (s->peer->shut & SHUT_RECEIVE) ? -EPIPE : 0;
}

static i64 stream_send(struct task *t, struct socket *s, const struct message *m)
{
    i64 r = stream_state(s, m), n;

    if (r > 0)
        t->wait.progress = m->size;
    while (r == 0 && t->wait.progress < m->size) {
        if (s->out_cost >= send_room(s))
            return -EAGAIN;
        n = socket_is_unix(s) ? send_unix_part(s, m, t->wait.progress)
                              : send_inet_part(s, m, t->wait.progress);
        if (n < 0)
            r = n;
        else
            t->wait.progress += (u64)n;
    }
    return MIN(r, 0);
}

// Where a datagram goes.
static i64 datagram_target(struct task *t, struct socket *s, const struct message *m,
                           struct socket **ret_target)
{
    i64 r;

    if (s->type == SOCK_SEQPACKET || (socket_is_unix(s) && !m->to.length)) {
        if (s->type == SOCK_SEQPACKET && s->state != SOCKET_CONNECTED)
            return -ENOTCONN;
        *ret_target = s->peer;
        return s->peer ? 0 : -ENOTCONN;
    }
    if (!m->to.length && s->state != SOCKET_CONNECTED)
        return -EDESTADDRREQ;
    if (m->to.length) {
        r = socket_name_check(s, &m->to);
        if (r < 0)
            return r;
    }
    if (!socket_is_unix(s)) {
        r = socket_bind_free(s);
        if (r < 0)
            return r;
    }
    return socket_find(t, s, m->to.length ? &m->to : &s->remote, ret_target);
}

static i64 udp_send(struct socket *s, struct socket *target, const struct message *m)
{
    struct part part = {.size = m->size, .cost = charge(m->size + 64, 0)};
    struct socket_name own = s->name;
    i64 r = 0;

    // A full queue loses it.
    if (target->in_cost + part.cost <= (u64)socket_option(target, SOL_SOCKET, SO_RCVBUF)) {
        socket_name_local(s);
        r = send_packet(s, target, m, &part);
        s->name = own;
    }
    return r;
}

static i64 unix_datagram(struct socket *s, struct socket *target, const struct message *m,
                         const void **key)
{
    u64 pages = m->size > SKB_ALLOC_MAX ? MIN(m->size, PAGE_ROUND_UP(m->size - SKB_ALLOC_MAX)) : 0;
    struct part part = {.size = m->size, .cost = charge(m->size - pages, pages)};

    if (target->closed) {
        s->peer = s->peer == target ? (socket_unref(target), NULL) : s->peer;
        s->state = s->peer ? s->state : SOCKET_IDLE;
        return -ECONNREFUSED;
    }
    if (target->type != s->type)
        return -EPROTOTYPE;
    if (target->peer && target->peer != s && target != s && s->type == SOCK_DGRAM)
        return -EPERM;
    if (target->shut & SHUT_RECEIVE)
        return -EPIPE;
    if (s->out_cost >= send_room(s))
        return -EAGAIN;
    if (queue_full(s, target)) {
        *key = &target->in_packets;
        return -EAGAIN;
    }
    return send_packet(s, target, m, &part);
}

static i64 datagram_send(struct task *t, struct socket *s, const struct message *m,
                         const void **key)
{
    struct socket *target = NULL;
    u64 most = socket_is_unix(s) ? (u64)socket_option(s, SOL_SOCKET, SO_SNDBUF) - 32 : UDP_MAX;
    i64 r;

    if (!socket_is_unix(s) && m->size > most)
        return -EMSGSIZE;
    if (s->error)
        return take_error(s);
    if (s->shut & SHUT_SEND)
        return -EPIPE;
    r = datagram_target(t, s, m, &target);
    if (r == -ECONNREFUSED && !socket_is_unix(s)) {
        // Nobody is there: a connected socket hears of it with its next call.
        s->error = s->state == SOCKET_CONNECTED ? ECONNREFUSED : 0;
        socket_changed(s);
        return (i64)m->size;
    }
    if (r == 0 && m->size > most)
        r = -EMSGSIZE;
    if (r == 0)
        r = socket_is_unix(s) ? unix_datagram(s, target, m, key) : udp_send(s, target, m);
    return r < 0 ? r : (i64)m->size;
}

i64 socket_send(struct task *t, struct file *f, struct message *m)
{
    struct socket *s = f->data;
    const void *key = s;
    siginfo_t info = {.si_signo = SIGPIPE, .si_code = SI_USER};
    i64 r, done;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (!socket_is_stream(s)) {
        r = datagram_send(t, s, m, &key);
        return r == -EAGAIN ? wait_or_end(t, f, m, key, s->send_ns) : r;
    }
    r = stream_send(t, s, m);
    if (r == -EAGAIN)
        return wait_or_end(t, f, m, s, s->send_ns);
    done = (i64)t->wait.progress;
    t->wait.progress = 0;
    if (done > 0)
        return done;
    if (r == -EPIPE && !(m->flags & MSG_NOSIGNAL))
        signal_send_task(t, &info);
    return r;
}

// ---- receiving ----

// The descriptors of a packet belong to the message now, or to both if it stays in the queue.
static void take_files(struct socket *s, struct packet *p, struct message *m)
{
    if (p->n_files == 0)
        return;
    message_release(m);
    m->n_files = p->n_files;
    if (m->flags & MSG_PEEK) {
        m->files = xcalloc(p->n_files, sizeof(struct file *));
        for (u32 i = 0; i < p->n_files; i++)
            m->files[i] = file_ref(p->files[i]);
        return;
    }
    m->files = p->files;
    s->kernel->files_in_flight -= p->n_files;
    p->files = NULL;
    p->n_files = 0;
}

static bool same_writer(const struct socket *s, const struct packet *p, const struct message *m)
{
    return !socket_option(s, SOL_SOCKET, SO_PASSCRED) || p->who.pid == m->who.pid;
}

// As much as is there; ret_stop: what follows must not be joined to it.
static i64 stream_take(struct task *t, struct socket *s, struct message *m, u64 *done,
                       bool *ret_stop)
{
    struct packet *p = s->first;
    bool first = true;

    while (p && *done < m->size && !*ret_stop) {
        u64 n = MIN(p->size - p->at, m->size - *done);
        bool files = p->n_files > 0;

        if (!first && !same_writer(s, p, m)) {
            *ret_stop = true;
            break;
        }
        if (!give_bytes(m, *done, p->bytes + p->at, n))
            return -EFAULT;
        if (first && socket_is_unix(s))
            m->from = p->from;
        first = false;
        m->who = p->who;
        m->have_who = true;
        take_files(s, p, m);
        *ret_stop = files;
        *done += n;
        if (m->flags & MSG_PEEK) {
            p = p->next;
            continue;
        }
        p->at += (u32)n;
        if (p->at == p->size)
            socket_drop_packet(s);
        p = s->first;
    }
    return 0;
}

static i64 stream_receive(struct task *t, struct socket *s, struct message *m)
{
    bool peek = m->flags & MSG_PEEK, stop = false;
    u64 done = peek ? 0 : t->wait.progress;
    i64 r;

    if (s->state == SOCKET_LISTENING || (s->state == SOCKET_IDLE && !s->error))
        return socket_is_unix(s) ? -EINVAL : -ENOTCONN;
    r = stream_take(t, s, m, &done, &stop);
    t->wait.progress = done;
    if (r < 0 || stop || (done > 0 && (!(m->flags & MSG_WAITALL) || peek || done >= m->size)))
        return r;
    if (m->size == 0 && s->first)
        return 0;
    if (s->error && done == 0)
        return take_error(s);
    if ((s->shut & SHUT_RECEIVE) || s->error)
        return 0;
    return -EAGAIN;
}

static i64 datagram_receive(struct socket *s, struct message *m)
{
    struct packet *p = s->first;
    u64 n, size;

    if (s->type == SOCK_SEQPACKET && s->state != SOCKET_CONNECTED && s->state != SOCKET_ENDED)
        return -ENOTCONN;
    if (s->error)
        return take_error(s);
    if (!p)
        return s->shut & SHUT_RECEIVE ? 0 : -EAGAIN;
    size = p->size;
    n = MIN(size, m->size);
    if (!give_bytes(m, 0, p->bytes, n))
        return -EFAULT;
    m->from = p->from;
    m->who = p->who;
    m->have_who = true;
    m->out_flags |= n < size ? MSG_TRUNC : 0;
    take_files(s, p, m);
    if (!(m->flags & MSG_PEEK))
        socket_drop_packet(s);
    return (i64)(m->flags & MSG_TRUNC ? size : n);
}

i64 socket_receive(struct task *t, struct file *f, struct message *m)
{
    struct socket *s = f->data;
    i64 r, done;

    if (m->flags & MSG_OOB)
        return socket_is_unix(s) ? -EOPNOTSUPP : -EINVAL;
    r = socket_is_stream(s) ? stream_receive(t, s, m) : datagram_receive(s, m);
    if (r == -EAGAIN)
        return wait_or_end(t, f, m, s, s->receive_ns);
    if (!socket_is_stream(s))
        return r;
    done = (i64)t->wait.progress;
    t->wait.progress = 0;
    return done > 0 ? done : r;
}
