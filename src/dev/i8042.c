// SPDX-License-Identifier: BSD-3-Clause
// Keyboard controller and keyboard, after the IBM PS/2 Hardware Interface Technical Reference
// (1988): controller commands, and a keyboard that answers its commands and on which nobody types.
// A pulse of output line 0, or writing it low, resets the machine.
// UNMODELLED: a mouse (there is no auxiliary port: its test fails), passwords, A20 (the bit is kept
// and has no effect), scan code translation, as there is nothing to translate.
// Timing: none, an answer is there at once.
#include "dev/i8042.h"

#include "dev/bytewise.h"
#include "sim/control.h"

enum { QUEUE_SIZE = 16, MEMORY_SIZE = 32 };
enum { STATUS_FULL = 0x01, STATUS_SYSTEM = 0x04, STATUS_COMMAND = 0x08, STATUS_UNLOCKED = 0x10 };
enum {
    MODE_INTERRUPT = 0x01,
    MODE_SYSTEM = 0x04,
    MODE_KEYBOARD_OFF = 0x10,
    MODE_AUX_OFF = 0x20,
};
enum { OUTPUT_RUNS = 0x01, OUTPUT_AFTER_RESET = 0xcf };
enum {
    CMD_READ_MEMORY = 0x20,
    CMD_WRITE_MEMORY = 0x60,
    CMD_TEST_PASSWORD = 0xa4,
    CMD_AUX_OFF = 0xa7,
    CMD_AUX_ON = 0xa8,
    CMD_TEST_AUX = 0xa9,
    CMD_TEST_SELF = 0xaa,
    CMD_TEST_KEYBOARD = 0xab,
    CMD_KEYBOARD_OFF = 0xad,
    CMD_KEYBOARD_ON = 0xae,
    CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0,
    CMD_WRITE_OUTPUT = 0xd1,
    CMD_ECHO_KEYBOARD = 0xd2,
    CMD_ECHO_AUX = 0xd3,
    CMD_WRITE_AUX = 0xd4,
    CMD_PULSE = 0xf0,
};
enum { NO_PASSWORD = 0xf1, AUX_CLOCK_LOW = 0x01, SELF_OK = 0x55, INPUT_UNLOCKED = 0x80 };
enum {
    KEY_LEDS = 0xed,
    KEY_ECHO = 0xee,
    KEY_SCAN_SET = 0xf0,
    KEY_IDENTIFY = 0xf2,
    KEY_RATE = 0xf3,
    KEY_ENABLE = 0xf4,
    KEY_DISABLE = 0xf5,
    KEY_DEFAULTS = 0xf6,
    KEY_SET_FIRST = 0xf7, // commands for all keys of scan code set 3
    KEY_SET_LAST = 0xfa,
    KEY_RESEND = 0xfe,
    KEY_RESET = 0xff,
};
enum { ANSWER_ACK = 0xfa, ANSWER_RESEND = 0xfe, ANSWER_TEST_OK = 0xaa };

#define I8042_PARAMS(P, PR, PB, PS, PC)                                  \
    PS(interrupts, "", "Path of the component that takes the interrupt") \
    P(u32, irq, 1, 0, 255, "Its input number there")

// memory: that of the controller, whose byte 0 is the mode ("command byte"). queue: what the
// keyboard has to say. command, key_command: those that wait for their second byte; 0: none.
#define I8042_STATE(F, FA, FE, FV) \
    FA(u8, memory, MEMORY_SIZE)    \
    FA(u8, queue, QUEUE_SIZE)      \
    F(u8, queue_head)              \
    F(u8, queue_count)             \
    F(u8, data)                    \
    F(u8, full)                    \
    F(u8, after_command)           \
    F(u8, command)                 \
    F(u8, key_command)             \
    F(u8, scan_set)                \
    F(u8, last_answer)             \
    F(u8, output)

COMPONENT_LISTS(i8042, I8042_PARAMS, I8042_STATE, NO_ROWS, NO_ROWS);

struct i8042 {
    struct component base;
    struct i8042_params p;
    struct i8042_state st;
    struct i8042_stats n;
    WIRED(struct irq_line irq);
};

static struct i8042 *i8042_of(const struct component *c)
{
    ASSERT(c->type == &i8042_type);
    return (struct i8042 *)(uintptr_t)c;
}

static u8 *mode(struct i8042 *k)
{
    return &k->st.memory[0];
}

