// SPDX-License-Identifier: BSD-3-Clause
// The timing checker finds each violation, and nothing at the first clock that is allowed. The
// distances are those of DDR4-2400 (JESD79-4): tRCD, tRP, tCL 17, tCWL 12, tRAS 39, tRC 56, tRRD
// 4/6, tFAW 26, tCCD 4/6, tWTR 3/9, tWR 18, tRTP 9, tRFC 421, burst 4.
#include "base/arena.h"
#include "mem/dram_checker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { BANK = 4 }; // banks of a group: bank 4 is in another one

static struct arena arena;
static struct dram_checker *checker;

struct step {
    u32 kind, rank, bank, row;
    u64 when;
};

static const char *give(const struct step *s)
{
    struct dram_command c = {s->when, s->kind, s->rank, s->bank, s->row};

    return dram_checker_command(checker, &c);
}

// The last step violates `rule`, and does not when it comes a clock later.
static void expect(const char *standard, const char *rule, const struct step *steps)
{
    for (int late = 0; late < 2; late++) {
        const struct dram_standard *s = dram_standards;
        const char *problem = NULL;
        struct step last = {0};

        while (strcmp(s->name, standard) != 0)
            s++;
        checker = dram_checker_new(&arena, s, 2);
        for (unsigned i = 0; steps[i].when; i++) {
            if (problem)
                fail_msg("%s: unexpected: %s", rule, problem);
            last = steps[i];
            last.when += late && !steps[i + 1].when;
            problem = give(&last);
        }
        if (late && problem)
            fail_msg("%s: a clock later: %s", rule, problem);
        if (!late && (!problem || !strstr(problem, rule)))
            fail_msg("%s: %s", rule, problem ? problem : "not found");
    }
}
#define EXPECT(standard, rule, ...) expect(standard, rule, (const struct step[]){__VA_ARGS__, {0}})

static void rules_between_commands_of_a_bank(void **arg)
{
    EXPECT("ddr4-2400", "tRCD", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_RD, 0, 0, 5, 1016});
    EXPECT("ddr4-2400", "tRCD_WR", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_WR, 0, 0, 5, 1016});
    EXPECT("hbm2-2000", "tRCD_WR", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_WR, 0, 0, 5, 1005});
    EXPECT("ddr4-2400", "tRAS", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_PRE, 0, 0, 0, 1038});
    EXPECT("ddr4-2400", "tRP", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_PRE, 0, 0, 0, 1050},
           {DRAM_ACT, 0, 0, 6, 1066});
    EXPECT("ddr4-2400", "tRC", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_PRE, 0, 0, 0, 1039},
           {DRAM_ACT, 0, 0, 6, 1055});
    EXPECT("ddr4-2400", "tRTP", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_RD, 0, 0, 5, 1100},
           {DRAM_PRE, 0, 0, 0, 1108});
    EXPECT("ddr4-2400", "tWR", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_WR, 0, 0, 5, 1100},
           {DRAM_PRE, 0, 0, 0, 1133});
    EXPECT("lpddr5-6400", "tRP", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_PREA, 0, 0, 0, 1100},
           {DRAM_ACT, 0, 0, 6, 1116}); // tRPab
}

static void rules_of_automatic_precharge(void **arg)
{
    // Nine clocks of tRTP after the read, 17 of tRP; not before tRAS is over.
    EXPECT("ddr4-2400", "tRP", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_RDA, 0, 0, 5, 1035},
           {DRAM_ACT, 0, 0, 6, 1060});
    EXPECT("ddr4-2400", "tRC", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_RDA, 0, 0, 5, 1017},
           {DRAM_ACT, 0, 0, 6, 1055});
    EXPECT("ddr4-2400", "tRP", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_WRA, 0, 0, 5, 1100},
           {DRAM_ACT, 0, 0, 6, 1100 + 12 + 4 + 18 + 16});
}

