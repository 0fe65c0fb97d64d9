// SPDX-License-Identifier: BSD-3-Clause
// Commands on registers, memory and breakpoints.
#include "machine/gdb/gdb_protocol_priv.h"

#include "machine/gdb/gdb_registers.h"

static void no_memory(struct gdb_protocol *p)
{
    gdb_reply(p, "E14"); // EFAULT
}

// ---- registers and memory

void gdb_read_registers(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf out = {0};
    u8 bytes[GDB_REGISTER_MAX_BYTES];

    for (u32 i = 0; i < gdb_register_count(); i++) {
        gdb_register_get(gdb_target_core(&p->target, p->core), i, bytes);
        gdb_put_hex(&out, bytes, gdb_register_bytes(i));
    }
    gdb_reply(p, strbuf_text(&out));
}

void gdb_write_registers(struct gdb_protocol *p, const char *args, size_t length)
{
    u8 bytes[GDB_REGISTER_MAX_BYTES];
    bool good = true;

    for (u32 i = 0; *args && i < gdb_register_count(); i++) {
        if (!gdb_hex_bytes(&args, bytes, gdb_register_bytes(i))) {
            good = false;
            break;
        }
        good &= gdb_register_put(gdb_target_core(&p->target, p->core), i, bytes);
    }
    gdb_reply_done(p, good);
}

void gdb_read_register(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf out = {0};
    u8 bytes[GDB_REGISTER_MAX_BYTES];
    u64 n;

    if (!gdb_hex_to(&args, '\0', &n) || n >= gdb_register_count()) {
        gdb_reply_done(p, false);
        return;
    }
    gdb_register_get(gdb_target_core(&p->target, p->core), (u32)n, bytes);
    gdb_put_hex(&out, bytes, gdb_register_bytes((u32)n));
    gdb_reply(p, strbuf_text(&out));
}

void gdb_write_register(struct gdb_protocol *p, const char *args, size_t length)
{
    u8 bytes[GDB_REGISTER_MAX_BYTES];
    u64 n;

    gdb_reply_done(p, gdb_hex_to(&args, '=', &n) && n < gdb_register_count() &&
                          gdb_hex_bytes(&args, bytes, gdb_register_bytes((u32)n)) && !*args &&
                          gdb_register_put(gdb_target_core(&p->target, p->core), (u32)n, bytes));
}

void gdb_read_memory(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf out = {0};
    u8 bytes[GDB_DATA_MAX];
    u64 address, size;

    if (!gdb_hex_to(&args, ',', &address) || !gdb_hex_to(&args, '\0', &size)) {
        gdb_reply_done(p, false);
        return;
    }
    size = gdb_target_read(&p->target, p->core, address, bytes, MIN(size, GDB_DATA_MAX));
    gdb_put_hex(&out, bytes, size);
    if (size)
        gdb_reply(p, strbuf_text(&out));
    else
        no_memory(p);
}

static void put_memory(struct gdb_protocol *p, u64 address, const u8 *bytes, u64 size)
{
    if (gdb_target_write(&p->target, p->core, address, bytes, size))
        gdb_reply_done(p, true);
    else
        no_memory(p);
}

void gdb_write_memory(struct gdb_protocol *p, const char *args, size_t length)
{
    u8 bytes[GDB_DATA_MAX];
    u64 address, size;

    if (!gdb_hex_to(&args, ',', &address) || !gdb_hex_to(&args, ':', &size) ||
        size > GDB_DATA_MAX || !gdb_hex_bytes(&args, bytes, size) || *args)
        gdb_reply_done(p, false);
    else
        put_memory(p, address, bytes, size);
}

void gdb_write_binary(struct gdb_protocol *p, const char *args, size_t length)
{
    const char *end = args + length;
    u64 address, size, given;
    char *data;

    if (!gdb_hex_to(&args, ',', &address) || !gdb_hex_to(&args, ':', &size)) {
        gdb_reply_done(p, false);
        return;
    }
    data = p->wire.data + (args - p->wire.data);
    given = gdb_wire_unescape(data, (size_t)(end - args));
    if (given == size)
        put_memory(p, address, (const u8 *)data, size);
    else
        gdb_reply_done(p, false);
}

// ---- breakpoints

// "TYPE,ADDRESS,KIND"; conditions and commands behind it are for stubs that said they know them.
static bool parse_break(const char *args, struct gdb_break *ret)
{
    u64 type;

    if (!gdb_hex_to(&args, ',', &type) || type >= GDB_BREAK_TYPES ||
        !gdb_hex_to(&args, ',', &ret->address) || !gdb_hex_to(&args, '\0', &ret->length))
        return false;
    ret->type = (enum gdb_break_type)type;
    return true;
}

void gdb_set_break(struct gdb_protocol *p, const char *args, size_t length)
{
    struct gdb_break b;

    gdb_reply_done(p, parse_break(args, &b) && gdb_target_set_break(&p->target, &b));
}

void gdb_remove_break(struct gdb_protocol *p, const char *args, size_t length)
{
    struct gdb_break b;

    gdb_reply_done(p, parse_break(args, &b) && gdb_target_remove_break(&p->target, &b));
}
