// SPDX-License-Identifier: BSD-3-Clause
// Compresses whole files, always to the same bytes, and decompresses them.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

// "none", "gzip" or "zstd".
bool compression_parse(const char *name, enum compression *ret_kind, struct error *err) MUST_CHECK;
// By the file's name: .gz, .zst, or none.
enum compression compression_of_name(const char *file);

bool compression_apply(enum compression kind, const struct strbuf *from, struct strbuf *out,
                       struct error *err) MUST_CHECK;

// The content of a whole file that begins as gzip, xz or zstd does. False and *err: none of them,
// damaged, or more than `max` bytes.
bool compression_undo(const struct strbuf *from, u64 max, struct strbuf *out,
                      struct error *err) MUST_CHECK;
