// SPDX-License-Identifier: BSD-3-Clause
// A whole PC with every device: the input is a list of operations of a hostile driver, of what is
// outside (lines, characters, frames), of time, and of whoever saves, restores and resets the
// machine. Whatever comes, nothing outside of the guest's RAM is touched, no operation takes long,
// a restored machine goes on as the saved one does, and a reset one is as a new one (pc_twin.h).
#include "fuzz.h"

#include "pc_twin.h"

enum {
    // RAM that rings and queues are in, and that most addresses given to devices point at.
    SHARED = 0x100000,
    SHARED_SIZE = 0x10000,
    QUEUE_AT = SHARED, // of virtio: a page each with descriptors, available and used ring
    QUEUE_SIZE = 16,
    ADMIN_SQ = SHARED + 0x4000, // of NVMe
    ADMIN_CQ = SHARED + 0x5000,
    IO_SQ = SHARED + 0x6000,
    IO_CQ = SHARED + 0x7000,
    DATA = SHARED + 0x8000,

    FUNCTIONS_MAX = 16,
    COPIES_MAX = 2, // checkpoints in an input
    RESETS_MAX = 4,
};

// How much time may pass in an input: with timers at their fastest it takes the host long.
#define TIME_MAX (TICKS_PER_SECOND / 50)

struct function {
    u32 config; // its configuration space
    u64 bars[2];
    u16 device; // its identity
};

struct driver {
    struct twin twin;
    struct function functions[FUNCTIONS_MAX];
    unsigned count; // of functions
    // Of one input.
    const u8 *data;
    size_t left;
    tick time;
    unsigned copies, resets;
    u16 avail[4];         // of virtio's queues
    u16 admin_tail, tail; // of NVMe's
};

static u64 take(struct driver *d, unsigned bytes)
{
    u64 value = 0;

    for (; bytes && d->left; bytes--, d->left--)
        value = value << 8 | *d->data++;
    return value;
}

// Something of the shared area, or a number of any size.
static u64 take_value(struct driver *d)
{
    u64 shape = take(d, 1);

    switch (shape % 8) {
    case 0:
    case 1:
        return SHARED + take(d, 2);
    case 2:
        return ~take(d, 1);
    case 3:
        return take(d, 8);
    case 4:
        return 1ull << (shape >> 3);
    case 5:
        return take(d, 4);
    default:
        return take(d, 1);
    }
}

// ---- addresses

static const struct {
    u16 base, size;
} ports[] = {
    {0x20, 2},  {0xa0, 2},  {0x4d0, 2}, {0x40, 4},   {0x60, 5},    {0x70, 2},  {0x80, 1},
    {0xed, 1},  {0xf4, 4},  {0x505, 1}, {0x600, 64}, {0xcf8, 8},   {0xcf9, 1}, {0x3f8, 8},
    {0x2f8, 8}, {0x3e8, 8}, {0x2e8, 8}, {0xe4, 8},   {0xc000, 64},
};

static paddr take_port(struct driver *d)
{
    u64 which = take(d, 1), at;

    if (which >= 0xf0)
        return take(d, 2);
    at = take(d, 1);
    which %= ARRAY_SIZE(ports);
    return ports[which].base + at % ports[which].size;
}

static const struct function *take_function(struct driver *d)
{
    return &d->functions[take(d, 1) % d->count];
}

static paddr take_address(struct driver *d)
{
    u64 which = take(d, 1);

    switch (which % 16) {
    case 0:
        return PC_IOAPIC_BASE + (take(d, 1) & 0x7f);
    case 1:
        return PC_HPET_BASE + (take(d, 2) & 0x1ff);
    case 2:
        return PC_APIC_BASE + take(d, 1) * 16;
    case 3:
        return PC_APIC_BASE + (take(d, 2) << 4 | which >> 4);
    case 4:
        return PC_ECAM_BASE + (take(d, 3) & 0xfffff);
    case 5:
        return take_function(d)->config + take(d, 1);
    case 6:
        return PC_SIMOP_BASE + take(d, 2);
    case 7:
        return SHARED + take(d, 2);
    case 8:
        return (u64)TWIN_RAM - 0x80 + take(d, 1);
    case 9:
        return take(d, 8) >> (which >> 4) * 4;
    case 10:
        return take_function(d)->bars[1] + take(d, 2) % 0x1000;
    default:
        return take_function(d)->bars[0] + take(d, 2) % 0x2000;
    }
}

