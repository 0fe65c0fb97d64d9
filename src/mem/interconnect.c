// SPDX-License-Identifier: BSD-3-Clause
// Crossbar, ring and mesh between caches and what they share. A message is one flit of control, or
// that and a line of data; each link carries one flit a cycle; the head is a hop further after
// `hop_latency` cycles, the tail as many cycles behind as the message has flits more than one.
//   crossbar: one link to each target, one to each cache; any way is one hop
//   ring:     both directions, the shorter one (clockwise when equal)
//   mesh:     along the row first, then along the column
// Caches and targets are placed on nodes in turn: the n-th of each on node n, modulo their number.
// What is on one node meets there without a link.
// UNMODELLED: buffers in routers (a message waits where its next link is busy, and blocks nobody);
// virtual channels.
#include "mem/interconnect.h"

#include "mem/cache_calendar.h"
#include "mem/cache_level.h"
#include "sim/sim.h"

#include <string.h>

enum topology { CROSSBAR, RING, MESH };
enum { CONTROL_BYTES = 8, DATA_BYTES = CONTROL_BYTES + TIMED_LINE };
enum { EAST, WEST, SOUTH, NORTH, DIRECTIONS };
enum { MOST_ATTACHED = 1024 };

#define INTERCONNECT_PARAMS(P, PR, PB, PS, PC)                                  \
    PS(targets, NULL, "Paths of memories or slices of a cache, commas between") \
    PC(topology, "crossbar", "crossbar|ring|mesh", "Form")                      \
    P(hertz, clock, 2000000000, 1000000, 100000000000, "Clock")                 \
    P(cycles, hop_latency, 1, 0, 1000, "Cycles from one node to the next")      \
    P(bytes, link_width, 32, 1, 1024, "Bytes that a link carries a cycle")      \
    P(u32, rows, 1, 1, 64, "Rows of a mesh")                                    \
    P(u32, columns, 4, 1, 1024, "Nodes in a row of a mesh, or of a ring")       \
    P(bytes, interleave, TIMED_LINE, TIMED_LINE, GiB(1), "Bytes in a row that are of one target")

#define INTERCONNECT_STATE(F, FA, FE, FV)

#define INTERCONNECT_STATS(S, SV, SH, SG, SR)                  \
    S(messages, "Count", "Messages carried")                   \
    S(hops, "Count", "Links that they went over")              \
    S(waits, "Cycle", "Cycles that messages waited for links") \
    SR(avgHops, hops, messages, "Ratio", "Links per message")  \
    SR(avgWait, waits, messages, "Cycle/Count", "Cycles of waiting for links per message")

#define INTERCONNECT_EVENTS(E)

COMPONENT_LISTS(interconnect, INTERCONNECT_PARAMS, INTERCONNECT_STATE, INTERCONNECT_STATS,
                INTERCONNECT_EVENTS);

struct interconnect {
    struct component base;
    struct interconnect_params p;
    struct interconnect_state st;
    struct interconnect_stats n;
    WIRED(const char **targets);
    WIRED(u32 target_count);
    WIRED(u32 attached);
    DERIVED(struct calendar **links); // of a crossbar: to targets, then to caches
    DERIVED(u32 link_count);
    DERIVED(tick period);
};

static struct interconnect *interconnect_of(const struct component *c)
{
    ASSERT(c->type == &interconnect_type);
    return (struct interconnect *)(uintptr_t)c;
}

static struct interconnect *net_of(struct component *c)
{
    return interconnect_of(c);
}

// ---- ways

// The flits' time on one link; *ret_wait: cycles until it was free.
static void use_link(struct interconnect *x, u32 link, u64 *cycle, u64 flits, bool timed)
{
    struct calendar *k = x->links[link];
    u64 at = *cycle, run = 0;

    x->n.hops++;
    if (!timed)
        return;
    while (run < flits) {
        if (calendar_taken(k, at + run)) {
            at += run + 1;
            run = 0;
        } else {
            run++;
        }
    }
    for (run = 0; run < flits; run++)
        calendar_take(k, at + run);
    x->n.waits += at - *cycle;
    *cycle = at;
}

