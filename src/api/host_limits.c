// SPDX-License-Identifier: BSD-3-Clause
// Limits of this process, and the performance counters.
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/host_priv.h"

enum { ENOUGH_FILES = 1024 };

struct opened {
    int count, error;
};

// Opens until it fails: the limit as it really is.
static void open_many(void *result)
{
    struct opened *opened = result;

    while (opened->count < ENOUGH_FILES) {
        if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) {
            opened->error = errno;
            return;
        }
        opened->count++;
    }
}

static void probe_files(struct facet_host *host)
{
    struct host_trial trial = host_try(open_many, 2);
    struct opened opened;
    struct facet_finding *f;

    memcpy(&opened, trial.result, sizeof(opened));
    if (opened.count >= 200) {
        host_add(host, "limits", "limits.open_files", FACET_GOOD, "%s%d could be opened at once",
                 opened.count == ENOUGH_FILES ? "at least " : "", opened.count);
        return;
    }
    f = host_add(host, "limits", "limits.open_files", FACET_LIMITED, "only %d: %s", opened.count,
                 strerror(opened.error));
    host_advise(f, "raise the limit: ulimit -n 1024");
}

static void probe_stack(struct facet_host *host)
{
    struct rlimit limit;
    bool small = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < MiB(1);

    if (limit.rlim_cur == RLIM_INFINITY)
        host_add(host, "limits", "limits.stack", FACET_GOOD, "unlimited");
    else
        host_add(host, "limits", "limits.stack", small ? FACET_LIMITED : FACET_GOOD, "%llu KiB",
                 (unsigned long long)limit.rlim_cur / 1024);
}

// Counts the instructions of a loop of a known length.
static void count_instructions(void *result)
{
    struct perf_event_attr attr = {.size = sizeof(attr),
                                   .type = PERF_TYPE_HARDWARE,
                                   .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0ul);
    i64 *out = result;
    u64 count = 0, rounds = 500000;

    if (fd < 0) {
        out[0] = -errno;
        return;
    }
    __asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds));
    if (read(fd, &count, sizeof(count)) != sizeof(count))
        count = 0;
    out[0] = (i64)count;
}

static void probe_counters(struct facet_host *host)
{
    struct host_trial trial = host_try(count_instructions, 2);
    struct facet_finding *f;
    i64 count;

    memcpy(&count, trial.result, sizeof(count));
    if (count >= 1000000) {
        host_add(host, "perf", "perf.instructions", FACET_GOOD,
                 "counted %lld of 1000000 instructions of a loop", (long long)count);
        return;
    }
    f = host_add(host, "perf", "perf.instructions", FACET_MISSING, "%s",
                 count < 0 ? strerror((int)-count) : "the counter does not count");
    host_advise(f, "%s",
                count == -EACCES || count == -EPERM
                    ? "see /proc/sys/kernel/perf_event_paranoid; only KVM guests miss it"
                    : "KVM guests cannot be stopped at an exact instruction");
}

void host_probe_limits(struct facet_host *host)
{
    probe_files(host);
    probe_stack(host);
    probe_counters(host);
}
