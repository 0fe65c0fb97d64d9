// SPDX-License-Identifier: BSD-3-Clause
#include "base/parallel.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

struct job {
    pthread_mutex_t lock; // of everything below that changes
    pthread_cond_t moved;
    parallel_work_fn *work;
    parallel_emit_fn *emit; // NULL: none
    void *context;
    u64 count, next, emitted;
    unsigned slots;
    bool *done; // owned; by slot
    bool emitting, failed;
};

struct worker {
    struct job *job;
    unsigned number;
    pthread_t thread;
};

unsigned parallel_threads(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return (unsigned)MIN(MAX(n, 1), PARALLEL_MAX);
}

// Emits what is ready, unless someone is at it; called and left with the lock.
static void emit_ready(struct job *j)
{
    if (!j->emit || j->emitting)
        return;
    j->emitting = true;
    while (!j->failed && j->emitted < j->count && j->done[j->emitted % j->slots]) {
        bool ok;

        pthread_mutex_unlock(&j->lock);
        ok = j->emit(j->context, j->emitted);
        pthread_mutex_lock(&j->lock);
        j->done[j->emitted % j->slots] = false;
        j->emitted++;
        j->failed |= !ok;
        pthread_cond_broadcast(&j->moved);
    }
    j->emitting = false;
}

static void *run(void *argument)
{
    const struct worker *w = argument;
    struct job *j = w->job;

    pthread_mutex_lock(&j->lock);
    while (!j->failed && j->next < j->count) {
        u64 i = j->next;
        bool ok;

        if (j->emit && i >= j->emitted + j->slots) {
            pthread_cond_wait(&j->moved, &j->lock);
            continue;
        }
        j->next++;
        pthread_mutex_unlock(&j->lock);
        ok = j->work(j->context, i, w->number);
        pthread_mutex_lock(&j->lock);
        if (j->emit)
            j->done[i % j->slots] = true;
        j->failed |= !ok;
        emit_ready(j);
    }
    pthread_cond_broadcast(&j->moved);
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static bool run_job(struct job *j, unsigned threads)
{
    struct worker workers[PARALLEL_MAX] = {{0}};
    unsigned started = 1;
    sigset_t all, old;

    threads = (unsigned)MIN(MIN(threads, j->count), PARALLEL_MAX);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->moved, NULL);
    // Signals are the caller's business.
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; started < threads; started++) {
        workers[started] = (struct worker){.job = j, .number = started};
        if (pthread_create(&workers[started].thread, NULL, run, &workers[started]) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    workers[0] = (struct worker){.job = j};
    run(&workers[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_cond_destroy(&j->moved);
    pthread_mutex_destroy(&j->lock);
    return !j->failed;
}

bool parallel_for(u64 count, unsigned threads, parallel_work_fn *work, void *context)
{
    struct job j = {.work = work, .context = context, .count = count};

    return run_job(&j, threads);
}

bool parallel_in_order(u64 count, unsigned threads, unsigned slots, parallel_work_fn *work,
                       parallel_emit_fn *emit, void *context)
{
    struct job j = {.work = work, .emit = emit, .context = context, .count = count, .slots = slots};
    bool ok;

    ASSERT(slots >= threads);
    j.done = xcalloc(slots, sizeof(j.done[0]));
    ok = run_job(&j, threads);
    free(j.done);
    return ok;
}
