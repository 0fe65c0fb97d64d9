// SPDX-License-Identifier: BSD-3-Clause
// What the two kinds of images share: texts that go into guests, and common files.
#pragma once

#include "image/image.h"

struct tree;

// ---- texts (texts.c) ----

extern const char initramfs_init[];

extern const char root_fstab[];
extern const char root_autologin[];
extern const char root_run_unit[];
extern const char root_run_script[];
extern const char root_shutdown_script[];

// ---- files ----

// The files of --file, the script or command to run, and the tool that talks to the simulator.
bool image_add_common(struct tree *t, const struct image_request *r, struct error *err) MUST_CHECK;
