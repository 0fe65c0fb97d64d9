// SPDX-License-Identifier: BSD-3-Clause
// inotify(7): prints what is reported. Run in an empty folder of its own.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                                 \
    do {                                                           \
        long show = (long)(call);                                  \
        printf("%s = %ld%s%s\n", #call, show, show < 0 ? " " : "", \
               show < 0 ? strerror(errno) : "");                   \
    } while (0)

static int w; // the descriptor that is read
static unsigned first_cookie;

static void show_events(const char *data, ssize_t n)
{
    for (ssize_t at = 0; at < n;) {
        struct inotify_event e;

        memcpy(&e, data + at, sizeof(e));
        if (e.cookie && !first_cookie)
            first_cookie = e.cookie;
        printf("    wd %d mask %x cookie %u len %u '%s'\n", e.wd, e.mask,
               e.cookie ? e.cookie - first_cookie + 1 : 0, e.len,
               e.len ? data + at + sizeof(e) : "");
        at += (ssize_t)(sizeof(e) + e.len);
    }
}

static void show(const char *what)
{
    char data[8192];
    ssize_t n;
    int size = -1;

    ioctl(w, FIONREAD, &size);
    printf("%s: %d bytes\n", what, size);
    while ((n = read(w, data, sizeof(data))) > 0)
        show_events(data, n);
    if (errno != EAGAIN)
        printf("    %s\n", strerror(errno));
}

static void write_file(const char *name, const char *text)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_APPEND, 0644);

    write(fd, text, strlen(text));
    close(fd);
}

