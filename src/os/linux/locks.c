// SPDX-License-Identifier: BSD-3-Clause
// flock(2), and fcntl(2) with F_SETLK, F_OFD_SETLK and their like, as Linux does them (fs/locks.c):
// locks of a process belong to its table of descriptors and go when any descriptor of the file is
// closed; those of open files go with them. UNMODELLED: locks that programs of the host hold;
// leases, mandatory locks.
#include "os/linux/locks.h"

#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define LOCK_END ((u64)INT64_MAX)

enum { CHAIN_MAX = 64 }; // processes that wait for each other

// What the locks of a file are found by; files of the simulator's own have no inode.
static void identify(const struct file *f, struct file_lock *l)
{
    l->dev = f->host >= 0 ? f->dev : ~0ull;
    l->ino = f->host >= 0 ? f->ino : (u64)(uintptr_t)f;
}

static bool same_file(const struct file_lock *a, const struct file_lock *b)
{
    return a->ino == b->ino && a->dev == b->dev && a->whole == b->whole;
}

static bool same_owner(const struct file_lock *a, const struct file_lock *b)
{
    return same_file(a, b) && a->owner == b->owner;
}

static const struct file_lock *find_conflict(const struct kernel *k, const struct file_lock *l)
{
    for (size_t i = 0; i < k->locks.count; i++) {
        const struct file_lock *at = &k->locks.items[i];

        if (same_file(at, l) && at->owner != l->owner && at->first <= l->last &&
            l->first <= at->last && (at->exclusive || l->exclusive))
            return at;
    }
    return NULL;
}

static void take_out(struct kernel *k, size_t i)
{
    k->locks.count--;
    memmove(&k->locks.items[i], &k->locks.items[i + 1],
            (k->locks.count - i) * sizeof(k->locks.items[0]));
}

static void put_in(struct kernel *k, size_t i, const struct file_lock *l)
{
    VEC_PUSH(&k->locks, *l);
    memmove(&k->locks.items[i + 1], &k->locks.items[i],
            (k->locks.count - 1 - i) * sizeof(k->locks.items[0]));
    k->locks.items[i] = *l;
}

// Takes [l->first, l->last] out of the owner's locks.
static void cut(struct kernel *k, const struct file_lock *l)
{
    bool some = false;

    for (size_t i = 0; i < k->locks.count;) {
        struct file_lock old = k->locks.items[i], part = old;

        if (!same_owner(&old, l) || old.last < l->first || old.first > l->last) {
            i++;
            continue;
        }
        some = true;
        take_out(k, i);
        if (old.first < l->first) {
            part.last = l->first - 1;
            put_in(k, i++, &part);
        }
        if (old.last > l->last) {
            part = old;
            part.first = l->last + 1;
            put_in(k, i++, &part);
        }
    }
    if (some)
        kernel_wake(k, &k->locks);
}

// An owner's locks stand together, in the order of the file; those of the same kind that touch are
// one.
static void set(struct kernel *k, struct file_lock l)
{
    size_t at = 0;

    while (at < k->locks.count && !same_owner(&k->locks.items[at], &l))
        at++;
    cut(k, &l);
    while (at < k->locks.count && same_owner(&k->locks.items[at], &l)) {
        const struct file_lock *old = &k->locks.items[at];

        if (old->exclusive == l.exclusive &&
            (old->last + 1 == l.first || l.last + 1 == old->first)) {
            l.first = MIN(l.first, old->first);
            l.last = MAX(l.last, old->last);
            take_out(k, at);
        } else if (old->first > l.last) {
            break;
        } else {
            at++;
        }
    }
    put_in(k, at, &l);
}

void locks_closed(const struct fd_table *fds, const struct file *f)
{
    struct file_lock l = {.last = LOCK_END, .owner = fds};

    identify(f, &l);
    if (f->kernel->locks.count > 0)
        cut(f->kernel, &l);
}

void locks_released(const struct file *f)
{
    struct file_lock l = {.last = LOCK_END, .owner = f};

    identify(f, &l);
    if (f->kernel->locks.count == 0)
        return;
    cut(f->kernel, &l);
    l.whole = true;
    cut(f->kernel, &l);
}

// Whether `owner` waits, directly or not, for `self`.
static bool waits_for(const struct kernel *k, const void *owner, const void *self)
{
    for (int n = 0; n < CHAIN_MAX && owner; n++) {
        const void *next = NULL;

        if (owner == self)
            return true;
        for (size_t i = 0; i < k->sleepers.count && !next; i++) {
            if (k->sleepers.items[i]->fds == owner)
                next = k->sleepers.items[i]->wait.lock_owner;
        }
        owner = next;
    }
    return false;
}

