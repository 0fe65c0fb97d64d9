// SPDX-License-Identifier: BSD-3-Clause
// Names that people type: the nearest valid one for a wrong one, and path globs.
#pragma once

#include "base/types.h"

// Edits (insert, delete, replace, swap neighbours) that make one word of the other; upper and lower
// case, '_' and '-' count as equal. Words beyond 63 bytes are compared by their first 63.
unsigned names_distance(const char *a, const char *b);

// Collects the best match: start from {.word = w}, offer every valid name, read `best` (NULL when
// nothing is near enough to be what was meant).
struct names_nearest {
    const char *word, *best;
    unsigned distance;
};
void names_offer(struct names_nearest *n, const char *name);

// Shell-like pattern on dotted paths: '*' matches any text, '?' one byte.
bool names_glob(const char *pattern, const char *path);
