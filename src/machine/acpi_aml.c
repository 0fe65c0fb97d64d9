// SPDX-License-Identifier: BSD-3-Clause
#include "machine/acpi_aml.h"

#include "base/bug.h"

#include <string.h>

enum {
    ZERO_OP = 0x00,
    ONE_OP = 0x01,
    NAME_OP = 0x08,
    BYTE_PREFIX = 0x0a,
    WORD_PREFIX = 0x0b,
    DWORD_PREFIX = 0x0c,
    STRING_PREFIX = 0x0d,
    QWORD_PREFIX = 0x0e,
    SCOPE_OP = 0x10,
    BUFFER_OP = 0x11,
    PACKAGE_OP = 0x12,
    METHOD_OP = 0x14,
    EXT_PREFIX = 0x5b,
    ARG0_OP = 0x68,
    DEVICE_OP = 0x82, // behind EXT_PREFIX
    RETURN_OP = 0xa4,
};

static void put(struct aml *a, u64 value, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        strbuf_putc(a->out, (char)(value >> 8 * i));
}

static void put_name(struct aml *a, const char *name)
{
    size_t length = strlen(name);

    ASSERT(length >= 1 && length <= 4);
    strbuf_add(a->out, name, length);
    strbuf_add(a->out, "____", 4 - length);
}

static void begin(struct aml *a)
{
    ASSERT(a->depth < AML_DEPTH);
    a->open[a->depth].start = a->out->length;
    a->open[a->depth].resources = false;
    a->depth++;
}

static void insert(struct aml *a, size_t at, const u8 *bytes, size_t size)
{
    size_t behind = a->out->length - at;

    strbuf_add(a->out, bytes, size);
    memmove(a->out->text + at + size, a->out->text + at, behind);
    memcpy(a->out->text + at, bytes, size);
}

// §20.2.4: the length counts itself. One byte holds 6 bits; else the first holds 4 and the number
// of bytes that follow.
static void insert_package_length(struct aml *a, size_t start)
{
    size_t content = a->out->length - start;
    u8 bytes[4];
    u32 count = 1;

    if (content + 1 < 1 << 6) {
        bytes[0] = (u8)(content + 1);
    } else {
        while (content + count >= (size_t)1 << (4 + 8 * (count - 1)))
            count++;
        ASSERT(count >= 2 && count <= 4);
        content += count;
        bytes[0] = (u8)((count - 1) << 6 | (content & 15));
        for (u32 i = 1; i < count; i++)
            bytes[i] = (u8)(content >> (8 * i - 4));
    }
    insert(a, start, bytes, count);
}

// A buffer's content is preceded by its size, as an integer.
static void insert_buffer_size(struct aml *a, size_t start)
{
    size_t content = a->out->length - start;
    u8 size[3] = {WORD_PREFIX, (u8)content, (u8)(content >> 8)};

    ASSERT(content <= 0xffff);
    if (content > 0xff) {
        insert(a, start, size, 3);
    } else {
        size[0] = BYTE_PREFIX;
        insert(a, start, size, 2);
    }
}

void aml_end(struct aml *a)
{
    size_t start;

    ASSERT(a->depth > 0);
    start = a->open[--a->depth].start;
    if (a->open[a->depth].resources) {
        put(a, 0x79, 2); // end tag; checksum 0: none
        insert_buffer_size(a, start);
    }
    insert_package_length(a, start);
}

void aml_scope(struct aml *a, const char *name)
{
    put(a, SCOPE_OP, 1);
    begin(a);
    put_name(a, name);
}

void aml_device(struct aml *a, const char *name)
{
    put(a, EXT_PREFIX | DEVICE_OP << 8, 2);
    begin(a);
    put_name(a, name);
}

void aml_method(struct aml *a, const char *name, u32 arguments)
{
    ASSERT(arguments <= 7);
    put(a, METHOD_OP, 1);
    begin(a);
    put_name(a, name);
    put(a, arguments, 1); // not serialised
}

void aml_return_argument(struct aml *a, u32 argument)
{
    ASSERT(argument <= 6);
    put(a, RETURN_OP, 1);
    put(a, ARG0_OP + argument, 1);
}

