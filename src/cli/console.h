// SPDX-License-Identifier: BSD-3-Clause
// Where a guest's consoles are: this terminal, a file, or a socket that somebody connects to.
#pragma once

#include <stddef.h>
#include <termios.h>

#include "cli/cli.h"

enum { CONSOLES_MAX = 2, CONSOLE_PENDING = 256 };

struct console {
    struct facet_machine *machine;
    unsigned port;
    bool terminal;                 // standard input and output...
    bool raw;                      // ...whose settings were changed
    struct termios saved;          // what they were
    int in, out;                   // -1: none
    int listener;                  // of a socket; -1: none
    char *path;                    // of the socket, to be removed; owned
    char pending[CONSOLE_PENDING]; // typed, not yet taken by the guest
    size_t pending_count;
};

struct consoles {
    struct facet_machine *machine;
    struct console all[CONSOLES_MAX];
    unsigned count;
};

// `where`: NULL or "stdio", "file:PATH", "unix:PATH". With standard input a terminal it is the
// guest's keyboard; else the guest just runs.
bool console_open(struct consoles *consoles, unsigned port, const char *where,
                  struct facet_error *err);
// Accepts what was not opened.
void consoles_close(struct consoles *consoles);
