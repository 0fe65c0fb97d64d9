// SPDX-License-Identifier: BSD-3-Clause
// Memory as devices see it (type `dma_port`): the physical map, where writes to decoded code are
// noticed. Provides mem_port; devices that do DMA name it.
#pragma once

#include "sim/component.h"

extern const struct component_type dma_port_type;

struct core;

// In the board's connect: any core of the machine, through which decoded code is found.
void dma_port_watch(struct component *c, struct core *core);
