// SPDX-License-Identifier: BSD-3-Clause
// The out-of-order CPU's timing, one property a test. Expected numbers are those of uop_timing.def
// and of the parameters; the mock memory hits after 1000 ps, three cycles.
#include "cpu/o3/o3_bench.h"

#include "cpu/o3/o3_trace.h"
#include "cpu/o3/uop_timing.h"

#define X10(x) x x x x x x x x x x
#define X100(x) X10(X10(x))
#define SETTINGS(...) ((const char *const[]){"bpred=none", __VA_ARGS__ NULL})
enum { ROUNDS = 200, LOAD_HIT = 3, FORWARD = 3 };

static u32 latency(enum uop_class class)
{
    return o3_kinds[0].class[class].latency;
}

// Cycles of one iteration, within 2 %.
static void assert_cycles(u64 cycles, u64 rounds, u64 want)
{
    u64 slack = rounds * want / 50 + 10;

    if (cycles + slack < rounds * want || cycles > rounds * want + slack)
        fail_msg("%llu.%02llu cycles instead of %llu", (unsigned long long)(cycles / rounds),
                 (unsigned long long)(cycles * 100 / rounds % 100), (unsigned long long)want);
}

// ---- latencies: chains of 100

GUEST_LOOP(add, X100("add rax, rbx\n"));
GUEST_LOOP(imul, X100("imul rax, rbx\n"));
GUEST_LOOP(shl, X100("shl rax, 3\n"));
GUEST_LOOP(lea, X100("lea rax, [rax + 8]\n"));
GUEST_LOOP(popcnt, X100("popcnt rax, rax\n"));
GUEST_LOOP(addsd, X100("addsd xmm0, xmm1\n"));
GUEST_LOOP(mulsd, X100("mulsd xmm0, xmm1\n"));
GUEST_LOOP(divsd, X100("divsd xmm0, xmm1\n"));
GUEST_LOOP(sqrtsd, X100("sqrtsd xmm0, xmm0\n"));
GUEST_LOOP(cvt, X100("cvtps2dq xmm0, xmm0\n"));
GUEST_LOOP(paddd, X100("paddd xmm0, xmm1\n"));
GUEST_LOOP(pmullw, X100("pmullw xmm0, xmm1\n"));
GUEST_LOOP(psllq, X100("psllq xmm0, 3\n"));
GUEST_LOOP(pshufb, X100("pshufb xmm0, xmm1\n"));
GUEST_LOOP(pand, X100("pand xmm0, xmm1\n"));
GUEST_LOOP(load, "mov [rsi], rsi\n" X100("mov rsi, [rsi]\n"));

static void chains_run_at_the_latency_of_their_class(void **state)
{
    static const struct {
        void (*guest)(void);
        enum uop_class class;
    } cases[] = {
        {guest_add, UOP_INT_ALU},     {guest_imul, UOP_INT_MUL},       {guest_shl, UOP_INT_SHIFT},
        {guest_lea, UOP_LEA},         {guest_popcnt, UOP_BIT},         {guest_addsd, UOP_FP_ADD},
        {guest_mulsd, UOP_FP_MUL},    {guest_divsd, UOP_FP_DIV},       {guest_sqrtsd, UOP_FP_SQRT},
        {guest_cvt, UOP_FP_CVT},      {guest_paddd, UOP_VEC_ALU},      {guest_pmullw, UOP_VEC_MUL},
        {guest_psllq, UOP_VEC_SHIFT}, {guest_pshufb, UOP_VEC_SHUFFLE}, {guest_pand, UOP_VEC_LOGIC},
    };

    for (u32 k = 0; k < ARRAY_SIZE(cases); k++)
        assert_cycles(o3_bench_loop(SETTINGS(), cases[k].guest, ROUNDS), ROUNDS,
                      100 * latency(cases[k].class));
}