static void update_line(struct i8042 *k)
{
    irq_line_set(&k->irq, k->st.full && (*mode(k) & MODE_INTERRUPT));
}

// The keyboard's interrupt is the buffer's: answers of the controller raise it, too.
static void fill(struct i8042 *k, u8 v)
{
    k->st.data = v;
    k->st.full = 1;
    update_line(k);
}

// Takes the keyboard's next byte, if there is room and its clock line is not held low.
static void poll_keyboard(struct i8042 *k)
{
    if (k->st.full || !k->st.queue_count || (*mode(k) & MODE_KEYBOARD_OFF))
        return;
    k->st.queue_count--;
    fill(k, k->st.queue[k->st.queue_head]);
    k->st.queue_head = (u8)((k->st.queue_head + 1) % QUEUE_SIZE);
}

static void answer(struct i8042 *k, u8 v)
{
    k->st.last_answer = v;
    if (k->st.queue_count == QUEUE_SIZE) {
        component_guest_warn(&k->base, "the keyboard's answers are not read, one is lost");
        return;
    }
    k->st.queue[(k->st.queue_head + k->st.queue_count++) % QUEUE_SIZE] = v;
}

static void key_argument(struct i8042 *k, u8 v)
{
    u8 command = k->st.key_command;

    k->st.key_command = 0;
    answer(k, ANSWER_ACK);
    if (command == KEY_SCAN_SET && v == 0)
        answer(k, k->st.scan_set);
    else if (command == KEY_SCAN_SET && v <= 3)
        k->st.scan_set = v;
}

static void key_command(struct i8042 *k, u8 v)
{
    k->st.key_command = 0;
    switch (v) {
    case KEY_LEDS:
    case KEY_SCAN_SET:
    case KEY_RATE:
        k->st.key_command = v;
        answer(k, ANSWER_ACK);
        break;
    case KEY_ECHO:
        answer(k, KEY_ECHO);
        break;
    case KEY_IDENTIFY:
        answer(k, ANSWER_ACK);
        answer(k, 0xab); // an MF2 keyboard
        answer(k, 0x83);
        break;
    case KEY_RESEND:
        answer(k, k->st.last_answer);
        break;
    case KEY_RESET:
        k->st.queue_count = 0;
        k->st.scan_set = 2;
        answer(k, ANSWER_ACK);
        answer(k, ANSWER_TEST_OK);
        break;
    case KEY_ENABLE:
    case KEY_DISABLE:
    case KEY_DEFAULTS:
        answer(k, ANSWER_ACK);
        break;
    default:
        answer(k, v >= KEY_SET_FIRST && v <= KEY_SET_LAST ? ANSWER_ACK : ANSWER_RESEND);
    }
}

static void set_output(struct i8042 *k, u8 v)
{
    k->st.output = v;
    if (!(v & OUTPUT_RUNS))
        control_request(&k->base, CONTROL_RESET, 0);
}

// The byte that follows a command.
static void argument(struct i8042 *k, u8 v)
{
    u8 command = k->st.command;

    k->st.command = 0;
    switch (command) {
    case CMD_WRITE_OUTPUT:
        set_output(k, v);
        break;
    case CMD_ECHO_KEYBOARD:
        fill(k, v);
        break;
    case CMD_ECHO_AUX: // there is none: not what was sent, and Linux goes on to test it
        fill(k, (u8)~v);
        break;
    case CMD_WRITE_AUX:
        break;
    default:
        k->st.memory[command % MEMORY_SIZE] = v;
        update_line(k);
        poll_keyboard(k);
    }
}

static bool takes_argument(u8 command)
{
    return (command >= CMD_WRITE_MEMORY && command < CMD_WRITE_MEMORY + MEMORY_SIZE) ||
           (command >= CMD_WRITE_OUTPUT && command <= CMD_WRITE_AUX);
}

static void set_mode(struct i8042 *k, u8 clear, u8 set)
{
    *mode(k) = (u8)((*mode(k) & ~clear) | set);
    poll_keyboard(k);
}

