// SPDX-License-Identifier: BSD-3-Clause
// Real-time clock, after Motorola MC146818A (1984) as in PCs: a 32768 Hz crystal, 128 bytes, of
// which 0x32 is the century. It starts at the parameter `epoch`, plus the simulated time, so that
// runs repeat.
// UNMODELLED: the battery (a reset of the machine brings back time and RAM of the start), daylight
// saving (register B's DSE), the square wave output, other crystals (register A's DV selects
// "runs", 2, or "held"), the NMI mask (bit 7 of the index).
// APPROX: the weekday follows from the date, whatever is written there. Changing the format
// (register B's DM, 24/12) of a running clock converts what it shows.
// Timing: everything is computed from the time. An update ends on the second; UIP announces it
// 2228 us before (tBUC and tUC of the data sheet). There is an event only while an interrupt is
// enabled and none is pending.
#include "dev/rtc_mc146818.h"

#include "dev/bytewise.h"
#include "sim/clock.h"
#include "sim/sim.h"

enum { PORT_INDEX, PORT_DATA, PORTS, RAM_SIZE = 128 };
enum {
    SECOND = 0x00,
    SECOND_ALARM = 0x01,
    MINUTE = 0x02,
    MINUTE_ALARM = 0x03,
    HOUR = 0x04,
    HOUR_ALARM = 0x05,
    WEEKDAY = 0x06,
    DAY = 0x07,
    MONTH = 0x08,
    YEAR = 0x09,
    REG_A = 0x0a,
    REG_B = 0x0b,
    REG_C = 0x0c,
    REG_D = 0x0d,
    CENTURY = 0x32,
};
enum { A_UPDATING = 0x80, A_DIVIDER = 0x70, A_RUNS = 0x20, A_RATE = 0x0f };
enum { B_SET = 0x80, B_UPDATE_ENABLE = 0x10, B_BINARY = 0x04, B_24_HOURS = 0x02 };
enum { C_REQUEST = 0x80, FLAG_PERIODIC = 0x40, FLAG_ALARM = 0x20, FLAG_UPDATE = 0x10 };
enum { FLAGS = FLAG_PERIODIC | FLAG_ALARM | FLAG_UPDATE }; // in C, and enables in B
enum { D_VALID = 0x80, PM = 0x80, DAY_SECONDS = 86400 };

#define NEVER INT64_MAX
#define UPDATE_TICKS (2228 * (TICKS_PER_SECOND / 1000000))

#define RTC_PARAMS(P, PR, PB, PS, PC)                                    \
    PS(interrupts, "", "Path of the component that takes the interrupt") \
    P(u32, irq, 8, 0, 255, "Its input number there")                     \
    P(u64, epoch, 1767225600, 0, 253402300799, "Time at the start, in seconds since 1970")

// The divider chain was zero at tick `phase`; then it was `seconds` since 1970. Flags of what came
// up to tick `since` are in register C. While the clock does not run, the time is in ram.
#define RTC_STATE(F, FA, FE, FV) \
    FE(interrupt)                \
    F(tick, phase)               \
    F(tick, since)               \
    F(i64, seconds)              \
    FA(u8, ram, RAM_SIZE)        \
    F(u8, index)                 \
    FA(u8, pad, 7)

#define RTC_STATS(S, SV, SH, SG, SR) S(interrupts, "Count", "Interrupts")

#define RTC_EVENTS(E) E(interrupt, rtc_interrupt)

COMPONENT_LISTS(rtc, RTC_PARAMS, RTC_STATE, RTC_STATS, RTC_EVENTS);

struct rtc {
    struct component base;
    struct rtc_params p;
    struct rtc_state st;
    struct rtc_stats n;
    WIRED(struct irq_line irq);
};

static const struct clock crystal = {32768};

static struct rtc *rtc_of(const struct component *c)
{
    ASSERT(c->type == &rtc_type);
    return (struct rtc *)(uintptr_t)c;
}

static bool divider_runs(const struct rtc *r)
{
    return (r->st.ram[REG_A] & A_DIVIDER) == A_RUNS;
}

