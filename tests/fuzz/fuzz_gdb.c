// SPDX-License-Identifier: BSD-3-Clause
// The debugger's protocol, on a real machine: what the client makes the guest do is done for a few
// instructions.
#include "fuzz.h"

#include "base/bug.h"
#include "machine/gdb/gdb_protocol.h"
#include "machine/types.h"
#include "sim/config.h"
#include "sim/sim.h"

enum { RUN_INSTS = 50 };

static struct component *machine(void)
{
    static struct sim sim;
    struct config cfg;
    struct error err;

    if (!sim.root) {
        sim_init(&sim);
        config_init(&cfg);
        ASSERT(config_override(&cfg, "pc.type=pc") && config_override(&cfg, "pc.mem=4MiB") &&
               config_override(&cfg, "pc.cpus=2") &&
               config_create(&cfg, &sim, "pc", machine_types) && sim_build(&sim, &err));
        config_release(&cfg);
    }
    sim_reset(&sim);
    return sim.root;
}

static void run(struct gdb_protocol *p)
{
    struct pc_limits limits = {.insts = pc_insts(p->target.pc) + RUN_INSTS,
                               .when = p->target.pc->sim->queue.now + TICKS_PER_SECOND / 100,
                               .debug = &p->debug};
    struct pc_result end = pc_run(p->target.pc, &limits);
    struct gdb_stop stop = {.signal = 2};

    if (end.end == PC_DEBUG)
        stop = gdb_target_stop(&p->target, end.value);
    gdb_protocol_report(p, &stop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gdb_protocol *p = xcalloc(1, sizeof(*p));

    gdb_protocol_init(p, machine());
    gdb_protocol_attach(p);
    for (size_t i = 0; i < size; i++) {
        gdb_protocol_feed(p, data + i, 1);
        if (p->state == GDB_RUNNING)
            run(p);
        ASSERT(p->target.wanted.count <= GDB_BREAKS_MAX);
        ASSERT(p->wire.out.length < MiB(1));
        strbuf_clear(&p->wire.out);
    }
    gdb_protocol_release(p);
    free(p);
    return 0;
}
