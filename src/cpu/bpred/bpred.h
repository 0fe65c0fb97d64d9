// SPDX-License-Identifier: BSD-3-Clause
// Branch prediction for timing models: direction, target and return address, with speculative
// history that is repaired after a misprediction. Predictors never see values, only addresses and
// outcomes; the same calls in the same order give the same predictions on every host.
//
// A front end, per branch in fetch order:
//     predict   looks up, pushes the predicted outcome into the speculative history, and fills *p
//     resolve   when the outcome is known (in any order): if it differs, the history becomes that
//               of *p plus the true outcome; all branches predicted after it are gone
//     commit    in program order, correct path only: trains the tables
//     squash    for a branch that is dropped because an older one was mispredicted: nothing to
//               repair (resolve of the older one did that), but what *p holds may be given back
//     rewind    when fetch starts anew at or before a branch for another reason (an ordering
//               violation, an exception, an interrupt): the history becomes what it was before
//               the oldest dropped branch, whose *p is given; all of them are squashed as well
// Each prediction ends in exactly one commit or squash, at most BPRED_IN_FLIGHT of them are open,
// and *p may be moved meanwhile. The component is drained when none is open.
// A front end that decodes a direct branch whose target was unknown may set target and target_known
// of *p itself, before it calls resolve: then it is no misprediction.
// In-order models and functional warming call bpred_warm, which does it all at once; not while a
// prediction is open.
#pragma once

#include "sim/component.h"

enum branch_kind {
    BRANCH_CONDITIONAL,
    BRANCH_JUMP,          // direct
    BRANCH_INDIRECT,      //
    BRANCH_CALL,          // direct
    BRANCH_INDIRECT_CALL, //
    BRANCH_RETURN,
    BRANCH_KINDS
};

struct branch {
    vaddr pc;
    vaddr fall;   // address of the next instruction
    vaddr target; // of a direct branch; else unknown: 0
    u8 kind;      // enum branch_kind
};

// Room for what a predictor must remember from predict to commit (folded histories, table indices,
// a stack's top). The largest predictor decides.
enum { PREDICTION_BYTES = 448, BPRED_IN_FLIGHT = 1024 };

struct prediction {
    bool taken;
    bool target_known; // the BTB (or return stack, or indirect predictor) had a target
    u8 btb_level;      // that knew the branch: 1, 2...; later levels cost fetch cycles. 0: none, so
                       // that it shows at decode only, even when target_known
    u8 provider;       // which part of the predictor decided: enum direction_provider
    vaddr target;      // where fetch goes on if taken and target_known
    u32 handle;        // how many predictions are open, with this one
    _Alignas(8) u8 memory[PREDICTION_BYTES];
};

// Interface name: "bpred"; implemented by the component `bpred` (src/cpu/bpred/bpred.c), which has
// a direction predictor (parameter `direction`: bimodal, gshare, tournament, perceptron, tage,
// tage_sc_l_8k, tage_sc_l_64k, static), an indirect predictor (ittage or btb), BTB levels, a return
// stack and a loop predictor, each by its parameters.
void bpred_predict(struct component *bpred, const struct branch *b, struct prediction *p);
// Returns true when the prediction was wrong: the direction, or the target of what was taken. A
// taken branch whose target was unknown is wrong, too.
bool bpred_resolve(struct component *bpred, const struct branch *b, struct prediction *p,
                   bool taken, vaddr target);
void bpred_commit(struct component *bpred, const struct branch *b, struct prediction *p, bool taken,
                  vaddr target);
void bpred_squash(struct component *bpred, struct prediction *p);
void bpred_rewind(struct component *bpred, const struct prediction *p);
// Predicts and trains with the outcome at once. True when the prediction was wrong.
bool bpred_warm(struct component *bpred, const struct branch *b, bool taken, vaddr target);

extern const struct component_type bpred_type;