static void chain_of_loads_runs_at_address_generation_and_hit_latency(void **state)
{
    u64 cycles = o3_bench_loop(SETTINGS("dtlb.hit=0", ), guest_load, ROUNDS);

    // The first load of an iteration comes from the store before it.
    assert_cycles(cycles, ROUNDS, 100 * (latency(UOP_LOAD) + LOAD_HIT));
}

// ---- throughput

GUEST_LOOP(adds, X10("lea rax, [rbx + 1]\nlea rcx, [rbx + 2]\nlea rdx, [rbx + 3]\n"
                     "lea r8, [rbx + 4]\nlea r9, [rbx + 5]\nlea r10, [rbx + 6]\n"));
GUEST_LOOP(multiplies, X10("imul rax, rbx, 3\nimul rcx, rbx, 5\nimul rdx, rbx, 7\n"));
GUEST_LOOP(divisions, X10("movaps xmm0, xmm1\ndivsd xmm0, xmm1\n"));
GUEST_LOOP(loads, X10("mov rax, [rsi]\nmov rcx, [rsi + 8]\nmov rdx, [rsi + 16]\nmov r8, [rsi]\n"));

static void independent_operations_run_at_the_limit_of_their_ports(void **state)
{
    const char *const *s = SETTINGS("dtlb=none", );

    assert_cycles(o3_bench_loop(s, guest_adds, ROUNDS), ROUNDS, 10);
    assert_cycles(o3_bench_loop(s, guest_multiplies, ROUNDS), ROUNDS, 10);
    assert_cycles(o3_bench_loop(s, guest_loads, ROUNDS), ROUNDS, 10);
}

static void unit_that_is_not_pipelined_is_busy_for_its_interval(void **state)
{
    assert_cycles(o3_bench_loop(SETTINGS(), guest_divisions, ROUNDS), ROUNDS,
                  10 * o3_kinds[0].class[UOP_FP_DIV].interval);
}

GUEST_LOOP(nops, X100("nop\n"));

static void rename_width_limits_what_needs_no_port(void **state)
{
    assert_cycles(
        o3_bench_loop(SETTINGS("o3.rename_width=4", "o3.retire_width=4", ), guest_nops, ROUNDS),
        ROUNDS, 25);
}

// ---- rename

GUEST_LOOP(moves, X10(X10("mov rax, rbx\nmov rbx, rax\n")));

static void eliminated_moves_take_no_time(void **state)
{
    assert_cycles(o3_bench_loop(SETTINGS(), guest_moves, ROUNDS), ROUNDS, 200 / 8);
    assert_cycles(o3_bench_loop(SETTINGS("o3.move_elimination=false", ), guest_moves, ROUNDS),
                  ROUNDS, 200);
}

GUEST_LOOP(zeroes, X100("imul rax, rbx\nxor eax, eax\n"));

static void zero_idiom_breaks_a_chain(void **state)
{
    assert_cycles(o3_bench_loop(SETTINGS(), guest_zeroes, ROUNDS), ROUNDS, 100 / 3);
    // Then it is an operation that reads nothing: the chain is still broken, but it takes a port.
    assert_cycles(
        o3_bench_loop(SETTINGS("o3.zero_idioms=false", "o3.kind=small", "o3.int_scheduler=64", ),
                      guest_zeroes, ROUNDS),
        ROUNDS, 100);
}

// ---- memory

GUEST_LOOP(forward, X100("mov [rsi], rax\nmov rax, [rsi]\n"));
GUEST_LOOP(partial, X10("mov [rsi], al\nmov rax, [rsi]\n"));

