// SPDX-License-Identifier: BSD-3-Clause
// A component: a named node in the machine's tree, made from one const record, its type. Everything
// a component is stands on one page: its lists (sim/params.h, sim/state.h, sim/stats.h), its ops
// and what it offers to others.
//
//     COMPONENT_LISTS(uart, UART_PARAMS, UART_STATE, UART_STATS, UART_EVENTS);
//     struct uart {
//         struct component base;      // first
//         struct uart_params p;       // fixed after build
//         struct uart_state st;       // all that a checkpoint holds
//         struct uart_stats n;
//         WIRED(struct irq_line irq); // set in connect
//         DERIVED(u64 deadline);      // rebuilt by after_load
//     };
//     const struct component_type uart_type = {
//         .name = "uart16550", .doc = "16550A serial port", COMPONENT_LAYOUT(uart),
//         .ops = &uart_ops, .provides = {IFACE(mmio, &uart_mmio)}};
//
// Life: build -> connect -> reset or load -> run <-> drain -> destroy; each phase visits the whole
// tree before the next begins. Memory comes from the machine's arena and dies with it.
#pragma once

#include "base/bug.h"
#include "base/error.h"
#include "base/log.h"
#include "sim/bus.h"
#include "sim/irq.h"
#include "sim/params.h"
#include "sim/port.h"
#include "sim/state.h"
#include "sim/stats.h"

struct checkpoint_reader;
struct checkpoint_writer;
struct component;
struct sim;

// What a component does; every method may be NULL, which means "nothing to do".
struct component_ops {
    // Rules between parameters; the bounds of each were checked before.
    bool (*check)(struct component *c, struct error *err);
    // Allocates from the arena; may add children. Neighbours may not exist yet.
    bool (*build)(struct component *c, struct error *err);
    // Finds its neighbours. All components are built; none has been reset.
    bool (*connect)(struct component *c, struct error *err);
    // Power-on values. State and statistics are zero before the first one.
    void (*reset)(struct component *c);
    // True when nothing is in flight. False: not yet; it goes on working and will be asked again
    // after each step of the simulation.
    bool (*drain)(struct component *c);
    // The machine runs again after a drain.
    void (*resume)(struct component *c);
    // Once per drain, when everything is quiet: buffered data goes to RAM; tags are forgotten.
    void (*mem_writeback)(struct component *c);
    void (*mem_invalidate)(struct component *c);
    // Data outside of the state list (RAM) to and from a checkpoint.
    bool (*save)(struct component *c, struct checkpoint_writer *w, struct error *err);
    bool (*load)(struct component *c, struct checkpoint_reader *r, struct error *err);
    // Checks what was loaded (a file may hold anything) and rebuilds what is DERIVED. The whole
    // tree is loaded; nobody pokes another's state here: who watches a line saved its level itself.
    bool (*after_load)(struct component *c, struct error *err);
    // Gives back host resources; must accept a component whose build failed or never ran.
    void (*destroy)(struct component *c);
};

struct component_interface {
    const char *name;
    const void *ops;
};
// IFACE(mmio, &uart_mmio): offers `const struct mmio_ops uart_mmio`.
#define IFACE(name, table)                                \
    {                                                     \
#name, 1 ? (table) : (const struct name##_ops *)0 \
    }

struct component_event {
    const char *name; // that of an FE row
    event_fn *fire;
};

struct component_type {
    const char *name, *doc;
    size_t size;
    const struct param_field *params;
    const struct state_field *state;
    const struct stat_field *stats;
    const struct component_event *events;
    void (*lengths)(const void *params, u64 *ret_lengths); // of the FV rows, in order
    size_t params_at, state_at, stats_at;                  // in the component's struct
    const struct component_ops *ops;
    struct component_interface provides[4];
};

struct component {
    const struct component_type *type; // borrowed
    const char *name, *path;           // "uart0", "pc.uart0"
    struct sim *sim;                   // borrowed
    struct component *parent, *first_child, *last_child, *next_sibling;
    struct component *next; // in the order they were made
    u64 described[2];       // parameters that the description gives
    struct log_limit guest_messages;
    bool from_description, built;
};

// A member that `connect` sets, or that is computed from params and state.
// tools/check_components.py allows base, p, st, n and these in a component's struct.
#define WIRED(...) __VA_ARGS__
#define DERIVED(...) __VA_ARGS__

#define NO_ROWS(...)

