// SPDX-License-Identifier: BSD-3-Clause
// What the files of PCI share: pci_host.c (type `pci`, the ways to configuration space), pci_map.c
// (where BARs are), pci_function.c (type `pci_function`, its configuration space), pci_message.c
// (MSI and MSI-X).
#pragma once

#include "dev/pci.h"

// PCI Local Bus 3.0, section 6.1.
enum {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS = 0x09,
    PCI_CACHE_LINE = 0x0c,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_BARS = 6,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM = 0x2e,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_HEADER_END = 0x40,
    PCI_CONFIG_SIZE = 256,
};
enum {
    PCI_COMMAND_IO = 1 << 0,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_PARITY = 1 << 6,
    PCI_COMMAND_SERR = 1 << 8,
    PCI_COMMAND_NO_INTX = 1 << 10,
    PCI_STATUS_INTX = 1 << 3,
    PCI_STATUS_CAPABILITIES = 1 << 4,
    PCI_STATUS_ERRORS = 0xf900, // cleared by writing ones
    PCI_MULTIFUNCTION = 0x80,
};
enum { PCI_CAP_MSI = 0x05, PCI_CAP_EXPRESS = 0x10, PCI_CAP_MSIX = 0x11 };
enum { PCI_SLOTS = 32, PCI_FUNCTIONS = 8, PCI_SLOT_ANY = 255 };

#define PCI_NOWHERE (~(u64)0)

#define PCI_HOST_PARAMS(P, PR, PB, PS, PC)                                                \
    PS(memory_bus, NULL, "Path of the component where memory BARs appear (provides bus)") \
    PS(io_bus, NULL, "Path of the component where I/O BARs appear (provides bus)")        \
    PS(memory, NULL, "Path of the component that takes DMA and interrupt messages")       \
    PS(interrupts, "", "Path of the component that takes INTA# to INTD#")                 \
    P(u32, intx_a, 16, 0, 255, "Input number of INTA# of slot 0 there")                   \
    P(u32, intx_b, 17, 0, 255, "Input number of INTB# of slot 0 there")                   \
    P(u32, intx_c, 18, 0, 255, "Input number of INTC# of slot 0 there")                   \
    P(u32, intx_d, 19, 0, 255, "Input number of INTD# of slot 0 there")                   \
    PS(reset_control, "", "Path of the component behind port 0xcf9 (provides mmio)")      \
    P(u64, io_base, 0xc000, 0, 0xffff, "First I/O port of BARs")                          \
    P(u64, io_size, 0x3000, 0, 0x10000, "How many ports BARs can take")                   \
    P(u64, memory_base, 0xc0000000, 0, 0xffffffff, "Where BARs in 32-bit memory begin")   \
    P(bytes, memory_size, MiB(768), 0, GiB(4), "Size of that range")                      \
    P(u64, memory64_base, 0x800000000, 0, ~(u64)0, "Where 64-bit BARs begin")             \
    P(bytes, memory64_size, 0, 0, (u64)1 << 52, "Size of that range; 0: they are in 32-bit memory")

#define PCI_HOST_STATE(F, FA, FE, FV) F(u32, address) // CONFIG_ADDRESS

#define PCI_HOST_STATS(S, SV, SH, SG, SR)             \
    S(config_reads, "Count", "Configuration reads")   \
    S(config_writes, "Count", "Configuration writes") \
    S(config_absent, "Count", "Accesses to functions that are not there")

#define PCI_FUNCTION_PARAMS(P, PR, PB, PS, PC)                                               \
    PS(host, "", "Path of the PCI host; empty: the nearest one, beside the device or above") \
    P(u32, slot, PCI_SLOT_ANY, 0, 255, "Device number, 0 to 31; 255: the next free one")     \
    P(u32, function, 0, 0, 7, "Function number")

// The command, status, BAR and MSI registers are in `config` and nowhere else.
#define PCI_FUNCTION_STATE(F, FA, FE, FV)    \
    F(u64, msix_pending)                     \
    FA(u32, msix_table, 4 * PCI_MAX_VECTORS) \
    FA(u8, config, PCI_CONFIG_SIZE)

#define PCI_FUNCTION_STATS(S, SV, SH, SG, SR)                                       \
    S(messages, "Count", "Interrupt messages sent")                                 \
    S(messages_kept, "Count", "Interrupt messages kept pending by a mask")          \
    S(messages_lost, "Count", "Interrupt messages that could not be sent")          \
    S(dma_refused, "Count", "DMA accesses without bus mastering or outside of RAM") \
    S(bars_refused, "Count", "Times a BAR was put where it cannot be")

