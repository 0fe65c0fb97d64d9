// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/host_priv.h"

double host_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// The child must die of its own faults: without handlers, core files or inherited blocking.
static void be_expendable(unsigned seconds)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM};
    struct rlimit none = {0, 0};
    sigset_t empty;

    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        signal(faults[i], SIG_DFL);
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    setrlimit(RLIMIT_CORE, &none);
    alarm(seconds);
}

struct host_trial host_try(void (*f)(void *result), unsigned seconds)
{
    struct host_trial trial = {.returned = false};
    char *shared =
        mmap(NULL, sizeof(trial.result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t child;

    if (shared == MAP_FAILED)
        return trial;
    child = fork();
    if (child == 0) {
        be_expendable(seconds);
        f(shared);
        _exit(0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child > 0) {
        trial.returned = WIFEXITED(status);
        trial.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    memcpy(trial.result, shared, sizeof(trial.result));
    munmap(shared, sizeof(trial.result));
    return trial;
}
