// SPDX-License-Identifier: BSD-3-Clause
#include "machine/gdb/gdb_registers.h"

#include "isa/x86/control.h"
#include "isa/x86/exec/vector.h"
#include "isa/x86/exec/x87.h"
#include "isa/x86/fault.h"
#include "isa/x86/flags.h"
#include "isa/x86/msr.h"
#include "isa/x86/segment.h"

#include <string.h>

enum { MSR_EFER = 0xc0000080 };

enum kind { GPR, RIP, FLAGS, SELECTOR, ST, X87, XMM, MXCSR, BASE, KERNEL_GS, YMM_HIGH, CR, EFER };
enum x87_register { FCTRL, FSTAT, FTAG, FISEG, FIOFF, FOSEG, FOOFF, FOP };

#define CORE_FEATURE "org.gnu.gdb.i386.core"
#define SSE_FEATURE "org.gnu.gdb.i386.sse"
#define SEGMENTS_FEATURE "org.gnu.gdb.i386.segments"
#define AVX_FEATURE "org.gnu.gdb.i386.avx"
#define SYSTEM_FEATURE "org.facet.x86.system"

struct reg {
    const char *name, *type, *feature;
    u8 bytes;
    u8 kind, index;
};

#define R_GPR(name, n, type)                \
    {                                       \
        name, type, CORE_FEATURE, 8, GPR, n \
    }
#define R_SEL(name, n)                              \
    {                                               \
        name, "int32", CORE_FEATURE, 4, SELECTOR, n \
    }
#define R_ST(n)                                      \
    {                                                \
        "st" #n, "i387_ext", CORE_FEATURE, 10, ST, n \
    }
#define R_X87(name, n)                       \
    {                                        \
        name, "int", CORE_FEATURE, 4, X87, n \
    }
#define R_XMM(n)                                    \
    {                                               \
        "xmm" #n, "vec128", SSE_FEATURE, 16, XMM, n \
    }
#define R_YMM(n)                                              \
    {                                                         \
        "ymm" #n "h", "uint128", AVX_FEATURE, 16, YMM_HIGH, n \
    }
#define R_BASE(name, n)                           \
    {                                             \
        name, "int", SEGMENTS_FEATURE, 8, BASE, n \
    }
#define R_CR(name, n, type)                  \
    {                                        \
        name, type, SYSTEM_FEATURE, 8, CR, n \
    }

static const struct reg regs[] = {
    R_GPR("rax", X86_RAX, "int64"),
    R_GPR("rbx", X86_RBX, "int64"),
    R_GPR("rcx", X86_RCX, "int64"),
    R_GPR("rdx", X86_RDX, "int64"),
    R_GPR("rsi", X86_RSI, "int64"),
    R_GPR("rdi", X86_RDI, "int64"),
    R_GPR("rbp", X86_RBP, "data_ptr"),
    R_GPR("rsp", X86_RSP, "data_ptr"),
    R_GPR("r8", 8, "int64"),
    R_GPR("r9", 9, "int64"),
    R_GPR("r10", 10, "int64"),
    R_GPR("r11", 11, "int64"),
    R_GPR("r12", 12, "int64"),
    R_GPR("r13", 13, "int64"),
    R_GPR("r14", 14, "int64"),
    R_GPR("r15", 15, "int64"),
    {"rip", "code_ptr", CORE_FEATURE, 8, RIP, 0},
    {"eflags", "i386_eflags", CORE_FEATURE, 4, FLAGS, 0},
    R_SEL("cs", X86_CS),
    R_SEL("ss", X86_SS),
    R_SEL("ds", X86_DS),
    R_SEL("es", X86_ES),
    R_SEL("fs", X86_FS),
    R_SEL("gs", X86_GS),
    R_ST(0),
    R_ST(1),
    R_ST(2),
    R_ST(3),
    R_ST(4),
    R_ST(5),
    R_ST(6),
    R_ST(7),
    R_X87("fctrl", FCTRL),
    R_X87("fstat", FSTAT),
    R_X87("ftag", FTAG),
    R_X87("fiseg", FISEG),
    R_X87("fioff", FIOFF),
    R_X87("foseg", FOSEG),
    R_X87("fooff", FOOFF),
    R_X87("fop", FOP),
    R_XMM(0),
    R_XMM(1),
    R_XMM(2),
    R_XMM(3),
    R_XMM(4),
    R_XMM(5),
    R_XMM(6),
    R_XMM(7),
    R_XMM(8),
    R_XMM(9),
    R_XMM(10),
    R_XMM(11),
    R_XMM(12),
    R_XMM(13),
    R_XMM(14),
    R_XMM(15),
    {"mxcsr", "i386_mxcsr", SSE_FEATURE, 4, MXCSR, 0},
    R_BASE("fs_base", X86_FS),
    R_BASE("gs_base", X86_GS),
    R_YMM(0),
    R_YMM(1),
    R_YMM(2),
    R_YMM(3),
    R_YMM(4),
    R_YMM(5),
    R_YMM(6),
    R_YMM(7),
    R_YMM(8),
    R_YMM(9),
    R_YMM(10),
    R_YMM(11),
    R_YMM(12),
    R_YMM(13),
    R_YMM(14),
    R_YMM(15),
    {"k_gs_base", "int", SYSTEM_FEATURE, 8, KERNEL_GS, 0},
    R_CR("cr0", 0, "x64_cr0"),
    R_CR("cr2", 2, "int"),
    R_CR("cr3", 3, "x64_cr3"),
    R_CR("cr4", 4, "x64_cr4"),
    R_CR("cr8", 8, "x64_cr8"),
    {"efer", "x64_efer", SYSTEM_FEATURE, 8, EFER, 0},
};

