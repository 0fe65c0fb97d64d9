// SPDX-License-Identifier: BSD-3-Clause
#include "base/alloc.h"
#include "image/image_priv.h"
#include "image/tree.h"

bool image_add_common(struct tree *t, const struct image_request *r, struct error *err)
{
    if (r->init && r->run)
        return error_set(err, ERROR_USAGE, "a script to run and a command exclude each other");
    if (r->init && !tree_add_host_file(t, r->init, "etc/facet/run", 0755, err))
        return false;
    if (r->run) {
        AUTO_FREE char *script = xasprintf("#!/bin/sh\n%s\n", r->run);

        tree_add_text(t, "etc/facet/run", 0755, script);
    }
    if (r->guest_tool && !tree_add_host_file(t, r->guest_tool, "usr/bin/facet-guest", 0755, err))
        return false;
    for (const char *const *file = r->files; file && *file; file++) {
        if (!tree_add_host(t, *file, err))
            return false;
    }
    return true;
}
