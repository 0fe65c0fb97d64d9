// SPDX-License-Identifier: BSD-3-Clause
// The arena of stubs. What stubs compute is tested in vector_test.c, against the host.
#include "isa/x86/stub.h"

#include "base/alloc.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const u8 pxor_xmm0[] = {0x66, 0x0f, 0xef, 0xc0};

static struct x86_stubs *new_stubs(void)
{
    struct error err;
    struct x86_stubs *s = x86_stubs_new(&err);

    assert_non_null(s);
    return s;
}

static void equal_code_is_kept_once(void **state)
{
    static const u8 padded[] = {0x66, 0x40, 0x0f, 0xef, 0xc0}; // REX without effect
    static const u8 other[] = {0x66, 0x0f, 0xef, 0xc8};
    struct x86_stubs *s = new_stubs();
    x86_stub_fn *stub = x86_stub_find(s, X86_CODE64, pxor_xmm0, sizeof(pxor_xmm0));

    assert_non_null(stub);
    assert_ptr_equal(stub, x86_stub_find(s, X86_CODE64, pxor_xmm0, sizeof(pxor_xmm0)));
    assert_ptr_equal(stub, x86_stub_find(s, X86_CODE64, padded, sizeof(padded)));
    assert_ptr_not_equal(stub, x86_stub_find(s, X86_CODE64, other, sizeof(other)));
    x86_stubs_free(s);
}

static void what_is_no_vector_instruction_has_no_stub(void **state)
{
    static const u8 add[] = {0x48, 0x01, 0xd8};
    static const u8 crc32[] = {0xf2, 0x0f, 0x38, 0xf1, 0xc1};
    static const u8 gather[] = {0xc4, 0xe2, 0x69, 0x92, 0x04, 0x0a};
    struct x86_stubs *s = new_stubs();

    assert_null(x86_stub_find(s, X86_CODE64, add, sizeof(add)));
    assert_null(x86_stub_find(s, X86_CODE64, crc32, sizeof(crc32)));
    assert_null(x86_stub_find(s, X86_CODE64, gather, sizeof(gather)));
    x86_stubs_free(s);
}

// pshufd, palignr and shufps of all registers and immediates: more than fits.
static void a_full_arena_refuses_and_single_calls_still_work(void **state)
{
    struct x86_core *c = xcalloc(1, sizeof(*c));
    struct x86_stubs *s = new_stubs();
    u32 made = 0;

    for (u32 n = 0; n < 65536; n++) {
        u8 rex = (u8)(0x40 | (n >> 13 & 4) | (n >> 14 & 1)), imm = (u8)n;
        u8 modrm = (u8)(0xc0 | (n >> 8 & 0x3f));
        const u8 pshufd[] = {0x66, rex, 0x0f, 0x70, modrm, imm};
        const u8 palignr[] = {0x66, rex, 0x0f, 0x3a, 0x0f, modrm, imm};
        const u8 shufps[] = {rex, 0x0f, 0xc6, modrm, imm};

        made += x86_stub_find(s, X86_CODE64, pshufd, sizeof(pshufd)) != NULL;
        made += x86_stub_find(s, X86_CODE64, palignr, sizeof(palignr)) != NULL;
        made += x86_stub_find(s, X86_CODE64, shufps, sizeof(shufps)) != NULL;
    }
    assert_true(made > 65536 && made < 3 * 65536);
    memset(c->s.ymm, 0x5a, 32);
    assert_true(x86_stub_call_once(s, c, X86_CODE64, pxor_xmm0, sizeof(pxor_xmm0), NULL));
    assert_int_equal(c->s.ymm[0], 0);
    assert_int_equal(c->s.ymm[2], 0x5a5a5a5a5a5a5a5a);
    x86_stubs_free(s);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_code_is_kept_once),
        cmocka_unit_test(what_is_no_vector_instruction_has_no_stub),
        cmocka_unit_test(a_full_arena_refuses_and_single_calls_still_work),
    };

    return cmocka_run_group_tests_name("stub", tests, NULL, NULL);
}
