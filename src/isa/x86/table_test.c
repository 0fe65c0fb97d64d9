// SPDX-License-Identifier: BSD-3-Clause
// The instruction table as a whole: its rows are complete, random code reaches all of them, and
// whatever decodes has a recipe that agrees with what the decoder says of it.
#include "isa/x86/table.h"

#include "isa/x86/decode.h"
#include "isa/x86/disasm.h"
#include "isa/x86/feature.h"
#include "isa/x86/uops.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <Zydis/Zydis.h>
#include <cmocka.h>

// A core that shows and allows everything.
static struct x86_core *core_new(enum x86_code_mode mode)
{
    struct x86_core *c = calloc(1, sizeof(*c));

    memset(c->features, 0xff, sizeof(c->features));
    c->code_mode = (u8)mode;
    c->mode = (u16)(mode | X86_MODE_SSE | X86_MODE_AVX | X86_MODE_X87 | X86_MODE_STACK32);
    return c;
}

static void rows_are_complete(void **state)
{
    for (u32 n = 0; n < x86_insn_rows; n++) {
        const struct x86_insn_def *d = &x86_insn_table[n];

        assert_non_null(ZydisMnemonicGetString(d->mnemonic));
        assert_non_null(d->exec);
        assert_true(d->form < X86_FORMS);
        assert_true(d->feature < X86_FEATURES);
        assert_true(d->uop < UOP_CLASSES);
        assert_true(d->recipe <= RECIPE_NONE);
    }
}

// A level may show only what the table has: each feature of feature.def has rows, or is known to
// bring no instruction of its own.
static void shown_features_have_instructions(void **state)
{
    static const u8 none[] = {
        X86_FEATURE_VME,
        X86_FEATURE_DE,
        X86_FEATURE_PSE,
        X86_FEATURE_PAE,
        X86_FEATURE_MCE,
        X86_FEATURE_APIC,
        X86_FEATURE_MTRR,
        X86_FEATURE_PGE,
        X86_FEATURE_MCA,
        X86_FEATURE_PAT,
        X86_FEATURE_PSE36,
        X86_FEATURE_PCID,
        X86_FEATURE_X2APIC,
        X86_FEATURE_OSXSAVE,
        X86_FEATURE_TSC_DEADLINE,
        X86_FEATURE_TSC_ADJUST,
        X86_FEATURE_SMEP,
        X86_FEATURE_ERMS,
        X86_FEATURE_UMIP,
        X86_FEATURE_LA57,
        X86_FEATURE_FSRM,
        X86_FEATURE_XGETBV1,
        X86_FEATURE_NX,
        X86_FEATURE_PDPE1GB,
        X86_FEATURE_INVARIANT_TSC,
        X86_FEATURE_ARAT,
        X86_FEATURE_NEVER,
        X86_FEATURE_ARCH_CAPABILITIES,
        X86_FEATURE_LAHF,      // LAHF and SAHF are older; it shows them in 64-bit mode
        X86_FEATURE_PREFETCHW, // a NOP without it
    };
    static const u8 levels[] = {
#define FEATURE(name, leaf, subleaf, reg, bit, level, text) level,
#include "isa/x86/feature.def"
#undef FEATURE
    };

    for (unsigned f = 0; f < X86_FEATURES; f++) {
        bool ok = levels[f] > 4 || memchr(none, (int)f, sizeof(none));

        for (u32 n = 0; n < x86_insn_rows && !ok; n++)
            ok = x86_insn_table[n].feature == f;
        if (!ok)
            fail_msg("feature %u has no instruction", f);
    }
}

