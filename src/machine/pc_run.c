// SPDX-License-Identifier: BSD-3-Clause
// How the cores of a PC take turns, and how time passes. One thread; the order of everything
// follows from the state alone, so that a run may be cut anywhere.
#include "machine/pc_priv.h"

#include "base/bug.h"
#include "isa/x86/fault.h"

static struct event_queue *queue_of(struct pc *pc)
{
    return &pc->base.sim->queue;
}

// ---- what happens in the middle of a run

// Never past what is due: an instruction ends up to a cycle later than that.
static void sync_time(struct pc *pc, const struct component *core)
{
    struct event_queue *q = queue_of(pc);
    tick now = core_now(&pc_core_x86(core)->core), next = event_queue_next(q);

    now = MIN(now, next);
    if (now > q->now)
        q->now = now;
}

void pc_before_device(void *context, struct component *core)
{
    struct pc *pc = context;

    if (pc->running == core)
        sync_time(pc, core);
}

// The device may have scheduled something for earlier than the run goes, and the time that the
// access took brings everything nearer.
void pc_after_device(void *context, struct component *core, u32 cycles)
{
    struct pc *pc = context;

    if (pc->running != core)
        return;
    if (pc_core_model(core)->timed) {
        pc_core_model(core)->ops->stall(pc_core_model(core), cycles);
    } else {
        pc->stall += cycles;
        pc_core_x86(core)->core.time.insts += cycles;
    }
    if (cycles || event_queue_next(queue_of(pc)) < pc->horizon)
        x86_stop(pc_core_x86(core), CORE_STOP);
}

// ---- whether the guest gets on

static void progress(struct pc *pc)
{
    pc->st.progress = queue_of(pc)->now;
}

tick pc_stuck_at(const struct pc *pc, const struct pc_limits *limits)
{
    tick when = pc->st.progress + limits->stuck;

    return !limits->stuck || when < limits->stuck ? ~(tick)0 : when;
}

// Programs run, so the guest is up; it should have found its cores.
static void tell_idle_cpus(struct pc *pc)
{
    u32 idle = pc_idle_cpus(&pc->base);

    if (pc->st.told || !idle)
        return;
    pc->st.told = 1;
    component_guest_warn(&pc->base,
                         "the guest runs programs, but has not started %u of its %u CPUs",
                         (unsigned)idle, (unsigned)pc->p.cpus);
}

void pc_user_interrupted(void *context, struct component *core)
{
    progress(context);
    tell_idle_cpus(context);
}

// Neither timers nor interrupt controllers, nor ports that kernels write to for the delay.
void pc_port_written(void *context, u32 port)
{
    static const struct {
        u32 first, last;
    } quiet[] = {{0x20, 0x21}, {0x40, 0x43}, {0x61, 0x61},   {0x70, 0x71},  {0x80, 0x80},
                 {0xa0, 0xa1}, {0xed, 0xed}, {0x4d0, 0x4d1}, {0x608, 0x60b}};

    for (u32 i = 0; i < ARRAY_SIZE(quiet); i++)
        if (port >= quiet[i].first && port <= quiet[i].last)
            return;
    progress(context);
}

// The windows of PCI.
void pc_memory_written(void *context, paddr addr)
{
    const struct pc *pc = context;

    if ((addr >= PC_HOLE_BASE && addr < PC_IOAPIC_BASE) || addr >= pc->window64)
        progress(context);
}

void pc_core_woken(void *context, struct component *core)
{
    struct pc *pc = context;

    if (pc->running && pc->running != core && (pc->st.share == 1 || pc->timed))
        x86_stop(pc_core_x86(pc->running), CORE_STOP);
}

u64 pc_core_simop(void *context, struct component *core, u16 function)
{
    struct pc *pc = context;

    progress(pc);
    if (pc->simop)
        return pc->simop(pc->simop_context, &pc->base, core, function);
    component_guest_warn(&pc->base, "operation %u for the simulator, which nobody serves",
                         (unsigned)function);
    return ~(u64)0;
}

void pc_request(struct component *c, enum pc_end end, u32 value)
{
    struct pc *pc = pc_of(c);

    if (pc->ending)
        return;
    pc->ending = true;
    pc->end = (struct pc_result){.end = end, .value = value};
    if (pc->running)
        x86_stop(pc_core_x86(pc->running), CORE_STOP);
}

void pc_control(struct component *root, enum control_request what, u32 value)
{
    static const enum pc_end ends[] = {
        [CONTROL_POWER_OFF] = PC_POWER_OFF, [CONTROL_RESET] = PC_RESET,    [CONTROL_EXIT] = PC_EXIT,
        [CONTROL_PANIC] = PC_PANIC,         [CONTROL_FAILURE] = PC_FAILED,
    };

    pc_request(root, ends[what], value);
}

