// SPDX-License-Identifier: BSD-3-Clause
// Interrupts as messages: MSI (PCI Local Bus 3.0, section 6.8.1) and MSI-X (section 6.8.2). A
// message is a 32-bit write to memory; like all a function's writes it needs bus mastering, and is
// lost without it. It reaches the interrupt controllers (Intel SDM volume 3A, "Message Address
// Register Format": 0xfeexxxxx) or RAM. UNMODELLED: messages to registers of other devices.
#include "dev/pci_priv.h"

#include "sim/sim.h"

#include <inttypes.h>

// The MSI capability: 64-bit address, masks. Offsets in it.
enum {
    MSI_CONTROL = 0x02, // 0 enable, 3:1 capable of 2^n, 6:4 enabled 2^n, 7 64-bit, 8 masks
    MSI_ADDRESS = 0x04,
    MSI_DATA = 0x0c,
    MSI_MASK = 0x10,
    MSI_PENDING = 0x14,
    MSI_SIZE = 0x18,
    MSI_ENABLE = 1 << 0,
    MSI_VECTORS_SHIFT = 4,
};
// The MSI-X capability; and its BAR, the table and then the pending bits.
enum {
    MSIX_CONTROL = 0x02, // 10:0 vectors - 1, 14 all masked, 15 enable
    MSIX_TABLE = 0x04,
    MSIX_PENDING = 0x08,
    MSIX_SIZE = 0x0c,
    MSIX_MASK_ALL = 1 << 14,
    MSIX_ENABLE = 1 << 15,
    ENTRY_ADDRESS = 0, // words of an entry
    ENTRY_ADDRESS_HIGH,
    ENTRY_DATA,
    ENTRY_CONTROL,
    ENTRY_WORDS,
    ENTRY_MASKED = 1, // of its control
    BAR_PENDING = 0x800,
    BAR_SIZE = 0x1000,
};
_Static_assert(PCI_MAX_VECTORS <= 64 && 4 * ENTRY_WORDS * PCI_MAX_VECTORS <= BAR_PENDING, "");

static void send(struct pci_function *f, u64 address, u32 data)
{
    bool is_master = pci_get16(f->st.config + PCI_COMMAND) & PCI_COMMAND_MASTER;

    address &= ~(u64)3;
    if (is_master && (address >> 20 == 0xfee || pci_function_reaches_ram(f, address)) &&
        mem_port_write(&f->host->memory, address, 4, &data)) {
        f->n.messages++;
        return;
    }
    f->n.messages_lost++;
    component_guest_warn(&f->base, "an interrupt message to 0x%" PRIx64 " is lost: %s", address,
                         is_master ? "nothing takes it there" : "the function is no bus master");
}

// MSI.

void pci_function_add_msi(struct component *function, unsigned vectors)
{
    struct pci_function *f = pci_function_of(function);
    u8 bytes[MSI_SIZE] = {0}, writable[MSI_SIZE] = {0};
    unsigned log2 = (unsigned)__builtin_ctz(vectors);

    ASSERT(!f->msi && vectors <= 32 && vectors == 1u << log2);
    pci_set16(bytes + MSI_CONTROL, (u16)(log2 << 1 | 1 << 7 | 1 << 8));
    pci_set16(writable + MSI_CONTROL, MSI_ENABLE | 7 << MSI_VECTORS_SHIFT);
    pci_set32(writable + MSI_ADDRESS, ~(u32)3);
    pci_set32(writable + MSI_ADDRESS + 4, ~(u32)0);
    pci_set16(writable + MSI_DATA, 0xffff);
    pci_set32(writable + MSI_MASK, (u32)(((u64)1 << vectors) - 1));
    f->msi =
        pci_function_add_capability(function, PCI_CAP_MSI, bytes + 2, writable + 2, MSI_SIZE - 2);
    f->msi_vectors = vectors;
}

static bool msi_enabled(const struct pci_function *f)
{
    return f->msi && pci_get16(f->st.config + f->msi + MSI_CONTROL) & MSI_ENABLE;
}

// Never more than there are: values that are reserved, or more than it is capable of, mean all.
static unsigned msi_enabled_vectors(const struct pci_function *f)
{
    u16 control = pci_get16(f->st.config + f->msi + MSI_CONTROL);

    return MIN(1u << (control >> MSI_VECTORS_SHIFT & 7), f->msi_vectors);
}

static void msi_interrupt(struct pci_function *f, unsigned vector)
{
    u8 *c = f->st.config + f->msi;
    unsigned count = msi_enabled_vectors(f);
    u32 bit, pending = pci_get32(c + MSI_PENDING);

    vector %= count;
    bit = (u32)1 << vector;
    if (pci_get32(c + MSI_MASK) & bit) {
        f->n.messages_kept++;
        pci_set32(c + MSI_PENDING, pending | bit);
        return;
    }
    pci_set32(c + MSI_PENDING, pending & ~bit);
    send(f, pci_get32(c + MSI_ADDRESS) | (u64)pci_get32(c + MSI_ADDRESS + 4) << 32,
         (pci_get16(c + MSI_DATA) & ~(count - 1)) | vector);
}