// Random code that is mostly legal: prefixes, an opcode from a map, ModRM and so on.
static void random_code(struct rng *rng, u8 bytes[X86_MAX_LENGTH])
{
    static const u8 prefixes[] = {0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x64, 0x2e};
    u64 bits = rng_next(rng);
    u32 n = 0;

    for (u32 k = 0; k < X86_MAX_LENGTH; k++)
        bytes[k] = (u8)rng_next(rng);
    if (bits & 1)
        bytes[n++] = prefixes[rng_below(rng, ARRAY_SIZE(prefixes))];
    if ((bits & 14) == 2)
        bytes[n++] = prefixes[rng_below(rng, 3)];
    if (bits & 16)
        bytes[n++] = (u8)(0x40 | rng_below(rng, 16));
    switch (bits >> 8 & 7) {
    case 0:
        bytes[n] = 0x0f;
        break;
    case 1: // opcodes with many instructions
        bytes[n++] = 0x0f;
        bytes[n++] = bits & 32 ? 0x01 : 0xae;
        bytes[n] |= 0xc0;
        break;
    case 2: // two-byte VEX
        bytes[0] = 0xc5;
        bytes[1] |= bits & 32 ? 0x78 : 0;
        break;
    case 3:
        bytes[n++] = 0x0f;
        bytes[n] = 0x38;
        break;
    case 4:
        bytes[n++] = 0x0f;
        bytes[n] = 0x3a;
        break;
    case 5: // three-byte VEX, maps 1 to 3
        bytes[0] = 0xc4;
        bytes[1] = (u8)((bytes[1] & 0xe0) | (1 + rng_below(rng, 3)));
        if (bits & 32)
            bytes[2] |= 0x78;
        if (bits & 64) // gathers, with a SIB byte
            bytes[3] = (u8)(0x90 | (bytes[3] & 3)), bytes[4] = (u8)((bytes[4] & 0xc7) | 4);
        break;
    default:
        break;
    }
}

static bool has_class(const struct uop *u, u32 n, u8 class)
{
    for (u32 k = 0; k < n; k++)
        if (u[k].class == class)
            return true;
    return false;
}

static void check_registers(const struct uop *u)
{
    for (u32 k = 0; k < 4; k++) {
        assert_true(u->src[k] == UOP_NO_REG || u->src[k] < UOP_REGS);
        assert_true(u->dst[k] == UOP_NO_REG || u->dst[k] < UOP_REGS);
        if (k < 3) {
            assert_true(u->src[k] != UOP_NO_REG || u->src[k + 1] == UOP_NO_REG);
            assert_true(u->dst[k] != UOP_NO_REG || u->dst[k + 1] == UOP_NO_REG);
        }
    }
}

static void check_recipe(const struct x86_insn *i)
{
    struct uop u[X86_RECIPE_MAX];
    u32 n = x86_make_recipe(i, u);
    char text[128];
    bool load, store;

    x86_disasm(i, text, sizeof(text));
    assert_in_range(n, 1, X86_RECIPE_MAX);
    for (u32 k = 0; k < n; k++) {
        assert_true(u[k].class < UOP_CLASSES);
        check_registers(&u[k]);
    }
    if (i->def->recipe == RECIPE_MICROCODE || i->def->mnemonic == 0)
        return;
    load = has_class(u, n, UOP_LOAD);
    store = has_class(u, n, UOP_STORE_ADDR);
    if (load != !!(i->si.flags & STATIC_LOAD) || store != !!(i->si.flags & STATIC_STORE))
        fail_msg("%s: load %d, store %d, flags %x", text, load, store, i->si.flags);
    if (store && !has_class(u, n, UOP_STORE_DATA))
        fail_msg("%s: store without data", text);
    if (i->si.flags & STATIC_BRANCH && !i->far && u[n - 1].class != UOP_BRANCH)
        fail_msg("%s: does not end in a branch", text);
}