static void store_forwards_to_a_load_that_it_covers(void **state)
{
    struct o3_bench b;
    u64 cycles;

    o3_bench_init(&b, SETTINGS("dtlb=none", ));
    o3_bench_run(&b, guest_forward, ROUNDS);
    cycles = o3_bench_run(&b, guest_forward, 2 * ROUNDS);
    cycles -= o3_bench_run(&b, guest_forward, ROUNDS);
    assert_cycles(cycles, ROUNDS, 100 * (latency(UOP_STORE_DATA) + FORWARD));
    assert_true(mock_stat(&b.machine, "forwLoads") > 4 * ROUNDS * 95);
    assert_int_equal(mock_stat(&b.machine, "partialForwards"), 0);
    o3_bench_release(&b);
}

static void load_that_a_store_covers_in_part_waits_until_it_has_left(void **state)
{
    struct o3_bench b;
    u64 cycles;

    o3_bench_init(&b, SETTINGS("dtlb=none", ));
    cycles = o3_bench_run(&b, guest_partial, ROUNDS);
    assert_true(mock_stat(&b.machine, "partialForwards") >= 9 * ROUNDS);
    assert_true(cycles > ROUNDS * 10 * (LOAD_HIT + FORWARD));
    o3_bench_release(&b);
}

// The address of the store is late; the load behind it has the same one.
GUEST_LOOP(alias, "lea rax, [rsi]\nimul rax, rax, 1\nimul rax, rax, 1\nimul rax, rax, 1\n"
                  "mov [rax], rdi\nmov rbx, [rsi]\nadd rbx, rbx\n");

static void load_that_read_too_early_is_replayed(void **state)
{
    struct o3_bench b;

    o3_bench_init(&b, SETTINGS("o3.dependence=none", ));
    o3_bench_run(&b, guest_alias, ROUNDS);
    assert_true(mock_stat(&b.machine, "memOrderViolation") > ROUNDS / 4);
    assert_int_equal(b.core->s.gpr[X86_RBX], 2);
    assert_int_equal(mock_stat(&b.machine, "committedInsts"), b.insts);
    o3_bench_release(&b);
}

static void store_sets_learn_which_load_to_hold_back(void **state)
{
    struct o3_bench b;

    o3_bench_init(&b, SETTINGS());
    o3_bench_run(&b, guest_alias, ROUNDS);
    assert_in_range(mock_stat(&b.machine, "memOrderViolation"), 1, 40);
    assert_true(mock_stat(&b.machine, "dependenceWaits") > ROUNDS / 2);
    o3_bench_release(&b);
}

static void waiting_for_all_stores_never_violates(void **state)
{
    struct o3_bench b;

    o3_bench_init(&b, SETTINGS("o3.dependence=wait", ));
    o3_bench_run(&b, guest_alias, ROUNDS);
    assert_int_equal(mock_stat(&b.machine, "memOrderViolation"), 0);
    o3_bench_release(&b);
}

// Loads that miss, of different lines, with 60 instructions between them.
GUEST_LOOP(misses, "mov rax, [rsi]\nadd rsi, 64\n" X10("nop\nnop\nnop\nnop\nnop\nnop\n"));

static void reorder_buffer_limits_how_many_misses_overlap(void **state)
{
    const char *const *narrow = SETTINGS("o3.rob=32", "dtlb=none", );
    struct o3_bench b;
    u64 few, many;

    o3_bench_init(&b, narrow);
    few = o3_bench_run(&b, guest_misses, ROUNDS);
    assert_true(mock_stat(&b.machine, "robFullEvents") > 0);
    o3_bench_release(&b);
    assert_true(few > ROUNDS * 150); // 50 ns each, one after the other
    o3_bench_init(&b, SETTINGS("dtlb=none", ));
    many = o3_bench_run(&b, guest_misses, ROUNDS);
    o3_bench_release(&b);
    assert_true(many * 4 < few);
}

GUEST_LOOP(atomic, X10("lock add qword ptr [rsi], 1\nmov rbx, [rsi + 8]\n"));
GUEST_LOOP(not_atomic, X10("add qword ptr [rsi], 1\nmov rbx, [rsi + 8]\n"));

