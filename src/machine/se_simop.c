// SPDX-License-Identifier: BSD-3-Clause
// UNMODELLED: files of the host (a program has its own system calls for them); checkpoints.
#include "machine/se_simop.h"

#include "base/log.h"
#include "isa/x86/fault.h"

#include <string.h>

#define FAILED (~(u64)0)

// The run ends behind this instruction.
static u64 request(struct se_simop *s, struct x86_core *x86)
{
    s->kernel->event = true;
    x86_stop(x86, CORE_STOP);
    return 0;
}

static u64 end(struct se_simop *s, struct x86_core *x86, u64 status)
{
    s->ends = true;
    s->status = (int)MIN(status, 0xffu); // more than a byte holds must not become success
    return request(s, x86);
}

static u64 serve(struct se_simop *s, struct x86_core *x86, u16 function)
{
    const u64 *g = x86->s.gpr;
    const u64 args[6] = {g[X86_RDI], g[X86_RSI], g[X86_RDX], g[X86_RCX], g[X86_R8], g[X86_R8 + 1]};

    switch (function) {
    case SIMOP_EXIT:
        return end(s, x86, 0);
    case SIMOP_FAIL:
        return end(s, x86, args[1]);
    case SIMOP_SUM:
        return args[0] + args[1] + args[2] + args[3] + args[4] + args[5];
    case SIMOP_RPNS:
        return kernel_now_ns(s->kernel);
    case SIMOP_RESET_STATS:
    case SIMOP_DUMP_STATS:
    case SIMOP_DUMP_RESET_STATS:
    case SIMOP_SWITCH_CPU:
    case SIMOP_WORK_BEGIN:
    case SIMOP_WORK_END:
    case SIMOP_DEBUG_BREAK:
        s->event.function = function;
        memcpy(s->event.args, args, sizeof(args));
        return request(s, x86);
    case SIMOP_INIT_PARAM:
    case SIMOP_ADD_SYMBOL: // accepted, without effect
        return 0;
    default:
        log_warn("linux", "operation 0x%x for the simulator, which programs do not have",
                 (unsigned)function);
        return FAILED;
    }
}

static void operation(void *ctx, struct x86_core *x86, u16 function)
{
    x86->s.gpr[X86_RAX] = serve(ctx, x86, function);
}

void se_simop_connect(struct se_simop *s, struct x86_core *core)
{
    core->simop = operation;
    core->simop_ctx = s;
}
