// SPDX-License-Identifier: BSD-3-Clause
// Static prediction: by the direction of the jump, or always the same. The classic rule: a jump
// back closes a loop and is taken, one forward is not (J. E. Smith, ISCA 1981, strategy 3).
#include "cpu/bpred/direction.h"

#define STATIC_PARAMS(P, PR, PB, PS, PC) \
    PC(rule, "backward", "backward|taken|not_taken", "Which conditional branches are taken")

COMPONENT_LISTS(fixed, STATIC_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);

struct fixed {
    struct component base;
    struct fixed_params p;
    struct fixed_state st;
    struct fixed_stats n;
};

enum { RULE_BACKWARD, RULE_TAKEN };

static bool fixed_lookup(struct component *c, const struct branch *b, void *found, u8 *ret_provider)
{
    const struct fixed *s = (const struct fixed *)c;

    *ret_provider = PROVIDER_STATIC;
    return s->p.rule == RULE_BACKWARD ? b->target <= b->pc : s->p.rule == RULE_TAKEN;
}

static void fixed_push(struct component *c, const struct branch *b, bool taken, const void *found,
                       void *before)
{
}

static void fixed_restore(struct component *c, const void *before)
{
}

static void fixed_train(struct component *c, const struct branch *b, const void *found, bool taken)
{
}

static const struct direction_ops fixed_direction = {
    .lookup = fixed_lookup,
    .push = fixed_push,
    .restore = fixed_restore,
    .train = fixed_train,
};

const struct component_type bpred_static_type = {
    .name = "bpred_static",
    .doc = "Static branch prediction",
    COMPONENT_LAYOUT(fixed),
    .provides = {IFACE(direction, &fixed_direction)},
};