// ---- operations on any register

static void do_port(struct driver *d, bool write)
{
    u64 how = take(d, 1);
    paddr port = take_port(d);

    (void)twin_access(&d->twin, how & 1, true, port, 1u << (how >> 1) % 3,
                      write ? take_value(d) : 0, write);
}

static void do_memory(struct driver *d, bool write)
{
    u64 how = take(d, 1);
    paddr addr = take_address(d);
    unsigned size = how & 2 ? 4 : (unsigned)(how >> 2) % 8 + 1;

    (void)twin_access(&d->twin, how & 1, false, addr, size, write ? take_value(d) : 0, write);
}

static void do_config(struct driver *d)
{
    const struct function *f = take_function(d);
    u64 offset = take(d, 1), how = take(d, 1);
    u64 address = 1u << 31 | (f->config - (u32)PC_ECAM_BASE) >> 4 | (offset & 0xfc);

    twin_access(&d->twin, 0, true, 0xcf8, 4, address, true);
    twin_access(&d->twin, 0, true, 0xcfc + offset % 4, 1u << (how >> 1) % 3,
                how & 1 ? take_value(d) : 0, how & 1);
}

static void do_msr(struct driver *d)
{
    static const u32 others[] = {0x10, 0x1b, 0x3b, 0x6e0};
    u64 how = take(d, 1);
    u32 index = how & 4 ? others[how >> 3 & 3] : 0x800 + (u32)take(d, 1);
    u64 value = index == 0x1b ? PC_APIC_BASE | (how >> 5 & 3) << 10 : take_value(d);

    if (index == 0x1b && how & 0x80)
        value = (value & 0xfff) | (take_value(d) & 0xfffff000);
    twin_msr(&d->twin, how & 1, index, value, how & 2);
}

static void do_fill(struct driver *d)
{
    u64 at = take(d, 2), count = take(d, 1) % 64;

    for (u64 i = 0; i < count; i++)
        twin_write(&d->twin, SHARED + (at + i) % SHARED_SIZE, 1, take(d, 1));
}

// ---- from outside

static void do_line(struct driver *d)
{
    static const struct {
        const char *path;
        unsigned inputs;
    } takers[] = {{"pc.isa", 16},
                  {"pc.ioapic", 24},
                  {"pc.pic", 16},
                  {"pc.cpu0.apic", 2},
                  {"pc.cpu1.apic", 2}};
    u64 which = take(d, 1), number = take(d, 1);
    unsigned taker = which % ARRAY_SIZE(takers);
    struct error err;

    TWIN_EACH(&d->twin, m)
    {
        struct irq_line line;

        must(component_irq_line(m->pc, takers[taker].path, (unsigned)number % takers[taker].inputs,
                                &line, &err),
             &err);
        irq_line_set(&line, which & 0x80);
    }
}

static void do_characters(struct driver *d)
{
    static const char *const consoles[] = {"uart0", "console0", "uart1", "uart2", "uart3"};
    u64 which = take(d, 1), count = take(d, 1) % 32;
    u8 text[32];

    for (u64 i = 0; i < count; i++)
        text[i] = (u8)take(d, 1);
    TWIN_EACH(&d->twin, m)
    {
        struct component *c = machine_part(m, consoles[which % ARRAY_SIZE(consoles)]);
        const struct char_device_ops *ops = component_interface(c, "char_device");

        (void)ops->room(c);
        ops->input(c, text, count);
    }
}

static void do_frame(struct driver *d)
{
    size_t size = take(d, 2) % 1600, given = take(d, 1) % 32;
    u8 *frame = xcalloc(size + 1, 1);

    for (size_t i = 0; i < MIN(size, given); i++)
        frame[i] = (u8)take(d, 1);
    TWIN_EACH(&d->twin, m)
    {
        struct component *c = machine_part(m, "net0");
        const struct net_device_ops *ops = component_interface(c, "net_device");

        (void)ops->room(c);
        ops->receive(c, frame, size);
    }
    free(frame);
}