static void random_code_reaches_all_rows(void **state)
{
    bool *seen = calloc(x86_insn_rows, sizeof(*seen));
    struct rng rng = {.state = 7};
    u32 missing = 0;

    for (u32 mode = X86_CODE16; mode <= X86_CODE64; mode++) {
        struct x86_core *c = core_new((enum x86_code_mode)mode);

        for (u32 n = 0; n < 1500000; n++) {
            u8 bytes[X86_MAX_LENGTH];
            struct x86_insn i;

            random_code(&rng, bytes);
            assert_true(x86_decode(c, bytes, X86_MAX_LENGTH, 0x1000, &i));
            assert_in_range(i.si.len, 1, X86_MAX_LENGTH);
            assert_non_null(i.exec);
            if (i.def->mnemonic && !seen[i.def - x86_insn_table]) {
                seen[i.def - x86_insn_table] = true;
                check_recipe(&i);
            } else if (n % 16 == 0) {
                check_recipe(&i);
            }
        }
        free(c);
    }
    for (u32 n = 0; n < x86_insn_rows; n++)
        if (!seen[n] && x86_insn_table[n].feature != X86_FEATURE_NEVER) {
            print_message("row %u (%s) is never reached\n", n,
                          ZydisMnemonicGetString(x86_insn_table[n].mnemonic));
            missing++;
        }
    free(seen);
    assert_int_equal(missing, 0);
}

static void an_instruction_can_be_cut(void **state)
{
    static const u8 bytes[] = {0x48, 0x8b, 0x84, 0xca, 1, 2, 3, 4}; // mov rax, [rdx + 8 * rcx + …]
    struct x86_core *c = core_new(X86_CODE64);
    struct x86_insn i;

    for (u32 n = 1; n < sizeof(bytes); n++)
        assert_false(x86_decode(c, bytes, n, 0, &i));
    assert_true(x86_decode(c, bytes, sizeof(bytes), 0, &i));
    assert_int_equal(i.si.len, sizeof(bytes));
    assert_int_equal(i.mem.base, X86_RDX);
    assert_int_equal(i.mem.index, X86_RCX);
    assert_int_equal(i.mem.scale, 3);
    assert_int_equal(i.mem.disp, 0x04030201);
    free(c);
}

static void what_is_hidden_is_undefined(void **state)
{
    static const u8 popcnt[X86_MAX_LENGTH] = {0xf3, 0x0f, 0xb8, 0xc1};
    static const u8 tzcnt[X86_MAX_LENGTH] = {0xf3, 0x0f, 0xbc, 0xc1};
    static const u8 lock_reg[X86_MAX_LENGTH] = {0xf0, 0x01, 0xc8};
    static const u8 addps[X86_MAX_LENGTH] = {0x0f, 0x58, 0xc1};
    static const u8 too_long[X86_MAX_LENGTH] = {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                                0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
    struct x86_core *c = core_new(X86_CODE64);
    struct x86_insn i;

    memset(c->features, 0, sizeof(c->features));
    c->features[0] = 1; // BASE
    x86_decode(c, popcnt, X86_MAX_LENGTH, 0, &i);
    assert_ptr_equal(i.exec, x86_exec_ud);
    x86_decode(c, tzcnt, X86_MAX_LENGTH, 0, &i);
    assert_int_equal(i.def->mnemonic, ZYDIS_MNEMONIC_BSF);
    x86_decode(c, lock_reg, X86_MAX_LENGTH, 0, &i);
    assert_ptr_equal(i.exec, x86_exec_ud);
    x86_decode(c, too_long, X86_MAX_LENGTH, 0, &i);
    assert_ptr_equal(i.exec, x86_exec_too_long);
    memset(c->features, 0xff, sizeof(c->features));
    c->mode &= (u16)~X86_MODE_SSE;
    x86_decode(c, addps, X86_MAX_LENGTH, 0, &i);
    assert_ptr_equal(i.exec, x86_exec_no_sse);
    free(c);
}

// The recipe as "class size sources > results", for comparison.
static void expect(const u8 *bytes, const char *want)
{
    static const char *const class[] = {
        [UOP_NOP] = "nop",        [UOP_INT_ALU] = "alu",    [UOP_LOAD] = "ld",
        [UOP_STORE_ADDR] = "sta", [UOP_STORE_DATA] = "std", [UOP_BRANCH] = "br",
        [UOP_LEA] = "lea",        [UOP_INT_DIV] = "div"};
    struct x86_core *c = core_new(X86_CODE64);
    struct uop u[X86_RECIPE_MAX];
    struct x86_insn i;
    char got[512] = "";
    size_t at = 0;

    x86_decode(c, bytes, X86_MAX_LENGTH, 0, &i);
    for (u32 k = 0, n = x86_make_recipe(&i, u); k < n; k++) {
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%s%u", k ? "; " : "",
                               class[u[k].class], u[k].size);
        for (u32 s = 0; s < 4 && u[k].src[s] != UOP_NO_REG; s++)
            at += (size_t)snprintf(got + at, sizeof(got) - at, " %u", u[k].src[s]);
        at += (size_t)snprintf(got + at, sizeof(got) - at, " >");
        for (u32 d = 0; d < 4 && u[k].dst[d] != UOP_NO_REG; d++)
            at += (size_t)snprintf(got + at, sizeof(got) - at, " %u", u[k].dst[d]);
    }
    assert_string_equal(got, want);
    free(c);
}

