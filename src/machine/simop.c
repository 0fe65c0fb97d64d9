// SPDX-License-Identifier: BSD-3-Clause
#include "machine/simop.h"

#include "machine/pc.h"
#include "machine/pc_core.h"
#include "sim/sim.h"

static void serve(void *context, struct component *pc, struct component *core, u16 function)
{
    struct x86_arch_state *s = &pc_core_x86(core)->s;
    const u64 *a = s->gpr;
    u64 result = 0;

    switch (function) {
    case SIMOP_EXIT:
        pc_request(pc, PC_EXIT, 0);
        break;
    case SIMOP_FAIL:
        pc_request(pc, PC_EXIT, (u32)a[X86_RSI]);
        break;
    case SIMOP_PANIC:
        pc_request(pc, PC_PANIC, 0);
        break;
    case SIMOP_SUM: // gem5's test of the calling convention
        result = a[X86_RDI] + a[X86_RSI] + a[X86_RDX] + a[X86_RCX] + a[X86_R8] + a[X86_R8 + 1];
        break;
    case SIMOP_RPNS:
        result = pc->sim->queue.now / 1000;
        break;
    default:
        component_guest_warn(pc, "operation 0x%x for the simulator, which facet does not have",
                             (unsigned)function);
    }
    s->gpr[X86_RAX] = result;
}

void simop_init(struct simop *s, struct component *pc)
{
    s->pc = pc;
    pc_set_simop(pc, serve, s);
}
