// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "image/kernel.h"

// ---- kernel.json (kernel_pin.c) ----

#define KERNEL_PIN_FILE "kernel.json"

bool kernel_pin_read(const char *file, struct kernel_pin *ret_pin, struct error *err) MUST_CHECK;
bool kernel_pin_write(const char *file, const struct kernel_pin *pin, struct error *err) MUST_CHECK;
bool kernel_pin_same(const struct kernel_pin *a, const struct kernel_pin *b);

// ---- apt (kernel_apt.c) ----

// apt with its state in a private folder, so that it needs no rights and leaves the host's alone.
struct apt {
    char *folder; // owned
    char *state;  // owned, as the next: options "Dir::State=…"
    char *cache;
    char *status;
};

// Reads the package lists of the host's sources anew.
bool apt_open(struct apt *apt, const char *folder, struct error *err) MUST_CHECK;
void apt_release(struct apt *apt);

// The newest kernel of the flavour, or the one that `pinned` names: fills package, version and
// deb_sha256 of *ret_pin from apt's index.
bool apt_find_kernel(struct apt *apt, const char *flavour, const struct kernel_pin *pinned,
                     struct kernel_pin *ret_pin, struct error *err) MUST_CHECK;

// Downloads it, checks its hash, and puts vmlinuz, config, System.map and lib/modules into
// `folder`, which is new. Fills the rest of *pin.
bool apt_fetch_kernel(struct apt *apt, struct kernel_pin *pin, const char *folder,
                      struct error *err) MUST_CHECK;
