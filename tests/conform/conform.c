// SPDX-License-Identifier: BSD-3-Clause
// conform: does facet compute what the host's processor computes? Makes cases of every user-mode
// row of isa/x86/insn.def, runs each on the host and on facet, and compares the whole state. Speaks
// TAP: one test per row. Status 77: this host cannot be the oracle.
#include "block.h"
#include "compare.h"
#include "gen.h"
#include "native.h"
#include "report.h"
#include "shrink.h"
#include "subject.h"

#include "isa/x86/insn.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SHOWN_PER_ROW = 2,
    SKIPPED = 77,
    ALL_MODES = (1 << CASE_MODES) - 1,
    ALL_KINDS = (1 << CASE_KINDS) - 1
};

struct options {
    u64 seed, cases, first;
    const char *only;
    u32 modes;     // bit set of enum case_mode
    u32 engines;   // bit set of enum subject_engine
    u32 kinds;     // bit set of enum case_kind
    char same[64]; // the options that choose cases, as given
    u32 shown;
    bool one; // only case `first`
    bool forms;
};

// What became of a row on one engine.
struct row_outcome {
    u64 failed;
    u64 cases;
    u64 faults;        // ended in an exception on the host
    u64 first_failure; // number of the case
};

struct run {
    struct options o;
    struct forms forms;
    u32 *chosen; // owned: forms that --only leaves
    u32 n_chosen;
    struct native *native;                        // owned
    struct subject *subject[SUBJECT_ENGINES];     // owned
    struct row_outcome *outcome[SUBJECT_ENGINES]; // owned
    struct case_result *result;                   // owned: facet's of one batch, one engine
    struct entry {
        u64 number;
        u32 form; // of a single instruction
        u8 kind;  // enum case_kind
        u8 mode;
    } batch[NATIVE_BATCH];
    struct row_outcome blocks[SUBJECT_ENGINES][CASE_KINDS];
    u8 background[CASE_DATA_PAGES * CASE_PAGE];
    u64 done, lost, failed, not_made;
    u64 left_out;  // because of the vendor of the host's processor
    u64 disturbed; // came right the second time
    u32 first_engine;
};

static u64 number_seed(u64 seed, u64 number)
{
    struct rng r = {seed ^ (number * 0x9e3779b97f4a7c15u)};

    return rng_next(&r);
}

// System instructions that user mode executes, or that raise an exception there, are tested; but
// not those that the host's kernel answers.
static bool kernel_answers(u16 mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_SYSCALL:
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_SGDT: // emulated under UMIP
    case ZYDIS_MNEMONIC_SIDT:
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_RDPMC: // as the kernel's CR4.PCE allows
        return true;
    default:
        return false;
    }
}

static const char *why_not(const struct form_row *row)
{
    if (kernel_answers(row->mnemonic))
        return "the host's kernel answers";
    // XSAVE and its like are, for the components that both sides have.
    if (row->flags & INSN_NOTEST && !strstr(row->name, "XSAVE") && !strstr(row->name, "XRSTOR"))
        return "not a function of the state";
    if (!row->host_has)
        return "the host lacks it";
    return NULL;
}

static bool choose_forms(struct run *run)
{
    run->chosen = calloc(run->forms.n_forms + 1, sizeof(*run->chosen));
    if (!run->chosen)
        return false;
    for (u32 n = 0; n < run->forms.n_forms; n++) {
        const struct form_row *row = run->forms.form[n].row;

        if (why_not(row) || (run->o.only && strcasecmp(run->o.only, row->name)))
            continue;
        run->chosen[run->n_chosen++] = n;
    }
    return run->n_chosen != 0;
}

// What case `number` of the run is.
static struct entry entry_of(const struct run *run, u64 number)
{
    struct entry e = {.number = number, .kind = CASE_KIND_INSN};
    bool many = run->o.kinds == ALL_KINDS;

    if (many)
        e.kind = number % 128 == 127 ? CASE_KIND_SMC : number % 16 == 15 ? CASE_KIND_BLOCK : 0;
    else if (run->o.kinds == (1 << CASE_KIND_BLOCK | 1 << CASE_KIND_SMC))
        e.kind = number & 1 ? CASE_KIND_SMC : CASE_KIND_BLOCK;
    else
        e.kind = (u8)__builtin_ctz(run->o.kinds);
    e.form = run->chosen[(many ? number - number / 16 : number) % run->n_chosen];
    e.mode = run->forms.form[e.form].mode;
    return e;
}

// Makes a case; false: none could be made of that number.
static bool make_case(struct run *run, const struct entry *e, struct conform_case *ret)
{
    u64 seed = number_seed(run->o.seed, e->number);
    struct block_program p;

    if (e->kind == CASE_KIND_INSN)
        return gen_insn(&run->forms, &run->forms.form[e->form], seed, ret);
    return block_generate(&run->forms, e->mode, e->kind == CASE_KIND_SMC, seed, &p) &&
           block_assemble(&p, ret);
}