#define RECIPE(want, ...) expect((const u8[X86_MAX_LENGTH]){__VA_ARGS__}, want)

// Flags: 17 CF, 18 OF, 19 the rest, 20 DF; temporaries from 80.
static void recipes_are_as_expected(void **state)
{
    RECIPE("alu4 0 1 > 0 17 18 19", 0x01, 0xc8);                           // add eax, ecx
    RECIPE("ld8 3 > 80; alu8 0 80 > 0 17 18 19", 0x48, 0x03, 0x03);        // add rax, [rbx]
    RECIPE("ld4 3 1 > 80; alu4 0 80 > 17 18 19 82; sta4 3 1 >; std4 82 >", // add [rbx+rcx], eax
           0x01, 0x04, 0x0b);
    RECIPE("ld4 3 > 0", 0x8b, 0x03);                                 // mov eax, [rbx]
    RECIPE("sta4 3 >; std4 0 >", 0x89, 0x03);                        // mov [rbx], eax
    RECIPE("sta4 3 >; std4 >", 0xc7, 0x03, 1, 2, 3, 4);              // mov dword [rbx], imm
    RECIPE("alu1 0 1 > 0", 0x88, 0xc8);                              // mov al, cl
    RECIPE("sta8 4 >; std8 3 >; alu8 4 > 4", 0x53);                  // push rbx
    RECIPE("sta8 4 >; std8 4 >; alu8 4 > 4", 0x54);                  // push rsp
    RECIPE("ld8 4 > 3; alu8 4 > 4", 0x5b);                           // pop rbx
    RECIPE("ld8 5 > 5; alu8 5 > 4", 0xc9);                           // leave
    RECIPE("sta8 4 >; std8 >; alu8 4 > 4; br8 >", 0xe8, 0, 0, 0, 0); // call
    RECIPE("ld8 4 > 80; alu8 4 > 4; br8 80 >", 0xc3);                // ret
    RECIPE("br8 19 >", 0x74, 0);                                     // jz
    RECIPE("br8 18 19 >", 0x7c, 0);                                  // jl
    RECIPE("br8 17 19 >", 0x77, 0);                                  // ja
    RECIPE("lea8 3 1 > 0", 0x48, 0x8d, 0x04, 0x0b);                  // lea rax, [rbx + rcx]
    RECIPE("alu4 > 0 17 18 19", 0x31, 0xc0);                         // xor eax, eax
    RECIPE("alu4 1 > 80; alu4 0 > 1; alu4 80 > 0", 0x91);            // xchg ecx, eax
    RECIPE("nop0 >", 0x90);                                          // nop
    RECIPE("ld1 6 > 81; sta1 7 >; std1 81 >; alu8 6 20 > 6; alu8 7 20 > 7", 0xa4);      // movsb
    RECIPE("sta8 7 >; std8 0 >; alu8 7 20 > 7; alu8 1 > 1; br8 1 >", 0xf3, 0x48, 0xab); // rep stosq
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(shown_features_have_instructions),
        cmocka_unit_test(recipes_are_as_expected),
        cmocka_unit_test(random_code_reaches_all_rows),
        cmocka_unit_test(an_instruction_can_be_cut),
        cmocka_unit_test(what_is_hidden_is_undefined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
