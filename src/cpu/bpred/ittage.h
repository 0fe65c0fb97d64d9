// SPDX-License-Identifier: BSD-3-Clause
// ITTAGE: targets of indirect branches by tagged tables with path histories of many lengths. The
// child `ittage` of `bpred`.
#pragma once

#include "cpu/bpred/bpred.h"

enum { ITTAGE_TABLES = 16 }; // table 0 has no tags

struct ittage_found {
    u16 index[ITTAGE_TABLES], tag[ITTAGE_TABLES];
    vaddr longest, alternate; // targets
    i8 hit, alt;              // tables they are from; alt: -1 when there is none
};
struct ittage_before {
    u32 position;
};

extern const struct component_type bpred_ittage_type;
// As the functions of direction_ops. The target; 0 when it has none yet.
vaddr ittage_lookup(struct component *c, vaddr pc, struct ittage_found *m);
void ittage_push(struct component *c, const struct branch *b, vaddr target,
                 struct ittage_before *m);
void ittage_restore(struct component *c, const struct ittage_before *m);
void ittage_train(struct component *c, const struct ittage_found *m, vaddr target);
void ittage_settle(struct component *c);
