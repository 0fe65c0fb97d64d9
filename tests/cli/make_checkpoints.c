// SPDX-License-Identifier: BSD-3-Clause
// make_checkpoints FOLDER: the checkpoints FOLDER/one and its child FOLDER/two, of a sample machine
// that took some steps in between.
#include "base/alloc.h"
#include "sample_machine.h"
#include "sim/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

int main(int argc, char **argv)
{
    AUTO_FREE char *one = xasprintf("%s/one", argv[argc - 1]);
    AUTO_FREE char *two = xasprintf("%s/two", argv[argc - 1]);
    struct checkpoint_options options = {.config_digest = "0123"};
    struct sample_machine m;
    struct error err;
    bool ok;

    sample_machine_init(&m, 1, "1MiB");
    for (unsigned i = 0; i < 1000; i++)
        sample_machine_step(&m);
    ok = checkpoint_save(&m.sim, one, &options, &err);
    for (unsigned i = 0; i < 20; i++)
        sample_machine_step(&m);
    options.parent = one;
    ok = ok && checkpoint_save(&m.sim, two, &options, &err);
    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    sim_release(&m.sim);
    return ok ? 0 : 1;
}
