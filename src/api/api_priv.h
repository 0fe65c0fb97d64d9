// SPDX-License-Identifier: BSD-3-Clause
// What the files of src/api share: errors of the inside as errors of the public API.
#pragma once

#include "base/error.h"
#include "facet/facet.h"

// Copies *from to *err; always returns false.
bool api_fail(struct facet_error *err, const struct error *from);

// Fills *err with an error of the API's own; always returns false.
bool api_error(struct facet_error *err, enum facet_error_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
