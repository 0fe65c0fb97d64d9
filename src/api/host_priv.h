// SPDX-License-Identifier: BSD-3-Clause
// The host probe's parts. Each adds findings; each finding comes from trying the thing, in a child
// process where trying may kill or hang.
#pragma once

#include "base/types.h"
#include "facet/facet.h"

enum { HOST_FINDINGS_MAX = 64 };

struct facet_host {
    struct facet_finding findings[HOST_FINDINGS_MAX];
    size_t count;
};

// Adds a finding; the value is a format. Returns it, so that needed and advice can be filled.
struct facet_finding *host_add(struct facet_host *host, const char *area, const char *name,
                               enum facet_verdict verdict, const char *fmt, ...) PRINTF_LIKE(5, 6);
void host_advise(struct facet_finding *finding, const char *fmt, ...) PRINTF_LIKE(2, 3);

// How a function fared in a child process.
struct host_trial {
    bool returned;    // came back in time; `result` is filled
    int signal;       // that killed it, or 0
    char result[512]; // what the function left there: bytes of its choice
};

// Runs f(result) in a child with a limit in seconds.
struct host_trial host_try(void (*f)(void *result), unsigned seconds);

double host_now(void); // monotonic, seconds

void host_probe_cpu(struct facet_host *host);
void host_probe_kvm(struct facet_host *host);
void host_probe_memory(struct facet_host *host);
void host_probe_limits(struct facet_host *host);
