// SPDX-License-Identifier: BSD-3-Clause
// 16550A serial port, after National Semiconductor PC16550D (June 1995), section 8. The modem on
// the other end is always ready: CTS, DSR and DCD are on. As on a PC, OUT2 gates the interrupt.
// UNMODELLED: break, parity and framing errors, DMA signalling (FCR bit 3 changes nothing), the
// delay of the THRE interrupt by a character's time after a single character in FIFO mode.
// Timing: with char_ticks a character leaves every char_ticks; without, at once, so that THR is
// always empty. Characters are received when whoever is outside gives them; the receiver's
// timeout is 4 characters' time, which without char_ticks follows from LCR and the divisor.
#include "dev/uart16550.h"

#include "dev/bytewise.h"
#include "sim/char_device.h"
#include "sim/sim.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH, REGS };
enum { FIFO_SIZE = 16 };
enum { IER_RX = 0x01, IER_TX = 0x02, IER_LINE = 0x04, IER_MODEM = 0x08, IER_BITS = 0x0f };
enum {
    IIR_MODEM = 0x00,
    IIR_NONE = 0x01,
    IIR_TX = 0x02,
    IIR_RX = 0x04,
    IIR_LINE = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFOS = 0xc0,
};
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_CLEAR_TX = 0x04, FCR_TRIGGER_SHIFT = 6 };
enum { LCR_STOP = 0x04, LCR_PARITY = 0x08, LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10 };
enum { LSR_DATA = 0x01, LSR_OVERRUN = 0x02, LSR_THR_EMPTY = 0x20, LSR_EMPTY = 0x40 };
enum { MSR_DELTAS = 0x0f, MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

#define BAUD_CLOCK 1843200ull // a sixteenth of it, by the divisor, is the rate

#define UART_PARAMS(P, PR, PB, PS, PC)                                              \
    PS(interrupts, "", "Path of the component that takes the interrupt")            \
    P(u32, irq, 4, 0, 255, "Its input number there")                                \
    P(ticks, char_ticks, 0, 0, TICKS_PER_SECOND, "Time a character takes; 0: none") \
    PB(out2_gates, true, "The interrupt needs MCR's OUT2, as on a PC")

// shift: the character that is leaving, if `shifting`; timed_out, thr_pending: these interrupts
// are pending.
#define UART_STATE(F, FA, FE, FV) \
    FE(sent)                      \
    FE(timeout)                   \
    FA(u8, rx, FIFO_SIZE)         \
    FA(u8, tx, FIFO_SIZE)         \
    F(u8, rx_head)                \
    F(u8, rx_count)               \
    F(u8, tx_head)                \
    F(u8, tx_count)               \
    F(u8, shift)                  \
    F(u8, shifting)               \
    F(u8, timed_out)              \
    F(u8, thr_pending)            \
    F(u8, overrun)                \
    F(u8, fifos)                  \
    F(u8, trigger)                \
    F(u8, ier)                    \
    F(u8, lcr)                    \
    F(u8, mcr)                    \
    F(u8, msr)                    \
    F(u8, scratch)                \
    F(u16, divisor)               \
    FA(u8, pad, 6)

#define UART_STATS(S, SV, SH, SG, SR)           \
    S(sent, "Count", "Characters sent")         \
    S(received, "Count", "Characters received") \
    S(overruns, "Count", "Received characters that were lost")

#define UART_EVENTS(E) E(sent, uart_sent) E(timeout, uart_timeout)

COMPONENT_LISTS(uart, UART_PARAMS, UART_STATE, UART_STATS, UART_EVENTS);

struct uart {
    struct component base;
    struct uart_params p;
    struct uart_state st;
    struct uart_stats n;
    WIRED(struct irq_line irq);
    WIRED(struct char_output output);
};

static struct uart *uart_of(const struct component *c)
{
    ASSERT(c->type == &uart16550_type);
    return (struct uart *)(uintptr_t)c;
}

static unsigned rx_trigger(const struct uart *u)
{
    static const u8 levels[] = {1, 4, 8, 14};

    return u->st.fifos ? levels[u->st.trigger & 3] : 1;
}

static unsigned fifo_size(const struct uart *u)
{
    return u->st.fifos ? FIFO_SIZE : 1;
}

static bool thr_empty(const struct uart *u)
{
    return u->st.tx_count == 0;
}

// The pending source of the highest priority; PC16550D table V.
static u8 interrupt_id(const struct uart *u)
{
    if ((u->st.ier & IER_LINE) && u->st.overrun)
        return IIR_LINE;
    if ((u->st.ier & IER_RX) && u->st.rx_count >= rx_trigger(u))
        return IIR_RX;
    if ((u->st.ier & IER_RX) && u->st.timed_out)
        return IIR_TIMEOUT;
    if ((u->st.ier & IER_TX) && u->st.thr_pending)
        return IIR_TX;
    if ((u->st.ier & IER_MODEM) && (u->st.msr & MSR_DELTAS))
        return IIR_MODEM;
    return IIR_NONE;
}

static void update_line(struct uart *u)
{
    // In loopback OUT2's pin is inactive whatever its bit says.
    bool gate = !u->p.out2_gates || (u->st.mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

    irq_line_set(&u->irq, gate && interrupt_id(u) != IIR_NONE);
}

static tick char_time(const struct uart *u)
{
    u64 bits = 7u + (u->st.lcr & 3) + !!(u->st.lcr & LCR_PARITY) + !!(u->st.lcr & LCR_STOP);
    u64 divisor = u->st.divisor ? u->st.divisor : 65536;

    return u->p.char_ticks ? u->p.char_ticks
                           : bits * divisor * (16 * TICKS_PER_SECOND / BAUD_CLOCK);
}

// The timeout counts from the last character that came or was read.
static void restart_timeout(struct uart *u)
{
    u->st.timed_out = 0;
    if (u->st.fifos && u->st.rx_count)
        event_schedule_in(&u->st.timeout, 4 * char_time(u));
    else
        event_cancel(&u->st.timeout);
}

static void uart_timeout(void *owner, struct event *event)
{
    struct uart *u = owner;

    u->st.timed_out = u->st.rx_count != 0;
    update_line(u);
}

static void clear_rx(struct uart *u)
{
    u->st.rx_count = 0;
    restart_timeout(u);
}

static void receive(struct uart *u, u8 c)
{
    u->n.received++;
    if (u->st.rx_count >= fifo_size(u)) {
        // The FIFO keeps what it has; without it, the new character takes the place of the old.
        if (!u->st.fifos)
            u->st.rx[u->st.rx_head] = c;
        u->st.overrun = 1;
        u->n.overruns++;
        return;
    }
    u->st.rx[(u->st.rx_head + u->st.rx_count++) % FIFO_SIZE] = c;
    restart_timeout(u);
}

static u8 read_data(struct uart *u)
{
    u8 c = u->st.rx[u->st.rx_head];

    if (u->st.rx_count) {
        u->st.rx_count--;
        u->st.rx_head = (u8)((u->st.rx_head + 1) % FIFO_SIZE);
        restart_timeout(u);
        update_line(u);
    }
    return c;
}

static void send(struct uart *u, u8 c)
{
    u->n.sent++;
    if (u->st.mcr & MCR_LOOP)
        receive(u, c);
    else if (u->output.write)
        u->output.write(u->output.ctx, &c, 1);
}

// Moves the next character from THR or the FIFO to the shift register, if it is free.
static void feed_shift(struct uart *u)
{
    if (u->st.shifting || !u->st.tx_count)
        return;
    u->st.shift = u->st.tx[u->st.tx_head];
    u->st.tx_head = (u8)((u->st.tx_head + 1) % FIFO_SIZE);
    u->st.tx_count--;
    u->st.shifting = 1;
    if (thr_empty(u))
        u->st.thr_pending = 1;
    event_schedule_in(&u->st.sent, u->p.char_ticks);
}

static void uart_sent(void *owner, struct event *event)
{
    struct uart *u = owner;

    if (u->st.shifting)
        send(u, u->st.shift);
    u->st.shifting = 0;
    feed_shift(u);
    update_line(u);
}

static void write_data(struct uart *u, u8 c)
{
    // The line drops even when THR is empty again at once: whoever takes edges must see one.
    u->st.thr_pending = 0;
    update_line(u);
    if (u->p.char_ticks == 0) {
        send(u, c);
        u->st.thr_pending = 1;
    } else if (u->st.tx_count < fifo_size(u)) {
        u->st.tx[(u->st.tx_head + u->st.tx_count++) % FIFO_SIZE] = c;
        feed_shift(u);
    } else if (!u->st.fifos) {
        u->st.tx[u->st.tx_head] = c;
    } else {
        component_guest_warn(&u->base, "a character is written to a full transmit FIFO");
    }
    update_line(u);
}

static u8 read_iir(struct uart *u)
{
    u8 id = interrupt_id(u);

    if (id == IIR_TX) {
        u->st.thr_pending = 0;
        update_line(u);
    }
    return id | (u->st.fifos ? IIR_FIFOS : 0);
}

static void write_ier(struct uart *u, u8 v)
{
    // Enabling the interrupt while THR is empty raises it; Linux counts on that.
    if ((v & ~u->st.ier & IER_TX) && thr_empty(u))
        u->st.thr_pending = 1;
    u->st.ier = v & IER_BITS;
    update_line(u);
}

static void write_fcr(struct uart *u, u8 v)
{
    bool toggled = (v & FCR_ENABLE) != u->st.fifos;

    u->st.fifos = v & FCR_ENABLE;
    // The other bits are taken only together with bit 0; a change of that clears both FIFOs.
    if (u->st.fifos)
        u->st.trigger = v >> FCR_TRIGGER_SHIFT;
    if (toggled || (u->st.fifos && (v & FCR_CLEAR_RX)))
        clear_rx(u);
    if ((toggled || (u->st.fifos && (v & FCR_CLEAR_TX))) && !thr_empty(u)) {
        u->st.tx_count = 0;
        u->st.thr_pending = 1;
    }
    update_line(u);
}

static u8 modem_lines(const struct uart *u)
{
    u8 m = u->st.mcr;

    if (!(m & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (u8)((m & MCR_RTS ? MSR_CTS : 0) | (m & MCR_DTR ? MSR_DSR : 0) |
                (m & MCR_OUT1 ? MSR_RI : 0) | (m & MCR_OUT2 ? MSR_DCD : 0));
}

static void write_mcr(struct uart *u, u8 v)
{
    u8 before = u->st.msr & 0xf0, now, changed;

    u->st.mcr = v & 0x1f;
    now = modem_lines(u);
    changed = before ^ now;
    if (!(before & MSR_RI))
        changed &= (u8)~MSR_RI; // only the end of a ring counts
    u->st.msr = now | (u->st.msr & MSR_DELTAS) | changed >> 4;
    update_line(u);
}

static u8 read_lsr(struct uart *u)
{
    u8 v = (u->st.rx_count ? LSR_DATA : 0) | (u->st.overrun ? LSR_OVERRUN : 0) |
           (thr_empty(u) ? LSR_THR_EMPTY : 0) | (thr_empty(u) && !u->st.shifting ? LSR_EMPTY : 0);

    u->st.overrun = 0;
    update_line(u);
    return v;
}

static u8 read_msr(struct uart *u)
{
    u8 v = u->st.msr;

    u->st.msr &= (u8)~MSR_DELTAS;
    update_line(u);
    return v;
}

static u8 read_register(struct component *c, unsigned offset)
{
    struct uart *u = uart_of(c);
    bool dlab = u->st.lcr & LCR_DLAB;

    switch (offset) {
    case REG_DATA:
        return dlab ? (u8)u->st.divisor : read_data(u);
    case REG_IER:
        return dlab ? (u8)(u->st.divisor >> 8) : u->st.ier;
    case REG_IIR_FCR:
        return read_iir(u);
    case REG_LCR:
        return u->st.lcr;
    case REG_MCR:
        return u->st.mcr;
    case REG_LSR:
        return read_lsr(u);
    case REG_MSR:
        return read_msr(u);
    default:
        return u->st.scratch;
    }
}

static void write_register(struct component *c, unsigned offset, u8 v)
{
    struct uart *u = uart_of(c);
    bool dlab = u->st.lcr & LCR_DLAB;

    switch (offset) {
    case REG_DATA:
        if (dlab)
            u->st.divisor = (u16)((u->st.divisor & 0xff00) | v);
        else
            write_data(u, v);
        break;
    case REG_IER:
        if (dlab)
            u->st.divisor = (u16)((u->st.divisor & 0xff) | v << 8);
        else
            write_ier(u, v);
        break;
    case REG_IIR_FCR:
        write_fcr(u, v);
        break;
    case REG_LCR:
        u->st.lcr = v;
        break;
    case REG_MCR:
        write_mcr(u, v);
        break;
    case REG_SCRATCH:
        u->st.scratch = v;
        break;
    default: // LSR is for factory tests, MSR's deltas cannot be set
        break;
    }
}

static u64 uart_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_register, offset, size);
}

static void uart_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_register, offset, size, value);
}