static void locked_access_waits_until_all_before_it_is_done(void **state)
{
    struct o3_bench b;
    u64 plain, locked;

    o3_bench_init(&b, SETTINGS());
    plain = o3_bench_run(&b, guest_not_atomic, ROUNDS);
    locked = o3_bench_run(&b, guest_atomic, ROUNDS);
    assert_true(locked > plain + ROUNDS * 10 * 2);
    assert_int_equal(*(u64 *)b.data, 2 * 10 * ROUNDS);
    o3_bench_release(&b);
}

// ---- branches

// Taken forwards, which a static predictor gets wrong each time; the wrong path loads what no
// right path does.
GUEST_LOOP(forward_branch, "xor eax, eax\ntest eax, eax\njz 2f\nmov rbx, [rsi + 4096]\n"
                           "mov rcx, [rsi + 8192]\n2:\nnop\n");
#define STATIC "bpred.direction=static", "o3.uop_cache=false", "dtlb=none"

static u64 static_loop(const char *path, const char *wrong_path)
{
    const char *const settings[] = {STATIC, path, wrong_path, NULL};

    return o3_bench_loop(settings, guest_forward_branch, ROUNDS);
}

static void misprediction_costs_the_way_from_fetch_to_resolution(void **state)
{
    u64 near = static_loop("o3.decode_path=12", "o3.wrong_path=true");
    u64 far = static_loop("o3.decode_path=22", "o3.wrong_path=true");

    assert_cycles(far - near, ROUNDS, 10);
    assert_true(near >= ROUNDS * 12);
}

static void misprediction_costs_the_same_without_the_wrong_path(void **state)
{
    u64 with = static_loop("o3.decode_path=12", "o3.wrong_path=true");
    u64 without = static_loop("o3.decode_path=12", "o3.wrong_path=false");

    assert_cycles(with, ROUNDS, without / ROUNDS);
}

static void wrong_path_reaches_the_caches_unless_it_is_off(void **state)
{
    for (u32 on = 0; on < 2; on++) {
        const char *const settings[] = {STATIC, on ? "o3.wrong_path=true" : "o3.wrong_path=false",
                                        NULL};
        struct o3_bench b;
        u64 n;

        o3_bench_init(&b, settings);
        o3_bench_run(&b, guest_forward_branch, ROUNDS);
        n = mock_asked(b.machine.dcache, (paddr)b.data + 4096);
        assert_true(on ? n > ROUNDS / 2 : n == 0);
        assert_true(on == (mock_stat(&b.machine, "wrongPathInsts") > 0));
        assert_in_range(mock_stat(&b.machine, "branchMispredicts"), ROUNDS, ROUNDS + 4);
        assert_int_equal(mock_stat(&b.machine, "committedInsts"), b.insts);
        assert_int_equal(b.core->s.gpr[X86_RBX], 0);
        o3_bench_release(&b);
    }
}

GUEST_LOOP(compare, X10("cmp rax, rbx\njne 3f\n") "3:\n");

static void compare_and_branch_fuse(void **state)
{
    struct o3_bench b;

    o3_bench_init(&b, SETTINGS());
    o3_bench_run(&b, guest_compare, ROUNDS);
    assert_true(mock_stat(&b.machine, "macroFused") > 10 * ROUNDS);
    assert_true(mock_stat(&b.machine, "committedOps") < 13 * ROUNDS);
    assert_int_equal(mock_stat(&b.machine, "committedInsts"), b.insts);
    o3_bench_release(&b);
}

// ---- serialising

GUEST_LOOP(serial, "mov rbx, rdi\n" X10("imul rbx, rbx\n") "push rbx\ncpuid\npop rbx\n");

static void serialising_instruction_waits_for_an_empty_pipeline(void **state)
{
    u64 cycles = o3_bench_loop(SETTINGS(), guest_serial, ROUNDS);

    assert_true(cycles > ROUNDS * (10 * latency(UOP_INT_MUL) + 8 * latency(UOP_SYSTEM)));
}

