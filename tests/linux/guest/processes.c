// SPDX-License-Identifier: BSD-3-Clause
// Processes by descriptor, locks with priority inheritance, truncated mappings, niceness; prints
// results. Run in an empty folder of its own.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(call)                                                 \
    do {                                                           \
        long show = (long)(call);                                  \
        printf("%s = %ld%s%s\n", #call, show, show < 0 ? " " : "", \
               show < 0 ? strerror(errno) : "");                   \
    } while (0)

static int ready(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};

    return poll(&p, 1, ms) < 0 ? -1 : p.revents & POLLIN; // newer kernels add POLLHUP
}

static void pidfds(void)
{
    siginfo_t info = {0};
    int pid = fork(), fd, pipes[2], taken, ep = epoll_create1(0), given = -1;
    struct epoll_event e = {.events = EPOLLIN, .data.fd = 5};
    struct clone_args args = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};

    if (pid == 0) {
        pause();
        _exit(1);
    }
    fd = syscall(SYS_pidfd_open, pid, 0);
    printf("opened %d, close on exec %d\n", fd >= 0, fcntl(fd, F_GETFD));
    SHOW(ready(fd, 0));
    SHOW(syscall(SYS_pidfd_open, 0, 0));
    SHOW(syscall(SYS_pidfd_open, 999999, 0));
    SHOW(syscall(SYS_pidfd_open, pid, 77));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    SHOW(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    SHOW(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 7));
    SHOW(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0));
    SHOW(syscall(SYS_pidfd_send_signal, open("/proc/self", O_DIRECTORY), 0, NULL, 0));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    SHOW(epoll_wait(ep, &e, 1, 0));
    SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
    SHOW(ready(fd, -1));
    SHOW(epoll_wait(ep, &e, 1, -1));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    printf("code %d status %d pid %d\n", info.si_code, info.si_status, info.si_pid == pid);
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
    SHOW(ready(fd, 0));
    SHOW(read(fd, &info, 4));
    close(fd);
    SHOW(waitid(P_PIDFD, 0, &info, WEXITED));
    args.pidfd = (unsigned long)&given;
    pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        pipe(pipes);
        write(pipes[1], "from the child", 14);
        dup2(pipes[0], 100);
        pause();
        _exit(0);
    }
    printf("given %d\n", given >= 0);
    while ((taken = syscall(SYS_pidfd_getfd, given, 100, 0)) < 0)
        usleep(1000);
    char text[32] = "";
    SHOW(read(taken, text, 30));
    puts(text);
    SHOW(syscall(SYS_pidfd_send_signal, given, SIGKILL, NULL, 0));
    SHOW(waitid(P_PIDFD, given, &info, WEXITED));
    close(given);
    fd = fork();
    if (fd == 0) {
        pause();
        _exit(9);
    }
    pid = syscall(SYS_pidfd_open, fd, O_NONBLOCK);
    SHOW(waitid(P_PIDFD, pid, &info, WEXITED));
    SHOW(kill(fd, SIGKILL));
    SHOW(ready(pid, -1));
    SHOW(waitid(P_PIDFD, pid, &info, WEXITED));
}

static sigjmp_buf back;

static void bus(int number, siginfo_t *info, void *context)
{
    siglongjmp(back, info->si_code);
}

static int touch(volatile char *p)
{
    int code = sigsetjmp(back, 1);

    return code ? -code : *p;
}

static void truncation(int fd)
{
    struct sigaction action = {.sa_sigaction = bus, .sa_flags = SA_SIGINFO};
    char *private, *shared;

    sigaction(SIGBUS, &action, NULL);
    ftruncate(fd, 4 * 4096);
    for (int i = 0; i < 4; i++)
        pwrite(fd, "abcd" + i, 1, i * 4096);
    private = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    shared = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
    private[3 * 4096] = 'P';
    private[2 * 4096] = 'Q';
    private[4096] = 'R';
    shared[4096] = 's';
    SHOW(private[2 * 4096]);
    SHOW(ftruncate(fd, 4096 + 10));
    SHOW(touch(private));
    SHOW(touch(private + 4096));
    SHOW(touch(private + 2 * 4096));
    SHOW(touch(private + 3 * 4096));
    SHOW(touch(shared));
    SHOW(touch(shared + 4096));
    SHOW(touch(shared + 2 * 4096));
    SHOW(ftruncate(fd, 4 * 4096));
    SHOW(touch(private + 2 * 4096));
    SHOW(touch(private + 3 * 4096));
    SHOW(touch(shared + 4096));
    munmap(private, 4 * 4096);
    munmap(shared, 3 * 4096);
}

