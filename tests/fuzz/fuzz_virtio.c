// SPDX-License-Identifier: BSD-3-Clause
// Hostile drivers of virtio devices behind MMIO (dev/virtio_hostile.h). The first byte says which
// device, the rest is the driver's program.
#include "fuzz.h"

#include "dev/virtio_hostile.h"

static const struct component_type *const types[] = {
    &virtio_blk_type, &virtio_rng_type, &virtio_console_type, &virtio_net_type, &virtio_9p_type,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct driver drivers[ARRAY_SIZE(types)];
    struct driver *d;
    size_t which;

    if (!size)
        return 0;
    which = data[0] % ARRAY_SIZE(types);
    d = &drivers[which];
    if (!d->device) {
        driver_new(d, types[which]);
        if (types[which] == &virtio_blk_type)
            driver_set(d, "disk", "board");
        if (types[which] == &virtio_9p_type)
            driver_set(d, "folder", "/usr/include/linux");
        driver_build(d);
    }
    hostile_run(d, data + 1, size - 1);
    return 0;
}