// The four structs and tables of a component called `tag`, in its .c file.
#define COMPONENT_LISTS(tag, PARAMS, STATE, STATS, EVENTS) \
    PARAM_STRUCT(tag##_params, PARAMS);                    \
    STATE_STRUCT(tag##_state, STATE);                      \
    STAT_STRUCT(tag##_stats, STATS);                       \
    COMPONENT_TABLES(tag, PARAMS, STATE, STATS, EVENTS)
// The tables alone, for a component whose structs are in a header.
#define COMPONENT_TABLES(tag, PARAMS, STATE, STATS, EVENTS)                                \
    static PARAM_FIELDS(tag##_params, PARAMS);                                             \
    static STATE_FIELDS(tag##_state, STATE);                                               \
    static STAT_FIELDS(tag##_stats, STATS);                                                \
    EVENTS(COMPONENT_EVENT_DECLARE)                                                        \
    static const struct component_event tag##_events[] = {EVENTS(COMPONENT_EVENT_ROW){0}}; \
    static void tag##_lengths(const void *params, u64 *ret_lengths)                        \
    {                                                                                      \
        const struct tag##_params *p = params;                                             \
                                                                                           \
        (void)p;                                                                           \
        (void)ret_lengths;                                                                 \
        STATE(STATE_LENGTH_F, STATE_LENGTH_FA, STATE_LENGTH_FE, STATE_LENGTH_FV)           \
    }                                                                                      \
    _Static_assert(1, "")
#define STATE_LENGTH_F(type, name)
#define STATE_LENGTH_FA(type, name, n)
#define STATE_LENGTH_FE(name)
#define STATE_LENGTH_FV(type, name, n) *ret_lengths++ = (u64)(n);
#define COMPONENT_EVENT_DECLARE(name, handler) static event_fn handler;
#define COMPONENT_EVENT_ROW(name, handler) {#name, handler},

#define COMPONENT_LAYOUT(tag)                                                               \
    .size = sizeof(struct tag), .params = tag##_params_fields, .state = tag##_state_fields, \
    .stats = tag##_stats_fields, .events = tag##_events, .lengths = tag##_lengths,          \
    .params_at = offsetof(struct tag, p), .state_at = offsetof(struct tag, st),             \
    .stats_at = offsetof(struct tag, n)

static inline void *component_params(const struct component *c)
{
    return (u8 *)(uintptr_t)c + c->type->params_at;
}
static inline void *component_state(const struct component *c)
{
    return (u8 *)(uintptr_t)c + c->type->state_at;
}
static inline void *component_stats(const struct component *c)
{
    return (u8 *)(uintptr_t)c + c->type->stats_at;
}

// A new node under `parent` (NULL: the root), before or during build, with the parameters that the
// machine's description has for it, else defaults. When the description made it already, with this
// type, that one. NULL and *err when the name is taken or malformed (letters, digits, '_').
struct component *component_new(struct sim *sim, const struct component_type *type,
                                struct component *parent, const char *name, struct error *err);
// Sets a parameter from text. What the description gives wins: then this only checks the value.
bool component_set(struct component *c, const char *param, const char *text,
                   struct error *err) MUST_CHECK;
void component_mark_described(struct component *c, int param_index);
// The tree from the root down, parents first, children in order: NULL after the last.
struct component *component_after(const struct component *c);
// A child by name, or a descendant by dotted path below `c`; NULL when there is none.
struct component *component_child(const struct component *c, const char *name);
struct component *component_find(const struct component *c, const char *path);
// As component_find from the root, but by whole path, with a message that suggests a near name.
struct component *component_lookup(struct sim *sim, const char *path, struct error *err);
// The ops table it provides under `name`, or NULL.
const void *component_interface(const struct component *c, const char *name);
// Its "mem_port" interface as a port; false and *err when it has none.
bool component_mem_port(struct component *c, struct mem_port *ret_port, struct error *err);
// Input `number` of the component at `path`, which provides "irq"; an empty path: not connected.
bool component_irq_line(struct component *c, const char *path, unsigned number,
                        struct irq_line *ret_line, struct error *err) MUST_CHECK;
// The address space at `path`, which provides "bus".
bool component_bus(struct component *c, const char *path, struct bus *ret_bus,
                   struct error *err) MUST_CHECK;
// What the component at `path` provides under `interface`; *err names a near path or says that it
// has none.
bool component_lookup_interface(struct component *c, const char *path, const char *interface,
                                struct component **ret_component, const void **ret_ops,
                                struct error *err) MUST_CHECK;
u64 component_fingerprint(const struct component_type *type);
u64 component_hash(const struct component *c);

// A message with the time and the path in front. component_guest_warn is for what a guest can
// provoke at will: limited and counted.
#define component_log(c, level, ...) \
    log_message_at(level, sim_now((c)->sim), (c)->path, __VA_ARGS__)
#define component_guest_warn(c, ...) \
    log_limited(&(c)->guest_messages, LOG_WARN, (c)->path, __VA_ARGS__)
tick sim_now(const struct sim *sim);
