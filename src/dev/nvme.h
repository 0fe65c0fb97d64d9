// SPDX-License-Identifier: BSD-3-Clause
// An NVM Express controller with one namespace, as a PCI function (dev/pci.h); its content is that
// of a component that provides IFACE(block), such as dev/disk.
#pragma once

#include "sim/component.h"

extern const struct component_type nvme_type;
