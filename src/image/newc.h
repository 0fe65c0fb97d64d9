// SPDX-License-Identifier: BSD-3-Clause
// Writes a tree as a cpio archive in the "newc" format, which Linux takes as initial RAM disk
// (Documentation/driver-api/early-userspace/buffer-format.rst). Same tree, same bytes.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

struct tree;

// The tree must be settled. Appends to *out.
bool newc_write(const struct tree *t, struct strbuf *out, struct error *err) MUST_CHECK;