u32 gdb_register_count(void)
{
    return ARRAY_SIZE(regs);
}

u32 gdb_register_bytes(u32 number)
{
    return regs[number].bytes;
}

// ---- reading

static u64 x87_value(const struct x86_core *c, u32 index)
{
    switch (index) {
    case FCTRL:
        return c->s.fcw;
    case FSTAT:
        return c->s.fsw;
    case FTAG:
        return x87_full_tags(c);
    case FISEG:
        return c->s.fcs;
    case FIOFF:
        return (u32)c->s.fip;
    case FOSEG:
        return c->s.fds;
    case FOOFF:
        return (u32)c->s.fdp;
    default:
        return c->s.fop;
    }
}

static u64 control_value(const struct x86_core *c, u32 index)
{
    switch (index) {
    case 0:
        return c->s.cr0;
    case 2:
        return c->s.cr2;
    case 3:
        return c->s.cr3;
    case 4:
        return c->s.cr4;
    default:
        return c->s.cr8;
    }
}

static u64 value_of(const struct x86_core *c, const struct reg *r)
{
    switch ((enum kind)r->kind) {
    case GPR:
        return c->s.gpr[r->index];
    case RIP:
        return c->s.rip;
    case FLAGS:
        return x86_rflags(c);
    case SELECTOR:
        return c->s.seg_sel[r->index];
    case X87:
        return x87_value(c, r->index);
    case MXCSR:
        return c->s.mxcsr;
    case BASE:
        return c->s.seg_base[r->index];
    case KERNEL_GS:
        return c->s.kernel_gs_base;
    case CR:
        return control_value(c, r->index);
    default:
        return c->s.efer;
    }
}

// Where a register of more than 8 bytes is; NULL: a smaller one.
static u8 *wide(struct x86_core *c, const struct reg *r)
{
    switch ((enum kind)r->kind) {
    case ST:
        return x87_st(c, r->index);
    case XMM:
        return x86_ymm(c, r->index);
    case YMM_HIGH:
        return x86_ymm(c, r->index) + 16;
    default:
        return NULL;
    }
}

void gdb_register_get(struct x86_core *c, u32 number, u8 *bytes)
{
    const struct reg *r = &regs[number];
    const u8 *from = wide(c, r);
    u64 value = from ? 0 : value_of(c, r);

    memcpy(bytes, from ? from : (const u8 *)&value, r->bytes);
}

// ---- writing

static bool put_selector(struct x86_core *c, u32 seg, u64 v)
{
    bool real = !(c->s.cr0 & X86_CR0_PE) || (c->s.rflags & X86_VM);

    if (!real || v > 0xffff)
        return false;
    c->s.seg_sel[seg] = (u16)v;
    c->s.seg_base[seg] = v << 4;
    return true;
}

