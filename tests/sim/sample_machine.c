// SPDX-License-Identifier: BSD-3-Clause
#include "sample_machine.h"

#include "base/hash.h"
#include "mem/physmap.h"
#include "mem/ram.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->message);
}

void sample_machine_init(struct sample_machine *m, u64 seed, const char *size)
{
    struct error err;
    struct mmio mmio = {0};

    *m = (struct sample_machine){.guest = {seed}};
    sim_init(&m->sim);
    m->map = component_new(&m->sim, &physmap_type, NULL, "map", &err);
    m->ram = component_new(&m->sim, &ram_type, m->map, "ram", &err);
    m->timers[0] = component_new(&m->sim, &sample_timer_type, m->map, "timer0", &err);
    m->timers[1] = component_new(&m->sim, &sample_timer_type, m->map, "timer1", &err);
    m->counter = component_new(&m->sim, &sample_counter_type, m->map, "counter", &err);
    must(m->counter, &err);
    must(component_set(m->ram, "size", size, &err), &err);
    must(component_set(m->timers[0], "interrupts", "map.counter", &err), &err);
    must(component_set(m->timers[1], "interrupts", "map.counter", &err), &err);
    must(component_set(m->timers[1], "clock", "3.3MHz", &err), &err);
    must(component_set(m->timers[1], "history", "5", &err), &err);
    must(sim_build(&m->sim, &err), &err);
    must(physmap_add_ram(m->map, 0, m->ram, 0, ram_size(m->ram), false, &err), &err);
    mmio.ops = component_interface(m->timers[0], "mmio");
    for (unsigned i = 0; i < 2; i++) {
        mmio.device = m->timers[i];
        must(physmap_add_mmio(m->map, i ? SAMPLE_TIMER1 : SAMPLE_TIMER0, mmio, &err), &err);
    }
    must(component_mem_port(m->map, &m->port, &err), &err);
    sim_reset(&m->sim);
}

void sample_machine_step(struct sample_machine *m)
{
    struct rng *g = &m->guest;
    paddr timer = rng_next(g) & 1 ? SAMPLE_TIMER0 : SAMPLE_TIMER1;
    u64 v = rng_next(g), size = 1u << rng_below(g, 4);

    switch (rng_below(g, 8)) {
    case 0:
        v = rng_below(g, 50);
        mem_port_write(&m->port, timer, 8, &v);
        break;
    case 1:
        v |= rng_next(g) & 1;
        mem_port_write(&m->port, timer + 8, 8, &v);
        break;
    case 2:
        mem_port_write(&m->port, timer + 24, 8, &v);
        break;
    case 3:
        mem_port_read(&m->port, timer + 16, 8, &v);
        mem_port_write(&m->port, rng_below(g, ram_size(m->ram) / 8) * 8, 8, &v);
        break;
    case 4:
    case 5:
        mem_port_write(&m->port, rng_below(g, ram_size(m->ram) / 8) * 8, (unsigned)size, &v);
        break;
    default:
        event_queue_run(&m->sim.queue, m->sim.queue.now + rng_below(g, 5000000));
    }
}

u64 sample_machine_hash(const struct sample_machine *m)
{
    u64 h = hash64_more(sim_hash(&m->sim), ram_bytes(m->ram), ram_size(m->ram));

    for (const struct component *c = m->sim.root; c; c = c->next)
        h = hash64_more(h, component_stats(c), stat_words(c->type->stats) * sizeof(u64));
    return hash64_more(h, &m->sim.queue.now, sizeof(tick));
}
