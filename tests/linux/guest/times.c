// SPDX-License-Identifier: BSD-3-Clause
// Which times of files which calls change. With an argument it prints the times themselves: they
// must be those of the program's own clock. Run in an empty folder of its own.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int absolute;
static struct stat before;
static const char *watched;
static long long since; // a little before the call; Linux notes times with 4 ms or 10 ms

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){0, 20000000}, NULL);
}

static long long ns(struct timespec t)
{
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return ns(t);
}

static void watch(const char *path)
{
    watched = path;
    pause_a_little();
    lstat(path, &before);
    pause_a_little();
    since = now() - 10000000;
}

static char what(struct timespec old, struct timespec fresh)
{
    if (ns(old) == ns(fresh))
        return '-';
    return ns(fresh) > now() || ns(fresh) < since ? '?' : '+';
}

static void report(const char *text)
{
    struct stat st;

    if (lstat(watched, &st) != 0)
        perror(watched);
    printf("%-28s %-8s m%c c%c\n", text, watched, what(before.st_mtim, st.st_mtim),
           what(before.st_ctim, st.st_ctim));
    if (absolute)
        printf("    %lld %lld %lld\n", ns(st.st_atim), ns(st.st_mtim), ns(st.st_ctim));
}

#define SEE(path, call)       \
    do {                      \
        watch(path);          \
        if ((long)(call) < 0) \
            perror(#call);    \
        report(#call);        \
    } while (0)

int main(int argc, char **argv)
{
    int fd, other;
    struct stat st;
    struct statx x;
    char *map;
    struct timespec two[2] = {{100, 5}, {200, 6}}, omit[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};

    absolute = argc > 1;
    SEE(".", fd = open("f", O_CREAT | O_RDWR, 0600));
    SEE(".", open("f", O_CREAT | O_RDWR, 0600));
    SEE("f", write(fd, "hello", 5));
    SEE(".", write(fd, "hello", 5));
    SEE("f", pwrite(fd, "x", 1, 100));
    SEE("f", read(fd, &st, 1));
    SEE("f", ftruncate(fd, 50));
    SEE("f", truncate("f", 5000));
    SEE("f", open("f", O_TRUNC | O_WRONLY));
    SEE("f", fallocate(fd, 0, 0, 9000));
    SEE("f", chmod("f", 0644));
    SEE("f", fchmod(fd, 0640));
    SEE("f", chown("f", -1, -1));
    SEE("f", rename("f", "g") + rename("g", "f"));
    SEE(".", rename("f", "g"));
    SEE("g", link("g", "h"));
    SEE(".", link("g", "i"));
    SEE("g", unlink("h"));
    SEE(".", unlink("i"));
    SEE(".", symlink("g", "s"));
    SEE(".", mkdir("d", 0755));
    SEE("d", close(open("d/x", O_CREAT | O_WRONLY, 0600)));
    SEE(".", rename("d/x", "d/y"));
    SEE("d", rename("d/y", "y"));
    SEE(".", mkfifo("p", 0600));
    SEE("g", utimensat(AT_FDCWD, "g", two, 0));
    lstat("g", &st);
    printf("%lld %lld\n", ns(st.st_atim), ns(st.st_mtim));
    SEE("g", futimens(fd, omit));
    fstat(fd, &st);
    printf("%lld\n", ns(st.st_atim));
    SEE("g", utimensat(AT_FDCWD, "g", NULL, 0));
    SEE("s", utimensat(AT_FDCWD, "s", two, AT_SYMLINK_NOFOLLOW));
    map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SEE("g", map[0] = 'm');
    msync(map, 4096, MS_SYNC);
    munmap(map, 4096);
    report("msync, munmap");
    SEE("d", rmdir("d/none"));
    SEE(".", rmdir("d"));
    statx(AT_FDCWD, "g", 0, STATX_BASIC_STATS, &x);
    lstat("g", &st);
    printf("statx %d %d\n", x.stx_mtime.tv_sec == st.st_mtim.tv_sec,
           x.stx_ctime.tv_nsec == (unsigned)st.st_ctim.tv_nsec);
    other = open(".", O_TMPFILE | O_RDWR, 0600);
    fstat(other, &st);
    printf("temporary %c\n", what((struct timespec){0}, st.st_mtim));
    lstat("/dev/null", &st);
    if (absolute)
        printf("%lld\n", ns(st.st_mtim));
    return 0;
}