PARAM_STRUCT(pci_host_params, PCI_HOST_PARAMS);
STATE_STRUCT(pci_host_state, PCI_HOST_STATE);
STAT_STRUCT(pci_host_stats, PCI_HOST_STATS);
PARAM_STRUCT(pci_function_params, PCI_FUNCTION_PARAMS);
STATE_STRUCT(pci_function_state, PCI_FUNCTION_STATE);
STAT_STRUCT(pci_function_stats, PCI_FUNCTION_STATS);

struct pci_bar {
    struct mmio mmio; // no ops: there is none
    enum pci_bar_kind kind;
    u64 size;    // a power of two
    u64 initial; // its address after reset
    // Follow from the configuration spaces of all functions (pci_map.c); PCI_NOWHERE: not mapped.
    u64 wanted, mapped, refused;
};

struct pci_function {
    struct component base;
    struct pci_function_params p;
    struct pci_function_state st;
    struct pci_function_stats n;
    WIRED(struct component *device);
    WIRED(const struct pci_function_ops *device_ops);
    WIRED(struct pci_host *host);
    WIRED(u8 devfn); // slot * 8 + function
    // Set by build: values after reset, bits that the guest writes, bits that it clears with ones.
    WIRED(u8 *initial);
    WIRED(u8 *writable);
    WIRED(u8 *clearable);
    WIRED(unsigned config_end); // of the capabilities
    WIRED(unsigned last_capability);
    WIRED(unsigned msi); // offsets of capabilities; 0: none
    WIRED(unsigned msi_vectors);
    WIRED(unsigned msix);
    WIRED(unsigned msix_vectors);
    DERIVED(struct pci_bar bars[PCI_BARS]);
};

struct pci_host {
    struct component base;
    struct pci_host_params p;
    struct pci_host_state st;
    struct pci_host_stats n;
    WIRED(struct bus memory_bus);
    WIRED(struct bus io_bus);
    WIRED(struct mem_port memory);
    WIRED(struct irq_line intx[4]);
    WIRED(struct mmio reset_control);
    WIRED(struct pci_function *by_devfn[PCI_SLOTS * PCI_FUNCTIONS]);
    WIRED(struct pci_function *functions[PCI_SLOTS * PCI_FUNCTIONS]); // sorted by devfn
    WIRED(unsigned count);
};

static inline u16 pci_get16(const u8 *p)
{
    u16 v;

    memcpy(&v, p, sizeof(v));
    return v;
}
static inline u32 pci_get32(const u8 *p)
{
    u32 v;

    memcpy(&v, p, sizeof(v));
    return v;
}
static inline void pci_set16(u8 *p, u16 v)
{
    memcpy(p, &v, sizeof(v));
}
static inline void pci_set32(u8 *p, u32 v)
{
    memcpy(p, &v, sizeof(v));
}
// Whether bytes [a, a + a_size) and [b, b + b_size) have one in common.
static inline bool pci_overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
    return a < b + b_size && b < a + a_size;
}

// pci_function.c
struct pci_function *pci_function_of(const struct component *c);
struct component *pci_function_named(struct component *device, const char *name,
                                     const struct pci_ids *ids, const struct pci_function_ops *ops,
                                     struct error *err);
// The host it belongs to; NULL and *err when there is none.
struct component *pci_function_find_host(const struct pci_function *f, struct error *err);
// Within the 256 bytes, size 1, 2 or 4, aligned.
u32 pci_function_config_read(struct pci_function *f, unsigned offset, unsigned size);
void pci_function_config_write(struct pci_function *f, unsigned offset, unsigned size, u32 value);
// Whether there is RAM at the address, for its DMA.
bool pci_function_reaches_ram(const struct pci_function *f, paddr addr);
// What it drives on its INTA#.
bool pci_function_intx(const struct pci_function *f);
unsigned pci_function_line(const struct pci_function *f); // which of the host's four lines

// pci_message.c
void pci_message_reset(struct pci_function *f);
void pci_message_config_written(struct pci_function *f, unsigned offset, unsigned size);

// pci_map.c
// Chooses where BARs are after reset: by size, then by place, in the host's windows.
bool pci_map_assign(struct pci_host *h, struct error *err) MUST_CHECK;
// Maps and unmaps BARs as all the configuration spaces say. `count`: refusals are counted and
// reported.
void pci_map_update(struct pci_host *h, bool count);

// pci_host.c
struct pci_host *pci_host_of(const struct component *c);
void pci_host_update_line(struct pci_host *h, unsigned line);
