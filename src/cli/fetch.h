// SPDX-License-Identifier: BSD-3-Clause
// What the commands that fetch things (get, image) have in common.
#pragma once

#include "cli/cli.h"

// The folder of --cache, or "facet" in the user's folder of caches. To be freed; NULL when there is
// no such folder, with *err filled.
char *cli_cache_folder(const struct cli_args *args, struct facet_error *err);