static void msi_written(struct pci_function *f)
{
    for (unsigned v = 0; v < msi_enabled_vectors(f) && msi_enabled(f); v++) {
        const u8 *c = f->st.config + f->msi;

        if (pci_get32(c + MSI_PENDING) & ~pci_get32(c + MSI_MASK) & (u32)1 << v)
            msi_interrupt(f, v);
    }
}

// MSI-X.

bool pci_function_msix_enabled(const struct component *function)
{
    const struct pci_function *f = pci_function_of(function);

    return f->msix && pci_get16(f->st.config + f->msix + MSIX_CONTROL) & MSIX_ENABLE;
}

static void msix_interrupt(struct pci_function *f, unsigned vector)
{
    const u32 *entry = &f->st.msix_table[vector * ENTRY_WORDS];
    u64 bit = (u64)1 << vector;

    if (entry[ENTRY_CONTROL] & ENTRY_MASKED ||
        pci_get16(f->st.config + f->msix + MSIX_CONTROL) & MSIX_MASK_ALL) {
        f->n.messages_kept++;
        f->st.msix_pending |= bit;
        return;
    }
    f->st.msix_pending &= ~bit;
    send(f, entry[ENTRY_ADDRESS] | (u64)entry[ENTRY_ADDRESS_HIGH] << 32, entry[ENTRY_DATA]);
}

// Sends what waited for a mask to go.
static void msix_written(struct pci_function *f)
{
    u16 control = pci_get16(f->st.config + f->msix + MSIX_CONTROL);

    if ((control & (MSIX_ENABLE | MSIX_MASK_ALL)) != MSIX_ENABLE)
        return;
    for (unsigned v = 0; v < f->msix_vectors; v++)
        if (f->st.msix_pending >> v & 1 &&
            !(f->st.msix_table[v * ENTRY_WORDS + ENTRY_CONTROL] & ENTRY_MASKED))
            msix_interrupt(f, v);
}

// One byte of the BAR. Reserved space reads as zero.
static u8 *msix_byte(struct pci_function *f, u64 offset)
{
    if (offset < f->msix_vectors * ENTRY_WORDS * sizeof(u32))
        return (u8 *)f->st.msix_table + offset;
    if (offset - BAR_PENDING < sizeof(f->st.msix_pending))
        return (u8 *)&f->st.msix_pending + (offset - BAR_PENDING);
    return NULL;
}

static u64 msix_read(struct component *c, u64 offset, unsigned size)
{
    u64 v = 0;

    for (unsigned i = 0; i < size; i++) {
        const u8 *byte = msix_byte(pci_function_of(c), offset + i);

        v |= (u64)(byte ? *byte : 0) << (8 * i);
    }
    return v;
}

static void msix_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    struct pci_function *f = pci_function_of(c);

    if (offset >= BAR_PENDING)
        return;
    for (unsigned i = 0; i < size; i++) {
        u8 *byte = msix_byte(f, offset + i);

        if (byte)
            *byte = (u8)(value >> (8 * i));
    }
    msix_written(f);
}

static const struct mmio_ops msix_registers = {
    .size = BAR_SIZE,
    .read = msix_read,
    .write = msix_write,
};

void pci_function_add_msix(struct component *function, unsigned bar, unsigned vectors)
{
    struct pci_function *f = pci_function_of(function);
    u8 bytes[MSIX_SIZE] = {0}, writable[MSIX_SIZE] = {0};

    ASSERT(!f->msix && vectors && vectors <= PCI_MAX_VECTORS);
    pci_function_set_bar(function, bar, PCI_BAR_MEMORY32, (struct mmio){&msix_registers, function});
    pci_set16(bytes + MSIX_CONTROL, (u16)(vectors - 1));
    pci_set16(writable + MSIX_CONTROL, MSIX_ENABLE | MSIX_MASK_ALL);
    pci_set32(bytes + MSIX_TABLE, bar);
    pci_set32(bytes + MSIX_PENDING, BAR_PENDING | bar);
    f->msix =
        pci_function_add_capability(function, PCI_CAP_MSIX, bytes + 2, writable + 2, MSIX_SIZE - 2);
    f->msix_vectors = vectors;
}

// Both.

void pci_message_reset(struct pci_function *f)
{
    f->st.msix_pending = 0;
    memset(f->st.msix_table, 0, sizeof(f->st.msix_table));
    for (unsigned v = 0; v < f->msix_vectors; v++)
        f->st.msix_table[v * ENTRY_WORDS + ENTRY_CONTROL] = ENTRY_MASKED;
}

void pci_message_config_written(struct pci_function *f, unsigned offset, unsigned size)
{
    if (f->msi && pci_overlap(offset, size, f->msi, MSI_SIZE))
        msi_written(f);
    if (f->msix && pci_overlap(offset, size, f->msix, MSIX_SIZE))
        msix_written(f);
}

bool pci_function_message_enabled(const struct component *function)
{
    return pci_function_msix_enabled(function) || msi_enabled(pci_function_of(function));
}

void pci_function_interrupt(struct component *function, unsigned vector)
{
    struct pci_function *f = pci_function_of(function);

    if (!pci_function_msix_enabled(function)) {
        if (msi_enabled(f))
            msi_interrupt(f, vector);
    } else if (vector < f->msix_vectors) {
        msix_interrupt(f, vector);
    } else {
        component_guest_warn(function, "an interrupt of vector %u, which it does not have", vector);
    }
}
