// SPDX-License-Identifier: BSD-3-Clause
// The reader of machine descriptions.
#include "fuzz.h"

#include "base/bug.h"
#include "sim/config.h"

static void walk(const struct config_node *map, int depth)
{
    for (const struct config_node *node = map->first; node; node = node->next) {
        ASSERT(node->parent == map && depth < 1000);
        ASSERT((node->kind == CONFIG_VALUE) == (node->text != NULL));
        walk(node, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config cfg;
    struct error err;
    bool good;

    config_init(&cfg);
    good = config_parse(&cfg, (const char *)data, size, "fuzz.yaml");
    ASSERT(good == config_check(&cfg, &err));
    walk(cfg.top, 0);
    config_release(&cfg);
    return 0;
}