static pthread_mutex_t mutex;
static int inside, n_order;
static volatile int held;

static void *locker(void *number)
{
    usleep(2000 * (long)number);
    pthread_mutex_lock(&mutex);
    n_order++;
    inside++;
    usleep(100);
    inside--;
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *die_with_lock(void *unused)
{
    pthread_mutex_lock(&mutex);
    held = 1;
    usleep(5000);
    return NULL;
}

static void locks(int robust)
{
    pthread_mutexattr_t attr;
    pthread_t threads[8];
    struct timespec soon;
    int word = 0;

    pthread_mutexattr_init(&attr);
    SHOW(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
    SHOW(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
    if (robust)
        SHOW(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
    SHOW(pthread_mutex_init(&mutex, &attr));
    SHOW(pthread_mutex_lock(&mutex));
    SHOW(pthread_mutex_lock(&mutex));
    n_order = 0;
    for (long i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, locker, (void *)i);
    usleep(40000);
    SHOW(n_order);
    SHOW(pthread_mutex_unlock(&mutex));
    SHOW(pthread_mutex_unlock(&mutex));
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    printf("%d had it, inside %d\n", n_order, inside);
    if (robust) {
        pthread_create(&threads[0], NULL, die_with_lock, NULL);
        while (!held)
            usleep(100);
        SHOW(pthread_mutex_lock(&mutex));
        SHOW(pthread_mutex_consistent(&mutex));
        SHOW(pthread_mutex_unlock(&mutex));
        pthread_join(threads[0], NULL);
        pthread_create(&threads[0], NULL, die_with_lock, NULL);
        pthread_join(threads[0], NULL);
        SHOW(pthread_mutex_trylock(&mutex));
        SHOW(pthread_mutex_unlock(&mutex));
        SHOW(pthread_mutex_lock(&mutex));
        return;
    }
    SHOW(pthread_mutex_trylock(&mutex));
    if (fork() == 0) {
        clock_gettime(CLOCK_REALTIME, &soon);
        word = getppid();
        soon.tv_sec--;
        SHOW(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, &soon, NULL, 0));
        word = 999999;
        SHOW(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
        SHOW(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
        word = gettid();
        SHOW(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
        SHOW(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
        SHOW(word);
        SHOW(syscall(SYS_futex, &word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
        SHOW(word == gettid());
        _exit(0);
    }
    wait(NULL);
    SHOW(pthread_mutex_unlock(&mutex));
    SHOW(pthread_mutex_destroy(&mutex));
}

static void scheduling(void)
{
    struct sched_param param = {5};

    setpgid(0, 0);
    SHOW(setpriority(PRIO_PROCESS, 0, 19));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 70));
    SHOW(getpriority(PRIO_PGRP, 0));
    SHOW(setpriority(9, 0, 1));
    SHOW(getpriority(PRIO_PROCESS, 999999));
    SHOW(sched_getscheduler(0));
    SHOW(sched_setscheduler(0, SCHED_BATCH, &param));
    param.sched_priority = 0;
    SHOW(sched_setscheduler(0, SCHED_BATCH, &param));
    SHOW(sched_getscheduler(0));
    SHOW(sched_setparam(0, &param));
    SHOW(sched_setscheduler(0, 77, &param));
    SHOW(sched_setscheduler(999999, SCHED_OTHER, &param));
    param.sched_priority = 3;
    SHOW(sched_getparam(0, &param));
    SHOW(param.sched_priority);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pidfds();
    truncation(open("cut", O_CREAT | O_RDWR, 0600));
    truncation(memfd_create("cut", 0));
    locks(0);
    locks(1);
    scheduling();
    return 0;
}