// ---- accounts

static void check_accounts(struct o3_bench *b, u64 width)
{
    u64 cycles = mock_stat(&b->machine, "numCycles");

    assert_int_equal(mock_stat(&b->machine, "cpiStack::total"), cycles);
    assert_int_equal(mock_stat(&b->machine, "slots::total") +
                         mock_stat(&b->machine, "slotsInFlight"),
                     cycles * width);
    assert_int_equal(mock_stat(&b->machine, "committedInsts"), b->insts);
}

static void every_cycle_and_slot_is_accounted_for_once(void **state)
{
    static void (*const guests[])(void) = {guest_add,    guest_misses, guest_forward_branch,
                                           guest_serial, guest_alias,  guest_atomic};

    for (u32 k = 0; k < ARRAY_SIZE(guests); k++) {
        const char *const settings[] = {"bpred.direction=static", NULL};
        struct o3_bench b;

        o3_bench_init(&b, settings);
        o3_bench_run(&b, guests[k], ROUNDS);
        check_accounts(&b, 8);
        o3_bench_release(&b);
    }
}

// ---- how it is driven

static void run_in_windows(struct o3_bench *b, void (*guest)(void), u64 count, tick window)
{
    tick until = b->machine.cpu->now;
    enum core_exit exit;
    u64 n;

    o3_bench_call(b, guest, count);
    do {
        until += window;
        exit = cpu_run_until(b->machine.cpu, ~0ull >> 1, until, &n);
        b->insts += n;
    } while (exit == CORE_LIMIT);
    assert_int_equal(exit, CORE_EXCEPTION);
}

static void windows_of_time_change_nothing(void **state)
{
    const char *const settings[] = {"bpred.direction=gshare", NULL};
    struct o3_bench b;
    const size_t bytes = stat_words(o3_type.stats) * 8;
    u64 *first = malloc(bytes);

    for (tick window = 1000; window < 100000; window *= 7) {
        o3_bench_init(&b, settings);
        o3_bench_run(&b, guest_forward_branch, ROUNDS);
        o3_bench_run(&b, guest_alias, ROUNDS);
        memcpy(first, component_stats(b.machine.o3), bytes);
        o3_bench_release(&b);
        o3_bench_init(&b, settings);
        run_in_windows(&b, guest_forward_branch, ROUNDS, window);
        run_in_windows(&b, guest_alias, ROUNDS, window);
        check_accounts(&b, 8);
        assert_memory_equal(first, component_stats(b.machine.o3), bytes);
        o3_bench_release(&b);
    }
    free(first);
}

static void draining_cpu_executes_nothing_new_and_becomes_empty(void **state)
{
    struct o3_bench b;
    struct cpu *cpu;
    u64 n, total = 0;

    o3_bench_init(&b, SETTINGS());
    cpu = b.machine.cpu;
    o3_bench_call(&b, guest_misses, ROUNDS);
    assert_int_equal(cpu_run_until(cpu, ~0ull >> 1, 300000, &total), CORE_LIMIT);
    assert_true(total > 0);
    assert_false(cpu_drained(cpu));
    cpu->draining = true;
    assert_int_equal(cpu_run_until(cpu, ~0ull >> 1, ~0ull, &n), CORE_LIMIT);
    assert_int_equal(n, 0);
    assert_true(cpu_drained(cpu));
    assert_int_equal(mock_stat(&b.machine, "committedInsts"), total);
    o3_bench_release(&b);
}

static void limit_of_instructions_is_exact(void **state)
{
    struct o3_bench b;
    u64 n;

    o3_bench_init(&b, SETTINGS());
    o3_bench_call(&b, guest_add, ROUNDS);
    assert_int_equal(cpu_run(b.machine.cpu, 1234, &n), CORE_LIMIT);
    assert_int_equal(n, 1234);
    assert_int_equal(mock_stat(&b.machine, "committedInsts"), 1234);
    assert_true(cpu_drained(b.machine.cpu));
    o3_bench_release(&b);
}

