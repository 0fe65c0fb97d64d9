// SPDX-License-Identifier: BSD-3-Clause
// The CPU inside is a mock that adds 1 to rax and moves rip by one NOP.
#include "machine/insn_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "isa/x86/core.h"

static bool nops(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    memset(data, 0x90, size);
    return addr < 0x10000;
}

static enum core_exit step(struct cpu *cpu, u64 max_insts, tick until, u64 *ret_insts)
{
    struct x86_core *c = x86_core_of(cpu->core);

    *ret_insts = 0;
    if (c->s.rip == 0x1003)
        return CORE_SYSCALL;
    assert_int_equal(max_insts, 1);
    c->s.gpr[X86_RAX]++;
    c->s.rip++;
    *ret_insts = 1;
    return CORE_LIMIT;
}

static void release(struct cpu *cpu)
{
}

static void a_line_for_each_instruction_and_what_happened_outside(void **state)
{
    static const struct mem_port_ops memory = {.access = nops};
    static const struct cpu_ops mock = {.name = "mock", .run = step, .free = release};
    AUTO_FREE char *path = xasprintf("/tmp/facet-insn-trace-%d", getpid());
    AUTO_FREE struct x86_core *core = xcalloc(1, sizeof(*core));
    AUTO(strbuf) struct strbuf text = {0};
    struct cpu inner = {.ops = &mock, .core = &core->core};
    struct insn_trace *trace;
    struct error err;
    struct cpu *cpu;
    u64 done;

    core->code_mode = X86_CODE64;
    core->core.mem = (struct mem_port){&memory, NULL};
    core->s.rip = 0x1000;
    trace = insn_trace_new(path, &err);
    assert_non_null(trace);
    cpu = insn_trace_wrap(trace, &inner);
    assert_int_equal(cpu_run(cpu, 2, &done), CORE_LIMIT);
    assert_int_equal(done, 2);
    core->s.gpr[X86_RDI] = 7;
    assert_int_equal(cpu_run(cpu, 10, &done), CORE_SYSCALL);
    assert_int_equal(done, 1);
    cpu_free(cpu);
    assert_true(insn_trace_flush(trace, &err));
    insn_trace_free(trace);
    assert_true(file_read(path, 4096, &text, &err));
    unlink(path);
    assert_string_equal(
        text.text, "cpu0 0x1000: nop                                                 rax=0x1\n"
                   "cpu0 0x1001: nop                                                 rax=0x2\n"
                   "# cpu0 from outside: rdi=0x7\n"
                   "cpu0 0x1002: nop                                                 rax=0x3\n");
}

static void a_trace_that_cannot_be_written_is_an_error(void **state)
{
    struct error err;

    assert_null(insn_trace_new("/no/such/folder/trace", &err));
    assert_non_null(strstr(err.message, "/no/such/folder/trace"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_each_instruction_and_what_happened_outside),
        cmocka_unit_test(a_trace_that_cannot_be_written_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