// The link from node `at` towards `to`, and the node there.
static u32 next_link(const struct interconnect *x, u32 at, u32 to, u32 *ret_node)
{
    u32 columns = (u32)x->p.columns, nodes = columns * (u32)x->p.rows;

    if (x->p.topology == RING) {
        bool clockwise = (to + nodes - at) % nodes <= nodes / 2;

        *ret_node = clockwise ? (at + 1) % nodes : (at + nodes - 1) % nodes;
        return clockwise ? at : nodes + at;
    }
    if (at % columns < to % columns)
        return *ret_node = at + 1, at * DIRECTIONS + EAST;
    if (at % columns > to % columns)
        return *ret_node = at - 1, at * DIRECTIONS + WEST;
    if (at < to)
        return *ret_node = at + columns, at * DIRECTIONS + SOUTH;
    return *ret_node = at - columns, at * DIRECTIONS + NORTH;
}

// `link`: of a crossbar, the receiver's; `from` and `to`: nodes of the others.
static tick carry(struct interconnect *x, u32 link, u32 from, u32 to, enum net_size size, tick now,
                  bool timed)
{
    u64 bytes = size == NET_DATA ? DATA_BYTES : CONTROL_BYTES;
    u64 flits = (bytes + x->p.link_width - 1) / x->p.link_width;
    u64 first = timed ? now / x->period : 0, cycle = first, nodes = x->p.rows * x->p.columns;

    x->n.messages++;
    if (x->p.topology == CROSSBAR) {
        use_link(x, link, &cycle, flits, timed);
        cycle += x->p.hop_latency;
    } else {
        u32 at = (u32)(from % nodes), goal = (u32)(to % nodes);

        if (at == goal)
            return now;
        while (at != goal) {
            u32 next;

            link = next_link(x, at, goal, &next);
            use_link(x, link, &cycle, flits, timed);
            cycle += x->p.hop_latency;
            at = next;
        }
    }
    return now + ((cycle - first) + flits - 1) * x->period;
}

tick interconnect_down(const struct net_link *link, enum net_size size, tick now, bool timed)
{
    return carry(link->net, link->far, link->near, link->far, size, now, timed);
}

tick interconnect_up(const struct net_link *link, enum net_size size, tick now, bool timed)
{
    struct interconnect *x = link->net;

    return carry(x, x->target_count + link->near, link->far, link->near, size, now, timed);
}

tick net_across(const struct net_link *from, const struct net_link *to, enum net_size size,
                tick now, bool timed)
{
    struct interconnect *x = from->net;

    if (!x || to->net != x)
        return net_down(from, size, now, timed);
    return carry(x, x->target_count + to->near, from->near, to->near, size, now, timed);
}

// ---- wiring

u32 interconnect_attach(struct interconnect *x)
{
    ASSERT(x->attached < MOST_ATTACHED);
    if (x->p.topology == CROSSBAR)
        x->links[x->link_count++] = arena_alloc(&x->base.sim->arena, sizeof(struct calendar));
    return x->attached++;
}

bool interconnect_targets(struct interconnect *x, const char *const **ret_paths, u32 *ret_count,
                          struct error *err)
{
    *ret_paths = x->targets;
    *ret_count = x->target_count;
    return true;
}

struct net_slices interconnect_slices(const struct interconnect *x)
{
    return (struct net_slices){
        .count = x->target_count,
        .shift = (u32)__builtin_ctzll(x->p.interleave) - TIMED_LINE_SHIFT,
    };
}

void interconnect_forget(struct interconnect *x)
{
    for (u32 i = 0; i < x->link_count; i++)
        memset(x->links[i], 0, sizeof(*x->links[i]));
}