static void advance(struct driver *d, tick ticks)
{
    ticks = MIN(ticks, TIME_MAX - d->time);
    d->time += ticks;
    twin_advance(&d->twin, ticks);
}

// From nothing to 8 ms.
static void do_time(struct driver *d)
{
    tick n = take(d, 1);

    advance(d, n << take(d, 1) % 26);
}

// ---- virtio: what a driver does, so that the rest has something to damage

// Registers of BAR 0 (virtio 1.2, section 4.1.4, where dev/virtio_pci.c puts them).
enum {
    DRIVER_SELECT = 0x08,
    DRIVER_FEATURE = 0x0c,
    DEVICE_FEATURE = 0x04,
    DEVICE_SELECT = 0x00,
    NUM_QUEUES = 0x12,
    STATUS = 0x14,
    Q_SELECT = 0x16,
    Q_SIZE = 0x18,
    Q_VECTOR = 0x1a,
    Q_ENABLE = 0x1c,
    Q_DESC = 0x20,
    Q_AVAIL = 0x28,
    Q_USED = 0x30,
    NOTIFY = 0x800,
};

static bool is_virtio(const struct function *f)
{
    return f->device >= 0x1040;
}

static void virtio_start(struct driver *d, const struct function *f, u64 features_off)
{
    struct twin *t = &d->twin;

    twin_write(t, f->bars[0] + STATUS, 1, 0);
    twin_write(t, f->bars[0] + STATUS, 1, 3);
    for (unsigned half = 0; half < 2; half++) {
        twin_write(t, f->bars[0] + DEVICE_SELECT, 4, half);
        twin_write(t, f->bars[0] + DRIVER_SELECT, 4, half);
        twin_write(t, f->bars[0] + DRIVER_FEATURE, 4,
                   twin_read(t, f->bars[0] + DEVICE_FEATURE, 4) &
                       (half ? ~0u : ~((u32)features_off << 24)));
    }
    twin_write(t, f->bars[0] + STATUS, 1, 11);
    for (unsigned q = 0; q < MIN(twin_read(t, f->bars[0] + NUM_QUEUES, 2), 4u); q++) {
        paddr at = QUEUE_AT + q * 0x1000;

        twin_write(t, f->bars[0] + Q_SELECT, 2, q);
        twin_write(t, f->bars[0] + Q_SIZE, 2, QUEUE_SIZE);
        twin_write(t, f->bars[0] + Q_VECTOR, 2, q);
        twin_write(t, f->bars[0] + Q_DESC, 8, at);
        twin_write(t, f->bars[0] + Q_AVAIL, 8, at + 0x800);
        twin_write(t, f->bars[0] + Q_USED, 8, at + 0xc00);
        twin_write(t, at + 0x800, 4, 0);
        twin_write(t, f->bars[0] + Q_ENABLE, 2, 1);
        d->avail[q] = 0;
    }
    twin_write(t, f->bars[0] + STATUS, 1, 15);
}

static void virtio_descriptor(struct driver *d, unsigned q, u64 number)
{
    paddr at = QUEUE_AT + q * 0x1000 + number % QUEUE_SIZE * 16;
    u64 shape = take(d, 1);

    twin_write(&d->twin, at, 8, shape & 0x80 ? take_value(d) : DATA + (take(d, 2) & 0x7fff));
    twin_write(&d->twin, at + 8, 4, shape & 0x40 ? take_value(d) : take(d, 1) * 16);
    twin_write(&d->twin, at + 12, 2, shape & 7);
    twin_write(&d->twin, at + 14, 2, shape & 0x20 ? take(d, 1) : (number + 1) % QUEUE_SIZE);
}

