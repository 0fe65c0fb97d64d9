// SPDX-License-Identifier: BSD-3-Clause
// What the component `bpred` asks of a direction predictor: a component of its own, the child
// `predictor` (type bpred_bimodal, bpred_gshare...), with one ops record in its own file.
#pragma once

#include "cpu/bpred/bpred.h"

// The part that decided: prediction.provider.
enum direction_provider {
    PROVIDER_STATIC,         // a fixed rule, or an unconditional branch
    PROVIDER_BIMODAL,        // a table by address alone
    PROVIDER_GLOBAL,         // a table by global history
    PROVIDER_LOCAL,          // a table by the branch's own history
    PROVIDER_PERCEPTRON,     //
    PROVIDER_TAGE_LONGEST,   // the tagged table with the longest history that matched
    PROVIDER_TAGE_ALTERNATE, // the one after it
    PROVIDER_CORRECTOR,      // the statistical corrector overruled TAGE
    PROVIDER_LOOP,           // the loop predictor
    PROVIDERS
};

// Bytes that a direction predictor may keep in a prediction: what a lookup found, for train, and
// the histories before a push, for restore.
enum { DIRECTION_FOUND_BYTES = 184, DIRECTION_BEFORE_BYTES = 176 };

// Tables change in train alone, histories in push and restore alone.
struct direction_ops {
    // Whether a conditional branch will be taken; fills *found.
    bool (*lookup)(struct component *c, const struct branch *b, void *found, u8 *ret_provider);
    // Appends to the histories, for a branch of any kind; `found` is of a conditional one. Keeps in
    // *before, first, what restore needs. NULL: there is no way back (warming).
    void (*push)(struct component *c, const struct branch *b, bool taken, const void *found,
                 void *before);
    // The histories become as they were before the push.
    void (*restore)(struct component *c, const void *before);
    // Of a conditional branch; in program order.
    void (*train)(struct component *c, const struct branch *b, const void *found, bool taken);
    // Nothing is in flight: parts of the state that are not read again get one value, so that equal
    // predictors have equal states. May be NULL.
    void (*settle)(struct component *c);
};

extern const struct component_type bpred_static_type;
extern const struct component_type bpred_bimodal_type;
extern const struct component_type bpred_gshare_type;
extern const struct component_type bpred_tournament_type;
extern const struct component_type bpred_perceptron_type;
extern const struct component_type bpred_tage_type;
extern const struct component_type bpred_tage_sc_l_type;

// ---- saturating counters

// Without branches: what decides is often as random for the host as for the guest.

// Of `bits` bits, unsigned: 0 to 2^bits - 1.
static inline u8 counter_step(u8 counter, bool up, unsigned bits)
{
    unsigned max = (1u << bits) - 1;

    return (u8)(counter + (up & (counter < max)) - (!up & (counter > 0)));
}
// Of `bits` bits, signed: -2^(bits-1) to 2^(bits-1) - 1.
static inline int signed_step(int counter, bool up, unsigned bits)
{
    int max = (1 << (bits - 1)) - 1;

    return counter + (up & (counter < max)) - (!up & (counter > -max - 1));
}

// ---- checks of what was loaded

// Every element is at most max, else *err.
bool table_within(const u8 *table, u64 count, unsigned max, const char *what, struct error *err);
// Every element, read as signed, is within bits bits.
bool signed_table_within(const u8 *table, u64 count, unsigned bits, const char *what,
                         struct error *err);
bool is_power_of_two(u64 n);
// Rules for tables that are indexed by masks.
bool check_power_of_two(u64 n, const char *what, struct error *err);
