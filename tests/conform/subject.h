// SPDX-License-Identifier: BSD-3-Clause
// facet as the subject: one core in user mode with the memory windows of case.h and descriptors as
// Linux has them, executing cases instruction by instruction or on the functional engine.
#pragma once

#include "case.h"

#include "base/error.h"

enum subject_engine { SUBJECT_STEP, SUBJECT_PLAIN, SUBJECT_TRACED, SUBJECT_ENGINES };

struct subject;

// As native_new. NULL and *err on failure.
struct subject *subject_new(enum subject_engine engine, const u8 *background, struct error *err);
void subject_free(struct subject *s);

// Executes the case; r->code is filled for cases in CASE_SMC only.
void subject_run(struct subject *s, const struct conform_case *c, struct case_result *r);

const char *subject_engine_name(enum subject_engine engine);

// Whether an address is in pages that only facet's supervisor has.
bool subject_is_system(u64 address);