static bool clock_runs(const struct rtc *r)
{
    return divider_runs(r) && !(r->st.ram[REG_B] & B_SET);
}

static tick now(const struct rtc *r)
{
    return r->base.sim->queue.now;
}

// What the clock shows, or would show if it ran, at tick `when`.
static i64 seconds_at(const struct rtc *r, tick when)
{
    return r->st.seconds + (i64)((when - r->st.phase) / TICKS_PER_SECOND);
}

static u8 encode(const struct rtc *r, u64 v)
{
    return (u8)(r->st.ram[REG_B] & B_BINARY ? v : v / 10 % 10 << 4 | v % 10);
}

static unsigned decode(const struct rtc *r, u8 v)
{
    return r->st.ram[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static u8 encode_hour(const struct rtc *r, unsigned hour)
{
    if (r->st.ram[REG_B] & B_24_HOURS)
        return encode(r, hour);
    return encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? PM : 0);
}

static unsigned decode_hour(const struct rtc *r, u8 v)
{
    if (r->st.ram[REG_B] & B_24_HOURS)
        return decode(r, v);
    return decode(r, v & (PM - 1)) % 12 + (v & PM ? 12 : 0);
}

static i64 floor_div(i64 a, i64 b)
{
    return a / b - (a % b < 0);
}

// Days since 1970-01-01 of a date of the Gregorian calendar; `day` may be any. Years are counted
// from March, so that the leap day is their last.
static i64 days_of(i64 year, i64 month, i64 day)
{
    i64 months = year * 12 + month - 3, y = floor_div(months, 12), m = months - y * 12;

    return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) + (153 * m + 2) / 5 +
           day - 1 - 719468;
}

// Its inverse: the last year and month that begin at or before the day.
static void date_of(i64 days, i64 *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    i64 year = floor_div(days * 400, 146097) + 1970, month = 12;

    while (days_of(year, 1, 1) > days)
        year--;
    while (days_of(year + 1, 1, 1) <= days)
        year++;
    while (days_of(year, month, 1) > days)
        month--;
    *ret_year = year;
    *ret_month = (unsigned)month;
    *ret_day = (unsigned)(days - days_of(year, month, 1) + 1);
}

// Puts the time into the registers.
static void show_time(struct rtc *r)
{
    i64 t = seconds_at(r, now(r)), days = floor_div(t, DAY_SECONDS), year;
    unsigned rest = (unsigned)(t - days * DAY_SECONDS), month, day;
    u8 *ram = r->st.ram;

    date_of(days, &year, &month, &day);
    ram[SECOND] = encode(r, rest % 60);
    ram[MINUTE] = encode(r, rest / 60 % 60);
    ram[HOUR] = encode_hour(r, rest / 3600);
    ram[WEEKDAY] = encode(r, (u64)(days + 4 - 7 * floor_div(days + 4, 7)) + 1);
    ram[DAY] = encode(r, day);
    ram[MONTH] = encode(r, month);
    ram[YEAR] = encode(r, (u64)(year - 100 * floor_div(year, 100)));
    ram[CENTURY] = encode(r, (u64)floor_div(year, 100));
}

// Sets the time from the registers, which may hold anything.
static void take_time(struct rtc *r)
{
    const u8 *ram = r->st.ram;
    i64 year = decode(r, ram[CENTURY]) * 100 + decode(r, ram[YEAR]);
    i64 t = days_of(year, decode(r, ram[MONTH]), decode(r, ram[DAY])) * DAY_SECONDS;

    t += decode_hour(r, ram[HOUR]) * 3600 + decode(r, ram[MINUTE]) * 60 + decode(r, ram[SECOND]);
    r->st.seconds += t - seconds_at(r, now(r));
}

// -1: any; 60 and more: none.
static i64 alarm_field(const struct rtc *r, unsigned reg)
{
    u8 v = r->st.ram[reg];

    if ((v & 0xc0) == 0xc0)
        return -1;
    return reg == HOUR_ALARM ? decode_hour(r, v) : decode(r, v);
}