static void command(struct i8042 *k, u8 v)
{
    switch (v) {
    case CMD_TEST_PASSWORD:
        fill(k, NO_PASSWORD);
        break;
    case CMD_AUX_OFF:
        set_mode(k, 0, MODE_AUX_OFF);
        break;
    case CMD_AUX_ON:
        set_mode(k, MODE_AUX_OFF, 0);
        break;
    case CMD_TEST_AUX:
        fill(k, AUX_CLOCK_LOW);
        break;
    case CMD_TEST_SELF:
        *mode(k) |= MODE_SYSTEM;
        fill(k, SELF_OK);
        break;
    case CMD_TEST_KEYBOARD:
        fill(k, 0);
        break;
    case CMD_KEYBOARD_OFF:
        set_mode(k, 0, MODE_KEYBOARD_OFF);
        break;
    case CMD_KEYBOARD_ON:
        set_mode(k, MODE_KEYBOARD_OFF, 0);
        break;
    case CMD_READ_INPUT:
        fill(k, INPUT_UNLOCKED);
        break;
    case CMD_READ_OUTPUT:
        fill(k, k->st.output);
        break;
    default:
        if (v >= CMD_READ_MEMORY && v < CMD_READ_MEMORY + MEMORY_SIZE)
            fill(k, k->st.memory[v - CMD_READ_MEMORY]);
        else if (v >= CMD_PULSE && !(v & OUTPUT_RUNS))
            control_request(&k->base, CONTROL_RESET, 0);
    }
}

static u8 read_data(struct component *c, unsigned offset)
{
    struct i8042 *k = i8042_of(c);
    u8 v = k->st.data;

    k->st.full = 0;
    update_line(k);
    poll_keyboard(k);
    return v;
}

static void write_data(struct component *c, unsigned offset, u8 v)
{
    struct i8042 *k = i8042_of(c);

    k->st.after_command = 0;
    if (k->st.command) {
        argument(k, v);
        return;
    }
    if (k->st.key_command && v < KEY_LEDS) // else a new command, which drops the old one
        key_argument(k, v);
    else
        key_command(k, v);
    set_mode(k, MODE_KEYBOARD_OFF, 0); // sending to the keyboard enables it
}

static u8 read_status(struct component *c, unsigned offset)
{
    struct i8042 *k = i8042_of(c);

    return (u8)((k->st.full ? STATUS_FULL : 0) | (*mode(k) & MODE_SYSTEM ? STATUS_SYSTEM : 0) |
                (k->st.after_command ? STATUS_COMMAND : 0) | STATUS_UNLOCKED);
}

static void write_command(struct component *c, unsigned offset, u8 v)
{
    struct i8042 *k = i8042_of(c);

    k->st.after_command = 1;
    k->st.command = takes_argument(v) ? v : 0;
    if (!takes_argument(v))
        command(k, v);
}

static u64 data_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_data, offset, size);
}

static void data_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_data, offset, size, value);
}

static u64 command_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_status, offset, size);
}

static void command_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_command, offset, size, value);
}

static const struct mmio_ops i8042_mmio = {.size = 1, .read = data_read, .write = data_write};
static const struct mmio_ops command_mmio = {
    .size = 1,
    .read = command_read,
    .write = command_write,
};

struct mmio i8042_command_port(struct component *c)
{
    return (struct mmio){&command_mmio, &i8042_of(c)->base};
}

static bool i8042_connect(struct component *c, struct error *err)
{
    struct i8042 *k = i8042_of(c);

    return component_irq_line(c, k->p.interrupts, (unsigned)k->p.irq, &k->irq, err);
}

// As firmware leaves it: tested, the keyboard on, without interrupts.
static void i8042_reset(struct component *c)
{
    struct i8042 *k = i8042_of(c);

    *mode(k) = MODE_SYSTEM | MODE_AUX_OFF;
    k->st.scan_set = 2;
    k->st.output = OUTPUT_AFTER_RESET;
}

static bool i8042_after_load(struct component *c, struct error *err)
{
    const struct i8042_state *st = &i8042_of(c)->st;

    if (st->queue_head >= QUEUE_SIZE || st->queue_count > QUEUE_SIZE)
        return error_set(err, ERROR_INPUT, "%s: no such state of the keyboard", c->path);
    return true;
}

static const struct component_ops i8042_ops = {
    .connect = i8042_connect,
    .reset = i8042_reset,
    .after_load = i8042_after_load,
};

const struct component_type i8042_type = {
    .name = "i8042",
    .doc = "Keyboard controller",
    COMPONENT_LAYOUT(i8042),
    .ops = &i8042_ops,
    .provides = {IFACE(mmio, &i8042_mmio)},
};
