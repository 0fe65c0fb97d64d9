// SPDX-License-Identifier: BSD-3-Clause
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/host_priv.h"
#include "base/alloc.h"
#include "base/bug.h"

struct facet_finding *host_add(struct facet_host *host, const char *area, const char *name,
                               enum facet_verdict verdict, const char *fmt, ...)
{
    struct facet_finding *finding = &host->findings[host->count++];
    va_list ap;

    ASSERT(host->count <= HOST_FINDINGS_MAX);
    finding->area = area;
    finding->name = name;
    finding->verdict = verdict;
    va_start(ap, fmt);
    vsnprintf(finding->value, sizeof(finding->value), fmt, ap);
    va_end(ap);
    return finding;
}

void host_advise(struct facet_finding *finding, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(finding->advice, sizeof(finding->advice), fmt, ap);
    va_end(ap);
}

struct facet_host *facet_host_probe(void)
{
    struct facet_host *host = xcalloc(1, sizeof(*host));

    host_probe_cpu(host);
    host_probe_kvm(host);
    host_probe_memory(host);
    host_probe_limits(host);
    return host;
}

void facet_host_free(struct facet_host *host)
{
    free(host);
}

size_t facet_host_finding_count(const struct facet_host *host)
{
    return host->count;
}

const struct facet_finding *facet_host_finding(const struct facet_host *host, size_t index)
{
    ASSERT(index < host->count);
    return &host->findings[index];
}
