// SPDX-License-Identifier: BSD-3-Clause
// Entropy device, virtio 1.2 section 5.4. What it gives is pseudo-random from a seed, the same in
// each run: fit for a simulation, not for secrets.
// Timing: one request after the other, each takes `latency`; at most 4 KiB of its buffer is filled.
#include "base/rng.h"
#include "dev/virtio.h"
#include "dev/virtio_devices.h"
#include "sim/sim.h"

enum { ID_ENTROPY = 4, REQUEST_QUEUE = 0, REQUEST_BYTES = 4096 };

#define ENTROPY_PARAMS(P, PR, PB, PS, PC)                             \
    VIRTIO_PARAMS(P, PR, PB, PS, PC)                                  \
    P(u64, seed, 1, 0, ~0ull, "Where its sequence of numbers begins") \
    P(ticks, latency, 10000000, 1000, TICKS_PER_SECOND, "Time a request takes")

#define ENTROPY_STATE(F, FA, FE, FV) \
    F(u64, generator)                \
    FE(serve)

#define ENTROPY_STATS(S, SV, SH, SG, SR) S(bytes, "Byte", "Random bytes given")

#define ENTROPY_EVENTS(E) E(serve, entropy_serve)

COMPONENT_LISTS(entropy, ENTROPY_PARAMS, ENTROPY_STATE, ENTROPY_STATS, ENTROPY_EVENTS);

struct entropy {
    struct component base;
    struct entropy_params p;
    struct entropy_state st;
    struct entropy_stats n;
    WIRED(struct virtio *virtio);
};

static struct entropy *entropy_of(const struct component *c)
{
    ASSERT(c->type == &virtio_rng_type);
    return (struct entropy *)(uintptr_t)c;
}

static void entropy_notify(struct component *c, unsigned queue)
{
    struct entropy *d = entropy_of(c);

    if (!d->st.serve.pending && virtio_pending(d->virtio, queue))
        event_schedule_in(&d->st.serve, d->p.latency);
}

static void entropy_serve(void *owner, struct event *event)
{
    struct entropy *d = owner;
    struct rng g = {d->st.generator};
    struct virtio_chain chain;
    u64 words[REQUEST_BYTES / 8], bytes;

    if (!virtio_pop(d->virtio, REQUEST_QUEUE, &chain))
        return;
    bytes = MIN(chain.writable_bytes, REQUEST_BYTES);
    for (u64 i = 0; i < (bytes + 7) / 8; i++)
        words[i] = rng_next(&g);
    d->st.generator = g.state;
    if (virtio_chain_write(d->virtio, &chain, 0, words, bytes)) {
        d->n.bytes += bytes;
        virtio_push(d->virtio, REQUEST_QUEUE, chain.head, bytes);
    }
    entropy_notify(&d->base, REQUEST_QUEUE);
}

static void entropy_stop(struct component *c)
{
    event_cancel(&entropy_of(c)->st.serve);
}

static const struct virtio_device_ops entropy_device = {
    .id = ID_ENTROPY,
    .class_code = 0x00ff00,
    .queues = 1,
    .notify = entropy_notify,
    .reset = entropy_stop,
};

static bool entropy_build(struct component *c, struct error *err)
{
    struct entropy *d = entropy_of(c);

    d->virtio = virtio_new(c, &entropy_device, VIRTIO_WIRING(&d->p), err);
    return d->virtio;
}

static void entropy_reset(struct component *c)
{
    struct entropy *d = entropy_of(c);

    d->st.generator = d->p.seed;
}

static const struct component_ops entropy_ops = {
    .build = entropy_build,
    .reset = entropy_reset,
};

const struct component_type virtio_rng_type = {
    .name = "virtio_rng",
    .doc = "Virtio entropy device: seeded, repeatable",
    COMPONENT_LAYOUT(entropy),
    .ops = &entropy_ops,
    .provides = {IFACE(mmio, &virtio_mmio)},
};
