// SPDX-License-Identifier: BSD-3-Clause
#include "machine/gdb/gdb_wire.h"

#include <string.h>

enum { IDLE, DATA, SUM_HIGH, SUM_LOW };

#define ESCAPE 0x7d

void gdb_wire_reset(struct gdb_wire *w)
{
    strbuf_clear(&w->out);
    strbuf_clear(&w->last);
    w->no_ack = w->too_long = false;
    w->state = IDLE;
    w->length = 0;
}

void gdb_wire_release(struct gdb_wire *w)
{
    strbuf_release(&w->out);
    strbuf_release(&w->last);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum gdb_input whole_packet(struct gdb_wire *w)
{
    bool good = w->sum == w->told && !w->too_long;

    w->state = IDLE;
    if (!w->no_ack)
        strbuf_putc(&w->out, good ? '+' : '-');
    w->data[w->length] = '\0';
    return good ? GDB_PACKET : GDB_NOTHING;
}

static enum gdb_input between_packets(struct gdb_wire *w, u8 byte)
{
    if (byte == 0x03)
        return GDB_INTERRUPT;
    if (byte == '-' && !w->no_ack)
        strbuf_add(&w->out, w->last.text, w->last.length);
    if (byte != '$')
        return GDB_NOTHING;
    w->state = DATA;
    w->length = 0;
    w->sum = 0;
    w->too_long = false;
    return GDB_NOTHING;
}

static void sum_digit(struct gdb_wire *w, u8 byte)
{
    int value = digit((char)byte);

    w->too_long |= value < 0;
    w->told = (u8)(w->told << 4 | (value & 0xf));
}

enum gdb_input gdb_wire_take(struct gdb_wire *w, u8 byte)
{
    switch (w->state) {
    case IDLE:
        return between_packets(w, byte);
    case DATA:
        if (byte == '#') {
            w->state = SUM_HIGH;
        } else if (byte == '$') { // the end of the last one was lost
            return between_packets(w, byte);
        } else if (w->length == GDB_PACKET_MAX) {
            w->too_long = true;
        } else {
            w->data[w->length++] = (char)byte;
            w->sum = (u8)(w->sum + byte);
        }
        return GDB_NOTHING;
    case SUM_HIGH:
        sum_digit(w, byte);
        w->state = SUM_LOW;
        return GDB_NOTHING;
    default:
        sum_digit(w, byte);
        return whole_packet(w);
    }
}

void gdb_wire_send(struct gdb_wire *w, const char *data, size_t length)
{
    struct strbuf *p = &w->last;
    u8 sum = 0;

    strbuf_clear(p);
    strbuf_putc(p, '$');
    for (size_t i = 0; i < length; i++) {
        if (memchr("$#}*", data[i], 4)) {
            strbuf_putc(p, ESCAPE);
            strbuf_putc(p, (char)(data[i] ^ 0x20));
        } else {
            strbuf_putc(p, data[i]);
        }
    }
    for (size_t i = 1; i < p->length; i++)
        sum = (u8)(sum + (u8)p->text[i]);
    strbuf_printf(p, "#%02x", sum);
    strbuf_add(&w->out, p->text, p->length);
}

void gdb_wire_puts(struct gdb_wire *w, const char *text)
{
    gdb_wire_send(w, text, strlen(text));
}

size_t gdb_wire_unescape(char *data, size_t length)
{
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        if (data[i] == ESCAPE && i + 1 < length)
            data[n++] = (char)(data[++i] ^ 0x20);
        else
            data[n++] = data[i];
    }
    return n;
}

bool gdb_hex(const char **at, u64 *ret)
{
    u64 value = 0;
    u32 n = 0;

    for (; digit(**at) >= 0 && n < 16; n++)
        value = value << 4 | (u64)digit(*(*at)++);
    if (n == 0 || digit(**at) >= 0)
        return false;
    *ret = value;
    return true;
}

bool gdb_hex_to(const char **at, char end, u64 *ret)
{
    u64 value;

    if (!gdb_hex(at, &value) || **at != end)
        return false;
    *at += end != '\0';
    *ret = value;
    return true;
}

bool gdb_hex_bytes(const char **at, u8 *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++, *at += 2) {
        int high = digit((*at)[0]), low = high < 0 ? -1 : digit((*at)[1]);

        if (low < 0)
            return false;
        bytes[i] = (u8)(high << 4 | low);
    }
    return true;
}

void gdb_put_hex(struct strbuf *out, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const u8 *b = bytes;

    for (size_t i = 0; i < size; i++) {
        strbuf_putc(out, digits[b[i] >> 4]);
        strbuf_putc(out, digits[b[i] & 15]);
    }
}