// The first second after `from` at which the alarm goes off.
static i64 next_alarm(const struct rtc *r, i64 from)
{
    i64 hour = alarm_field(r, HOUR_ALARM), minute = alarm_field(r, MINUTE_ALARM);
    i64 second = alarm_field(r, SECOND_ALARM), t = from + 1;

    if (hour >= 24 || minute >= 60 || second >= 60)
        return NEVER;
    for (;;) { // at most a day, hour by hour, then minute by minute
        i64 of_day = t - DAY_SECONDS * floor_div(t, DAY_SECONDS);
        i64 s = of_day % 60;

        if (hour >= 0 && of_day / 3600 != hour)
            t += 3600 - of_day % 3600;
        else if (minute >= 0 && of_day / 60 % 60 != minute)
            t += 60 - s;
        else if (second >= 0 && s != second)
            t += s < second ? second - s : 60 - s;
        else
            return t;
    }
}

// Cycles of the crystal between two periodic interrupts; 0: none.
static u64 period(const struct rtc *r)
{
    unsigned rate = r->st.ram[REG_A] & A_RATE;

    if (rate == 0)
        return 0;
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

// Brings the flags of register C up to now; before whatever they depend on is changed.
static void settle(struct rtc *r)
{
    u64 before = r->st.since - r->st.phase, after = now(r) - r->st.phase, p = period(r);
    i64 from = seconds_at(r, r->st.since), to = seconds_at(r, now(r));
    u8 *flags = &r->st.ram[REG_C];

    r->st.since = now(r);
    if (divider_runs(r) && p &&
        clock_cycle(&crystal, before) / p != clock_cycle(&crystal, after) / p)
        *flags |= FLAG_PERIODIC;
    if (!clock_runs(r) || from == to)
        return;
    *flags |= FLAG_UPDATE;
    if (next_alarm(r, from) <= to)
        *flags |= FLAG_ALARM;
}

static u8 requests(const struct rtc *r)
{
    return r->st.ram[REG_B] & r->st.ram[REG_C] & FLAGS;
}

// Ticks until an enabled flag will be set; ~0: never.
static tick until_request(const struct rtc *r)
{
    tick since = now(r) - r->st.phase, next = ~(tick)0;
    u8 enabled = r->st.ram[REG_B];
    u64 p = period(r);

    if (divider_runs(r) && (enabled & FLAG_PERIODIC) && p)
        next = clock_tick(&crystal, (clock_cycle(&crystal, since) / p + 1) * p) - since;
    if (clock_runs(r) && (enabled & FLAG_UPDATE))
        next = MIN(next, TICKS_PER_SECOND - since % TICKS_PER_SECOND);
    if (clock_runs(r) && (enabled & FLAG_ALARM)) {
        i64 t = seconds_at(r, now(r)), alarm = next_alarm(r, t);

        if (alarm != NEVER)
            next = MIN(next, (u64)(alarm - t) * TICKS_PER_SECOND - since % TICKS_PER_SECOND);
    }
    return next;
}

static void update(struct rtc *r)
{
    tick wait = requests(r) ? ~(tick)0 : until_request(r);

    irq_line_set(&r->irq, requests(r) != 0);
    if (wait == ~(tick)0)
        event_cancel(&r->st.interrupt);
    else
        event_schedule_in(&r->st.interrupt, wait);
}

static void rtc_interrupt(void *owner, struct event *event)
{
    struct rtc *r = owner;

    settle(r);
    r->n.interrupts += requests(r) != 0;
    update(r);
}

static bool is_time(unsigned reg)
{
    return reg == SECOND || reg == MINUTE || (reg >= HOUR && reg != HOUR_ALARM && reg <= YEAR) ||
           reg == CENTURY;
}

static void write_a(struct rtc *r, u8 v)
{
    bool ran = divider_runs(r);

    if (clock_runs(r))
        show_time(r);
    r->st.ram[REG_A] = v & (u8)~A_UPDATING;
    // The first update comes half a second after the divider chain is let go.
    if (divider_runs(r) && !ran)
        r->st.phase = now(r) - TICKS_PER_SECOND / 2;
    if (clock_runs(r))
        take_time(r);
}

static void write_b(struct rtc *r, u8 v)
{
    bool ran = clock_runs(r);

    if (ran)
        show_time(r);
    r->st.ram[REG_B] = v & B_SET ? v & (u8)~B_UPDATE_ENABLE : v;
    if (clock_runs(r) && !ran)
        take_time(r);
}

static void write_data(struct rtc *r, unsigned reg, u8 v)
{
    settle(r);
    if (reg == REG_A) {
        write_a(r, v);
    } else if (reg == REG_B) {
        write_b(r, v);
    } else if (is_time(reg) && clock_runs(r)) {
        show_time(r);
        r->st.ram[reg] = v;
        take_time(r);
    } else if (reg != REG_C && reg != REG_D) {
        r->st.ram[reg] = v;
    }
    update(r);
}

static u8 read_data(struct rtc *r, unsigned reg)
{
    tick second = (now(r) - r->st.phase) % TICKS_PER_SECOND;
    u8 v;

    if (reg == REG_A && clock_runs(r) && second >= TICKS_PER_SECOND - UPDATE_TICKS)
        return r->st.ram[REG_A] | A_UPDATING;
    if (reg == REG_C) {
        settle(r);
        v = r->st.ram[REG_C] | (requests(r) ? C_REQUEST : 0);
        r->st.ram[REG_C] = 0;
        update(r);
        return v;
    }
    if (is_time(reg) && clock_runs(r))
        show_time(r);
    return r->st.ram[reg];
}

static u8 read_port(struct component *c, unsigned offset)
{
    struct rtc *r = rtc_of(c);

    return offset == PORT_DATA ? read_data(r, r->st.index) : 0xff;
}

static void write_port(struct component *c, unsigned offset, u8 v)
{
    struct rtc *r = rtc_of(c);

    if (offset == PORT_DATA)
        write_data(r, r->st.index, v);
    else
        r->st.index = v % RAM_SIZE;
}

static u64 rtc_read(struct component *c, u64 offset, unsigned size)
{
    return bytewise_read(c, read_port, offset, size);
}

static void rtc_write(struct component *c, u64 offset, unsigned size, u64 value)
{
    bytewise_write(c, write_port, offset, size, value);
}

static bool rtc_connect(struct component *c, struct error *err)
{
    struct rtc *r = rtc_of(c);

    return component_irq_line(c, r->p.interrupts, (unsigned)r->p.irq, &r->irq, err);
}

static void rtc_reset(struct component *c)
{
    struct rtc *r = rtc_of(c);

    r->st.seconds = (i64)r->p.epoch; // at tick 0, which is `phase`
    r->st.since = now(r);
    r->st.ram[REG_A] = A_RUNS | 6; // as firmware leaves it: 1024 Hz
    r->st.ram[REG_B] = B_24_HOURS;
    r->st.ram[REG_D] = D_VALID;
}

static bool rtc_after_load(struct component *c, struct error *err)
{
    const struct rtc *r = rtc_of(c);
    i64 most = (i64)1 << 40;

    if (r->st.index >= RAM_SIZE || r->st.seconds > most || r->st.seconds < -most ||
        r->st.since - r->st.phase > now(r) - r->st.phase)
        return error_set(err, ERROR_INPUT, "%s: no such state of a clock", c->path);
    return true;
}

static const struct component_ops rtc_ops = {
    .connect = rtc_connect,
    .reset = rtc_reset,
    .after_load = rtc_after_load,
};
static const struct mmio_ops rtc_mmio = {.size = PORTS, .read = rtc_read, .write = rtc_write};

const struct component_type rtc_type = {
    .name = "rtc",
    .doc = "Real-time clock and CMOS RAM",
    COMPONENT_LAYOUT(rtc),
    .ops = &rtc_ops,
    .provides = {IFACE(mmio, &rtc_mmio)},
};
