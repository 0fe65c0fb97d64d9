// SPDX-License-Identifier: BSD-3-Clause
// Runs the programs of the host that make images (apt-get, dpkg-deb, mmdebstrap, mke2fs...):
// without a shell, with standard input closed, and with their complaints turned into one sentence.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

struct program {
    const char *const *argv;    // NULL-terminated; argv[0] is looked up in PATH and /usr/sbin
    const char *const *environ; // NULL-terminated "NAME=VALUE", over the caller's; or NULL
    const char *folder;         // working directory, or NULL
    const char *package;        // the Debian package to install when it is missing
    struct strbuf *output;      // gets standard output; NULL: it goes nowhere
    struct strbuf *complaints;  // gets standard error; or NULL
    bool quiet_failure;         // an exit status other than 0 is fine
};

// False when it is missing, could not be started, or failed; then *err says so with the end of what
// it said on standard error. A signal that ended it ends in ERROR_HOST.
bool program_run(const struct program *program, struct error *err) MUST_CHECK;

// Whether it is there at all.
bool program_check(const char *name, const char *package, struct error *err) MUST_CHECK;

// The end of what a program said, as part of a sentence: the last lines that say something, joined
// by "; ".
void program_last_words(const struct strbuf *said, char *text, size_t size);
