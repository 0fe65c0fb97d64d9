// SPDX-License-Identifier: BSD-3-Clause
#include "machine/types.h"

#define TYPE(name) extern const struct component_type name;
#include "machine/types.def"
#undef TYPE

const struct component_type *const machine_types[] = {
#define TYPE(name) &name,
#include "machine/types.def"
#undef TYPE
    NULL,
};
