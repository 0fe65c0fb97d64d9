// SPDX-License-Identifier: BSD-3-Clause
// User-mode network by libslirp. A run that has one depends on what the network does: it is not
// repeatable. UNMODELLED: IPv6; connections do not survive a checkpoint (the guest sees them time
// out).
// Timing: frames for the network leave at once. Every `interval` of simulated time, frames from it
// are taken; then up to as much of the host's time passes if nothing comes. So simulated time is
// never faster than the host's, and a guest's time-outs do not run out before an answer can come.
#include "dev/net_user.h"

#include "sim/net.h"
#include "sim/sim.h"

#include <poll.h>
#include <slirp/libslirp.h>
#include <stdio.h>

enum {
    SOCKETS_MAX = 512, // that are looked at in one interval
    NETWORK = 0x0a000200,
    NETMASK = 0xffffff00,
    GATEWAY = 2,
    NAME_SERVER = 3,
    GUEST = 15,
    TICKS_PER_NS = 1000,
};
#define TICKS_PER_MS (TICKS_PER_SECOND / 1000)

#define NET_USER_STATE(F, FA, FE, FV) FE(look)

#define NET_USER_STATS(S, SV, SH, SG, SR)        \
    S(sent, "Count", "Frames from the guest")    \
    S(received, "Count", "Frames for the guest") \
    S(lost, "Count", "Frames for which the card had no room")

#define NET_USER_EVENTS(E) E(look, net_user_look)

COMPONENT_LISTS(net_user, NET_USER_PARAMS, NET_USER_STATE, NET_USER_STATS, NET_USER_EVENTS);

struct net_user {
    struct component base;
    struct net_user_params p;
    struct net_user_state st;
    struct net_user_stats n;
    WIRED(struct component *card);
    WIRED(const struct net_device_ops *ops);
    WIRED(Slirp *slirp);           // owned
    DERIVED(struct pollfd *polls); // SOCKETS_MAX, of the current look
    DERIVED(int poll_count);
};

static struct net_user *net_user_of(const struct component *c)
{
    ASSERT(c->type == &net_user_type);
    return (struct net_user *)(uintptr_t)c;
}

// What libslirp calls.

static ssize_t to_guest(const void *frame, size_t size, void *opaque)
{
    struct net_user *u = opaque;

    if (u->ops->room(u->card)) {
        u->n.received++;
        u->ops->receive(u->card, frame, size);
    } else {
        u->n.lost++;
    }
    return (ssize_t)size;
}

static void guest_error(const char *message, void *opaque)
{
    struct net_user *u = opaque;

    component_guest_warn(&u->base, "%s", message);
}

static int64_t clock_ns(void *opaque)
{
    const struct net_user *u = opaque;

    return (int64_t)(sim_now(u->base.sim) / TICKS_PER_NS);
}

static void *timer_new(SlirpTimerCb fire, void *fire_opaque, void *opaque)
{
    BUG("only IPv6 has timers, and it is off");
}

static void timer_free(void *timer, void *opaque)
{
}

static void timer_modify(void *timer, int64_t expire_ms, void *opaque)
{
}

static void poll_fd_changed(int fd, void *opaque)
{
}

static void notify(void *opaque)
{
}

static const SlirpCb callbacks = {
    .send_packet = to_guest,
    .guest_error = guest_error,
    .clock_get_ns = clock_ns,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_modify,
    .register_poll_fd = poll_fd_changed,
    .unregister_poll_fd = poll_fd_changed,
    .notify = notify,
};

// Looks outside.

static const struct {
    int slirp, host;
} poll_bits[] = {{SLIRP_POLL_IN, POLLIN},
                 {SLIRP_POLL_OUT, POLLOUT},
                 {SLIRP_POLL_PRI, POLLPRI},
                 {SLIRP_POLL_ERR, POLLERR},
                 {SLIRP_POLL_HUP, POLLHUP}};

static int add_poll(int fd, int events, void *opaque)
{
    struct net_user *u = opaque;
    short bits = 0;

    if (u->poll_count == SOCKETS_MAX)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(poll_bits); i++)
        if (events & poll_bits[i].slirp)
            bits |= (short)poll_bits[i].host;
    u->polls[u->poll_count] = (struct pollfd){.fd = fd, .events = bits};
    return u->poll_count++;
}

