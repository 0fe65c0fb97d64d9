// SPDX-License-Identifier: BSD-3-Clause
// Runs all guest tests, or those named on the command line, and prints TAP.
#include "guest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_MAX = 12 };

static bool compare(const struct guest_case *g, const struct guest_result *r, const char *where)
{
    static const char *const ends[] = {"halted", "shut down", "stuck"};
    u32 shown = 0;
    bool ok = true;

    if (r->end != g->end) {
        printf("# %s on %s: %s instead of %s %s\n", g->name, where, ends[r->end], ends[g->end],
               r->why);
        ok = false;
    }
    for (u32 i = 0; i < GUEST_RESULTS_MAX; i++) {
        u64 expected = i < g->n_expected ? g->expected[i] : 0;

        if (r->words[i] == expected)
            continue;
        printf("# %s on %s: word %u is %#llx, expected %#llx\n", g->name, where, i,
               (unsigned long long)r->words[i], (unsigned long long)expected);
        ok = false;
        if (++shown == SHOWN_MAX)
            break;
    }
    return ok;
}

static bool selected(const struct guest_case *g, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], g->name) == 0)
            return true;
    return argc == 1;
}

static void check_kvm(const struct guest_case *g, u32 number, u32 *skipped)
{
    struct guest_result r;
    bool wrong = g->not_pvm && access("/sys/module/kvm_pvm", F_OK) == 0;
    bool ran = !wrong && guest_run_kvm(g, &r);

    if (!ran) {
        printf("ok %u - %s agrees with KVM # SKIP %s%s\n", number, g->name,
               wrong ? "paravirtual KVM: " : "", wrong ? g->not_pvm : r.why);
        ++*skipped;
        return;
    }
    printf("%s %u - %s agrees with KVM\n", compare(g, &r, "KVM") ? "ok" : "not ok", number,
           g->name);
}

int main(int argc, char **argv)
{
    static const char *const engines[] = {"step by step", "plain engine", "traced engine", "front",
                                          "wrong paths"};
    u32 number = 0, skipped = 0, guests = 0;

    for (u32 i = 0; i < guest_n_cases; i++) {
        const struct guest_case *g = &guest_cases[i];
        struct guest_result r;

        if (!selected(g, argc, argv))
            continue;
        for (u32 e = 0; e < GUEST_ENGINES; e++) {
            guest_run_facet(g, (enum guest_engine)e, &r);
            printf("%s %u - %s, %s\n", compare(g, &r, engines[e]) ? "ok" : "not ok", ++number,
                   g->name, engines[e]);
        }
        check_kvm(g, ++number, &skipped);
        guests++;
    }
    printf("# %u of %u guests were not checked under KVM\n", skipped, guests);
    printf("1..%u\n", number);
    return 0;
}