// Stops in the middle of wrong paths.
static void core_that_is_looked_at_shows_the_right_path(void **state)
{
    const char *const settings[] = {STATIC, NULL};
    struct o3_bench b;
    struct cpu *cpu;
    enum core_exit exit;
    u64 n, looked = 0;

    o3_bench_init(&b, settings);
    cpu = b.machine.cpu;
    o3_bench_call(&b, guest_forward_branch, ROUNDS);
    do {
        exit = cpu_run_until(cpu, ~0ull >> 1, cpu->now + 1000, &n);
        b.insts += n;
        looked += b.core->core.speculation != 0;
        cpu_settle(cpu);
        assert_int_equal(b.core->core.speculation, 0);
        assert_int_equal(b.core->s.gpr[X86_RBX], 0);
    } while (exit == CORE_LIMIT);
    assert_true(looked > 10);
    assert_int_equal(exit, CORE_EXCEPTION);
    assert_int_equal(b.insts, 6 * ROUNDS + 1);
    check_accounts(&b, 8);
    o3_bench_release(&b);
}

static void abandoned_pipeline_has_counted_what_was_executed(void **state)
{
    const char *const settings[] = {STATIC, NULL};
    struct o3_bench b;
    struct cpu *cpu;
    enum core_exit exit;
    u64 n;

    o3_bench_init(&b, settings);
    cpu = b.machine.cpu;
    o3_bench_call(&b, guest_forward_branch, ROUNDS);
    do {
        exit = cpu_run_until(cpu, ~0ull >> 1, cpu->now + 5000, &n);
        b.insts += n;
        if (exit == CORE_LIMIT) {
            cpu_abandon(cpu);
            assert_true(cpu_drained(cpu));
            assert_int_equal(mock_stat(&b.machine, "committedInsts"), b.insts);
        }
    } while (exit == CORE_LIMIT && b.insts < 6 * ROUNDS);
    check_accounts(&b, 8);
    o3_bench_release(&b);
}

static void watchdog_names_what_is_stuck(void **state)
{
    struct o3_bench b;
    u64 n;

    o3_bench_init(&b, SETTINGS("o3.watchdog=1000", "dcache.miss=100000000", "dtlb=none", ));
    o3_bench_call(&b, guest_misses, ROUNDS);
    assert_int_equal(cpu_run(b.machine.cpu, ~0ull >> 1, &n), CORE_STOP);
    assert_int_not_equal(b.machine.sim.failure.code, ERROR_NONE);
    assert_non_null(strstr(b.machine.sim.failure.message, "data cache"));
    o3_bench_release(&b);
}

// ---- traces

static char *trace_of(struct o3_trace *(*open)(FILE *, const struct isa_ops *), u64 *ret_insts)
{
    const char *const settings[] = {STATIC, NULL};
    struct o3_bench b;
    struct o3_trace *trace;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    o3_bench_init(&b, settings);
    trace = open(out, b.core->core.isa);
    o3_observe(b.machine.o3, trace);
    o3_bench_run(&b, guest_forward_branch, 20);
    trace->close(trace);
    fclose(out);
    *ret_insts = mock_stat(&b.machine, "committedOps");
    o3_bench_release(&b);
    return text;
}

static void konata_trace_is_in_order_of_time_and_ends_what_it_begins(void **state)
{
    u64 insts, begun = 0, retired = 0, flushed = 0, id, order, flush;
    char *text = trace_of(o3_trace_kanata, &insts), *save;

    assert_int_equal(strncmp(text, "Kanata\t0004\nC=\t", 15), 0);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        begun += line[0] == 'I';
        if (line[0] == 'C' && line[1] == '\t')
            assert_true(strtol(line + 2, NULL, 10) > 0);
        if (sscanf(line, "R\t%lu\t%lu\t%lu", &id, &order, &flush) == 3) {
            retired += flush == 0;
            flushed += flush == 1;
        }
    }
    assert_int_equal(begun, retired + flushed);
    assert_true(retired > 20 * 4);
    assert_true(flushed > 20);
    free(text);
}

