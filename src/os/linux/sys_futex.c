// SPDX-License-Identifier: BSD-3-Clause
// futex(2): waiting for a word of memory. Waiters are woken in the order they came.
// APPROX: locks with priority inheritance go to the waiter that came first, whatever its priority.
#include "os/linux/signal.h"
#include "os/linux/syscall.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <linux/futex.h>

struct futex_key {
    const void *object;
    u64 offset;
};

static i64 key_of(struct task *t, vaddr va, struct futex_key *ret_key)
{
    if (va % 4)
        return -EINVAL;
    return mm_futex_key(t->mm, va, &ret_key->object, &ret_key->offset) ? 0 : -EFAULT;
}

static bool waits_for(const struct task *t, const struct futex_key *key)
{
    return t->wait.futex_object == key->object && t->wait.futex_offset == key->offset &&
           !t->wait.futex_woken;
}

static u32 wake(struct kernel *k, const struct futex_key *key, u32 n, u32 bits)
{
    u32 woken = 0;

    for (size_t i = 0; i < k->sleepers.count && woken < n;) {
        struct task *t = k->sleepers.items[i];

        if (!waits_for(t, key) || !(t->wait.futex_bits & bits)) {
            i++;
            continue;
        }
        t->wait.futex_woken = true;
        task_wake(t);
        woken++;
    }
    return woken;
}

u32 futex_wake_address(struct task *t, vaddr va, u32 n)
{
    struct futex_key key;

    return key_of(t, va, &key) < 0 ? 0 : wake(t->kernel, &key, n, ~0u);
}

static i64 set_deadline(struct task *t, vaddr timeout, u64 op)
{
    struct timespec ts;
    bool absolute = (op & FUTEX_CMD_MASK) != FUTEX_WAIT;
    int clock = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;

    if (!timeout || t->wait.has_deadline)
        return 0;
    if (!USER_GET(t, timeout, ts))
        return -EFAULT;
    if (!timespec_valid(&ts))
        return -EINVAL;
    task_wait_until(t, absolute ? clock_to_tick(t, clock, timespec_ns(&ts))
                                : kernel_now(t->kernel) + ticks_of_ns(timespec_ns(&ts)));
    return 0;
}

static i64 wait(struct task *t, const u64 *a, u32 bits)
{
    struct futex_key key;
    u32 word;
    i64 r;

    if (t->wait.futex_woken)
        return 0;
    if (t->wait.resumed) {
        if (task_wait_expired(t))
            return -ETIMEDOUT;
        // Woken by a signal, or for nothing: goes on waiting where it is (perhaps requeued).
        r = task_block(t);
        if (r == -ERESTARTSYS) {
            t->wait.futex_object = NULL;
            return a[3] ? -ERESTART_RESTARTBLOCK : -ERESTARTSYS;
        }
        return r;
    }
    if (bits == 0)
        return -EINVAL;
    r = key_of(t, a[0], &key);
    if (r == 0)
        r = set_deadline(t, a[3], a[1]);
    if (r < 0)
        return r;
    if (!USER_GET(t, a[0], word))
        return -EFAULT;
    if (word != (u32)a[2])
        return -EAGAIN;
    if (task_wait_expired(t))
        return -ETIMEDOUT;
    t->wait.futex_object = key.object;
    t->wait.futex_offset = key.offset;
    t->wait.futex_bits = bits;
    r = task_block(t);
    if (r == -ERESTARTSYS)
        t->wait.futex_object = NULL;
    return r == -ERESTARTSYS && a[3] ? -ERESTART_RESTARTBLOCK : r;
}

static i64 requeue(struct task *t, const u64 *a, bool compare)
{
    struct kernel *k = t->kernel;
    struct futex_key from, to;
    u32 word, limit = (u32)a[3], woken, moved = 0;
    i64 r = key_of(t, a[0], &from);

    if (r == 0)
        r = key_of(t, a[4], &to);
    if (r < 0)
        return r;
    if ((i32)a[2] < 0 || (i32)a[3] < 0)
        return -EINVAL;
    if (compare) {
        if (!USER_GET(t, a[0], word))
            return -EFAULT;
        if (word != (u32)a[5])
            return -EAGAIN;
    }
    woken = wake(k, &from, (u32)a[2], ~0u);
    for (size_t i = 0; i < k->sleepers.count && moved < limit; i++) {
        struct task *w = k->sleepers.items[i];

        if (!waits_for(w, &from) || !w->wait.futex_bits)
            continue;
        w->wait.futex_object = to.object;
        w->wait.futex_offset = to.offset;
        moved++;
    }
    return compare ? woken + moved : woken;
}

static i64 wake_op(struct task *t, const u64 *a)
{
    struct futex_key first, second;
    u32 code = (u32)a[5], op = code >> 28 & 7, compare = code >> 24 & 15, old, fresh, argument;
    i32 cmparg = (i32)(code << 20) >> 20;
    bool hit;
    i64 r = key_of(t, a[0], &first);

    if (r == 0)
        r = key_of(t, a[4], &second);
    if (r < 0)
        return r;
    if (!USER_GET(t, a[4], old))
        return -EFAULT;
    argument = (u32)((i32)(code << 8) >> 20);
    if (code & 1u << 31)
        argument = 1u << (argument & 31);
    switch (op) {
    case FUTEX_OP_SET:
        fresh = argument;
        break;
    case FUTEX_OP_ADD:
        fresh = old + argument;
        break;
    case FUTEX_OP_OR:
        fresh = old | argument;
        break;
    case FUTEX_OP_ANDN:
        fresh = old & ~argument;
        break;
    case FUTEX_OP_XOR:
        fresh = old ^ argument;
        break;
    default:
        return -ENOSYS;
    }
    if (!USER_PUT(t, a[4], fresh))
        return -EFAULT;
    switch (compare) {
    case FUTEX_OP_CMP_EQ:
        hit = (i32)old == cmparg;
        break;
    case FUTEX_OP_CMP_NE:
        hit = (i32)old != cmparg;
        break;
    case FUTEX_OP_CMP_LT:
        hit = (i32)old < cmparg;
        break;
    case FUTEX_OP_CMP_LE:
        hit = (i32)old <= cmparg;
        break;
    case FUTEX_OP_CMP_GT:
        hit = (i32)old > cmparg;
        break;
    case FUTEX_OP_CMP_GE:
        hit = (i32)old >= cmparg;
        break;
    default:
        return -ENOSYS;
    }
    r = wake(t->kernel, &first, (u32)a[2], ~0u);
    return hit ? r + wake(t->kernel, &second, (u32)a[3], ~0u) : r;
}