static bool put_x87(struct x86_core *c, u32 index, u64 v)
{
    switch (index) {
    case FCTRL:
        x87_set_control(c, (u16)v, c->s.fsw);
        break;
    case FSTAT:
        x87_set_control(c, c->s.fcw, (u16)v);
        break;
    case FTAG:
        x87_put_full_tags(c, (u16)v);
        break;
    case FISEG:
        c->s.fcs = (u16)v;
        break;
    case FIOFF:
        c->s.fip = v;
        break;
    case FOSEG:
        c->s.fds = (u16)v;
        break;
    case FOOFF:
        c->s.fdp = v;
        break;
    default:
        c->s.fop = (u16)(v & 0x7ff);
    }
    return true;
}

static bool put_control(struct x86_core *c, u32 index, u64 v)
{
    switch (index) {
    case 0:
        return x86_cr0_write(c, v) == X86_OK;
    case 2:
        c->s.cr2 = v;
        return true;
    case 3:
        return x86_cr3_write(c, v) == X86_OK;
    case 4:
        return x86_cr4_write(c, v) == X86_OK;
    default:
        return x86_cr8_write(c, v) == X86_OK;
    }
}

static bool put_base(struct x86_core *c, u64 *base, u64 v)
{
    if (!x86_canonical(c, v))
        return false;
    *base = v;
    return true;
}

static bool put_value(struct x86_core *c, const struct reg *r, u64 v)
{
    const u64 flags = 0x3f7fd5 & ~(u64)X86_VM;

    switch ((enum kind)r->kind) {
    case GPR:
        c->s.gpr[r->index] = v;
        return true;
    case RIP:
        c->s.rip = c->code_mode == X86_CODE64 ? v : (u32)v;
        c->repeating = false;
        return true;
    case FLAGS:
        x86_rflags_write(c, v, flags);
        return true;
    case SELECTOR:
        return put_selector(c, r->index, v);
    case X87:
        return put_x87(c, r->index, v);
    case MXCSR:
        if (v & ~(u64)X86_MXCSR_MASK)
            return false;
        c->s.mxcsr = (u32)v;
        return true;
    case BASE:
        return put_base(c, &c->s.seg_base[r->index], v);
    case KERNEL_GS:
        return put_base(c, &c->s.kernel_gs_base, v);
    case CR:
        return put_control(c, r->index, v);
    default:
        return x86_msr_write(c, MSR_EFER, v & ~(u64)X86_EFER_LMA);
    }
}

bool gdb_register_put(struct x86_core *c, u32 number, const u8 *bytes)
{
    const struct reg *r = &regs[number];
    u8 *to = wide(c, r);
    u64 v = 0;

    if (to) {
        memcpy(to, bytes, r->bytes);
        return true;
    }
    memcpy(&v, bytes, r->bytes);
    if (v == value_of(c, r)) // all of them are written when only one is meant
        return true;
    if (!put_value(c, r, v))
        return false;
    x86_update_mode(c);
    return true;
}

// ---- description

struct bit {
    u8 first, last;
    const char *name;
};

static const struct bit eflags_bits[] = {{0, 0, "CF"},    {1, 1, ""},     {2, 2, "PF"},
                                         {4, 4, "AF"},    {6, 6, "ZF"},   {7, 7, "SF"},
                                         {8, 8, "TF"},    {9, 9, "IF"},   {10, 10, "DF"},
                                         {11, 11, "OF"},  {14, 14, "NT"}, {16, 16, "RF"},
                                         {17, 17, "VM"},  {18, 18, "AC"}, {19, 19, "VIF"},
                                         {20, 20, "VIP"}, {21, 21, "ID"}, {0}};
static const struct bit mxcsr_bits[] = {
    {0, 0, "IE"},   {1, 1, "DE"},   {2, 2, "ZE"},   {3, 3, "OE"},   {4, 4, "UE"},
    {5, 5, "PE"},   {6, 6, "DAZ"},  {7, 7, "IM"},   {8, 8, "DM"},   {9, 9, "ZM"},
    {10, 10, "OM"}, {11, 11, "UM"}, {12, 12, "PM"}, {15, 15, "FZ"}, {0}};
