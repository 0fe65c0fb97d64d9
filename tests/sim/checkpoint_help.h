// SPDX-License-Identifier: BSD-3-Clause
// What the tests of checkpoints share: a scratch folder, and damage.
#pragma once

#include "base/error.h"
#include "sample_machine.h"

enum { CHECKPOINT_PARTS = 5 };
extern const char *const checkpoint_parts[CHECKPOINT_PARTS];

// Group fixtures: a new folder, in memory where there is such a place (hundreds of syncs take their
// time on a disk), gone in the end.
int scratch_make(void **arg);
int scratch_remove(void **arg);
char *scratch(const char *name); // a path in it, to be freed
unsigned scratch_entries(void);

// Fails the test with the message.
void must(bool ok, const struct error *err);
void must_remove(const char *path);

// Random state; some chunks of RAM stay zero, some are equal, some are random.
void sample_machine_randomise(struct sample_machine *m, struct rng *rng);
void assert_same_files(const char *a, const char *b);
// Flips one bit of a file, in place.
void flip_bit(const char *path, u64 byte, unsigned bit);
u64 file_size(const char *path);
