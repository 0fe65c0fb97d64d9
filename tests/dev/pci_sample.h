// SPDX-License-Identifier: BSD-3-Clause
// A machine with a PCI host and sample devices, for the tests of PCI: "pc" is the physical map,
// with RAM at 0, a receiver of interrupt messages at 0xfee00000, MMCONFIG at 0xb0000000.
#pragma once

#include "dev/pci.h"
#include "mem/ram.h"
#include "sim/sim.h"

// BARs: 0 32-bit memory, 1 I/O, 2 and 3 64-bit memory of 64 KiB, 4 MSI-X; MSI with 4 vectors, MSI-X
// with 3; Express; at SAMPLE_OWN an own capability of 6 bytes. Its registers read as
// 0x100 * number + BAR.
extern const struct component_type pci_sample_type;
enum { SAMPLE_MSI = 0x40, SAMPLE_MSIX = 0x58, SAMPLE_EXPRESS = 0x64, SAMPLE_OWN = 0xa0 };
enum { SAMPLE_VENDOR = 0x1234, SAMPLE_DEVICE = 0x5678, SAMPLE_CLASS = 0x010802 };

#define MACHINE_DEVICES 4
#define MACHINE_ECAM 0xb0000000u
#define MACHINE_MESSAGES 0xfee00000u
#define MACHINE_MEMORY 0xc0000000u // windows
#define MACHINE_MEMORY64 0x800000000u
#define MACHINE_IO 0xc000u

struct pci_machine {
    struct sim sim;
    struct component *map, *ram, *ports, *watcher, *host, *devices[MACHINE_DEVICES];
    struct component *functions[MACHINE_DEVICES];
    struct mem_port memory, io;
};

// What the watcher saw. One at a time.
extern struct pci_seen {
    unsigned messages;
    u64 address; // of the last message
    u32 data;
    u8 levels[256]; // of its inputs
    u8 reset_control;
    unsigned memory_writes;         // through the watcher
    unsigned own_reads, own_writes; // the device's calls
    unsigned write_bar;             // the last write to registers
    u64 write_offset, write_value;
} pci_seen;

void must(bool ok, const struct error *err);
// `count` devices; `set` is a list of "path", "param", "value" ended by NULL, or NULL. Built and
// reset.
void pci_machine_init(struct pci_machine *m, unsigned count, const char *const *set);
// As this, but what sim_build says comes back.
bool pci_machine_build(struct pci_machine *m, unsigned count, const char *const *set,
                       struct error *err);

u64 mem_get(struct pci_machine *m, u64 addr, unsigned size);
void mem_put(struct pci_machine *m, u64 addr, unsigned size, u64 value);
u32 io_get(struct pci_machine *m, u16 port, unsigned size);
void io_put(struct pci_machine *m, u16 port, unsigned size, u32 value);
// Configuration space of function 0 of a slot, by MMCONFIG.
u32 config_get(struct pci_machine *m, unsigned slot, unsigned offset, unsigned size);
void config_put(struct pci_machine *m, unsigned slot, unsigned offset, unsigned size, u32 value);
u64 stat_of(const struct component *c, const char *name);