static void rules_between_banks(void **arg)
{
    EXPECT("ddr4-2400", "tRRD_L", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, 1, 5, 1005});
    EXPECT("ddr4-2400", "tRRD_S", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, BANK, 5, 1003});
    EXPECT("ddr4-2400", "tFAW", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, 4, 5, 1004},
           {DRAM_ACT, 0, 8, 5, 1008}, {DRAM_ACT, 0, 12, 5, 1012}, {DRAM_ACT, 0, 1, 5, 1025});
    EXPECT("ddr4-2400", "tCCD_L", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, 1, 5, 1100},
           {DRAM_RD, 0, 0, 5, 1200}, {DRAM_RD, 0, 1, 5, 1205});
    EXPECT("ddr5-4800", "tCCD_L_WR", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, 1, 5, 1100},
           {DRAM_WR, 0, 0, 5, 1200}, {DRAM_WR, 0, 1, 5, 1223});
    EXPECT("ddr4-2400", "tCCD_S", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, BANK, 5, 1100},
           {DRAM_RD, 0, 0, 5, 1200}, {DRAM_RD, 0, BANK, 5, 1203});
    EXPECT("ddr4-2400", "tWTR_L", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_WR, 0, 0, 5, 1100},
           {DRAM_RD, 0, 0, 5, 1124});
    EXPECT("ddr4-2400", "tWTR_S", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, BANK, 5, 1050},
           {DRAM_WR, 0, 0, 5, 1100}, {DRAM_RD, 0, BANK, 5, 1118});
    EXPECT("ddr4-2400", "read to write", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_RD, 0, 0, 5, 1100},
           {DRAM_WR, 0, 0, 5, 1110});
}

static void rules_between_ranks(void **arg)
{
    EXPECT("ddr4-2400", "tRTRS", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 1, 0, 5, 1001},
           {DRAM_RD, 0, 0, 5, 1100}, {DRAM_RD, 1, 0, 5, 1105});
    EXPECT("ddr4-2400", "tRTRS", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 1, 0, 5, 1001},
           {DRAM_RD, 0, 0, 5, 1100}, {DRAM_WR, 1, 0, 5, 1110});
    EXPECT("ddr5-4800", "command bus", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 1, 0, 5, 1001});
}

static void rules_of_refresh(void **arg)
{
    EXPECT("ddr4-2400", "tRFC", {DRAM_REF, 0, 0, 0, 1000}, {DRAM_ACT, 0, 0, 5, 1420});
    EXPECT("ddr4-2400", "tRFC", {DRAM_REF, 0, 0, 0, 1000}, {DRAM_REF, 0, 0, 0, 1420});
    EXPECT("ddr4-2400", "tRP", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_PREA, 0, 0, 0, 1100},
           {DRAM_REF, 0, 0, 0, 1116});
    EXPECT("ddr5-4800", "tRFCpb", {DRAM_REFPB, 0, 0, 0, 1000}, {DRAM_ACT, 0, 28, 5, 1311});
    EXPECT("ddr5-4800", "tPBR2ACT", {DRAM_REFPB, 0, 0, 0, 1000}, {DRAM_ACT, 0, 1, 5, 1071});
    EXPECT("lpddr5-6400", "tPBR2PBR", {DRAM_REFPB, 0, 0, 0, 1000}, {DRAM_REFPB, 0, 1, 0, 1071});
}

static void rules_of_power_down(void **arg)
{
    EXPECT("ddr4-2400", "tXP", {DRAM_PDE, 0, 0, 0, 1000}, {DRAM_PDX, 0, 0, 0, 1100},
           {DRAM_ACT, 0, 0, 5, 1107});
    EXPECT("ddr4-2400", "tCKE", {DRAM_PDE, 0, 0, 0, 1000}, {DRAM_PDX, 0, 0, 0, 1005});
    EXPECT("ddr4-2400", "tRDPDEN", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_RD, 0, 0, 5, 1100},
           {DRAM_PDE, 0, 0, 0, 1121});
    EXPECT("ddr4-2400", "tWRPDEN", {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_WR, 0, 0, 5, 1100},
           {DRAM_PDE, 0, 0, 0, 1133});
}

