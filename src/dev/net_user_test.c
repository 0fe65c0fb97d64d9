// SPDX-License-Identifier: BSD-3-Clause
// The user-mode network, with a card that is a mock and a socket of the host at the other end.
// Expectations: RFC 826 (ARP), RFC 791 and 768 (IP, UDP).
#include "dev/net_user.h"
#include "sim/net.h"
#include "sim/sim.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

// The card keeps the last frame and where its own go.
static struct {
    struct net_output output;
    u8 frame[NET_FRAME_MAX];
    size_t size;
    unsigned frames;
} seen;

static const u8 mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

COMPONENT_LISTS(card, NO_ROWS, NO_ROWS, NO_ROWS, NO_ROWS);
struct card {
    struct component base;
    struct card_params p;
    struct card_state st;
    struct card_stats n;
};

static u64 card_room(struct component *c)
{
    return 1;
}

static void card_receive(struct component *c, const u8 *frame, size_t size)
{
    assert_in_range(size, NET_FRAME_MIN, NET_FRAME_MAX);
    memcpy(seen.frame, frame, size);
    seen.size = size;
    seen.frames++;
}

static void card_connect(struct component *c, struct net_output output)
{
    seen.output = output;
}

static void card_address(struct component *c, u8 *ret_address)
{
    memcpy(ret_address, mac, 6);
}

static const struct net_device_ops card_ops = {
    .room = card_room, .receive = card_receive, .connect = card_connect, .address = card_address};
static const struct component_type card_type = {
    .name = "card",
    .doc = "Card of a test",
    COMPONENT_LAYOUT(card),
    .provides = {IFACE(net_device, &card_ops)},
};

static bool build(struct sim *sim, const char *forward, struct error *err)
{
    struct component *card, *net;

    memset(&seen, 0, sizeof(seen));
    sim_init(sim);
    card = component_new(sim, &card_type, NULL, "card", err);
    net = component_new(sim, &net_user_type, card, "net", err);
    return net && component_set(net, "card", "card", err) &&
           component_set(net, "forward", forward, err) && sim_build(sim, err);
}

static void boot(struct sim *sim)
{
    struct error err;

    if (!build(sim, "", &err))
        fail_msg("%s", err.message);
    sim_reset(sim);
}

// Up to a second passes until a frame of this type comes.
static void await(struct sim *sim, u16 type)
{
    for (unsigned i = 0; i < 1000; i++) {
        event_queue_run(&sim->queue, sim->queue.now + TICKS_PER_SECOND / 1000);
        if (seen.frames && seen.frame[12] == type >> 8 && seen.frame[13] == (type & 0xff))
            return;
    }
    fail_msg("no frame came");
}

static void ask_for_gateway(void)
{
    // Ethernet, then ARP: request, from 10.0.2.15, for 10.0.2.2.
    u8 frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0,  0, 8, 6,
                    0,    1,    8,    0,    6,    4,    0, 1, 0, 0, 0,  0, 0, 0,
                    10,   0,    2,    15,   0,    0,    0, 0, 0, 0, 10, 0, 2, 2};

    memcpy(frame + 6, mac, 6);
    memcpy(frame + 22, mac, 6);
    seen.output.send(seen.output.ctx, frame, sizeof(frame));
}

static void the_gateway_answers_arp(void **arg)
{
    static const u8 gateway[] = {10, 0, 2, 2};
    struct sim sim;

    boot(&sim);
    ask_for_gateway();
    await(&sim, 0x0806);
    assert_int_equal(seen.frame[21], 2);
    assert_memory_equal(seen.frame, mac, 6);
    assert_memory_equal(seen.frame + 28, gateway, 4);
    sim_release(&sim);
}

static u16 checksum(const u8 *data, size_t size)
{
    u32 sum = 0;

    for (size_t i = 0; i < size; i += 2)
        sum += (u32)data[i] << 8 | data[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (u16)~sum;
}

static void put16(u8 *at, unsigned value)
{
    at[0] = (u8)(value >> 8);
    at[1] = (u8)value;
}

// "ping" from port 4000 of the guest to `port` of the gateway, which stands for the host.
static void send_udp(const u8 gateway_mac[6], u16 port)
{
    u8 f[60] = {0};

    memcpy(f, gateway_mac, 6);
    memcpy(f + 6, mac, 6);
    put16(f + 12, 0x0800);
    memcpy(f + 14, (u8[]){0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2}, 20);
    put16(f + 24, checksum(f + 14, 20));
    put16(f + 34, 4000);
    put16(f + 36, port);
    put16(f + 38, 12); // no checksum
    memcpy(f + 42, "ping", 4);
    seen.output.send(seen.output.ctx, f, sizeof(f));
}

static void datagrams_go_to_the_host_and_come_back(void **arg)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char text[16] = "";
    struct sim sim;
    u8 gateway_mac[6];

    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    boot(&sim);
    ask_for_gateway();
    await(&sim, 0x0806);
    memcpy(gateway_mac, seen.frame + 6, 6);
    send_udp(gateway_mac, ntohs(at.sin_port));
    assert_int_equal(recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&at, &size), 4);
    assert_string_equal(text, "ping");
    assert_int_equal(sendto(fd, "pong!", 5, 0, (struct sockaddr *)&at, size), 5);
    await(&sim, 0x0800);
    assert_int_equal(seen.frame[36] << 8 | seen.frame[37], 4000);
    assert_memory_equal(seen.frame + 42, "pong!", 5);
    close(fd);
    sim_release(&sim);
}

static void frames_of_any_content_do_no_harm(void **arg)
{
    struct rng g = {3};
    u8 frame[NET_FRAME_MAX];
    struct error err;
    struct sim sim;

    assert_true(log_set_filter("error", &err));
    boot(&sim);
    ask_for_gateway();
    await(&sim, 0x0806);
    for (unsigned i = 0; i < 500; i++) {
        size_t size = NET_FRAME_MIN + rng_below(&g, NET_FRAME_MAX - NET_FRAME_MIN + 1);

        for (size_t k = 0; k < size; k++)
            frame[k] = (u8)rng_next(&g);
        put16(frame + 12, i & 1 ? 0x0806 : 0x0800);
        // Nobody outside is to be reached: to the gateway's own network.
        memcpy(frame + 30, (u8[]){10, 0, 2, 99}, 4);
        seen.output.send(seen.output.ctx, frame, size);
    }
    sim_release(&sim);
}

static void a_forward_that_is_none_is_an_error(void **arg)
{
    static const char *const bad[] = {
        "tcp",         "tcp:1",     "tcp:1:2:3", "icmp:1:2",
        "tcp:70000:1", "tcp:-1:22", "tcp:1:2,,", "tcp:1111111111111111111111111:1"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct sim sim;
        struct error err;

        assert_false(build(&sim, bad[i], &err));
        assert_non_null(strstr(err.message, "forward"));
        sim_release(&sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gateway_answers_arp),
        cmocka_unit_test(datagrams_go_to_the_host_and_come_back),
        cmocka_unit_test(frames_of_any_content_do_no_harm),
        cmocka_unit_test(a_forward_that_is_none_is_an_error),
    };

    return cmocka_run_group_tests_name("dev/net_user", tests, NULL, NULL);
}
