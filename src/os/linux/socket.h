// SPDX-License-Identifier: BSD-3-Clause
// Sockets between tasks of the simulated machine: families unix, inet and inet6 (loopback only).
// What is sent lies as packets in the receiver's queue; there is no network and no delay.
// Private to the socket_*.c files and sys_socket.c.
#pragma once

#include "os/linux/file.h"

#include <sys/socket.h>

enum { SOCKET_NAME_BYTES = 112, SOCKET_BACKLOG_MAX = 4096, SOCKET_FILES_MAX = 253 };

// A socket address as programs see it; length 0: none.
struct socket_name {
    u32 length;
    union {
        u16 family;
        u8 bytes[SOCKET_NAME_BYTES];
    };
};

struct credentials {
    i32 pid;
    u32 uid, gid;
};

struct packet {
    struct packet *next;
    struct socket *sender; // counted; NULL: nobody waits for its room
    u64 cost;              // taken from the sender's room
    u32 size, room, at;    // bytes in it, that fit, that were read
    struct socket_name from;
    struct credentials who;
    struct file **files; // owned with their references
    u32 n_files;
    u8 bytes[];
};

enum socket_state {
    SOCKET_IDLE,
    SOCKET_LISTENING,
    SOCKET_CONNECTING, // connected, but a non-blocking connect has not been told yet
    SOCKET_CONNECTED,
    SOCKET_ENDED, // a connection that was reset or closed on both sides
};

enum socket_shut { SHUT_RECEIVE = 1, SHUT_SEND = 2, SHUT_BOTH = 3 };

struct socket {
    struct kernel *kernel; // borrowed
    u32 refs;              // its file, peers, packets in flight
    int family, type, protocol;
    enum socket_state state;
    u32 shut;
    bool closed;         // its file is gone
    int error;           // SO_ERROR
    struct socket *peer; // counted
    struct socket_name name, remote;
    u64 dev, ino; // of its name in the file system; ino 0: none
    struct packet *first, *last;
    u64 in_packets, in_cost;
    u64 out_cost;
    u64 edges;                    // changes, for edge-triggered epoll
    VEC(struct socket *) pending; // of a listening one: not accepted yet, counted
    u32 backlog;
    struct credentials own, other; // SO_PEERCRED
    u32 depth;                     // sockets in sockets in flight
    i32 *options;                  // owned: in the order of socket_options.c
    bool own_sizes;                // SO_SNDBUF was set
    i64 receive_ns, send_ns;       // time-outs; 0: none
    struct linger linger;
};

// One transfer. Bytes are in the program's memory, or in the simulator's if task is NULL.
struct message {
    struct task *task;
    const struct iovec *iov;
    u32 n_iov;
    u64 size;
    u32 flags; // MSG_*
    // To send.
    struct socket_name to;
    struct credentials who;
    // Received (files: to send, too).
    struct socket_name from;
    struct file **files; // references of the message
    u32 n_files;
    u32 out_flags;
    bool have_who;
};

static inline struct socket *socket_of(const struct file *f)
{
    return f->ops == &socket_ops ? f->data : NULL;
}
static inline bool socket_is_stream(const struct socket *s)
{
    return s->type == SOCK_STREAM;
}
static inline bool socket_is_unix(const struct socket *s)
{
    return s->family == AF_UNIX;
}

// socket.c: life, files, queues.
struct socket *socket_new(struct kernel *k, int family, int type, int protocol);
struct file *socket_file(struct socket *s, u32 flags); // takes the reference over
struct socket *socket_ref(struct socket *s);
void socket_unref(struct socket *s);
void socket_changed(struct socket *s); // wakes those who wait for it
struct credentials socket_credentials(const struct task *t);
void socket_put_packet(struct socket *s, struct packet *p);
void socket_drop_packet(struct socket *s); // the first
void socket_drop_packets(struct socket *s);
void socket_end(struct socket *s, int error); // the connection is reset
u32 socket_poll(struct file *f, struct task *t);
i64 socket_shutdown(struct socket *s, int how);

// socket_name.c: who has which address.
i64 socket_name_check(const struct socket *s, const struct socket_name *name);
i64 socket_bind(struct task *t, struct socket *s, const struct socket_name *name);
i64 socket_bind_free(struct socket *s); // to a port of the kernel's choice
// The socket that takes what s sends to a name: a listening one, or one for datagrams.
i64 socket_find(struct task *t, const struct socket *s, const struct socket_name *name,
                struct socket **ret_socket);
// How an end with this name appears to a socket of another family (::ffff:127.0.0.1).
struct socket_name socket_name_for(const struct socket *s, const struct socket_name *name);
struct socket_name socket_unspecified(const struct socket *s);
void socket_name_local(struct socket *s); // no address: that of the loopback interface

// socket_connect.c
i64 socket_connect(struct task *t, struct file *f, const struct socket_name *name);
i64 socket_listen(struct task *t, struct socket *s, int backlog);
i64 socket_accept(struct task *t, struct file *f, u32 flags, struct socket_name *ret_peer);
void socket_join(struct socket *a, struct socket *b);

// socket_data.c: a transfer that waits as the file's flags and time-outs say. Bytes or -errno.
i64 socket_send(struct task *t, struct file *f, struct message *m);
i64 socket_receive(struct task *t, struct file *f, struct message *m);
// Waits for `s`, within ns if that is not 0.
i64 socket_wait(struct task *t, const struct file *f, const void *key, i64 ns);
void message_release(struct message *m); // the files
bool socket_writable(const struct socket *s);

// socket_options.c
u32 socket_options_count(void);
void socket_connected_options(struct socket *s); // sizes that a TCP connection gets
void socket_options_init(struct socket *s);
i32 socket_option(const struct socket *s, int level, int name);
i64 socket_get_option(struct task *t, struct socket *s, int level, int name, vaddr value,
                      vaddr size);
i64 socket_set_option(struct task *t, struct socket *s, int level, int name, vaddr value, u32 size);
