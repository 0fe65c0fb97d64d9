// SPDX-License-Identifier: BSD-3-Clause
// Prints cases that failed so that a person can see what is wrong.
#pragma once

#include "compare.h"

#include <stdio.h>

// One line of assembly, for the instruction at c->code + at; returns its length, 0 if it is none.
u32 report_disassemble(const struct forms *f, const struct conform_case *c, u32 at, char *text,
                       u32 size);
// The code, the state before that it reads, and the differences.
void report_case(FILE *out, const struct forms *f, const struct conform_case *c,
                 const struct diffs *d);
