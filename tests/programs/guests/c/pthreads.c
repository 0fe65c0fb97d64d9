// SPDX-License-Identifier: BSD-3-Clause
// POSIX threads: barriers, rwlocks, keys, cancellation, robust mutexes, semaphores, join values.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_key_t key;
static sem_t semaphore;
static int serial, written, destroyed, cleaned;
static __thread int tls = 5;

static void destroy(void *value)
{
    __atomic_add_fetch(&destroyed, (int)(long)value, __ATOMIC_SEQ_CST);
}

static void *work(void *arg)
{
    long n = (long)arg;

    pthread_setspecific(key, (void *)n);
    tls += (int)n;
    for (int round = 0; round < 20; round++) {
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            serial++;
        pthread_barrier_wait(&barrier);
    }
    pthread_rwlock_wrlock(&rwlock);
    written += tls;
    pthread_rwlock_unlock(&rwlock);
    sem_post(&semaphore);
    return (void *)(n * n);
}

static void clean(void *arg)
{
    cleaned += *(int *)arg;
}

static void *cancelled(void *arg)
{
    pthread_cleanup_push(clean, arg);
    sem_post(&semaphore);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

static void *die_holding(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

int main(void)
{
    pthread_t t[5];
    void *value;
    long sum = 0;
    int three = 3;
    pthread_mutexattr_t attr;
    pthread_mutex_t robust, recursive;

    pthread_barrier_init(&barrier, NULL, 5);
    pthread_key_create(&key, destroy);
    sem_init(&semaphore, 0, 0);
    for (long i = 0; i < 5; i++)
        pthread_create(&t[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < 5; i++) {
        sem_wait(&semaphore);
        pthread_join(t[i], &value);
        sum += (long)value;
    }
    printf("%ld %d %d %d %d\n", sum, serial, written, destroyed, tls);

    pthread_create(&t[0], NULL, cancelled, &three);
    sem_wait(&semaphore);
    pthread_cancel(t[0]);
    pthread_join(t[0], &value);
    printf("cancelled %d %d\n", value == PTHREAD_CANCELED, cleaned);

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attr);
    pthread_create(&t[0], NULL, die_holding, &robust);
    pthread_join(t[0], NULL);
    printf("robust %d", pthread_mutex_lock(&robust) == EOWNERDEAD);
    printf(" %d", pthread_mutex_consistent(&robust));
    printf(" %d\n", pthread_mutex_unlock(&robust));

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&recursive, &attr);
    pthread_mutex_lock(&recursive);
    printf("recursive %d %d", pthread_mutex_lock(&recursive), pthread_mutex_unlock(&recursive));
    printf(" %d\n", pthread_mutex_unlock(&recursive));

    // a mutex and a condition shared between processes
    struct {
        pthread_mutex_t mutex;
        pthread_cond_t condition;
        int turn;
    } *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_condattr_t cattr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &attr);
    pthread_condattr_init(&cattr);
    pthread_condattr_setpshared(&cattr, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->condition, &cattr);
    fflush(stdout);
    int me = fork() == 0;
    for (int round = 0; round < 50; round++) {
        pthread_mutex_lock(&shared->mutex);
        while (shared->turn % 2 != me)
            pthread_cond_wait(&shared->condition, &shared->mutex);
        shared->turn++;
        pthread_cond_signal(&shared->condition);
        pthread_mutex_unlock(&shared->mutex);
    }
    if (me)
        _exit(0);
    wait(NULL);
    printf("turns %d\n", shared->turn);
    return 0;
}
