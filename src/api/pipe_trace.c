// SPDX-License-Identifier: BSD-3-Clause
#include "api/pipe_trace.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "cpu/o3/o3.h"
#include "cpu/o3/o3_trace.h"
#include "machine/models.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FORMATS = 2 };

// What one core's model tells, to all that listen.
struct core_trace {
    struct o3_trace trace; // first
    struct o3_trace *to[FORMATS];
    FILE *out[FORMATS];
    char *path[FORMATS]; // owned
};

struct pipe_traces {
    char *file[FORMATS]; // owned; NULL: not asked for
    struct core_trace *core;
    u32 n;
};

static const struct {
    const char *name;
    struct o3_trace *(*make)(FILE *out, const struct isa_ops *isa);
} formats[FORMATS] = {{"konata", o3_trace_kanata}, {"o3pipeview", o3_trace_pipeview}};

bool pipe_traces_add(struct pipe_traces **traces, const char *what, const char *file,
                     struct error *err)
{
    u32 f = 0;

    while (f < FORMATS && strcmp(formats[f].name, what) != 0)
        f++;
    if (f == FORMATS)
        return error_set(err, ERROR_INPUT, "no trace '%s'; there are insn, konata and o3pipeview",
                         what);
    if (strcmp(file, "-") == 0 || !*file)
        return error_set(err, ERROR_INPUT, "trace '%s' wants a file: %s:FILE", what, what);
    if (!*traces)
        *traces = xcalloc(1, sizeof(**traces));
    if ((*traces)->file[f])
        return error_set(err, ERROR_INPUT, "trace '%s' is asked for twice", what);
    (*traces)->file[f] = xstrdup(file);
    return true;
}

static void record(struct o3_trace *t, const struct o3_trace_record *r)
{
    struct core_trace *c = (struct core_trace *)t;

    for (u32 f = 0; f < FORMATS; f++)
        if (c->to[f])
            c->to[f]->record(c->to[f], r);
}

// "f.kanata" becomes "f.3.kanata".
static char *path_of(const char *file, u32 core, u32 cores)
{
    const char *name = strrchr(file, '/'), *dot = strrchr(name ? name : file, '.');

    if (cores == 1)
        return xstrdup(file);
    dot = dot ? dot : file + strlen(file);
    return xasprintf("%.*s.%u%s", (int)(dot - file), file, (unsigned)core, dot);
}

static bool open_core(struct pipe_traces *t, const struct models *models, u32 number,
                      struct error *err)
{
    struct component *part = processor_part(models->processor, number, "o3", err);
    struct core_trace *c = &t->core[number];

    if (!part)
        return false;
    c->trace.record = record;
    for (u32 f = 0; f < FORMATS; f++) {
        if (!t->file[f])
            continue;
        c->path[f] = path_of(t->file[f], number, t->n);
        c->out[f] = fopen(c->path[f], "we");
        if (!c->out[f])
            return error_set_errno(err, "cannot write the trace '%s'", c->path[f]);
        c->to[f] = formats[f].make(c->out[f], models->core[number].core->isa);
    }
    o3_observe(part, &c->trace);
    return true;
}

bool pipe_traces_begin(struct pipe_traces *t, const struct models *models, struct error *err)
{
    if (!t)
        return true;
    if (!models->processor)
        return error_set(err, ERROR_INPUT,
                         "traces of a pipeline need a processor: --machine NAME, or a description "
                         "with a key 'system'");
    t->n = models->n;
    t->core = xcalloc(t->n, sizeof(*t->core));
    for (u32 i = 0; i < t->n; i++)
        if (!open_core(t, models, i, err))
            return false;
    return true;
}

bool pipe_traces_flush(struct pipe_traces *t, struct error *err)
{
    for (u32 i = 0; t && i < t->n; i++)
        for (u32 f = 0; f < FORMATS; f++)
            if (t->core[i].out[f] && (fflush(t->core[i].out[f]) || ferror(t->core[i].out[f])))
                return error_set_errno(err, "cannot write the trace '%s'", t->core[i].path[f]);
    return true;
}

static void close_core(struct core_trace *c)
{
    for (u32 f = 0; f < FORMATS; f++) {
        if (c->to[f])
            c->to[f]->close(c->to[f]);
        if (c->out[f] && fclose(c->out[f]))
            log_error("trace", "cannot write '%s': %s", c->path[f], strerror(errno));
        free(c->path[f]);
    }
}

void pipe_traces_close(struct pipe_traces *t)
{
    if (!t)
        return;
    for (u32 i = 0; i < t->n; i++)
        close_core(&t->core[i]);
    for (u32 f = 0; f < FORMATS; f++)
        free(t->file[f]);
    free(t->core);
    free(t);
}
