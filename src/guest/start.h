// SPDX-License-Identifier: BSD-3-Clause
// What a static x86-64 Linux program needs when there is no C library: its start, system calls, and
// a few functions on strings. Keeps the tool at a few KiB, so that images stay small and quick to
// load.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Defined by the program; its result is the exit status.
int guest_main(int argc, char **argv);

long guest_syscall(long number, long a, long b, long c, long d, long e, long f);

size_t text_length(const char *text);
int text_equal(const char *a, const char *b);
// Decimal or 0x…; 0 when it is no number of 64 bits.
int text_number(const char *text, uint64_t *ret_value);

void print(int fd, const char *text);
void print_number(int fd, uint64_t value);
