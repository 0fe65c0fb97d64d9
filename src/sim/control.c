// SPDX-License-Identifier: BSD-3-Clause
#include "sim/control.h"

#include "sim/sim.h"

void control_request(struct component *from, enum control_request what, u32 value)
{
    struct component *root = from->sim->root;
    const struct control_ops *ops = root ? component_interface(root, "control") : NULL;

    if (ops)
        ops->request(root, what, value);
    else
        component_guest_warn(from, "the guest asks for control %d, and nobody serves it",
                             (int)what);
}