static struct row_outcome *outcome_of(struct run *run, u32 engine, const struct entry *e)
{
    if (e->kind != CASE_KIND_INSN)
        return &run->blocks[engine][e->kind];
    return &run->outcome[engine][run->forms.form[e->form].row - run->forms.rows];
}

static const char *const kind_name[CASE_KINDS] = {"instruction", "block", "self-modifying block"};

static void show(struct run *run, u32 engine, u32 slot, struct diffs *d)
{
    const struct entry *e = &run->batch[slot];
    const struct form *form = &run->forms.form[e->form];
    struct row_outcome *o = outcome_of(run, engine, e);
    const struct conform_case *c = native_case(run->native, slot);
    struct block_program p;

    if (o->failed++ == 0)
        o->first_failure = e->number;
    run->failed++;
    if (o->failed > run->o.shown)
        return;
    printf("# %s %s on %s: --seed %" PRIu64 " --case %" PRIu64 " %s\n",
           e->kind ? kind_name[e->kind] : form->row->name, e->kind ? "" : form->operands,
           subject_engine_name((enum subject_engine)engine), run->o.seed, e->number, run->o.same);
    if (e->kind != CASE_KIND_INSN && block_generate(&run->forms, e->mode, e->kind == CASE_KIND_SMC,
                                                    number_seed(run->o.seed, e->number), &p)) {
        if (shrink(&run->forms, run->native, run->subject[engine], &p, d))
            c = native_spare_case(run->native);
        else
            printf("#   it does not come again alone\n");
    }
    report_case(stdout, &run->forms, c, d);
    fflush(stdout);
}

static bool agree(struct run *run, const struct conform_case *c, const struct case_result *native,
                  const struct case_result *facet, struct undefined *u, struct diffs *d)
{
    undefined_find(&run->forms, c, u);
    vendor_find(&run->forms, c, native, facet, u);
    return compare(c, u, native, facet, d);
}

// Whether it comes right when the host executes it once more: if the host's kernel changes tasks in
// the middle of a case, it may lose what it does not know of (segment bases without FSGSBASE, and
// the x87 pointers with some processors).
static bool agree_again(struct run *run, u32 slot, struct undefined *u)
{
    struct conform_case *c = native_spare_case(run->native);
    struct error err;
    struct diffs d;

    *c = *native_case(run->native, slot);
    return native_run_spare(run->native, &err) &&
           native_spare_result(run->native)->end != CASE_END_LOST &&
           agree(run, c, native_spare_result(run->native), &run->result[slot], u, &d);
}

static void compare_batch(struct run *run, u32 engine, u32 count)
{
    for (u32 slot = 0; slot < count; slot++) {
        const struct conform_case *c = native_case(run->native, slot);
        const struct case_result *native = native_result(run->native, slot);
        const struct entry *e = &run->batch[slot];
        struct undefined u;
        struct diffs d;

        if (native->end == CASE_END_LOST) {
            run->lost++;
            continue;
        }
        if (e->kind == CASE_KIND_INSN)
            run->forms.form[e->form].faults += native->end == CASE_END_FAULT;
        outcome_of(run, engine, e)->cases++;
        outcome_of(run, engine, e)->faults += native->end == CASE_END_FAULT;
        if (!agree(run, c, native, &run->result[slot], &u, &d)) {
            if (agree_again(run, slot, &u))
                run->disturbed++;
            else
                show(run, engine, slot, &d);
        }
        run->left_out += u.vendor && engine == run->first_engine;
        if (run->o.one)
            report_case(stdout, &run->forms, c, &d);
    }
}

static bool run_batch(struct run *run, u64 *number, u64 end, struct error *err)
{
    u32 count = 0;
    bool waited = false;

    while (count < NATIVE_BATCH && *number < end) {
        struct entry e = entry_of(run, (*number)++);

        if (!make_case(run, &e, native_case(run->native, count))) {
            run->not_made++;
            continue;
        }
        run->batch[count++] = e;
        if (e.kind == CASE_KIND_INSN) {
            run->forms.form[e.form].cases++;
            run->forms.form[e.form].row->cases++;
        }
    }
    native_start(run->native, count);
    for (u32 e = 0; e < SUBJECT_ENGINES; e++) {
        if (!run->subject[e])
            continue;
        for (u32 slot = 0; slot < count; slot++)
            subject_run(run->subject[e], native_case(run->native, slot), &run->result[slot]);
        if (!waited && !native_wait(run->native, err))
            return false;
        waited = true;
        compare_batch(run, e, count);
    }
    run->done += count;
    return true;
}