static i64 acquire(struct task *t, const struct file_lock *l, bool wait)
{
    struct kernel *k = t->kernel;
    const struct file_lock *other = find_conflict(k, l);
    bool of_process = l->pid >= 0 && !l->whole;

    t->wait.lock_owner = NULL;
    if (!other) {
        set(k, *l);
        return 0;
    }
    if (!wait)
        return -EAGAIN;
    if (of_process && other->pid >= 0 && waits_for(k, other->owner, l->owner))
        return -EDEADLK;
    if (of_process && other->pid >= 0)
        t->wait.lock_owner = other->owner;
    task_wait_on(t, &k->locks);
    return task_block(t);
}

// The range that a program names; 0 or -errno.
static i64 read_range(const struct file *f, const struct flock *in, struct file_lock *ret_lock)
{
    struct stat st = {0};
    i64 start = in->l_start, base = 0, end;

    if (in->l_whence == SEEK_CUR) {
        base = f->host >= 0 ? lseek(f->host, 0, SEEK_CUR) : f->position;
    } else if (in->l_whence == SEEK_END) {
        if (f->ops->status)
            f->ops->status((struct file *)f, &st);
        base = st.st_size;
    } else if (in->l_whence != SEEK_SET) {
        return -EINVAL;
    }
    if (__builtin_add_overflow(MAX(base, 0), start, &start))
        return -EOVERFLOW;
    if (start < 0)
        return -EINVAL;
    if (in->l_len < 0) {
        end = start - 1;
        if (start + in->l_len < 0)
            return -EINVAL;
        start += in->l_len;
    } else if (in->l_len == 0) {
        end = INT64_MAX;
    } else if (__builtin_add_overflow(start, in->l_len - 1, &end)) {
        return -EOVERFLOW;
    }
    ret_lock->first = (u64)start;
    ret_lock->last = (u64)end;
    return 0;
}

static i64 get_lock(struct task *t, const struct file_lock *l, struct flock *user, vaddr arg)
{
    const struct file_lock *other = find_conflict(t->kernel, l);

    user->l_type = F_UNLCK;
    if (other) {
        *user = (struct flock){
            .l_type = other->exclusive ? F_WRLCK : F_RDLCK,
            .l_whence = SEEK_SET,
            .l_start = (off_t)other->first,
            .l_len = other->last == LOCK_END ? 0 : (off_t)(other->last - other->first + 1),
            .l_pid = other->pid,
        };
    }
    return USER_PUT(t, arg, *user) ? 0 : -EFAULT;
}

i64 locks_fcntl(struct task *t, struct file *f, u64 command, vaddr arg)
{
    bool of_file = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    bool wait = command == F_SETLKW || command == F_OFD_SETLKW;
    struct file_lock l = {.owner = of_file ? (const void *)f : t->fds,
                          .pid = of_file ? -1 : t->process->pid};
    u32 access = f->flags & O_ACCMODE;
    struct flock user;
    i64 r;

    if (f->flags & O_PATH)
        return -EBADF;
    if (!USER_GET(t, arg, user))
        return -EFAULT;
    if (of_file && user.l_pid != 0)
        return -EINVAL;
    r = read_range(f, &user, &l);
    if (r < 0)
        return r;
    identify(f, &l);
    l.exclusive = user.l_type == F_WRLCK;
    if (user.l_type < 0 || user.l_type > F_UNLCK)
        return -EINVAL;
    if (command == F_GETLK || command == F_OFD_GETLK)
        return user.l_type == F_UNLCK && !of_file ? -EINVAL : get_lock(t, &l, &user, arg);
    if (user.l_type == F_UNLCK) {
        cut(t->kernel, &l);
        return 0;
    }
    if (access != O_RDWR && access != (l.exclusive ? O_WRONLY : O_RDONLY))
        return -EBADF;
    return acquire(t, &l, wait);
}

i64 sys_flock(struct task *t, const u64 *a)
{
    struct file *f = fd_get(t, a[0]);
    u32 what = (u32)a[1] & ~(u32)LOCK_NB;
    struct file_lock l = {
        .last = LOCK_END, .owner = f, .pid = -1, .whole = true, .exclusive = what == LOCK_EX};

    if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN)
        return -EINVAL;
    if (!f || (f->flags & O_PATH))
        return -EBADF;
    identify(f, &l);
    // A lock of the other kind is given up first, even if the new one is not to be had.
    for (size_t i = 0; i < t->kernel->locks.count; i++) {
        const struct file_lock *old = &t->kernel->locks.items[i];

        if (!same_owner(old, &l))
            continue;
        if (what != LOCK_UN && old->exclusive == l.exclusive)
            return 0;
        cut(t->kernel, &l);
        break;
    }
    return what == LOCK_UN ? 0 : acquire(t, &l, !(a[1] & LOCK_NB));
}
