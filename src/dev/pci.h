// SPDX-License-Identifier: BSD-3-Clause
// PCI: the host (type `pci`, bus 0, 32 slots of 8 functions) and the functions on it. A PCI device
// is a component that makes a child `pci` of type `pci_function`, which holds the configuration
// space and does everything that is PCI: identity, BARs (sizing, decoding, mapping), capabilities,
// INTx, MSI, MSI-X, bus mastering. Where it sits is the child's parameters (`slot`, `function`).
//
//     build:    d->pci = pci_function_new(c, &my_ids, NULL, err);
//               pci_function_set_bar(d->pci, 0, PCI_BAR_MEMORY64, (struct mmio){&my_registers, c});
//               pci_function_add_msix(d->pci, 4, vectors);
//     connect:  d->dma = pci_function_dma(d->pci);
//     run:      pci_function_interrupt(d->pci, vector)  or  pci_function_set_intx(d->pci, level)
//
// Nothing else is to be forwarded: state, reset, checkpoint are the child's own. A reset brings the
// configuration space back to what build made of it, with addresses in the BARs, decoding on, the
// number of the host's interrupt input in the interrupt line register, and bus mastering off.
#pragma once

#include "sim/component.h"

extern const struct component_type pci_type;
extern const struct component_type pci_function_type;

// For the board. The host provides IFACE(mmio): 8 ports at 0xcf8 (configuration mechanism #1; byte
// accesses to 0xcf9 go to the component named by `reset_control`). This is its MMCONFIG range.
#define PCI_ECAM_SIZE MiB(256)
struct mmio pci_ecam(struct component *host);

#define PCI_MAX_VECTORS 64 // of MSI-X; MSI has 32

struct pci_ids {
    u16 vendor, device, subsystem_vendor, subsystem;
    u32 class_code; // 24 bits: base class, subclass, interface
    u8 revision;
    bool has_intx; // uses INTA#
};

// Calls into the device about configuration registers of its own capabilities; all optional.
struct pci_function_ops {
    // Before bytes [offset, offset + size) are read: may refresh them in pci_function_config.
    void (*config_read)(struct component *device, unsigned offset, unsigned size);
    // After the guest wrote them (writable bits only have changed). Any offset comes here.
    void (*config_written)(struct component *device, unsigned offset, unsigned size);
};

// In build: makes the child `pci` of `device`. NULL and *err as component_new.
struct component *pci_function_new(struct component *device, const struct pci_ids *ids,
                                   const struct pci_function_ops *ops, struct error *err);

// The rest of the set-up, also in build. Breaking the rules is a bug, not an error.

enum pci_bar_kind {
    PCI_BAR_MEMORY32,
    PCI_BAR_MEMORY64,          // takes two BARs, `index` and the next
    PCI_BAR_MEMORY64_PREFETCH, // the same, without side effects of reads
    PCI_BAR_IO,
};
// The BAR is as large as the registers, rounded up to a power of two (at least 4 KiB of memory, 4
// ports). While the guest lets it decode, `registers` are mapped at its address.
void pci_function_set_bar(struct component *function, unsigned index, enum pci_bar_kind kind,
                          struct mmio registers);
// Appends a capability: its id, then `size` bytes (from offset 2 on), at a multiple of 4. Guest
// writes change the bits of `writable` (`size` bytes; NULL: none). Returns its offset.
unsigned pci_function_add_capability(struct component *function, u8 id, const void *bytes,
                                     const void *writable, unsigned size);
// MSI with 1, 2, 4, 8, 16 or 32 messages, 64-bit addresses, maskable.
void pci_function_add_msi(struct component *function, unsigned vectors);
// MSI-X; table and pending bits are the whole content of memory BAR `bar`.
void pci_function_add_msix(struct component *function, unsigned bar, unsigned vectors);
// PCI Express capability of an endpoint integrated into the root complex.
void pci_function_add_express(struct component *function);

// While the machine runs.

// The 256 bytes of configuration space: for reading, and for registers of own capabilities. What
// they hold after a load is for the device to check; the first 64 bytes have been.
u8 *pci_function_config(struct component *function);
// Sends the message of an MSI or MSI-X vector (MSI: modulo those enabled), or keeps it pending
// while it is masked. Nothing when neither is enabled. A message goes to the interrupt controllers
// or to RAM, never into registers: no device is called back.
void pci_function_interrupt(struct component *function, unsigned vector);
bool pci_function_msix_enabled(const struct component *function);
// MSI or MSI-X is on: INTx is silent.
bool pci_function_message_enabled(const struct component *function);
// The function's INTx request; what reaches the line follows the interrupt disable bit and MSI.
void pci_function_set_intx(struct component *function, bool level);
// The device's way to memory: fails while the guest has not made it bus master, and where there is
// no RAM (no peer-to-peer transfers: UNMODELLED). In connect or later.
struct mem_port pci_function_dma(struct component *function);
