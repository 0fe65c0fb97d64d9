// SPDX-License-Identifier: BSD-3-Clause
// Reads statistics files, all three formats, into names and values that can be compared: the names
// of the text form, but a histogram's bucket by its first value only.
#pragma once

#include "base/error.h"

struct stat_value {
    char *name;   // owned
    double value; // NaN: undefined
};
struct stat_values {
    struct stat_value *items; // owned
    size_t count, room;
    bool rounded; // to six decimals
};

// Of several dumps, the last; of a series, the total. False and *err when it is no such file.
bool stat_values_read(struct stat_values *ret, const char *path, struct error *err) MUST_CHECK;
void stat_values_release(struct stat_values *v);
