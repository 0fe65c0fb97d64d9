// SPDX-License-Identifier: BSD-3-Clause
// Debian's kernels, fetched through apt into a cache and pinned by their hashes. What is in the
// cache is used without asking the network.
//
//     CACHE/debian-kernel/FLAVOUR.json        the pin of what was fetched last
//     CACHE/debian-kernel/PACKAGE_VERSION/    vmlinuz, config, System.map, lib/modules/…,
//     kernel.json
#pragma once

#include "base/error.h"

struct kernel_request {
    const char *flavour; // "cloud-amd64" or "amd64"
    const char *cache;   // folder; made if missing
    const char *output;  // folder to copy the kernel to, or NULL
    const char *pin;     // a kernel.json that the kernel must agree with, or NULL
    bool update;         // ask apt for a newer one
};

struct kernel_pin {
    char flavour[32];
    char package[128]; // linux-image-6.1.0-50-cloud-amd64
    char version[64];  // of the package
    char release[128]; // 6.1.0-50-cloud-amd64, as uname -r says
    char deb_sha256[65];
    char vmlinuz_sha256[65];
};

// On success *ret_folder (to be freed) has vmlinuz, config, System.map, lib/modules and
// kernel.json.
bool kernel_get(const struct kernel_request *r, struct kernel_pin *ret_pin, char **ret_folder,
                struct error *err) MUST_CHECK;
