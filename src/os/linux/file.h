// SPDX-License-Identifier: BSD-3-Clause
// Open files and descriptor tables. A host file passes through; pipes, event counters, epoll sets,
// sockets and the files of /proc live in the simulator, so that they behave the same in every run.
#pragma once

#include "os/linux/kernel.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>

struct file;

// NULL methods: -EINVAL for read, write; always ready for poll; -ENOTTY for ioctl; -ESPIPE for
// seek.
struct file_ops {
    const char *name;
    // `at` < 0: at the file's position, which moves. -EAGAIN when the task would have to wait:
    // those that wait use the key.
    i64 (*read)(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at);
    i64 (*write)(struct file *f, struct task *t, const struct iovec *iov, int n, i64 at);
    u32 (*poll)(struct file *f, struct task *t); // POLLIN... that hold now
    u64 (*edges)(
        struct file *f); // counts changes, for edge-triggered epoll; NULL: they are not told
    i64 (*seek)(struct file *f, i64 offset, int whence);
    i64 (*ioctl)(struct file *f, struct task *t, u64 command, u64 arg);
    int (*status)(struct file *f, struct stat *ret_stat); // -errno
    void (*wait)(struct file *f, struct task *t);         // adds more keys than the file's own
    void (*release)(struct file *f);
};

struct file {
    const struct file_ops *ops;
    struct kernel *kernel; // borrowed
    u32 refs;
    u32 flags;          // O_* status flags and access mode
    int host;           // owned host descriptor, or -1
    bool borrowed_host; // one of the caller's standard streams: not closed
    u32 type;           // S_IFREG...
    u64 dev, ino;
    i64 position;    // of files that are not the host's
    char *path;      // owned: guest path or "pipe:[5]"
    void *data;      // of ops
    const void *key; // what tasks wait for: kernel_wake(key) when something changes
    int owner;
};

struct fd_entry {
    struct file *file;
    bool close_on_exec;
};
struct fd_table {
    u32 refs;
    struct fd_entry *items;
    size_t count, room;
};

// A file with one reference; takes path over (xstrdup it before).
struct file *file_new(struct kernel *k, const struct file_ops *ops, u32 flags, char *path);
struct file *file_ref(struct file *f);
void file_unref(struct file *f);

struct fd_table *fd_table_new(void);
struct fd_table *fd_table_copy(const struct fd_table *from);
struct fd_table *fd_table_ref(struct fd_table *fds);
void fd_table_unref(struct fd_table *fds);
void fd_table_close_on_exec(struct fd_table *fds);

struct file *fd_get(const struct task *t, u64 fd); // borrowed; NULL: -EBADF
// The lowest free number >= least; takes the reference over. -EMFILE (then the file is released).
i64 fd_add(struct task *t, struct file *f, bool close_on_exec, int least);
// Puts a file at a number (closing what is there); takes the reference over.
i64 fd_put(struct task *t, int fd, struct file *f, bool close_on_exec);
i64 fd_close(struct task *t, u64 fd);
// Gives two files (whose references it takes over) numbers, and these to the program.
i64 fd_give_pair(struct task *t, struct file *f[2], bool close_on_exec, vaddr out);

// Host files (host_file.c). Takes the host descriptor over.
struct file *host_file_new(struct kernel *k, int host, u32 flags, char *path);
void file_changed(struct file *f); // the content of a host file was written
extern const struct file_ops host_file_ops;
// The host descriptor of a host file or directory, else -1.
static inline int file_host(const struct file *f)
{
    return f->host;
}

// Pipes (pipe.c).
void pipe_new(struct kernel *k, u32 flags, struct file **ret_read, struct file **ret_write);
// A named pipe of the host; SYS_BLOCK until somebody opens the other side.
i64 fifo_open(struct task *t, u64 dev, u64 ino, u32 flags, const char *path,
              struct file **ret_file);
extern const struct file_ops pipe_read_ops, pipe_write_ops;
// Copies what is in one pipe to another; -EAGAIN if nothing can be copied now.
i64 pipe_tee(struct file *from, struct file *to, u64 size);
i64 pipe_set_capacity(struct file *f, u64 bytes);
i64 pipe_capacity(const struct file *f);

// Sockets (socket.h). Reads or writes the program's memory, and waits.
extern const struct file_ops socket_ops;
i64 socket_transfer(struct task *t, struct file *f, const struct iovec *iov, u32 n, bool write);
void sockets_release(struct kernel *k);

// Event counters, timers, signals as files (counters.c), and epoll sets (epoll.c).
struct file *eventfd_new(struct kernel *k, u32 initial, u32 flags);
struct file *timerfd_new(struct kernel *k, int clock, u32 flags);
struct file *signalfd_new(struct kernel *k, u64 set, u32 flags);
extern const struct file_ops timerfd_ops, signalfd_ops;
struct file *epoll_new(struct kernel *k, u32 flags);

// Processes as files (sys_pidfd.c).
extern const struct file_ops pidfd_ops;
struct file *pidfd_new(struct kernel *k, const struct process *p, u32 flags);
int pidfd_pid(const struct file *f); // -EBADF: not one

// Files whose content is known when they are opened (/proc...): takes the text over.
struct file *memory_file_new(struct kernel *k, char *text, u64 size, u32 flags, char *path);
// Endless random bytes (/dev/urandom).
struct file *random_file_new(struct kernel *k, u32 flags, char *path);

static inline u32 file_poll(struct file *f, struct task *t)
{
    return f->ops->poll ? f->ops->poll(f, t) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

// The task will sleep until something about the file changes.
static inline void file_wait(struct file *f, struct task *t)
{
    task_wait_on(t, f->key);
    if (f->ops->wait)
        f->ops->wait(f, t);
}

// Copies between memory and an iovec from byte `skip` on; how many bytes.
u64 iov_gather(const struct iovec *iov, int n, u64 skip, void *to, u64 size);
u64 iov_scatter(const struct iovec *iov, int n, u64 skip, const void *from, u64 size);
u64 iov_bytes(const struct iovec *iov, int n);
