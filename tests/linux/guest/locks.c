// SPDX-License-Identifier: BSD-3-Clause
// Locks of files between processes; prints results. Run in an empty folder of its own.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                                 \
    do {                                                           \
        long show = (long)(call);                                  \
        printf("%s = %ld%s%s\n", #call, show, show < 0 ? " " : "", \
               show < 0 ? strerror(errno) : "");                   \
    } while (0)

static int fd;

static int lock_at(int file, int command, int type, int whence, long start, long len)
{
    struct flock l = {
        .l_type = (short)type, .l_whence = (short)whence, .l_start = start, .l_len = len};

    return fcntl(file, command, &l);
}

static int lock(int type, long start, long len)
{
    return lock_at(fd, F_SETLK, type, SEEK_SET, start, len);
}

// What another process would meet in [start, start + len), piece by piece.
static void show_locks(const char *what)
{
    int status;

    fflush(stdout);
    if (fork() == 0) {
        long at = 0;

        printf("%s:", what);
        while (at < 1000) {
            struct flock l = {.l_type = F_WRLCK, .l_start = at, .l_len = 1};

            if (fcntl(fd, F_GETLK, &l) < 0)
                break;
            if (l.l_type == F_UNLCK) {
                at++;
                continue;
            }
            printf(" %s[%ld+%ld]%s", l.l_type == F_WRLCK ? "w" : "r", (long)l.l_start,
                   (long)l.l_len,
                   l.l_pid == getppid() ? ""
                   : l.l_pid == -1      ? "o"
                                        : "?");
            if (l.l_len == 0)
                break;
            at = l.l_start + l.l_len;
        }
        printf("\n");
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
}

static int in_child(int (*run)(void))
{
    int status;

    fflush(stdout);
    if (fork() == 0) {
        int r = run();

        fflush(stdout);
        _exit(r < 0 ? errno : r);
    }
    wait(&status);
    return WEXITSTATUS(status);
}

static void ranges(void)
{
    SHOW(lock(F_WRLCK, 10, 10));
    SHOW(lock(F_WRLCK, 30, 10));
    show_locks("two");
    SHOW(lock(F_WRLCK, 20, 10));
    show_locks("joined");
    SHOW(lock(F_RDLCK, 15, 5));
    show_locks("split by another kind");
    SHOW(lock(F_UNLCK, 18, 10));
    show_locks("hole");
    SHOW(lock(F_WRLCK, 0, 0));
    show_locks("all");
    SHOW(lock(F_UNLCK, 50, 0));
    show_locks("cut");
    lseek(fd, 100, SEEK_SET);
    SHOW(lock_at(fd, F_SETLK, F_RDLCK, SEEK_CUR, 10, 5));
    SHOW(lock_at(fd, F_SETLK, F_RDLCK, SEEK_CUR, 10, -5));
    SHOW(lock_at(fd, F_SETLK, F_RDLCK, SEEK_END, -3, 2));
    show_locks("relative");
    SHOW(lock_at(fd, F_SETLK, F_RDLCK, SEEK_SET, 3, -5));
    SHOW(lock_at(fd, F_SETLK, F_RDLCK, SEEK_SET, -3, 5));
    SHOW(lock_at(fd, F_SETLK, F_RDLCK, 7, 0, 5));
    SHOW(lock_at(fd, F_SETLK, 7, SEEK_SET, 0, 5));
    SHOW(lock_at(fd, F_GETLK, F_UNLCK, SEEK_SET, 0, 5));
    SHOW(lock_at(fd, F_SETLK, F_RDLCK, SEEK_SET, 0x7fffffffffffffff, 5));
    SHOW(lock_at(fd, F_SETLK, F_RDLCK, SEEK_CUR, 0x7fffffffffffffff, 5));
    SHOW(fcntl(fd, F_SETLK, 8));
    SHOW(lock(F_UNLCK, 0, 0));
    show_locks("none");
}

static int try_write(void)
{
    return lock(F_WRLCK, 0, 100);
}

static int try_read(void)
{
    return lock(F_RDLCK, 0, 100);
}

static void between_processes(void)
{
    int reader = open("f", O_RDONLY), other;

    SHOW(lock_at(reader, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
    SHOW(lock_at(reader, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
    SHOW(in_child(try_read));
    SHOW(in_child(try_write) == EAGAIN);
    SHOW(lock(F_WRLCK, 0, 1));
    SHOW(in_child(try_read) == EAGAIN);
    other = open("f", O_RDWR);
    close(other); // any descriptor of the file
    SHOW(in_child(try_write));
    close(reader);
}

static void wakes(void)
{
    int ready[2], status;
    char c;

    pipe(ready);
    fflush(stdout);
    if (fork() == 0) {
        lock(F_WRLCK, 0, 10);
        write(ready[1], "x", 1);
        usleep(30000);
        printf("child lets go\n");
        fflush(stdout);
        _exit(0);
    }
    read(ready[0], &c, 1);
    SHOW(lock(F_RDLCK, 5, 10));
    SHOW(lock_at(fd, F_SETLKW, F_RDLCK, SEEK_SET, 5, 10));
    wait(&status);
    SHOW(lock(F_UNLCK, 0, 0));
}

static void deadlock(void)
{
    int ready[2], status, child;
    char c;

    pipe(ready);
    SHOW(lock(F_WRLCK, 0, 1));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        lock(F_WRLCK, 1, 1);
        write(ready[1], "x", 1);
        _exit(lock_at(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1) < 0 ? errno : 0);
    }
    read(ready[0], &c, 1);
    usleep(50000);
    SHOW(lock_at(fd, F_SETLKW, F_WRLCK, SEEK_SET, 1, 1));
    SHOW(lock(F_UNLCK, 0, 1));
    wait(&status);
    printf("child %d\n", WEXITSTATUS(status));
}

static void nothing(int number)
{
}

static void interrupted(void)
{
    struct sigaction action = {.sa_handler = nothing};
    int ready[2], child;
    char c;

    pipe(ready);
    sigaction(SIGALRM, &action, NULL);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        lock(F_WRLCK, 0, 1);
        write(ready[1], "x", 1);
        pause();
    }
    read(ready[0], &c, 1);
    ualarm(20000, 0);
    SHOW(lock_at(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    SHOW(lock_at(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1));
    SHOW(lock(F_UNLCK, 0, 0));
}

static void of_open_files(void)
{
    int one = open("f", O_RDWR), two = open("f", O_RDWR), copy = dup(one);
    struct flock l = {.l_type = F_WRLCK, .l_len = 10};

    SHOW(lock_at(one, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 10));
    SHOW(lock_at(two, F_OFD_SETLK, F_RDLCK, SEEK_SET, 5, 10));
    SHOW(lock_at(two, F_SETLK, F_RDLCK, SEEK_SET, 5, 10));
    SHOW(fcntl(two, F_OFD_GETLK, &l));
    printf("type %d pid %d start %ld len %ld\n", l.l_type, l.l_pid, (long)l.l_start, (long)l.l_len);
    show_locks("of an open file");
    l = (struct flock){.l_type = F_WRLCK, .l_pid = 5};
    SHOW(fcntl(two, F_OFD_SETLK, &l));
    close(one);
    SHOW(lock_at(two, F_OFD_SETLK, F_RDLCK, SEEK_SET, 5, 10));
    close(copy);
    SHOW(lock_at(two, F_OFD_SETLK, F_RDLCK, SEEK_SET, 5, 10));
    close(two);
}

static int flock_new(int how)
{
    int own = open("f", O_RDONLY), r = flock(own, how), error = errno;

    close(own);
    errno = error;
    return r;
}

static void whole_files(void)
{
    int status, ready[2], mapped;
    char c;
    void *p;

    SHOW(flock(fd, LOCK_SH));
    SHOW(flock_new(LOCK_SH | LOCK_NB));
    SHOW(flock_new(LOCK_EX | LOCK_NB));
    SHOW(flock(fd, LOCK_EX | LOCK_NB));
    SHOW(flock_new(LOCK_SH | LOCK_NB));
    SHOW(lock(F_WRLCK, 0, 0)); // of another sort
    SHOW(flock(fd, 77));
    SHOW(flock(99, LOCK_SH));
    pipe(ready);
    fflush(stdout);
    if (fork() == 0) {
        write(ready[1], "x", 1);
        SHOW(flock_new(LOCK_EX));
        fflush(stdout);
        _exit(0);
    }
    read(ready[0], &c, 1);
    usleep(30000);
    printf("unlock\n");
    fflush(stdout);
    SHOW(flock(fd, LOCK_UN));
    wait(&status);
    mapped = open("f", O_RDWR);
    SHOW(flock(mapped, LOCK_EX));
    p = mmap(NULL, 100, PROT_READ, MAP_SHARED, mapped, 0);
    c = *(volatile char *)p;
    munmap(p, 100);
    close(mapped);
    SHOW(flock(fd, LOCK_EX | LOCK_NB));
}

int main(void)
{
    fd = open("f", O_RDWR | O_CREAT, 0600);
    for (int i = 0; i < 200; i++)
        write(fd, "x", 1);
    ranges();
    between_processes();
    wakes();
    deadlock();
    interrupted();
    of_open_files();
    whole_files();
    return 0;
}
