// SPDX-License-Identifier: BSD-3-Clause
// Reads a tar archive into a tree: POSIX (ustar and pax, with extended attributes) and GNU's long
// names. The content of files stays in the archive, which must not change as long as the tree
// lives.
#pragma once

#include "base/error.h"

struct tree;

bool tar_read(const char *file, struct tree *t, struct error *err) MUST_CHECK;