static const struct bit cr0_bits[] = {
    {0, 0, "PE"},   {1, 1, "MP"},   {2, 2, "EM"},   {3, 3, "TS"},   {4, 4, "ET"},   {5, 5, "NE"},
    {16, 16, "WP"}, {18, 18, "AM"}, {29, 29, "NW"}, {30, 30, "CD"}, {31, 31, "PG"}, {0}};
static const struct bit cr3_bits[] = {{0, 11, "PCID"}, {12, 63, "PDBR"}, {0}};
static const struct bit cr4_bits[] = {{0, 0, "VME"},
                                      {1, 1, "PVI"},
                                      {2, 2, "TSD"},
                                      {3, 3, "DE"},
                                      {4, 4, "PSE"},
                                      {5, 5, "PAE"},
                                      {6, 6, "MCE"},
                                      {7, 7, "PGE"},
                                      {8, 8, "PCE"},
                                      {9, 9, "OSFXSR"},
                                      {10, 10, "OSXMMEXCPT"},
                                      {11, 11, "UMIP"},
                                      {12, 12, "LA57"},
                                      {16, 16, "FSGSBASE"},
                                      {17, 17, "PCIDE"},
                                      {18, 18, "OSXSAVE"},
                                      {20, 20, "SMEP"},
                                      {21, 21, "SMAP"},
                                      {0}};
static const struct bit cr8_bits[] = {{0, 3, "TPR"}, {0}};
static const struct bit efer_bits[] = {
    {0, 0, "SCE"}, {8, 8, "LME"}, {10, 10, "LMA"}, {11, 11, "NXE"}, {0}};

static const struct flags {
    const char *id;
    u32 bytes;
    const char *feature;
    const struct bit *bits;
} flags_types[] = {
    {"i386_eflags", 4, CORE_FEATURE, eflags_bits}, {"i386_mxcsr", 4, SSE_FEATURE, mxcsr_bits},
    {"x64_cr0", 8, SYSTEM_FEATURE, cr0_bits},      {"x64_cr3", 8, SYSTEM_FEATURE, cr3_bits},
    {"x64_cr4", 8, SYSTEM_FEATURE, cr4_bits},      {"x64_cr8", 8, SYSTEM_FEATURE, cr8_bits},
    {"x64_efer", 8, SYSTEM_FEATURE, efer_bits},
};

// What an XMM register may hold, as gdb's own description of it says.
static const char vector_types[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\">"
    "<field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
    "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
    "<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
    "<field name=\"uint128\" type=\"uint128\"/></union>\n";

static void describe_types(struct strbuf *out, const char *feature)
{
    if (strcmp(feature, SSE_FEATURE) == 0)
        strbuf_puts(out, vector_types);
    for (u32 i = 0; i < ARRAY_SIZE(flags_types); i++) {
        const struct flags *f = &flags_types[i];

        if (strcmp(f->feature, feature) != 0)
            continue;
        strbuf_printf(out, "<flags id=\"%s\" size=\"%u\">", f->id, (unsigned)f->bytes);
        for (const struct bit *b = f->bits; b->name; b++)
            strbuf_printf(out, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>", b->name, b->first,
                          b->last);
        strbuf_puts(out, "</flags>\n");
    }
}

void gdb_registers_describe(struct strbuf *out)
{
    const char *feature = NULL;

    strbuf_puts(out, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                     "<target><architecture>i386:x86-64</architecture>\n");
    for (u32 i = 0; i < ARRAY_SIZE(regs); i++) {
        const struct reg *r = &regs[i];

        if (!feature || strcmp(feature, r->feature) != 0) {
            strbuf_puts(out, feature ? "</feature>\n" : "");
            feature = r->feature;
            strbuf_printf(out, "<feature name=\"%s\">\n", feature);
            describe_types(out, feature);
        }
        strbuf_printf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"%s/>\n", r->name,
                      r->bytes * 8u, r->type, r->kind == X87 ? " group=\"float\"" : "");
    }
    strbuf_puts(out, "</feature></target>\n");
}
