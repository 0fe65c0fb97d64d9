// SPDX-License-Identifier: BSD-3-Clause
// How long a checkpoint takes, and how large it is, on memory with real data: the files below a
// folder, scattered over a guest's RAM.
//
//     build/bench/checkpoint [DATA-FOLDER [RAM-MIB [DATA-MIB [SCRATCH-FOLDER]]]]
//
// "restore" runs in a new process, from its start to the first instruction's page in memory;
// "touch" are 500 pages from all over the memory after that; "complete" fills the rest. An
// incremental checkpoint follows after some pages changed. Everything is compared in the end.
#include "sim/checkpoint.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "mem/ram.h"
#include "sim/sim.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { PAGE = 4096, TOUCHED = 500, CHANGED = 2000 };

struct machine {
    struct sim sim;
    struct component *ram;
};

static u64 ram_mib = 512, data_mib = 150;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// What this process has of the host's memory.
static u64 resident_mib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long all, resident = 0;

    if (f && fscanf(f, "%llu %llu", &all, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * PAGE >> 20;
}

static void must(bool ok, const struct error *err)
{
    if (ok)
        return;
    fprintf(stderr, "checkpoint: %s\n", err->message);
    exit(1);
}

static void machine_init(struct machine *m)
{
    AUTO_FREE char *size = xasprintf("%lluMiB", (unsigned long long)ram_mib);
    struct error err;

    sim_init(&m->sim);
    m->ram = component_new(&m->sim, &ram_type, NULL, "ram", &err);
    must(m->ram && component_set(m->ram, "size", size, &err), &err);
    must(sim_build(&m->sim, &err), &err);
    sim_reset(&m->sim);
}

// ---- data ----

static u8 *fill_to;
static u64 fill_at, fill_left, fill_run;

static int fill_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    int fd = type == FTW_F ? open(path, O_RDONLY) : -1;
    ssize_t n;

    // Files lie one behind the other; every MiB is followed by a hole, so that all is used.
    while (fd >= 0 && fill_left) {
        u64 room = MIN(fill_left, MiB(1) - fill_run);

        n = read(fd, fill_to + fill_at, room);
        if (n <= 0)
            break;
        fill_at += (u64)n;
        fill_left -= (u64)n;
        fill_run += (u64)n;
        if (fill_run == MiB(1)) {
            fill_at += (MiB(ram_mib) - fill_at - fill_left) / (fill_left / MiB(1) + 1);
            fill_run = 0;
        }
    }
    if (fd >= 0)
        close(fd);
    // The next file begins with a page, if there is room for that.
    if (MiB(ram_mib) - fill_at > fill_left + PAGE)
        fill_at = (fill_at + PAGE - 1) / PAGE * PAGE;
    return fill_left == 0;
}

static u64 directory_bytes(const char *path)
{
    static const char *const parts[] = {"manifest.json", "state.json", "memory.json",
                                        "memory.index", "memory.pack"};
    u64 total = 0;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        AUTO_FREE char *part = xasprintf("%s/%s", path, parts[i]);
        struct stat st;

        if (stat(part, &st) == 0)
            total += (u64)st.st_size;
    }
    return total;
}

