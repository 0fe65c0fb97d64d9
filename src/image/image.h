// SPDX-License-Identifier: BSD-3-Clause
// Images for guests: initial RAM disks from busybox and files, root file systems from Debian
// packages. The same request, on the same packages and programs of the host, gives the same bytes.
#pragma once

#include "base/error.h"

struct image_request {
    const char *output;
    const char *const *files;   // NULL-terminated "SRC:DEST[:MODE]"
    const char *init;           // script of the host to run in the guest, or NULL
    const char *run;            // command for the guest's shell, or NULL
    const char *modules_folder; // kernel modules, or NULL
    const char *hostname;
    const char *guest_tool; // facet-guest on the host, or NULL
    u64 epoch;              // time of all files, in seconds since 1970

    // initramfs
    const char *modules;     // names, separated by commas; or NULL
    const char *busybox;     // on the host; NULL: looked up
    const char *compression; // NULL: by the name of `output`

    // root file system
    const char *packages; // names, separated by commas; or NULL
    const char *suite;
    const char *mirror;  // NULL: mmdebstrap's choice
    const char *size;    // "1GiB"; NULL: what it takes, and room
    const char *scratch; // folder for temporary files
    const char *file_system_label;
};

// The file appears whole or not at all.
bool image_build_initramfs(const struct image_request *r, struct error *err) MUST_CHECK;
bool image_build_root(const struct image_request *r, struct error *err) MUST_CHECK;