static void virtio_offer(struct driver *d, const struct function *f, unsigned q, u64 head)
{
    paddr ring = QUEUE_AT + q * 0x1000 + 0x800;

    twin_write(&d->twin, ring + 4 + d->avail[q] % QUEUE_SIZE * 2u, 2, head % (QUEUE_SIZE + 1));
    twin_write(&d->twin, ring + 2, 2, ++d->avail[q]);
    twin_write(&d->twin, f->bars[0] + NOTIFY + 4 * q, 4, q);
}

static void do_virtio(struct driver *d)
{
    const struct function *f = take_function(d);
    u64 what = take(d, 1);
    unsigned q = what >> 6 & 3;
    u64 head = take(d, 1);

    if (!is_virtio(f))
        return;
    if (what % 4 == 0) {
        virtio_start(d, f, head);
        return;
    }
    for (u64 i = 0; i < what % 4; i++)
        virtio_descriptor(d, q, head + i);
    virtio_offer(d, f, q, head);
}

// ---- NVMe

static void nvme_start(struct driver *d, const struct function *f, u64 how)
{
    struct twin *t = &d->twin;

    twin_write(t, f->bars[0] + 0x14, 4, 0);
    twin_write(t, f->bars[0] + 0x24, 4, how & 1 ? take(d, 4) : 0x000f000f);
    twin_write(t, f->bars[0] + 0x28, 8, ADMIN_SQ);
    twin_write(t, f->bars[0] + 0x30, 8, ADMIN_CQ);
    twin_write(t, f->bars[0] + 0x14, 4, how & 2 ? take(d, 4) : 0x00460001);
    advance(d, TICKS_PER_SECOND / 5000);
    d->admin_tail = d->tail = 0;
}

// A command whose words are of the input, and its doorbell.
static void nvme_command(struct driver *d, const struct function *f, bool admin)
{
    u16 *tail = admin ? &d->admin_tail : &d->tail;
    paddr at = (admin ? ADMIN_SQ : IO_SQ) + *tail * 64u;
    u64 shape = take(d, 1);

    twin_write(&d->twin, at, 8, 1ull << 32 | take(d, 1) << 16 | (take(d, 1) & 15));
    twin_write(&d->twin, at + 24, 8, shape & 1 ? take_value(d) : DATA + (take(d, 1) << 7));
    twin_write(&d->twin, at + 32, 8, shape & 2 ? take_value(d) : DATA + (take(d, 1) << 7));
    twin_write(&d->twin, at + 40, 8, shape & 4 ? take_value(d) : take(d, 1));
    twin_write(&d->twin, at + 48, 8, shape & 8 ? take_value(d) : take(d, 1));
    *tail = (u16)((*tail + 1) % 16);
    twin_write(&d->twin, f->bars[0] + 0x1000 + (admin ? 0 : 8), 4, *tail);
    if (shape & 0x80)
        advance(d, TICKS_PER_SECOND / 10000);
}

static void nvme_make_queues(struct driver *d, const struct function *f)
{
    static const u64 queues[2][3] = {{5, IO_CQ, 0x3}, {1, IO_SQ, 0x10001}};

    for (unsigned i = 0; i < 2; i++) {
        paddr at = ADMIN_SQ + d->admin_tail * 64u;

        twin_write(&d->twin, at, 8, queues[i][0]);
        twin_write(&d->twin, at + 24, 8, queues[i][1]);
        twin_write(&d->twin, at + 40, 8, queues[i][2] << 32 | 0xf0001);
        d->admin_tail = (u16)((d->admin_tail + 1) % 16);
    }
    twin_write(&d->twin, f->bars[0] + 0x1000, 4, d->admin_tail);
    advance(d, TICKS_PER_SECOND / 10000);
}

static void do_nvme(struct driver *d)
{
    const struct function *f = NULL;
    u64 how = take(d, 1);

    for (unsigned i = 0; i < d->count; i++)
        if (!is_virtio(&d->functions[i]))
            f = &d->functions[i];
    ASSERT(f);
    switch (how % 8) {
    case 0:
        nvme_start(d, f, how >> 3);
        break;
    case 1:
        nvme_make_queues(d, f);
        break;
    case 2: // takes completions away
        twin_write(&d->twin, f->bars[0] + 0x1004 + (how >> 3 & 8), 4, take(d, 1) % 17);
        break;
    default:
        nvme_command(d, f, how & 8);
    }
}