static bool interconnect_check(struct component *c, struct error *err)
{
    const struct interconnect *x = interconnect_of(c);

    if (x->p.interleave & (x->p.interleave - 1))
        return error_set(err, ERROR_INPUT, "interleave is not a power of two");
    if (x->p.topology != CROSSBAR && x->p.rows * x->p.columns < 2)
        return error_set(err, ERROR_INPUT, "a ring or mesh needs two nodes and more");
    if (x->p.topology == RING && x->p.rows != 1)
        return error_set(err, ERROR_INPUT, "a ring has no rows");
    return true;
}

static bool split_targets(struct interconnect *x, struct error *err)
{
    struct arena *arena = &x->base.sim->arena;
    char *text = arena_strdup(arena, x->p.targets);

    x->targets = arena_array(arena, LEVEL_BELOW, sizeof(*x->targets));
    for (char *name = text; name;) {
        char *comma = strchr(name, ',');

        if (comma)
            *comma++ = '\0';
        name += strspn(name, " ");
        if (x->target_count == LEVEL_BELOW)
            return error_set(err, ERROR_INPUT, "there are more than %u targets", LEVEL_BELOW);
        x->targets[x->target_count++] = name;
        name = comma;
    }
    return true;
}

static bool interconnect_build(struct component *c, struct error *err)
{
    struct interconnect *x = interconnect_of(c);
    u64 nodes = x->p.rows * x->p.columns, links;

    if (!split_targets(x, err))
        return false;
    x->period = TICKS_PER_SECOND / x->p.clock;
    links = x->p.topology == CROSSBAR ? x->target_count
            : x->p.topology == RING   ? 2 * nodes
                                      : DIRECTIONS * nodes;
    x->link_count = (u32)links;
    x->links = arena_array(&c->sim->arena, links + MOST_ATTACHED, sizeof(*x->links));
    for (u64 i = 0; i < links; i++)
        x->links[i] = arena_alloc(&c->sim->arena, sizeof(struct calendar));
    return true;
}

static void interconnect_reset(struct component *c)
{
    interconnect_forget(interconnect_of(c));
}

// ---- devices, which talk to whoever a line belongs to

static struct component *target_of(struct component *c, paddr pa, const struct timed_port_ops **ret)
{
    struct interconnect *x = interconnect_of(c);
    struct net_slices slices = interconnect_slices(x);
    struct error err;
    struct component *target =
        component_lookup(c->sim, x->targets[net_slices_which(&slices, level_line(pa))], &err);

    ASSERT(target);
    *ret = component_interface(target, "timed_port");
    return target;
}

static tick interconnect_atomic(struct component *c, const struct timed_access *a)
{
    const struct timed_port_ops *ops;
    struct component *target = target_of(c, a->pa, &ops);

    return ops->atomic(target, a);
}

static enum timed_answer interconnect_access(struct component *c, const struct timed_access *a,
                                             tick now, struct timed_client *client, u32 token,
                                             tick *ret_when)
{
    const struct timed_port_ops *ops;
    struct component *target = target_of(c, a->pa, &ops);

    return ops->access(target, a, now, client, token, ret_when);
}

static bool interconnect_probe(const struct component *c, paddr pa)
{
    const struct timed_port_ops *ops;
    struct component *target = target_of((struct component *)(uintptr_t)c, pa, &ops);

    return ops->probe(target, pa);
}

static const struct timed_port_ops interconnect_timed = {
    .atomic = interconnect_atomic,
    .access = interconnect_access,
    .probe = interconnect_probe,
};

static const struct interconnect_ops net_ops = {.net = net_of};

static const struct component_ops interconnect_component_ops = {
    .check = interconnect_check,
    .build = interconnect_build,
    .reset = interconnect_reset,
};

const struct component_type interconnect_type = {
    .name = "interconnect",
    .doc = "Crossbar, ring or mesh between caches and what they share",
    COMPONENT_LAYOUT(interconnect),
    .ops = &interconnect_component_ops,
    .provides = {IFACE(interconnect, &net_ops), IFACE(timed_port, &interconnect_timed)},
};