void pc_stop(struct component *c)
{
    struct pc *pc = pc_of(c);

    atomic_store_explicit(&pc->stop_asked, true, memory_order_relaxed);
    for (u32 i = 0; i < pc->p.cpus; i++)
        cpu_kick(pc_core_model(pc->cores[i]));
}

// ---- turns

u64 pc_runnable(const struct pc *pc, const struct pc_limits *limits)
{
    u64 mask = 0;

    for (u32 i = 0; i < pc->p.cpus; i++)
        if (pc_core_runnable(pc->cores[i]))
            mask |= 1ull << i;
    return limits->debug ? mask & limits->debug->may_run : mask;
}

static tick time_in_turn(const struct pc *pc, u64 cycles)
{
    u128 quantum = (u128)pc->p.quantum * pc->period;

    return pc->st.round +
           (tick)((pc->st.rank * quantum + (u128)cycles * pc->period) / pc->st.share);
}

// How many cycles of the turn end before or at the first that reaches `when`.
static u64 cycles_until(const struct pc *pc, tick when)
{
    tick start = time_in_turn(pc, 0);
    u128 n;

    if (when == ~(tick)0)
        return ~(u64)0;
    if (when <= start)
        return 0;
    n = ((u128)(when - start) * pc->st.share + pc->period - 1) / pc->period;
    // The start of a turn is rounded down: one more may be needed to reach it.
    while (time_in_turn(pc, (u64)n) < when)
        n++;
    return n > ~(u64)0 >> 1 ? ~(u64)0 >> 1 : (u64)n;
}

static void begin_turn(struct pc *pc, u32 from)
{
    pc->st.done = 0;
    pc->st.turn = from + (u32)__builtin_ctzll(pc->st.mask >> from);
}

static void begin_round(struct pc *pc, u64 mask)
{
    pc->st.mask = mask;
    pc->st.started |= mask;
    pc->st.share = (u32)__builtin_popcountll(mask);
    pc->st.rank = 0;
    pc->st.round = queue_of(pc)->now;
    begin_turn(pc, 0);
    pc->n.rounds++;
}

// Moves on to the next core of the round, or ends the round. Time goes to where that begins; with
// one core it is there already.
static void end_turn(struct pc *pc)
{
    if (pc->st.share > 1) {
        tick end = time_in_turn(pc, pc->st.done), next;

        pc->st.rank++;
        next = time_in_turn(pc, 0);
        // Devices made it longer: the rest of the round comes later.
        if (end > next)
            pc->st.round += end - next;
        event_queue_run(queue_of(pc), MAX(queue_of(pc)->now, time_in_turn(pc, 0)));
    }
    if (pc->st.rank == pc->st.share || pc->st.share == 1)
        pc->st.share = 0;
    else
        begin_turn(pc, pc->st.turn + 1);
}

void pc_ran(struct pc *pc, u32 number, enum core_exit exit, u64 ran, bool stepped)
{
    struct component *core = pc->cores[number];

    pc->running = NULL;
    pc_core_settle(core);
    pc_core_count(core, ran);
    pc->st.insts += ran;
    pc->n.stallCycles += pc->stall;
    if (exit == CORE_SHUTDOWN)
        pc_request(&pc->base, PC_SHUTDOWN, number);
    else if (exit == CORE_DEBUG || (stepped && ran))
        pc_request(&pc->base, PC_DEBUG, number);
}

// The core that has its turn goes on for n instructions, or for one if it is stepped.
static enum core_exit run_core(struct pc *pc, const struct pc_limits *limits, u64 n, u64 *ret_ran)
{
    struct component *core = pc->cores[pc->st.turn];
    const struct pc_debug *debug = limits->debug;
    bool stepped = debug && debug->step >> pc->st.turn & 1;
    enum core_exit exit;

    core_set_time(&pc_core_x86(core)->core, time_in_turn(pc, 0), pc->st.done, pc->period,
                  pc->st.share);
    pc->running = core;
    pc_core_x86(core)->debug.hold = stepped && !debug->step_through;
    pc->stall = 0;
    exit = cpu_run(pc_core_model(core), stepped ? MIN(n, 1u) : n, ret_ran);
    pc_core_x86(core)->debug.hold = false;
    pc->st.done += *ret_ran + pc->stall;
    pc_ran(pc, pc->st.turn, exit, *ret_ran, stepped);
    return exit;
}