static bool is_chosen(const struct run *run, const struct form_row *row)
{
    return !run->o.only || !strcasecmp(run->o.only, row->name);
}

// One test: a row, on all engines. A row that no mode of this run has does not count.
static void report_row(const struct run *run, u32 n, u32 r)
{
    const struct form_row *row = &run->forms.rows[r];
    const char *why = why_not(row);
    bool failed = row->cases == 0;

    if (!why && !row->forms && run->o.modes != ALL_MODES)
        why = "other modes";
    if (why) {
        printf("ok %u - %s %s # SKIP %s\n", n, row->name, row->form_name, why);
        return;
    }
    for (u32 e = 0; e < SUBJECT_ENGINES; e++)
        failed |= run->subject[e] && run->outcome[e][r].failed;
    printf("%sok %u - %s %s: %u forms, %" PRIu64 " cases", failed ? "not " : "", n, row->name,
           row->form_name, row->forms, row->cases);
    for (u32 e = 0; e < SUBJECT_ENGINES; e++)
        if (run->subject[e] && run->outcome[e][r].failed)
            printf(", %" PRIu64 " failed on %s", run->outcome[e][r].failed,
                   subject_engine_name((enum subject_engine)e));
    printf("\n");
}

static void report_blocks(const struct run *run, u32 n, u32 kind)
{
    u64 cases = 0, faults = 0, failed = 0;

    for (u32 e = 0; e < SUBJECT_ENGINES; e++) {
        cases = MAX(cases, run->blocks[e][kind].cases);
        faults = MAX(faults, run->blocks[e][kind].faults);
        failed += run->blocks[e][kind].failed;
    }
    printf("%sok %u - %ss: %" PRIu64 " cases, %" PRIu64 " ended by an exception",
           failed || !cases ? "not " : "", n, kind_name[kind], cases, faults);
    for (u32 e = 0; e < SUBJECT_ENGINES; e++)
        if (run->blocks[e][kind].failed)
            printf(", %" PRIu64 " failed on %s", run->blocks[e][kind].failed,
                   subject_engine_name((enum subject_engine)e));
    printf("\n");
}

static void report_rows(const struct run *run)
{
    u32 tests = 0;

    for (u32 kind = CASE_KIND_BLOCK; kind < CASE_KINDS; kind++)
        if (run->o.kinds >> kind & 1)
            report_blocks(run, ++tests, kind);

    for (u32 r = 0; r < run->forms.n_rows; r++)
        if (run->o.kinds & 1 && is_chosen(run, &run->forms.rows[r]))
            report_row(run, ++tests, r);
    printf("1..%u\n", tests);
}

static void list_forms(const struct run *run)
{
    for (u32 n = 0; n < run->forms.n_forms; n++) {
        const struct form *f = &run->forms.form[n];
        const char *why = why_not(f->row);

        printf("# form %u-bit %s %s: %" PRIu64 " cases, %" PRIu64 " with exceptions%s%s\n",
               16u << f->mode, f->row->name, f->operands, f->cases, f->faults, why ? ", " : "",
               why ? why : "");
    }
}

// Leaves out the modes that this host's kernel does not run.
static void choose_modes(struct run *run)
{
    u32 modes = run->o.modes & native_modes();

    if (modes && modes != run->o.modes) {
        printf("# the host's kernel does not run 32-bit code: cases in 64-bit mode only\n");
        run->o.modes = modes;
    }
}

static bool start(struct run *run, struct error *err)
{
    choose_modes(run);
    run->first_engine = (u32)__builtin_ctz(run->o.engines);
    if (!forms_init(&run->forms, run->o.modes, err))
        return false;
    if (!choose_forms(run))
        return error_set(err, ERROR_USAGE, "no form agrees with --only");
    gen_background(run->background);
    run->result = calloc(NATIVE_BATCH, sizeof(*run->result));
    run->native = native_new(run->background, err);
    if (!run->native)
        return false;
    for (u32 e = 0; e < SUBJECT_ENGINES; e++) {
        if (!(run->o.engines >> e & 1))
            continue;
        run->outcome[e] = calloc(run->forms.n_rows + 1, sizeof(*run->outcome[e]));
        run->subject[e] = subject_new((enum subject_engine)e, run->background, err);
        if (!run->subject[e])
            return false;
    }
    return true;
}

static void stop(struct run *run)
{
    native_free(run->native);
    for (u32 e = 0; e < SUBJECT_ENGINES; e++) {
        subject_free(run->subject[e]);
        free(run->outcome[e]);
    }
    free(run->result);
    free(run->chosen);
    forms_release(&run->forms);
}

static u64 number(const char *text)
{
    char *end;
    u64 v = strtoull(text, &end, 0);

    if (*text && *end == 'k')
        v *= 1000, end++;
    else if (*text && *end == 'M')
        v *= 1000000, end++;
    if (*text == 0 || *end) {
        fprintf(stderr, "conform: '%s' is no number\n", text);
        exit(2);
    }
    return v;
}

