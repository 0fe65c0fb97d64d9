// SPDX-License-Identifier: BSD-3-Clause
// Files, folders, descriptors, pipes, waiting; prints results. Run in an empty folder of its own.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(call)                                                 \
    do {                                                           \
        long show = (long)(call);                                  \
        printf("%s = %ld%s%s\n", #call, show, show < 0 ? " " : "", \
               show < 0 ? strerror(errno) : "");                   \
    } while (0)

static void paths(void)
{
    struct stat st;
    char text[256];
    ssize_t n;

    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d", 0755));
    SHOW(open("missing", O_RDONLY));
    SHOW(open("d", O_WRONLY));
    SHOW(close(open("d/f", O_CREAT | O_RDWR, 0640)));
    SHOW(open("d/f/x", O_RDONLY));
    SHOW(open("d/f", O_CREAT | O_EXCL, 0600));
    SHOW(link("d/f", "d/g"));
    SHOW(symlink("d/f", "s"));
    n = readlink("s", text, sizeof(text));
    printf("link %.*s\n", (int)n, text);
    SHOW(stat("s", &st));
    printf("mode %o links %lu size %ld\n", st.st_mode, (unsigned long)st.st_nlink,
           (long)st.st_size);
    SHOW(lstat("s", &st));
    printf("mode %o\n", st.st_mode & S_IFMT);
    SHOW(rename("d/g", "d/h"));
    SHOW(unlink("d"));
    SHOW(rmdir("d"));
    SHOW(access("d/h", R_OK | W_OK));
    SHOW(access("d/nothing", F_OK));
    SHOW(chmod("d/h", 0400));
    SHOW(truncate("s", 1000));
    SHOW(stat("d/f", &st));
    printf("mode %o size %ld\n", st.st_mode, (long)st.st_size);
    umask(077);
    SHOW(close(open("u", O_CREAT | O_WRONLY, 0666)));
    stat("u", &st);
    printf("mode %o\n", st.st_mode);
    SHOW(symlink("loop", "loop"));
    SHOW(open("loop", O_RDONLY));
    SHOW(chdir("d"));
    SHOW(getcwd(text, sizeof(text)) != NULL);
    printf("%s\n", strrchr(text, '/'));
    SHOW(access("f", F_OK));
    SHOW(chdir(".."));
    SHOW(utimensat(AT_FDCWD, "u", (struct timespec[2]){{5, 6}, {7, 8}}, 0));
    stat("u", &st);
    printf("times %ld.%ld %ld.%ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void folder(void)
{
    DIR *d = opendir(".");
    struct dirent *e;
    char *names[32];
    int n = 0;

    while ((e = readdir(d)))
        names[n++] = strdup(e->d_name);
    closedir(d);
    qsort(names, n, sizeof(names[0]), by_name);
    for (int i = 0; i < n; i++)
        printf("%s%s", names[i], i + 1 < n ? " " : "\n");
}

static void contents(void)
{
    int fd = open("c", O_CREAT | O_RDWR, 0600), other;
    char text[64] = "";
    struct iovec v[2] = {{"scatter ", 8}, {"gather", 6}};
    char *map;

    SHOW(writev(fd, v, 2));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(pread(fd, text, 6, 8));
    printf("%s\n", text);
    SHOW(pwrite(fd, "S", 1, 0));
    SHOW(lseek(fd, -3, SEEK_END));
    SHOW(read(fd, text, 64));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(ftruncate(fd, 5000));
    map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("%.14s\n", map);
    memcpy(map + 100, "mapped", 6);
    SHOW(pread(fd, text, 6, 100));
    printf("%.6s\n", text);
    SHOW(pwrite(fd, "WRITTEN", 7, 200));
    printf("%.7s\n", map + 200);
    SHOW(munmap(map, 8192));
    other = open("c", O_RDONLY);
    SHOW(pread(other, text, 6, 100));
    printf("%.6s\n", text);
    SHOW(write(other, "x", 1));
    SHOW(dup2(other, 50));
    SHOW(fcntl(50, F_GETFD));
    SHOW(fcntl(50, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(50, F_GETFD));
    SHOW(fcntl(50, F_DUPFD, 60));
    SHOW(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND));
    SHOW(fcntl(fd, F_SETFL, O_APPEND));
    SHOW(write(fd, "end", 3));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(close(60));
    SHOW(close(60));
    lseek(other, 0, SEEK_SET);
    fd = open("copy", O_CREAT | O_RDWR, 0600);
    SHOW(sendfile(fd, other, NULL, 3000));
    SHOW(copy_file_range(other, NULL, fd, NULL, 100, 0));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(fallocate(fd, 0, 0, 10000));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(flock(fd, LOCK_EX));
    fd = open(".", O_TMPFILE | O_RDWR, 0600);
    printf("tmpfile %d\n", fd >= 0 || errno == EOPNOTSUPP);
}

static void pipes(void)
{
    int p[2], status;
    char *big = calloc(1, 300000), c;
    ssize_t n, sum = 0;

    SHOW(pipe2(p, O_NONBLOCK));
    SHOW(read(p[0], &c, 1));
    while ((n = write(p[1], big, 10000)) > 0)
        sum += n;
    printf("full %d: %s\n", sum >= 60000 && sum <= 65536, strerror(errno));
    while ((n = read(p[0], big, 100000)) > 0)
        sum -= n;
    printf("left %zd\n", sum);
    SHOW(close(p[1]));
    SHOW(read(p[0], &c, 1));
    close(p[0]);
    SHOW(pipe(p));
    if (fork() == 0) {
        close(p[0]);
        _exit(write(p[1], big, 300000) == 300000 ? 7 : 8);
    }
    close(p[1]);
    sum = 0;
    while ((n = read(p[0], big, 7777)) > 0)
        sum += n;
    wait(&status);
    printf("through the pipe %zd, child %d\n", sum, WEXITSTATUS(status));
    close(p[0]);
}

static void waiting(void)
{
    int p[2], s[2], ep = epoll_create1(0), ev = eventfd(3, EFD_NONBLOCK), tf;
    struct pollfd pf[2];
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 11}, out[4];
    struct itimerspec it = {{0, 0}, {0, 5000000}};
    uint64_t value;
    fd_set set;
    struct timeval tv = {0, 1000};
    char text[16] = "";

    SHOW(pipe(p));
    pf[0] = (struct pollfd){p[0], POLLIN, 0};
    pf[1] = (struct pollfd){p[1], POLLOUT, 0};
    SHOW(poll(pf, 2, -1));
    printf("%x %x\n", pf[0].revents, pf[1].revents);
    SHOW(poll(pf, 1, 10));
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    SHOW(select(p[0] + 1, &set, NULL, NULL, &tv));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
    e.data.u64 = 22;
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e));
    SHOW(epoll_wait(ep, out, 4, 0));
    printf("%d\n", (int)out[0].data.u64);
    SHOW(read(ev, &value, 8));
    printf("%d\n", (int)value);
    SHOW(read(ev, &value, 8));
    SHOW(epoll_wait(ep, out, 4, 5));
    if (fork() == 0) {
        usleep(10000);
        _exit(write(p[1], "z", 1) != 1);
    }
    SHOW(epoll_wait(ep, out, 4, -1));
    printf("%d %x\n", (int)out[0].data.u64, out[0].events);
    wait(NULL);
    tf = timerfd_create(CLOCK_MONOTONIC, 0);
    SHOW(timerfd_settime(tf, 0, &it, NULL));
    SHOW(read(tf, &value, 8));
    printf("%d\n", (int)value);
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    SHOW(write(s[0], "there", 5));
    SHOW(read(s[1], text, 16));
    SHOW(send(s[1], "and back", 8, 0));
    SHOW(recv(s[0], text, 3, 0));
    SHOW(shutdown(s[1], SHUT_WR));
    SHOW(recv(s[0], text, 16, 0));
    SHOW(recv(s[0], text, 16, 0));
    SHOW(lseek(s[0], 0, SEEK_SET));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    paths();
    folder();
    contents();
    pipes();
    waiting();
    return 0;
}
