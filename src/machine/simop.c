// SPDX-License-Identifier: BSD-3-Clause
#include "machine/simop.h"

#include "base/alloc.h"
#include "isa/x86/mem.h"
#include "machine/pc.h"
#include "machine/pc_core.h"
#include "sim/sim.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 128, PIECE = 4096 };
#define FAILED (~(u64)0)

// One page's part of the guest's buffer, which must be mapped (a program touches it first).
static bool guest_piece(struct x86_core *x86, u64 linear, void *data, u64 size, bool write)
{
    struct mem_port *mem = &x86->core.mem;
    paddr pa;

    if (!x86_translate_debug(x86, linear, &pa))
        return false;
    return write ? mem_port_copy_in(mem, pa, data, size) : mem_port_copy_out(mem, pa, data, size);
}

// Bytes until the next page or the end.
static u64 piece_size(u64 linear, u64 size)
{
    return MIN(size, PIECE - linear % PIECE);
}

// buffer, size, offset in the file -> bytes read
static u64 read_file(struct simop *s, struct x86_core *x86, const u64 args[6])
{
    int fd = s->read_file ? open(s->read_file, O_RDONLY | O_CLOEXEC) : -1;
    u64 at = args[0], left = args[1], offset = args[2], done = 0;
    u8 data[PIECE];

    if (fd < 0)
        return 0;
    while (left) {
        u64 n = piece_size(at, left);
        ssize_t got = pread(fd, data, n, (off_t)offset);

        if (got <= 0 || !guest_piece(x86, at, data, (u64)got, true))
            break;
        at += (u64)got;
        offset += (u64)got;
        left -= (u64)got;
        done += (u64)got;
    }
    close(fd);
    return done;
}

// A name of one component, no path: the guest writes into the one folder.
static bool guest_name(struct x86_core *x86, u64 at, char name[NAME_MAX_BYTES])
{
    u32 n = 0;

    for (; n < NAME_MAX_BYTES; n++) {
        if (!guest_piece(x86, at + n, &name[n], 1, false))
            return false;
        if (!name[n])
            break;
    }
    return n > 0 && n < NAME_MAX_BYTES && !strchr(name, '/') && name[0] != '.';
}

// buffer, size, offset in the file, name -> bytes written
static u64 write_file(struct simop *s, struct x86_core *x86, const u64 args[6])
{
    u64 at = args[0], left = args[1], offset = args[2], done = 0;
    AUTO_FREE char *path = NULL;
    char name[NAME_MAX_BYTES];
    u8 data[PIECE];
    int fd;

    if (!s->write_folder || !guest_name(x86, args[3], name))
        return FAILED;
    path = xasprintf("%s/%s", s->write_folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (offset ? 0 : O_TRUNC), 0666);
    if (fd < 0)
        return FAILED;
    while (left) {
        u64 n = piece_size(at, left);

        if (!guest_piece(x86, at, data, n, false) ||
            pwrite(fd, data, n, (off_t)offset) != (ssize_t)n)
            break;
        at += n;
        offset += n;
        left -= n;
        done += n;
    }
    close(fd);
    return done;
}

static u64 serve(void *context, struct component *pc, struct component *core, u16 function)
{
    struct simop *s = context;
    struct x86_core *x86 = pc_core_x86(core);
    const u64 *g = x86->s.gpr;
    const u64 args[6] = {g[X86_RDI], g[X86_RSI], g[X86_RDX], g[X86_RCX], g[X86_R8], g[X86_R8 + 1]};

    switch (function) {
    case SIMOP_EXIT:
        pc_request(pc, PC_EXIT, 0);
        return 0;
    case SIMOP_FAIL:
        pc_request(pc, PC_EXIT, (u32)args[1]);
        return 0;
    case SIMOP_PANIC:
        pc_request(pc, PC_PANIC, 0);
        return 0;
    case SIMOP_SUM: // gem5's test of the calling convention
        return args[0] + args[1] + args[2] + args[3] + args[4] + args[5];
    case SIMOP_RPNS:
        return pc->sim->queue.now / 1000;
    case SIMOP_READ_FILE:
        return read_file(s, x86, args);
    case SIMOP_WRITE_FILE:
        return write_file(s, x86, args);
    case SIMOP_RESET_STATS:
    case SIMOP_DUMP_STATS:
    case SIMOP_DUMP_RESET_STATS:
    case SIMOP_CHECKPOINT:
    case SIMOP_SWITCH_CPU:
    case SIMOP_WORK_BEGIN:
    case SIMOP_WORK_END:
    case SIMOP_DEBUG_BREAK:
        s->event.function = function;
        memcpy(s->event.args, args, sizeof(args));
        pc_request(pc, PC_EVENT, function);
        return 0;
    case SIMOP_INIT_PARAM:
    case SIMOP_ADD_SYMBOL: // accepted, without effect
        return 0;
    default:
        component_guest_warn(pc, "operation 0x%x for the simulator, which facet does not have",
                             (unsigned)function);
        return FAILED;
    }
}

void simop_init(struct simop *s, struct component *pc)
{
    s->pc = pc;
    pc_set_simop(pc, serve, s);
}

void simop_release(struct simop *s)
{
    free(s->read_file);
    free(s->write_folder);
    *s = (struct simop){0};
}