// A vector of MSI-X, and the bit that enables it.
static void do_msix(struct driver *d)
{
    const struct function *f = take_function(d);
    u64 how = take(d, 1);
    paddr entry = f->bars[1] + (how & 3) * 16, cap = twin_read(&d->twin, f->config + 0x34, 1);

    for (unsigned n = 0; n < 16 && cap >= 0x40; n++) {
        if (twin_read(&d->twin, f->config + (cap & 0xfc), 1) == 0x11)
            break;
        cap = twin_read(&d->twin, f->config + (cap & 0xfc) + 1, 1);
    }
    if (cap < 0x40)
        return;
    twin_write(&d->twin, entry, 8, how & 4 ? take_value(d) : PC_APIC_BASE | take(d, 2) << 4);
    twin_write(&d->twin, entry + 8, 8, take(d, 2));
    twin_write(&d->twin, f->config + (cap & 0xfc) + 2, 2, (how & 0xc0) << 8);
}

// ---- life

// A driver that finds what there is, as after each reset.
static void find_functions(struct driver *d)
{
    d->count = 0;
    for (u32 devfn = 0; devfn < 256; devfn++) {
        struct function f = {.config = (u32)PC_ECAM_BASE + (devfn << 12)};
        u64 id = twin_read(&d->twin, f.config, 4);

        if ((u16)id == 0xffff || twin_read(&d->twin, f.config + 0x20, 4) == 0)
            continue;
        f.device = (u16)(id >> 16);
        f.bars[0] = twin_read(&d->twin, f.config + 0x10, 8) & ~0xfull;
        f.bars[1] = twin_read(&d->twin, f.config + 0x20, 8) & ~0xfull;
        ASSERT(d->count < FUNCTIONS_MAX);
        d->functions[d->count++] = f;
    }
    ASSERT(d->count == 6);
}

static void master_all(struct driver *d)
{
    for (unsigned i = 0; i < d->count; i++)
        twin_write(&d->twin, d->functions[i].config + 4, 2, 7);
}

static void do_life(struct driver *d)
{
    u64 what = take(d, 1);

    if (what < 0xe0) {
        twin_interrupt(&d->twin, what & 1);
    } else if (what < 0xf4 && d->copies < COPIES_MAX) {
        d->copies++;
        twin_compare(&d->twin);
        twin_copy(&d->twin);
    } else if (what >= 0xf4 && d->resets < RESETS_MAX) {
        d->resets++;
        TWIN_EACH(&d->twin, m)
        sim_reset(&m->sim);
        master_all(d);
    }
}

static void operation(struct driver *d)
{
    u64 what = take(d, 1);

    switch (what % 16) {
    case 0:
    case 1:
        do_port(d, what % 2);
        break;
    case 2:
    case 3:
    case 4:
        do_memory(d, what % 2);
        break;
    case 5:
        do_config(d);
        break;
    case 6:
        do_msr(d);
        break;
    case 7:
        do_fill(d);
        break;
    case 8:
        do_line(d);
        break;
    case 9:
        if (what & 0x80)
            do_frame(d);
        else
            do_characters(d);
        break;
    case 10:
        do_time(d);
        break;
    case 11:
        do_msix(d);
        break;
    case 12:
    case 13:
        do_virtio(d);
        break;
    case 14:
        do_nvme(d);
        break;
    default:
        do_life(d);
    }
    advance(d, 1000000); // an instruction that reaches a device takes about 1 us
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct driver d;

    if (!d.twin.count) {
        twin_build(&d.twin);
        d.twin.count = 1;
        find_functions(&d);
    }
    twin_restart(&d.twin);
    d.data = data;
    d.left = size;
    d.time = 0;
    d.copies = d.resets = 0;
    d.admin_tail = d.tail = 0;
    memset(d.avail, 0, sizeof(d.avail));
    master_all(&d);
    while (d.left) {
        double before = seconds();

        operation(&d);
        ASSERT(seconds() - before < TWIN_OP_SECONDS);
    }
    twin_compare(&d.twin);
    return 0;
}