void aml_integer(struct aml *a, u64 value)
{
    if (value <= 1) {
        put(a, value ? ONE_OP : ZERO_OP, 1);
    } else if (value <= 0xff) {
        put(a, BYTE_PREFIX, 1);
        put(a, value, 1);
    } else if (value <= 0xffff) {
        put(a, WORD_PREFIX, 1);
        put(a, value, 2);
    } else if (value <= 0xffffffff) {
        put(a, DWORD_PREFIX, 1);
        put(a, value, 4);
    } else {
        put(a, QWORD_PREFIX, 1);
        put(a, value, 8);
    }
}

static void name(struct aml *a, const char *text)
{
    put(a, NAME_OP, 1);
    put_name(a, text);
}

void aml_name_integer(struct aml *a, const char *text, u64 value)
{
    name(a, text);
    aml_integer(a, value);
}

void aml_name_string(struct aml *a, const char *text, const char *value)
{
    name(a, text);
    put(a, STRING_PREFIX, 1);
    strbuf_add(a->out, value, strlen(value) + 1);
}

static u32 hex_digit(char c)
{
    ASSERT((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'));
    return c <= '9' ? (u32)(c - '0') : (u32)(c - 'A') + 10;
}

// §19.3.4: three letters of 5 bits, then four digits; the most significant byte comes first.
void aml_name_eisa(struct aml *a, const char *text, const char *id)
{
    u32 value = 0;

    ASSERT(strlen(id) == 7);
    for (int i = 0; i < 3; i++)
        value = value << 5 | ((u32)id[i] & 0x1f);
    for (int i = 3; i < 7; i++)
        value = value << 4 | hex_digit(id[i]);
    aml_name_integer(a, text, __builtin_bswap32(value));
}

void aml_package(struct aml *a, u32 count)
{
    ASSERT(count <= 255);
    put(a, PACKAGE_OP, 1);
    begin(a);
    put(a, count, 1);
}

void aml_name_package(struct aml *a, const char *text, u32 count)
{
    name(a, text);
    aml_package(a, count);
}

void aml_name_resources(struct aml *a, const char *text)
{
    name(a, text);
    put(a, BUFFER_OP, 1);
    begin(a);
    a->open[a->depth - 1].resources = true;
}

void aml_io(struct aml *a, u16 port, u8 count)
{
    put(a, 0x47, 1);
    put(a, 1, 1); // decodes 16 bits
    put(a, port, 2);
    put(a, port, 2);
    put(a, 1, 1);
    put(a, count, 1);
}

void aml_irq(struct aml *a, u32 irq)
{
    ASSERT(irq < 16);
    put(a, 0x22, 1);
    put(a, 1u << irq, 2);
}

void aml_gsi_level_high(struct aml *a, u32 gsi)
{
    put(a, 0x89, 1);
    put(a, 6, 2);
    put(a, 1, 1); // consumer; level, active high, exclusive
    put(a, 1, 1);
    put(a, gsi, 4);
}

void aml_memory32(struct aml *a, u32 base, u32 size)
{
    put(a, 0x86, 1);
    put(a, 9, 2);
    put(a, 1, 1); // writable
    put(a, base, 4);
    put(a, size, 4);
}

enum { WINDOW_MEMORY, WINDOW_IO, WINDOW_BUS };
enum { FIXED = 0xc }; // minimum and maximum; produces, positive decoding

// Address space descriptors: of 2, 4 or 8 bytes a number.
static void window(struct aml *a, u32 bytes, u32 type, u32 type_flags, u64 first, u64 last)
{
    put(a, bytes == 2 ? 0x88 : bytes == 4 ? 0x87 : 0x8a, 1);
    put(a, 3 + 5 * bytes, 2);
    put(a, type, 1);
    put(a, FIXED, 1);
    put(a, type_flags, 1);
    put(a, 0, bytes); // granularity
    put(a, first, bytes);
    put(a, last, bytes);
    put(a, 0, bytes); // no translation
    put(a, last - first + 1, bytes);
}

void aml_window_bus(struct aml *a, u16 first, u16 last)
{
    window(a, 2, WINDOW_BUS, 0, first, last);
}

void aml_window_io(struct aml *a, u16 first, u16 last)
{
    window(a, 2, WINDOW_IO, 3, first, last); // ISA and non-ISA ports
}

void aml_window_memory32(struct aml *a, u32 base, u32 size)
{
    window(a, 4, WINDOW_MEMORY, 1, base, (u64)base + size - 1); // writable, not cacheable
}

void aml_window_memory64(struct aml *a, u64 base, u64 size)
{
    window(a, 8, WINDOW_MEMORY, 7, base, base + size - 1); // writable, prefetchable
}