// ---- locks with priority inheritance: the word holds the owner's number. Their waiters have no
// bits, so that nothing else wakes them ----

static struct task *first_pi_waiter(const struct kernel *k, const struct futex_key *key,
                                    bool *ret_more)
{
    struct task *first = NULL;

    *ret_more = false;
    for (size_t i = 0; i < k->sleepers.count; i++) {
        struct task *t = k->sleepers.items[i];

        if (!waits_for(t, key) || t->wait.futex_bits)
            continue;
        *ret_more = first != NULL;
        if (first)
            break;
        first = t;
    }
    return first;
}

// Gives the lock at va to the next waiter, or to nobody.
static bool pass_on(struct task *t, vaddr va, const struct futex_key *key, u32 bits)
{
    bool more;
    struct task *next = first_pi_waiter(t->kernel, key, &more);
    u32 word = bits | (next ? (u32)next->tid : 0) | (more ? FUTEX_WAITERS : 0);

    if (!USER_PUT(t, va, word))
        return false;
    if (next) {
        next->wait.futex_woken = true;
        task_wake(next);
    }
    return true;
}

void futex_pi_owner_died(struct task *t, vaddr va)
{
    struct futex_key key;
    bool passed = key_of(t, va, &key) == 0 && pass_on(t, va, &key, FUTEX_OWNER_DIED);

    (void)passed; // the memory may be gone, and nobody waits for it then
}

static i64 lock_pi(struct task *t, const u64 *a, bool only_try, int clock)
{
    struct futex_key key;
    struct timespec ts;
    u32 word;
    i64 r;

    if (t->wait.futex_woken)
        return 0;
    r = key_of(t, a[0], &key);
    if (r < 0)
        return r;
    if (!USER_GET(t, a[0], word))
        return -EFAULT;
    if ((word & FUTEX_TID_MASK) == (u32)t->tid)
        return -EDEADLK;
    if (!(word & FUTEX_TID_MASK)) {
        word = (word & FUTEX_OWNER_DIED) | (u32)t->tid;
        return USER_PUT(t, a[0], word) ? 0 : -EFAULT;
    }
    if (!task_find(t->kernel, (int)(word & FUTEX_TID_MASK)))
        return -ESRCH;
    if (only_try)
        return -EAGAIN;
    word |= FUTEX_WAITERS;
    if (!USER_PUT(t, a[0], word))
        return -EFAULT;
    if (a[3] && !t->wait.has_deadline) {
        if (!USER_GET(t, a[3], ts))
            return -EFAULT;
        if (!timespec_valid(&ts))
            return -EINVAL;
        task_wait_until(t, clock_to_tick(t, clock, timespec_ns(&ts)));
    }
    if (task_wait_expired(t)) {
        t->wait.futex_object = NULL;
        return -ETIMEDOUT;
    }
    t->wait.futex_object = key.object;
    t->wait.futex_offset = key.offset;
    t->wait.futex_bits = 0;
    r = task_block(t);
    if (r == -ERESTARTSYS)
        t->wait.futex_object = NULL;
    return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
}

static i64 unlock_pi(struct task *t, const u64 *a)
{
    struct futex_key key;
    u32 word;
    i64 r = key_of(t, a[0], &key);

    if (r < 0)
        return r;
    if (!USER_GET(t, a[0], word))
        return -EFAULT;
    if ((word & FUTEX_TID_MASK) != (u32)t->tid)
        return -EPERM;
    return pass_on(t, a[0], &key, 0) ? 0 : -EFAULT;
}

i64 sys_futex(struct task *t, const u64 *a)
{
    struct futex_key key;
    i64 r;

    switch (a[1] & (u64)FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        return wait(t, a, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAIT_BITSET:
        return wait(t, a, (u32)a[5]);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        r = key_of(t, a[0], &key);
        if (r < 0)
            return r;
        if ((a[1] & (u64)FUTEX_CMD_MASK) == FUTEX_WAKE)
            return wake(t->kernel, &key, (u32)a[2], ~0u);
        return (u32)a[5] ? (i64)wake(t->kernel, &key, (u32)a[2], (u32)a[5]) : -EINVAL;
    case FUTEX_REQUEUE:
        return requeue(t, a, false);
    case FUTEX_CMP_REQUEUE:
        return requeue(t, a, true);
    case FUTEX_WAKE_OP:
        return wake_op(t, a);
    case FUTEX_LOCK_PI:
        return lock_pi(t, a, false, CLOCK_REALTIME);
    case FUTEX_LOCK_PI2:
        return lock_pi(t, a, false, a[1] & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
    case FUTEX_TRYLOCK_PI:
        return lock_pi(t, a, true, CLOCK_REALTIME);
    case FUTEX_UNLOCK_PI:
        return unlock_pi(t, a);
    default:
        return -ENOSYS;
    }
}