// What no waiting makes right.
static void wrong_states(void **arg)
{
    static const struct {
        const char *standard, *rule;
        struct step steps[3];
    } cases[] = {
        {"ddr4-2400", "row must be open", {{DRAM_RD, 0, 0, 5, 1000}}},
        {"ddr4-2400", "row must be open", {{DRAM_ACT, 0, 0, 5, 1000}, {DRAM_RD, 0, 0, 6, 1100}}},
        {"ddr4-2400", "row must be open", {{DRAM_ACT, 0, 0, 5, 1000}, {DRAM_WR, 0, 1, 5, 1100}}},
        {"ddr4-2400",
         "bank must be closed",
         {{DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, 0, 5, 1100}}},
        {"ddr4-2400",
         "banks must be closed",
         {{DRAM_ACT, 0, 3, 5, 1000}, {DRAM_REF, 0, 0, 0, 1100}}},
        {"ddr4-2400", "power-down", {{DRAM_PDE, 0, 0, 0, 1000}, {DRAM_ACT, 0, 0, 5, 1100}}},
        {"ddr4-2400", "power-down", {{DRAM_PDX, 0, 0, 0, 1000}}},
        {"ddr4-2400", "tREFI", {{DRAM_REF, 0, 0, 0, 1000}, {DRAM_REF, 0, 0, 0, 90000}}},
        {"ddr4-2400", "sets in turn", {{DRAM_REFPB, 0, 0, 0, 1000}}},
        {"ddr5-4800", "sets in turn", {{DRAM_REFPB, 0, 1, 0, 1000}}},
        {"ddr5-4800", "tREFIpb", {{DRAM_REFPB, 0, 0, 0, 1000}, {DRAM_REFPB, 0, 1, 0, 20000}}},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct dram_standard *s = dram_standards;
        const char *problem = NULL;

        while (strcmp(s->name, cases[i].standard) != 0)
            s++;
        checker = dram_checker_new(&arena, s, 1);
        for (unsigned k = 0; k < 3 && cases[i].steps[k].when; k++) {
            assert_null(problem);
            problem = give(&cases[i].steps[k]);
        }
        if (!problem || !strstr(problem, cases[i].rule))
            fail_msg("%s: %s", cases[i].rule, problem ? problem : "not found");
    }
}

static void a_legal_sequence_passes(void **arg)
{
    static const struct step steps[] = {
        {DRAM_ACT, 0, 0, 5, 1000}, {DRAM_ACT, 0, 4, 5, 1004}, {DRAM_RD, 0, 0, 5, 1017},
        {DRAM_RD, 0, 4, 5, 1021},  {DRAM_RD, 0, 0, 5, 1025},  {DRAM_WR, 0, 4, 5, 1036},
        {DRAM_PRE, 0, 0, 0, 1039}, {DRAM_ACT, 0, 0, 6, 1056}, {DRAM_PREA, 0, 0, 0, 1095},
        {DRAM_REF, 0, 0, 0, 1112}, {DRAM_ACT, 0, 1, 5, 1533},
    };

    checker = dram_checker_new(&arena, &dram_standards[1], 1);
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        const char *problem = give(&steps[i]);

        if (problem)
            fail_msg("%s", problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_between_commands_of_a_bank),
        cmocka_unit_test(rules_of_automatic_precharge),
        cmocka_unit_test(rules_between_banks),
        cmocka_unit_test(rules_between_ranks),
        cmocka_unit_test(rules_of_refresh),
        cmocka_unit_test(rules_of_power_down),
        cmocka_unit_test(wrong_states),
        cmocka_unit_test(a_legal_sequence_passes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    arena_release(&arena);
    return failed;
}