static size_t uart_room(struct component *c)
{
    const struct uart *u = uart_of(c);

    return u->st.mcr & MCR_LOOP ? 0 : fifo_size(u) - u->st.rx_count;
}

static void uart_input(struct component *c, const u8 *data, size_t size)
{
    struct uart *u = uart_of(c);

    if (u->st.mcr & MCR_LOOP) {
        u->n.overruns += size; // the receiver is not connected to the line
        return;
    }
    for (size_t i = 0; i < size; i++)
        receive(u, data[i]);
    update_line(u);
}

static void uart_output(struct component *c, struct char_output output)
{
    uart_of(c)->output = output;
}

static bool uart_connect(struct component *c, struct error *err)
{
    struct uart *u = uart_of(c);

    return component_irq_line(c, u->p.interrupts, (unsigned)u->p.irq, &u->irq, err);
}

static void uart_reset(struct component *c)
{
    struct uart *u = uart_of(c);

    u->st.divisor = 1;
    u->st.msr = modem_lines(u);
}

static bool uart_after_load(struct component *c, struct error *err)
{
    const struct uart_state *st = &uart_of(c)->st;
    unsigned most = fifo_size(uart_of(c));

    if (st->rx_head >= FIFO_SIZE || st->tx_head >= FIFO_SIZE || st->rx_count > most ||
        st->tx_count > most || st->fifos > 1)
        return error_set(err, ERROR_INPUT, "%s: no such state of its FIFOs", c->path);
    if (!!st->shifting != st->sent.pending || (st->tx_count && !st->shifting))
        return error_set(err, ERROR_INPUT, "%s: nothing ends what it is sending", c->path);
    return true;
}

static const struct component_ops uart_ops = {
    .connect = uart_connect,
    .reset = uart_reset,
    .after_load = uart_after_load,
};
static const struct mmio_ops uart_mmio = {.size = REGS, .read = uart_read, .write = uart_write};
static const struct char_device_ops uart_char_device = {
    .room = uart_room,
    .input = uart_input,
    .connect = uart_output,
};

const struct component_type uart16550_type = {
    .name = "uart16550",
    .doc = "16550A serial port",
    COMPONENT_LAYOUT(uart),
    .ops = &uart_ops,
    .provides = {IFACE(mmio, &uart_mmio), IFACE(char_device, &uart_char_device)},
};