static void usage(void)
{
    puts("conform [options]: runs generated cases on the host's processor and on facet\n"
         "  --cases N       how many (100k, 2M)\n"
         "  --seed N        another seed makes other cases\n"
         "  --only NAME     instructions with this mnemonic only\n"
         "  --case N        only this one, as a failure names it (with the same --seed, --only, "
         "--modes)\n"
         "  --modes LIST    of 16, 32, 64\n"
         "  --engines LIST  of step, plain, traced\n"
         "  --kinds LIST    of insn, block, smc\n"
         "  --show N        failures shown per row\n"
         "  --from N        the number of the first case\n"
         "  --forms         lists all forms with the number of their cases");
}

static u32 parse_list(const char *list, const char *const names[], u32 n)
{
    u32 set = 0;

    for (u32 k = 0; k < n; k++)
        set |= strstr(list, names[k]) ? 1u << k : 0;
    return set;
}

static bool parse(struct options *o, int argc, char **argv)
{
    static const char *const modes[] = {"16", "32", "64"};
    static const char *const engines[] = {"step", "plain", "traced"};
    static const char *const kinds[] = {"insn", "block", "smc"};
    static const struct option table[] = {
        {"cases", 1, 0, 'n'}, {"seed", 1, 0, 's'},    {"only", 1, 0, 'o'}, {"case", 1, 0, 'c'},
        {"modes", 1, 0, 'm'}, {"engines", 1, 0, 'e'}, {"show", 1, 0, 'w'}, {"kinds", 1, 0, 'k'},
        {"forms", 0, 0, 'f'}, {"from", 1, 0, 'a'},    {"help", 0, 0, 'h'}, {0}};
    const char *modes_given = NULL, *kinds_given = NULL;
    int opt;

    while ((opt = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (opt) {
        case 'n':
            o->cases = number(optarg);
            break;
        case 's':
            o->seed = number(optarg);
            break;
        case 'o':
            o->only = optarg;
            break;
        case 'c':
            o->first = number(optarg);
            o->one = true;
            break;
        case 'm':
            modes_given = optarg;
            o->modes = parse_list(optarg, modes, CASE_MODES);
            break;
        case 'e':
            o->engines = parse_list(optarg, engines, SUBJECT_ENGINES);
            break;
        case 'k':
            kinds_given = optarg;
            o->kinds = parse_list(optarg, kinds, CASE_KINDS);
            break;
        case 'w':
            o->shown = (u32)number(optarg);
            break;
        case 'a':
            o->first = number(optarg);
            break;
        case 'f':
            o->forms = true;
            break;
        default:
            usage();
            return false;
        }
    }
    if (o->only)
        o->kinds = 1 << CASE_KIND_INSN;
    snprintf(o->same, sizeof(o->same), "%s%s%s%s%s%s", o->only ? "--only " : "",
             o->only ? o->only : "", modes_given ? " --modes " : "", modes_given ? modes_given : "",
             kinds_given ? " --kinds " : "", kinds_given ? kinds_given : "");
    return optind == argc && o->modes && o->engines && o->kinds;
}

int main(int argc, char **argv)
{
    struct run run = {.o = {.seed = 1,
                            .cases = 100000,
                            .modes = 1 << CASE_MODE32 | 1 << CASE_MODE64,
                            .engines = (1 << SUBJECT_ENGINES) - 1,
                            .kinds = ALL_KINDS,
                            .shown = SHOWN_PER_ROW}};
    struct error err = {0};
    int status = 0;
    u64 n, end;

    if (!parse(&run.o, argc, argv))
        return 2;
    if (!start(&run, &err)) {
        printf("1..0 # SKIP %s\n", err.message);
        stop(&run);
        return err.code == ERROR_UNSUPPORTED ? SKIPPED : 2;
    }
    n = run.o.first;
    end = run.o.one ? n + 1 : n + run.o.cases;
    while (n < end)
        if (!run_batch(&run, &n, end, &err)) {
            printf("Bail out! %s\n", err.message);
            status = 2;
            break;
        }
    if (run.o.forms)
        list_forms(&run);
    report_rows(&run);
    printf("# seed %" PRIu64 ": %" PRIu64 " cases of %u forms, %" PRIu64 " failed, %" PRIu64
           " lost, %" PRIu64 " not made, %" PRIu64 " disturbed, %" PRIu64
           " left out on a processor of this vendor\n",
           run.o.seed, run.done, run.n_chosen, run.failed, run.lost, run.not_made, run.disturbed,
           run.left_out);
    if (run.failed || run.lost)
        status = 1;
    stop(&run);
    return status;
}
