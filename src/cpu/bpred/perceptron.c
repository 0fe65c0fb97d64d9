// SPDX-License-Identifier: BSD-3-Clause
// Perceptrons (D. A. Jimenez, C. Lin, "Dynamic Branch Prediction with Perceptrons", HPCA 2001):
// 8-bit weights over the global history, trained when wrong or when the sum is within the
// threshold, floor(1.93 * history + 14) (section 4.2). The history of 59 outcomes is the paper's
// best for 32 and 64 KB (table 1); 512 perceptrons of 60 weights are 30 KB.
// The history is speculative, and restored after a misprediction. Weights of -128 are not used, so
// that a weight can be negated.
#include "cpu/bpred/direction.h"

#include <string.h>

#define PERCEPTRON_PARAMS(P, PR, PB, PS, PC)              \
    P(u32, perceptrons, 512, 1, 1 << 20, "Perceptrons")   \
    P(u32, history, 59, 1, 63, "Outcomes in the history") \
    P(u32, threshold, 0, 0, 8191, "Of training; 0: the paper's")
#define PERCEPTRON_STATE(F, FA, FE, FV) \
    F(u64, history)                     \
    FV(u8, weights, p->perceptrons *(p->history + 1))

COMPONENT_LISTS(perceptron, PERCEPTRON_PARAMS, PERCEPTRON_STATE, NO_ROWS, NO_ROWS);

struct perceptron {
    struct component base;
    struct perceptron_params p;
    struct perceptron_state st;
    struct perceptron_stats n;
};

struct perceptron_found {
    u64 history;
    i32 sum;
};
struct perceptron_before {
    u64 history;
};

static struct perceptron *perceptron_of(const struct component *c)
{
    return (struct perceptron *)(uintptr_t)c;
}

static bool perceptron_check(struct component *c, struct error *err)
{
    return check_power_of_two(perceptron_of(c)->p.perceptrons, "perceptrons", err);
}

static void perceptron_reset(struct component *c)
{
    struct perceptron *s = perceptron_of(c);

    s->st.history = 0;
    memset(s->st.weights, 0, s->st.weights_count);
}

static bool perceptron_after_load(struct component *c, struct error *err)
{
    struct perceptron *s = perceptron_of(c);

    if (s->st.history >> s->p.history)
        return error_set(err, ERROR_INPUT, "'history' is too long");
    for (u64 i = 0; i < s->st.weights_count; i++)
        if (s->st.weights[i] == 0x80)
            return error_set(err, ERROR_INPUT, "'weights' has one of -128");
    return true;
}

// The bias, then a weight per outcome, newest first.
static i8 *weights_of(const struct perceptron *s, vaddr pc)
{
    return (i8 *)s->st.weights + (pc & (s->p.perceptrons - 1)) * (s->p.history + 1);
}

static bool perceptron_lookup(struct component *c, const struct branch *b, void *found,
                              u8 *ret_provider)
{
    const struct perceptron *s = perceptron_of(c);
    struct perceptron_found *m = found;
    const i8 *w = weights_of(s, b->pc);
    u64 history = s->st.history;
    int sum = *w++;

    for (u64 i = 0; i < s->p.history; i++, history >>= 1) {
        int minus = (int)(history & 1) - 1; // -1 after an outcome of not taken

        sum += (w[i] ^ minus) - minus;
    }
    m->history = s->st.history;
    m->sum = sum;
    *ret_provider = PROVIDER_PERCEPTRON;
    return sum >= 0;
}

static void perceptron_push(struct component *c, const struct branch *b, bool taken,
                            const void *found, void *before)
{
    struct perceptron *s = perceptron_of(c);
    struct perceptron_before *m = before;

    if (m)
        m->history = s->st.history;
    if (b->kind == BRANCH_CONDITIONAL)
        s->st.history = (s->st.history << 1 | taken) & ((1ull << s->p.history) - 1);
}

static void perceptron_restore(struct component *c, const void *before)
{
    const struct perceptron_before *m = before;

    perceptron_of(c)->st.history = m->history;
}

static void perceptron_train(struct component *c, const struct branch *b, const void *found,
                             bool taken)
{
    struct perceptron *s = perceptron_of(c);
    const struct perceptron_found *m = found;
    i32 threshold = (i32)(s->p.threshold ? s->p.threshold : (193 * s->p.history + 1400) / 100);
    i8 *w = weights_of(s, b->pc);
    u64 history = taken ? m->history : ~m->history;

    if ((m->sum >= 0) == taken && (m->sum > threshold || m->sum < -threshold))
        return;
    *w += taken ? *w < 127 : -(*w > -127);
    w++;
    for (u64 i = 0; i < s->p.history; i++, history >>= 1)
        w[i] = (i8)(history & 1 ? w[i] + (w[i] < 127) : w[i] - (w[i] > -127));
}

static const struct direction_ops perceptron_direction = {
    .lookup = perceptron_lookup,
    .push = perceptron_push,
    .restore = perceptron_restore,
    .train = perceptron_train,
};

static const struct component_ops perceptron_ops = {
    .check = perceptron_check,
    .reset = perceptron_reset,
    .after_load = perceptron_after_load,
};

const struct component_type bpred_perceptron_type = {
    .name = "bpred_perceptron",
    .doc = "Perceptron branch predictor",
    COMPONENT_LAYOUT(perceptron),
    .ops = &perceptron_ops,
    .provides = {IFACE(direction, &perceptron_direction)},
};
