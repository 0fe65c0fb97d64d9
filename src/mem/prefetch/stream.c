// SPDX-License-Identifier: BSD-3-Clause
// Stream prefetcher, after that of IBM POWER4 as Srinath, Mutlu, Kim and Patt describe it
// ("Feedback Directed Prefetching", HPCA 2007, section 2.1): a miss begins a stream; two more in
// the same direction near it train it; from then on accesses between where it is and where it has
// prefetched to move it on.
#include "mem/prefetch/prefetch_priv.h"

enum { STREAM_FREE, STREAM_ALLOCATED, STREAM_TRAINING, STREAM_MONITORS };

#define STREAM_PARAMS(P, PR, PB, PS, PC)                          \
    PREFETCH_PARAMS(P, PR, PB, PS, PC)                            \
    P(u32, streams, 16, 1, 256, "Streams followed at once")       \
    P(u32, degree, 4, 1, PREFETCH_MAX, "Lines asked for at once") \
    P(u32, distance, 16, 1, 512, "Lines that it may be ahead")    \
    P(u32, window, 16, 1, 512, "Lines from an access to another of its stream")

#define STREAM_STATE(F, FA, FE, FV) \
    F(u64, uses)                    \
    FV(u64, last, p->streams)       \
    FV(u64, ahead, p->streams)      \
    FV(u64, used, p->streams)       \
    FV(u8, phase, p->streams)       \
    FV(u8, down, p->streams)

#define STREAM_STATS(S, SV, SH, SG, SR)    \
    PREFETCH_STATS(S, SV, SH, SG, SR)      \
    S(allocated, "Count", "Streams begun") \
    S(trained, "Count", "Streams that prefetched")

COMPONENT_LISTS(stream, STREAM_PARAMS, STREAM_STATE, STREAM_STATS, NO_ROWS);

struct stream {
    struct component base;
    struct stream_params p;
    struct stream_state st;
    struct stream_stats n;
};

static struct stream *stream_of(const struct component *c)
{
    ASSERT(c->type == &stream_prefetcher_type);
    return (struct stream *)(uintptr_t)c;
}

// How far `line` is from `from`, in the direction of the stream.
static i64 forward(const struct stream *f, u64 i, u64 from, u64 line)
{
    i64 distance = (i64)(line - from);

    return f->st.down[i] ? -distance : distance;
}

// The stream that the line belongs to; p.streams: none.
static u64 find(const struct stream *f, u64 line)
{
    i64 window = (i64)f->p.window;

    for (u64 i = 0; i < f->p.streams; i++) {
        i64 distance = forward(f, i, f->st.last[i], line);
        i64 ahead = forward(f, i, f->st.last[i], f->st.ahead[i]);

        if (f->st.phase[i] == STREAM_MONITORS && distance >= 0 && distance <= MAX(ahead, window))
            return i;
    }
    for (u64 i = 0; i < f->p.streams; i++) {
        i64 distance = (i64)(line - f->st.last[i]);

        if ((f->st.phase[i] == STREAM_ALLOCATED || f->st.phase[i] == STREAM_TRAINING) &&
            distance >= -window && distance <= window)
            return i;
    }
    return f->p.streams;
}

static void allocate(struct stream *f, u64 line)
{
    u64 oldest = 0;

    for (u64 i = 0; i < f->p.streams; i++)
        if (f->st.used[i] < f->st.used[oldest])
            oldest = i;
    f->st.phase[oldest] = STREAM_ALLOCATED;
    f->st.last[oldest] = f->st.ahead[oldest] = line;
    f->st.down[oldest] = 0;
    f->st.used[oldest] = ++f->st.uses;
    f->n.allocated++;
}

// True when the stream is trained.
static bool train(struct stream *f, u64 i, u64 line)
{
    bool down = (i64)(line - f->st.last[i]) < 0;

    if (line == f->st.last[i])
        return f->st.phase[i] == STREAM_MONITORS;
    if (f->st.phase[i] == STREAM_TRAINING && down == f->st.down[i]) {
        f->st.phase[i] = STREAM_MONITORS;
        f->n.trained++;
    } else if (f->st.phase[i] != STREAM_MONITORS) {
        f->st.phase[i] = STREAM_TRAINING;
        f->st.down[i] = down;
    }
    return f->st.phase[i] == STREAM_MONITORS;
}

static void move_on(struct stream *f, u64 i, u64 line, struct prefetch_list *list)
{
    if (forward(f, i, line, f->st.ahead[i]) < 0)
        f->st.ahead[i] = line;
    for (u32 n = 0; n < f->p.degree; n++) {
        u64 to = f->st.ahead[i] + (f->st.down[i] ? ~(u64)0 : 1);

        if (forward(f, i, line, to) > (i64)f->p.distance ||
            !PREFETCH_WANT(f, list, line << TIMED_LINE_SHIFT, (i64)(to - line)))
            break;
        f->st.ahead[i] = to;
    }
}

static void stream_notify(struct component *c, const struct prefetch_seen *seen,
                          struct prefetch_list *list)
{
    struct stream *f = stream_of(c);
    u64 line = seen->pa >> TIMED_LINE_SHIFT, i;

    if (!PREFETCH_TAKES(f, seen))
        return;
    i = find(f, line);
    if (i == f->p.streams) {
        if (!seen->hit)
            allocate(f, line);
        return;
    }
    f->st.used[i] = ++f->st.uses;
    if (train(f, i, line))
        move_on(f, i, line, list);
    f->st.last[i] = line;
}

static bool stream_check(struct component *c, struct error *err)
{
    return prefetch_check_page(stream_of(c)->p.page, err);
}

static bool stream_after_load(struct component *c, struct error *err)
{
    struct stream *f = stream_of(c);

    for (u64 i = 0; i < f->p.streams; i++)
        if (f->st.phase[i] > STREAM_MONITORS || f->st.down[i] > 1)
            return error_set(err, ERROR_INPUT, "a stream is in an impossible state");
    return true;
}

static const struct prefetcher_ops stream_prefetcher = {.notify = stream_notify};
static const struct component_ops stream_ops = {.check = stream_check,
                                                .after_load = stream_after_load};
const struct component_type stream_prefetcher_type = {
    .name = "stream_prefetcher",
    .doc = "Stream prefetcher",
    COMPONENT_LAYOUT(stream),
    .ops = &stream_ops,
    .provides = {IFACE(prefetcher, &stream_prefetcher)},
};
