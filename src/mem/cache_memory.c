// SPDX-License-Identifier: BSD-3-Clause
// The side of a level that memories are on, and what it has to do at later times: reads and writes
// go out when queue.now has come to their time, answers go to clients likewise. One event, armed
// for the first job of a list in order of time.
#include "mem/cache_level.h"
#include "sim/sim.h"

enum { WRITE_TOKEN = 0x80000000u };

// What an access can lead to on its way is written even when the buffers are full, or clients have
// to be told; so no more come then.
bool level_is_congested(struct level *l)
{
    if (l->waiting >= l->k.mshrs * l->k.targets) {
        l->n->blockedNoMshrs++;
        return true;
    }
    for (u32 i = 0; i < MAX(l->below_by.count, 1); i++)
        if (l->below[i].level && level_is_congested(l->below[i].level))
            return true;
    if (l->writes_queued < l->k.write_buffers)
        return false;
    l->n->blockedNoBuffers++;
    return true;
}

tick memory_atomic(struct level *l, u64 line, enum timed_kind kind)
{
    const struct level_below *b = level_below_of(l, line);
    struct timed_access a = {.pa = line << TIMED_LINE_SHIFT, .kind = (u8)kind};

    return b->memory_ops->atomic(b->memory, &a);
}

void level_schedule(struct level *l, const struct job *job)
{
    u32 i = l->free_job, before = l->last_job;
    struct job *j = &l->job[i];

    ASSERT(i);
    l->free_job = j->next;
    *j = *job;
    while (before && l->job[before].when > j->when)
        before = l->job[before].before;
    j->before = before;
    j->next = before ? l->job[before].next : l->first_job;
    if (j->next)
        l->job[j->next].before = i;
    else
        l->last_job = i;
    if (before) {
        l->job[before].next = i;
    } else {
        l->first_job = i;
        event_schedule(l->event, MAX(j->when, l->event->queue->now), EVENT_NORMAL);
    }
}

static void unlink_first(struct level *l)
{
    u32 i = l->first_job;

    l->first_job = l->job[i].next;
    if (l->first_job)
        l->job[l->first_job].before = 0;
    else
        l->last_job = 0;
    l->job[i].next = l->free_job;
    l->free_job = i;
}

static struct timed_access access_of(const struct job *j)
{
    return (struct timed_access){.pa = j->line << TIMED_LINE_SHIFT,
                                 .kind = j->kind == JOB_WRITE ? TIMED_WRITE : TIMED_READ,
                                 .core = j->core,
                                 .wrong_path = j->wrong_path};
}

// Data of a line that waits to be written are still here.
static bool is_queued(const struct level *l, u64 line)
{
    for (u32 i = l->first_job; i; i = l->job[i].next)
        if (l->job[i].kind == JOB_WRITE && l->job[i].line == line)
            return true;
    return false;
}

// Sends it, or puts it back for later.
static void send(struct level *l, const struct job *j)
{
    struct level_below *b = level_below_of(l, j->line);
    struct timed_access a = access_of(j);
    tick now = l->event->queue->now, when;
    struct job again = *j;
    bool read = j->kind == JOB_READ;

    switch (b->memory_ops->access(b->memory, &a, now, &l->memory_client,
                                  read ? j->token : WRITE_TOKEN, &when)) {
    case TIMED_DONE:
        if (read)
            level_answer(l, j->token, net_up(&b->link, NET_DATA, when, true));
        l->writes_queued -= !read;
        break;
    case TIMED_PENDING:
        l->writes_out += !read;
        l->writes_queued -= !read;
        break;
    case TIMED_BUSY:
        again.when = MAX(when, now + 1);
        level_schedule(l, &again);
    }
}

void level_memory_done(struct timed_client *client, u32 token, tick when)
{
    struct level *l = CONTAINER_OF(client, struct level, memory_client);

    if (token == WRITE_TOKEN)
        l->writes_out--;
    else
        level_answer(l, token,
                     net_up(&level_below_of(l, l->mshr_line[token])->link, NET_DATA, when, true));
}

void level_run_jobs(struct level *l)
{
    tick now = l->event->queue->now;

    while (l->first_job && l->job[l->first_job].when <= now) {
        struct job j = l->job[l->first_job];

        unlink_first(l);
        if (j.kind == JOB_DONE) {
            l->waiting--;
            j.client->done(j.client, j.token, j.when);
        } else {
            send(l, &j);
        }
    }
    if (l->first_job)
        event_schedule(l->event, l->job[l->first_job].when, EVENT_NORMAL);
}

void memory_read(struct level *l, u64 line, const struct request *q, u32 mshr, tick now)
{
    if (is_queued(l, line)) {
        level_answer(l, mshr, now);
        return;
    }
    level_schedule(l, &(struct job){.when = now,
                                    .kind = JOB_READ,
                                    .line = line,
                                    .token = mshr,
                                    .core = q->a->core,
                                    .wrong_path = q->a->wrong_path});
}

void memory_write(struct level *l, u64 line, tick now)
{
    l->writes_queued++;
    level_schedule(l, &(struct job){.when = now, .kind = JOB_WRITE, .line = line});
}