static void pipeview_trace_has_seven_lines_an_instruction(void **state)
{
    u64 insts, fetched = 0, lines = 0, dropped = 0;
    char *text = trace_of(o3_trace_pipeview, &insts), *save;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        lines++;
        fetched += !strncmp(line, "O3PipeView:fetch:", 17);
        dropped += !strcmp(line, "O3PipeView:retire:0:store:0");
    }
    assert_int_equal(lines, 7 * fetched);
    assert_true(dropped > 20 && fetched > dropped + 20 * 4);
    free(text);
}

static void same_run_gives_the_same_statistics(void **state)
{
    struct o3_bench b;
    u64 *first = NULL;
    const size_t bytes = stat_words(o3_type.stats) * 8;

    for (u32 k = 0; k < 2; k++) {
        o3_bench_init(&b, (const char *const[]){NULL});
        o3_bench_run(&b, guest_forward_branch, ROUNDS);
        o3_bench_run(&b, guest_alias, ROUNDS);
        if (first)
            assert_memory_equal(first, component_stats(b.machine.o3), bytes);
        else
            first = memcpy(malloc(bytes), component_stats(b.machine.o3), bytes);
        o3_bench_release(&b);
    }
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_run_at_the_latency_of_their_class),
        cmocka_unit_test(chain_of_loads_runs_at_address_generation_and_hit_latency),
        cmocka_unit_test(independent_operations_run_at_the_limit_of_their_ports),
        cmocka_unit_test(unit_that_is_not_pipelined_is_busy_for_its_interval),
        cmocka_unit_test(rename_width_limits_what_needs_no_port),
        cmocka_unit_test(eliminated_moves_take_no_time),
        cmocka_unit_test(zero_idiom_breaks_a_chain),
        cmocka_unit_test(store_forwards_to_a_load_that_it_covers),
        cmocka_unit_test(load_that_a_store_covers_in_part_waits_until_it_has_left),
        cmocka_unit_test(load_that_read_too_early_is_replayed),
        cmocka_unit_test(store_sets_learn_which_load_to_hold_back),
        cmocka_unit_test(waiting_for_all_stores_never_violates),
        cmocka_unit_test(reorder_buffer_limits_how_many_misses_overlap),
        cmocka_unit_test(locked_access_waits_until_all_before_it_is_done),
        cmocka_unit_test(misprediction_costs_the_way_from_fetch_to_resolution),
        cmocka_unit_test(misprediction_costs_the_same_without_the_wrong_path),
        cmocka_unit_test(wrong_path_reaches_the_caches_unless_it_is_off),
        cmocka_unit_test(compare_and_branch_fuse),
        cmocka_unit_test(serialising_instruction_waits_for_an_empty_pipeline),
        cmocka_unit_test(every_cycle_and_slot_is_accounted_for_once),
        cmocka_unit_test(windows_of_time_change_nothing),
        cmocka_unit_test(draining_cpu_executes_nothing_new_and_becomes_empty),
        cmocka_unit_test(limit_of_instructions_is_exact),
        cmocka_unit_test(core_that_is_looked_at_shows_the_right_path),
        cmocka_unit_test(abandoned_pipeline_has_counted_what_was_executed),
        cmocka_unit_test(watchdog_names_what_is_stuck),
        cmocka_unit_test(konata_trace_is_in_order_of_time_and_ends_what_it_begins),
        cmocka_unit_test(pipeview_trace_has_seven_lines_an_instruction),
        cmocka_unit_test(same_run_gives_the_same_statistics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
