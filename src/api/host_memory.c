// SPDX-License-Identifier: BSD-3-Clause
// Memory: what is free, whether guest RAM can be had the way facet makes it, and whether a page can
// be made executable (facet executes small stubs of host instructions).
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/host_priv.h"

static u64 available_bytes(void)
{
    unsigned long long kib = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "re");

    if (!f)
        return 0;
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    }
    fclose(f);
    return kib * 1024;
}

static void probe_available(struct facet_host *host)
{
    u64 bytes = available_bytes();
    struct facet_finding *f =
        host_add(host, "memory", "memory.available", bytes >= GiB(1) ? FACET_GOOD : FACET_LIMITED,
                 "%.1f GiB", (double)bytes / (double)GiB(1));

    if (bytes < GiB(1))
        host_advise(f, "programs with large data will not fit; see --mem");
}

// The largest power of two that can be reserved, from 2^47 down.
static void probe_address_space(struct facet_host *host)
{
    unsigned bits = 46;
    void *p = MAP_FAILED;

    for (; bits >= 28; bits--) {
        p = mmap(NULL, (size_t)1 << bits, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
        if (p != MAP_FAILED)
            break;
    }
    if (p != MAP_FAILED)
        munmap(p, (size_t)1 << bits);
    if (bits >= 36)
        host_add(host, "memory", "memory.address_space", FACET_GOOD, "2^%u bytes reserved at once",
                 bits);
    else
        host_advise(host_add(host, "memory", "memory.address_space",
                             bits >= 32 ? FACET_LIMITED : FACET_MISSING,
                             "only 2^%u bytes can be reserved", bits),
                    "raise the limit: ulimit -v unlimited");
}

static void probe_memfd(struct facet_host *host)
{
    int fd = memfd_create("facet-probe", MFD_CLOEXEC);
    bool good = fd >= 0 && ftruncate(fd, (off_t)GiB(1)) == 0;
    void *p = MAP_FAILED;

    if (good)
        p = mmap(NULL, (size_t)GiB(1), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) {
        *(volatile char *)p = 1;
        munmap(p, (size_t)GiB(1));
    }
    if (p != MAP_FAILED)
        host_add(host, "memory", "memory.memfd", FACET_GOOD, "a sparse 1 GiB file was mapped");
    else
        host_add(host, "memory", "memory.memfd", FACET_LIMITED, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void run_new_code(void *result)
{
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; // mov eax, 42; ret
    unsigned char *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int (*f)(void);

    if (page == MAP_FAILED)
        return;
    memcpy(page, code, sizeof(code));
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0)
        return;
    memcpy(&f, &page, sizeof(f));
    *(char *)result = f() == 42;
}

static void probe_new_code(struct facet_host *host)
{
    struct host_trial trial = host_try(run_new_code, 2);
    bool good = trial.returned && trial.result[0];
    struct facet_finding *f =
        host_add(host, "memory", "memory.new_code", good ? FACET_GOOD : FACET_MISSING, "%s",
                 good ? "code written at run time was executed"
                      : "code written at run time cannot be executed");

    f->needed = true;
    if (!good)
        host_advise(f, "a security policy forbids it (SELinux execmem, seccomp, noexec)");
}

void host_probe_memory(struct facet_host *host)
{
    probe_available(host);
    probe_address_space(host);
    probe_memfd(host);
    probe_new_code(host);
}
