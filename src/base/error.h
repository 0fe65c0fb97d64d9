// SPDX-License-Identifier: BSD-3-Clause
// A host or user problem, as a value. A function that can fail takes `struct error *err` last,
// returns false and fills it where the cause is known; callers wrap it with context on the way up;
// the top level prints it once. `err` is never NULL. Not for our own bugs (base/bug.h) nor for
// guest events (those are architectural values).
#pragma once

#include "base/types.h"

// What went wrong, in the classes that the exit codes of the programs distinguish
// (docs/reference/exit-codes.md).
enum error_code {
    ERROR_NONE = 0,
    ERROR_USAGE,       // the command line
    ERROR_INPUT,       // a file or value given by the user is missing, malformed or inconsistent
    ERROR_UNSUPPORTED, // this host lacks what is needed
    ERROR_RESOURCE,    // no memory, no space, no permission
    ERROR_HOST,        // any other failed call to the host
    // a guest program, as execve(2) sees it
    ERROR_NOT_FOUND,      // it, or the interpreter it names, does not exist
    ERROR_NOT_EXECUTABLE, // it exists but cannot be run: permission, format, architecture
};

struct error {
    enum error_code code;
    const char *file; // where it was built
    int line;
    char message[480];
};

// Fills *err; always returns false.
#define error_set(err, code, ...) error_set_at(err, code, __FILE__, __LINE__, __VA_ARGS__)
bool error_set_at(struct error *err, enum error_code code, const char *file, int line,
                  const char *fmt, ...) PRINTF_LIKE(5, 6);

// As error_set, with ": " and strerror(errno) behind the message; the code is taken from errno.
#define error_set_errno(err, ...) error_set_errno_at(err, __FILE__, __LINE__, __VA_ARGS__)
bool error_set_errno_at(struct error *err, const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

// Puts "context: " before the message; always returns false.
bool error_wrap(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