static int poll_result(int index, void *opaque)
{
    const struct net_user *u = opaque;
    int bits = 0;

    for (size_t i = 0; i < ARRAY_SIZE(poll_bits) && index >= 0; i++)
        if (u->polls[index].revents & poll_bits[i].host)
            bits |= poll_bits[i].slirp;
    return bits;
}

static void net_user_look(void *owner, struct event *event)
{
    struct net_user *u = owner;
    u32 timeout_ms = (u32)(u->p.interval / TICKS_PER_MS);
    int ready;

    u->poll_count = 0;
    slirp_pollfds_fill(u->slirp, &timeout_ms, add_poll, u);
    ready = poll(u->polls, (nfds_t)u->poll_count, (int)timeout_ms);
    slirp_pollfds_poll(u->slirp, ready < 0, poll_result, u);
    event_schedule_in(event, u->p.interval);
}

static void from_guest(void *ctx, const u8 *frame, size_t size)
{
    struct net_user *u = ctx;

    u->n.sent++;
    slirp_input(u->slirp, frame, (int)size);
}

// The component.

static struct in_addr address(u32 number)
{
    return (struct in_addr){.s_addr = htonl(number)};
}

// One of the list: tcp:HOST:GUEST.
static bool forward(struct net_user *u, const char *text, size_t size, struct error *err)
{
    unsigned host, guest;
    char kind[4], copy[32] = "";
    int end = -1;

    if (size < sizeof(copy))
        memcpy(copy, text, size);
    if (sscanf(copy, "%3[a-z]:%5u:%5u%n", kind, &host, &guest, &end) != 3 || copy[end] ||
        (strcmp(kind, "tcp") != 0 && strcmp(kind, "udp") != 0) || host > 65535 || guest > 65535)
        return error_set(err, ERROR_INPUT, "forward: '%.*s' is not as tcp:2222:22",
                         (int)MIN(size, 40), text);
    if (slirp_add_hostfwd(u->slirp, kind[0] == 'u', address(INADDR_LOOPBACK), (int)host,
                          address(NETWORK + GUEST), (int)guest) != 0)
        return error_set_errno(err, "forward: port %u", host);
    return true;
}

static bool forward_all(struct net_user *u, struct error *err)
{
    for (const char *at = u->p.forward; *at;) {
        size_t n = strcspn(at, ",");

        if (!forward(u, at, n, err))
            return false;
        at += n + (at[n] == ',');
    }
    return true;
}

static bool net_user_build(struct component *c, struct error *err)
{
    struct net_user *u = net_user_of(c);
    SlirpConfig config = {
        .version = 1,
        .restricted = u->p.restricted,
        .in_enabled = true,
        .vnetwork = address(NETWORK),
        .vnetmask = address(NETMASK),
        .vhost = address(NETWORK + GATEWAY),
        .vdhcp_start = address(NETWORK + GUEST),
        .vnameserver = address(NETWORK + NAME_SERVER),
    };

    u->polls = arena_array(&c->sim->arena, SOCKETS_MAX, sizeof(u->polls[0]));
    u->slirp = slirp_new(&config, &callbacks, u);
    if (!u->slirp)
        return error_set(err, ERROR_HOST, "libslirp cannot start");
    return forward_all(u, err);
}

static bool net_user_connect(struct component *c, struct error *err)
{
    struct net_user *u = net_user_of(c);
    const void *ops;

    if (!component_lookup_interface(c, u->p.card, "net_device", &u->card, &ops, err))
        return false;
    u->ops = ops;
    u->ops->connect(u->card, (struct net_output){.send = from_guest, .ctx = u});
    return true;
}

static void net_user_reset(struct component *c)
{
    struct net_user *u = net_user_of(c);

    event_schedule_in(&u->st.look, u->p.interval);
}

static void net_user_destroy(struct component *c)
{
    struct net_user *u = net_user_of(c);

    if (u->slirp)
        slirp_cleanup(u->slirp);
}

static const struct component_ops net_user_ops = {
    .build = net_user_build,
    .connect = net_user_connect,
    .reset = net_user_reset,
    .destroy = net_user_destroy,
};

const struct component_type net_user_type = {
    .name = "net_user",
    .doc = "Network of the host for a card, without rights there",
    COMPONENT_LAYOUT(net_user),
    .ops = &net_user_ops,
};