static void run_turn(struct pc *pc, const struct pc_limits *limits)
{
    struct event_queue *q = queue_of(pc);
    u64 turn = pc->st.share == 1 ? ~(u64)0 : pc->p.quantum, n, ran;
    enum core_exit exit;

    if (limits->debug && !(limits->debug->may_run >> pc->st.turn & 1)) {
        end_turn(pc);
        return;
    }

    // A limit of the last run may have cut time short of the end of the last instruction.
    if (event_queue_run(q, MAX(q->now, MIN(time_in_turn(pc, pc->st.done), limits->when))))
        return;
    pc->horizon = MIN(MIN(event_queue_next(q), limits->when), pc_stuck_at(pc, limits));
    n = MIN(turn, cycles_until(pc, pc->horizon));
    n -= MIN(n, pc->st.done);
    n = MIN(n, limits->insts - pc->st.insts);
    exit = run_core(pc, limits, n, &ran);
    event_queue_run(q, MAX(q->now, MIN(time_in_turn(pc, pc->st.done), limits->when)));
    if (exit != CORE_SHUTDOWN && (exit == CORE_HALT || exit == CORE_YIELD || pc->st.done >= turn))
        end_turn(pc);
    pc->n.yields += exit == CORE_YIELD;
}

// Whether an interrupt would wake any core.
// APPROX: an NMI from a device would wake one that takes no interrupts; no guest waits for that.
static bool any_takes_interrupts(const struct pc *pc)
{
    for (u32 i = 0; i < pc->p.cpus; i++)
        if (pc_core_takes_interrupts(pc->cores[i]))
            return true;
    return false;
}

// No core has work until something happens. With limits->idle that may come from outside.
void pc_wait_for_event(struct pc *pc, const struct pc_limits *limits)
{
    struct event_queue *q = queue_of(pc);
    tick next = MIN(event_queue_next(q), limits->when), before = q->now;

    if (!any_takes_interrupts(pc) || (next == ~(tick)0 && !limits->idle)) {
        pc_request(&pc->base, PC_HALTED, 0);
        return;
    }
    if (limits->idle) {
        pc_request(&pc->base, PC_IDLE, 0);
        return;
    }
    event_queue_run(q, MAX(next, q->now));
    pc->n.idleTicks += q->now - before;
    progress(pc);
}

static void step(struct pc *pc, const struct pc_limits *limits)
{
    u64 mask = pc->st.share > 1 ? 0 : pc_runnable(pc, limits);

    if (pc->timed) {
        pc_timed_step(pc, limits);
        return;
    }
    if (pc->st.share == 1 && mask != pc->st.mask)
        pc->st.share = 0;
    if (pc->st.share == 0) {
        if (!mask) {
            pc_wait_for_event(pc, limits);
            return;
        }
        begin_round(pc, mask);
    }
    run_turn(pc, limits);
}

static struct pc_result run(struct component *c, const struct pc_limits *limits)
{
    struct pc *pc = pc_of(c);
    struct drain_manager *drain = &c->sim->drain;

    pc->ending = false;
    while (!pc->ending) {
        if (pc_failure(c)->code != ERROR_NONE)
            return (struct pc_result){.end = PC_FAILED};
        if (atomic_exchange_explicit(&pc->stop_asked, false, memory_order_relaxed))
            return (struct pc_result){.end = PC_STOPPED};
        if (pc->st.insts >= limits->insts || queue_of(pc)->now >= limits->when)
            return (struct pc_result){.end = PC_LIMIT};
        if (queue_of(pc)->now >= pc_stuck_at(pc, limits))
            return (struct pc_result){.end = PC_STUCK};
        if (drain_wanted(drain)) {
            pc_timed_drain(pc);
            pc_publish(c);
            (void)drain_poll(drain);
        }
        step(pc, limits);
    }
    return pc->end;
}

const struct error *pc_failure(const struct component *c)
{
    const struct processor *p = pc_of(c)->models.processor;

    return p && c->sim->failure.code == ERROR_NONE ? processor_failure(p) : &c->sim->failure;
}

struct pc_result pc_run(struct component *c, const struct pc_limits *limits)
{
    struct pc_result r = run(c, limits);

    if (pc_of(c)->timed)
        pc_timed_drain(pc_of(c));
    return r;
}

void pc_set_breaks(struct component *c, const struct x86_breaks *breaks, bool code)
{
    struct pc *pc = pc_of(c);

    if (code)
        models_flush(&pc->models);
    for (u32 i = 0; i < pc->p.cpus; i++) {
        pc_core_x86(pc->cores[i])->debug.breaks = breaks;
        x86_update_mode(pc_core_x86(pc->cores[i]));
    }
}

tick pc_next_event(const struct component *c)
{
    return event_queue_next(&c->sim->queue);
}

u32 pc_idle_cpus(const struct component *c)
{
    const struct pc *pc = pc_of(c);

    return (u32)pc->p.cpus - (u32)__builtin_popcountll(pc->st.started);
}

u64 pc_insts(const struct component *c)
{
    return pc_of(c)->st.insts;
}

void pc_publish(struct component *c)
{
    struct pc *pc = pc_of(c);

    for (u32 i = 0; i < pc->p.cpus; i++)
        pc_core_publish(pc->cores[i]);
}