static void arguments(void)
{
    char link[64] = {0};

    SHOW(inotify_init1(0x100));
    SHOW(w = inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    SHOW(fcntl(w, F_GETFD));
    SHOW(fcntl(w, F_GETFL));
    readlink("/proc/self/fd/3", link, sizeof(link) - 1);
    printf("%s\n", link);
    SHOW(inotify_add_watch(w, "d", 0));
    SHOW(inotify_add_watch(0, ".", IN_CREATE));
    SHOW(inotify_add_watch(99, ".", IN_CREATE));
    SHOW(inotify_add_watch(w, "missing", IN_CREATE));
    SHOW(inotify_add_watch(w, (char *)8, IN_CREATE));
    SHOW(inotify_rm_watch(w, 77));
    SHOW(read(w, link, sizeof(link)));
    SHOW(write(w, link, 1));
    show("nothing");
}

static void folder(void)
{
    struct stat st;
    char buffer[64];
    int fd;

    SHOW(mkdir("d", 0755));
    SHOW(inotify_add_watch(w, "d", IN_ALL_EVENTS));
    write_file("d/a", "text");
    show("create and write");
    fd = open("d/a", O_RDWR);
    for (int i = 0; i < 3; i++)
        write(fd, "more", 4);
    lseek(fd, 0, SEEK_SET);
    read(fd, buffer, 4);
    ftruncate(fd, 2);
    fchmod(fd, 0600);
    show("descriptor");
    close(fd);
    rename("d/a", "d/b");
    link("d/b", "d/c");
    symlink("b", "d/s");
    mkdir("d/sub", 0700);
    stat("d/s", &st);
    show("names");
    rename("d/b", "elsewhere");
    rename("elsewhere", "d/back");
    unlink("d/c");
    unlink("d/s");
    rmdir("d/sub");
    show("renamed out and in, removed");
    chmod("d", 0700);
    utimensat(AT_FDCWD, "d/back", NULL, 0);
    truncate("d/back", 100);
    show("times, size");
}

static void one_file(void)
{
    int fd, wd;
    char *p;

    write_file("f", "0123456789");
    symlink("f", "l");
    SHOW(inotify_add_watch(w, "f", IN_ONLYDIR | IN_OPEN));
    SHOW(wd = inotify_add_watch(w, "f",
                                IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ACCESS));
    SHOW(inotify_add_watch(w, "l", IN_MODIFY | IN_MASK_CREATE));
    SHOW(inotify_add_watch(w, "l", IN_OPEN | IN_MASK_ADD) == wd);
    SHOW(inotify_add_watch(w, "l", IN_DELETE_SELF | IN_ATTRIB | IN_DONT_FOLLOW) == wd);
    fd = open("f", O_RDWR);
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p[0] = p[1];
    msync(p, 4096, MS_SYNC);
    munmap(p, 4096);
    show("mapped");
    write(fd, "x", 1);
    show("written");
    rename("f", "g");
    unlink("l");
    show("moved, link removed");
    unlink("g");
    show("unlinked, still open");
    close(fd);
    SHOW(inotify_add_watch(w, "d/back", IN_MODIFY | IN_ONESHOT));
    write_file("d/back", "1");
    SHOW(inotify_rm_watch(w, 2));
    show("one shot, removed watch");
}

static void small_reads(void)
{
    char data[64];
    int size;

    SHOW(inotify_add_watch(w, "d", IN_CREATE | IN_DELETE));
    write_file("d/a-name-that-is-rather-long", "");
    write_file("d/x", "");
    SHOW(read(w, data, 16));
    SHOW(read(w, data, 48));
    SHOW(read(w, data, 48));
    SHOW(ioctl(w, FIONREAD, &size));
    size = 1;
    SHOW(ioctl(w, FIONBIO, &size));
    SHOW(ioctl(w, 0x5401, data));
}

static void *creator(void *arg)
{
    usleep(20000);
    write_file("d/by-thread", "");
    return NULL;
}

static void waits(void)
{
    struct pollfd p = {.fd = w, .events = POLLIN};
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    int ep = epoll_create1(0), status;
    pthread_t thread;
    char data[512];
    ssize_t n;

    SHOW(poll(&p, 1, 10));
    pthread_create(&thread, NULL, creator, NULL);
    SHOW(poll(&p, 1, -1));
    pthread_join(thread, NULL);
    show("by a thread");
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, w, &e));
    write_file("d/e1", "");
    SHOW(epoll_wait(ep, &e, 1, 0));
    SHOW(epoll_wait(ep, &e, 1, 0));
    write_file("d/e2", "");
    SHOW(epoll_wait(ep, &e, 1, 0));
    show("edges");
    fcntl(w, F_SETFL, 0);
    if (fork() == 0) {
        usleep(20000);
        unlink("d/e1");
        _exit(0);
    }
    n = read(w, data, sizeof(data));
    show_events(data, n);
    wait(&status);
}

static void overflow(void)
{
    char name[32], data[65536];
    unsigned events = 0, last = 0;
    ssize_t n;
    int fd = inotify_init1(IN_NONBLOCK);

    inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE);
    for (int i = 0; i < 9000; i++) {
        snprintf(name, sizeof(name), "d/n%d", i);
        mknod(name, S_IFREG | 0600, 0);
        unlink(name);
    }
    while ((n = read(fd, data, sizeof(data))) > 0) {
        for (ssize_t at = 0; at < n; events++) {
            struct inotify_event e;

            memcpy(&e, data + at, sizeof(e));
            last = e.mask;
            at += (ssize_t)(sizeof(e) + e.len);
        }
    }
    printf("%u events, the last one %x\n", events, last);
    mknod("d/later", S_IFREG | 0600, 0);
    SHOW(read(fd, data, sizeof(data)));
    close(fd);
}

// Waits for what others do.
static int wait_for_others(void)
{
    char data[512];

    w = inotify_init1(0);
    inotify_add_watch(w, ".", IN_CREATE);
    printf("ready\n");
    show_events(data, read(w, data, sizeof(data)));
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1)
        return wait_for_others();
    arguments();
    folder();
    one_file();
    small_reads();
    waits();
    overflow();
    return 0;
}
