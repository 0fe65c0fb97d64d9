// SPDX-License-Identifier: BSD-3-Clause
// Where a guest's console is: this terminal, a file, or a socket that somebody connects to.
#pragma once

#include <stddef.h>
#include <termios.h>

#include "cli/cli.h"

enum { CONSOLE_PENDING = 256 };

struct console {
    struct facet_machine *machine;
    struct termios saved;
    bool raw;                      // the terminal's settings were changed
    int in, out;                   // -1: none
    int listener;                  // of a socket; -1: none
    char *path;                    // of the socket, to be removed; owned
    char pending[CONSOLE_PENDING]; // typed, not yet taken by the guest
    size_t pending_count;
};

// `where`: NULL or "stdio", "file:PATH", "unix:PATH". With standard input a terminal it is the
// guest's keyboard; else the guest just runs.
bool console_open(struct console *c, struct facet_machine *machine, const char *where,
                  struct facet_error *err);
// Accepts one that was not opened.
void console_close(struct console *c);