static u64 gzip_bytes(const char *folder, const u8 *bytes)
{
    AUTO_FREE char *image = xasprintf("%s/image", folder);
    AUTO_FREE char *command = xasprintf("gzip -6 -c '%s' | wc -c", image);
    int fd = open(image, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    unsigned long long n = 0;
    struct error err;
    FILE *f;

    must(file_write_fd(fd, bytes, MiB(ram_mib), image, &err), &err);
    close(fd);
    f = popen(command, "r");
    if (!f || fscanf(f, "%llu", &n) != 1)
        n = 0;
    if (f)
        pclose(f);
    remove(image);
    return n;
}

// ---- measuring ----

static void save(struct machine *m, const char *path, const char *parent, unsigned threads)
{
    struct checkpoint_options o = {.parent = parent, .threads = threads};
    struct error err;
    double wall = now(), cpu = cpu_now();

    must(checkpoint_save(&m->sim, path, &o, &err), &err);
    printf("save %s, %u threads: %.0f ms (%.0f ms of processor time), %.1f MB\n",
           parent ? "to a parent" : "in full", threads, (now() - wall) * 1e3,
           (cpu_now() - cpu) * 1e3, (double)directory_bytes(path) / 1e6);
}

// In a process of its own, which got `start` from the one that started it.
static int restore(const char *path, bool eager, double start)
{
    struct checkpoint_options options = {.eager = eager};
    struct machine m;
    struct error err;
    struct rng rng = {7};
    double first, touched, cpu;

    machine_init(&m);
    must(checkpoint_load(&m.sim, path, &options, &err), &err);
    if (!ram_ready(m.ram, 0, PAGE))
        return 1;
    first = now();
    cpu = cpu_now();
    for (unsigned i = 0; i < TOUCHED; i++)
        if (!ram_ready(m.ram, rng_below(&rng, MiB(ram_mib) / PAGE) * PAGE, PAGE))
            return 1;
    touched = now();
    printf(
        "restore%s: first instruction after %.0f ms (%.0f ms of processor time), then %u touched "
        "pages %.0f ms (%llu MiB resident), ",
        eager ? ", all at once" : "", (first - start) * 1e3, cpu * 1e3, TOUCHED,
        (touched - first) * 1e3, (unsigned long long)resident_mib());
    (void)ram_bytes(m.ram);
    printf("complete %.0f ms\n", (now() - touched) * 1e3);
    sim_release(&m.sim);
    return 0;
}

static void restore_elsewhere(const char *path, bool eager)
{
    AUTO_FREE char *start = NULL, *mib = xasprintf("%llu", (unsigned long long)ram_mib);
    int status = 0;
    pid_t child;

    fflush(stdout);
    start = xasprintf("%.9f", now());
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "checkpoint", eager ? "--eager" : "--restore", path, start, mib,
              NULL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    if (status) {
        fprintf(stderr, "checkpoint: restoring failed\n");
        exit(1);
    }
}

static void compare(struct machine *m, const char *path)
{
    struct machine other;
    struct error err;

    machine_init(&other);
    must(checkpoint_load(&other.sim, path, NULL, &err), &err);
    if (memcmp(ram_bytes(m->ram), ram_bytes(other.ram), MiB(ram_mib)) != 0) {
        fprintf(stderr, "checkpoint: '%s' restores other bytes\n", path);
        exit(1);
    }
    sim_release(&other.sim);
}

int main(int argc, char **argv)
{
    const char *data = argc > 1 ? argv[1] : "/usr/lib";
    AUTO_FREE char *folder = xasprintf("%s/facet-bench-XXXXXX", argc > 4 ? argv[4] : "/var/tmp");
    AUTO_FREE char *full = NULL, *one = NULL, *next = NULL;
    struct rng rng = {3};
    struct machine m;
    struct error err;
    double start;
    u64 gzip;

    if (argc == 5 && strncmp(data, "--", 2) == 0) {
        ram_mib = strtoull(argv[4], NULL, 10);
        return restore(argv[2], strcmp(data, "--eager") == 0, strtod(argv[3], NULL));
    }
    ram_mib = argc > 2 ? strtoull(argv[2], NULL, 10) : ram_mib;
    data_mib = argc > 3 ? strtoull(argv[3], NULL, 10) : data_mib;
    if (!mkdtemp(folder) || data_mib > ram_mib || !data_mib)
        return 1;
    full = xasprintf("%s/full", folder);
    one = xasprintf("%s/one", folder);
    next = xasprintf("%s/next", folder);
    machine_init(&m);
    fill_to = ram_bytes(m.ram);
    fill_left = MiB(data_mib);
    (void)nftw(data, fill_file, 64, FTW_PHYS | FTW_ACTIONRETVAL);
    printf("%llu MiB of RAM, %llu MiB of data from %s\n", (unsigned long long)ram_mib,
           (unsigned long long)(data_mib - fill_left / MiB(1)), data);
    save(&m, full, NULL, 2);
    save(&m, one, NULL, 1);
    // Of a larger image it takes minutes.
    gzip = ram_mib <= 1024 ? gzip_bytes(folder, fill_to) : 0;
    if (gzip)
        printf("gzip -6 of the image: %.1f MB; the checkpoint has %.1f %% of that\n",
               (double)gzip / 1e6, 100.0 * (double)directory_bytes(full) / (double)gzip);
    restore_elsewhere(full, false);
    restore_elsewhere(full, false);
    restore_elsewhere(full, true);
    start = now();
    must(checkpoint_verify(full, &err), &err);
    printf("verify: %.0f ms\n", (now() - start) * 1e3);
    for (unsigned i = 0; i < CHANGED; i++)
        fill_to[rng_below(&rng, MiB(ram_mib) / 50)] ^= 0x55;
    save(&m, next, full, 2);
    restore_elsewhere(next, false);
    compare(&m, next);
    sim_release(&m.sim);
    must(file_remove_tree(folder, &err), &err);
    return 0;
}
