// SPDX-License-Identifier: BSD-3-Clause
// getsockopt(2), setsockopt(2): a table of the options that programs set. Most have no effect on a
// network without distance; those that have are asked for by socket_option.
#include "os/linux/socket.h"
#include "os/linux/syscall.h"
#include "os/linux/timer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

enum kind {
    FLAG,      // anything but 0 is 1
    NUMBER,    // as it is
    SIZE,      // doubled, with bounds (socket(7))
    READ_ONLY, // not to be set
};
enum { UNIX = 1, STREAM = 2, DATAGRAM = 4, V6 = 8, INET = STREAM | DATAGRAM, ALL = UNIX | INET };

struct option {
    int level, name;
    enum kind kind;
    u32 where; // UNIX | STREAM...; V6: of inet6 only
    i32 initial, least, most;
};

static const struct option table[] = {
    {SOL_SOCKET, SO_SNDBUF, SIZE, ALL, 212992, 4608, 425984},
    {SOL_SOCKET, SO_RCVBUF, SIZE, ALL, 212992, 2304, 425984},
    {SOL_SOCKET, SO_REUSEADDR, FLAG, ALL, 0, 0, 0},
    {SOL_SOCKET, SO_REUSEPORT, FLAG, ALL, 0, 0, 0},
    {SOL_SOCKET, SO_KEEPALIVE, FLAG, ALL, 0, 0, 0},
    {SOL_SOCKET, SO_BROADCAST, FLAG, ALL, 0, 0, 0},
    {SOL_SOCKET, SO_OOBINLINE, FLAG, ALL, 0, 0, 0},
    {SOL_SOCKET, SO_DONTROUTE, FLAG, ALL, 0, 0, 0},
    {SOL_SOCKET, SO_PRIORITY, NUMBER, ALL, 0, 0, 6},
    {SOL_SOCKET, SO_PASSCRED, FLAG, ALL, 0, 0, 0},
    {SOL_SOCKET, SO_TIMESTAMP, FLAG, ALL, 0, 0, 0},
    {SOL_SOCKET, SO_RCVLOWAT, NUMBER, ALL, 1, 0, INT32_MAX},
    {SOL_SOCKET, SO_SNDLOWAT, READ_ONLY, ALL, 1, 0, 0},
    {SOL_SOCKET, SO_MARK, NUMBER, ALL, 0, INT32_MIN, INT32_MAX},
    {SOL_SOCKET, SO_INCOMING_CPU, NUMBER, ALL, 0, 0, INT32_MAX},
    {IPPROTO_TCP, TCP_NODELAY, FLAG, STREAM, 0, 0, 0},
    {IPPROTO_TCP, TCP_CORK, FLAG, STREAM, 0, 0, 0},
    {IPPROTO_TCP, TCP_MAXSEG, NUMBER, STREAM, 536, 0, 65535},
    {IPPROTO_TCP, TCP_KEEPIDLE, NUMBER, STREAM, 7200, 1, 32767},
    {IPPROTO_TCP, TCP_KEEPINTVL, NUMBER, STREAM, 75, 1, 32767},
    {IPPROTO_TCP, TCP_KEEPCNT, NUMBER, STREAM, 9, 1, 127},
    {IPPROTO_TCP, TCP_SYNCNT, NUMBER, STREAM, 6, 1, 127},
    {IPPROTO_TCP, TCP_LINGER2, NUMBER, STREAM, 60, -1, 120},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, NUMBER, STREAM, 0, 0, INT32_MAX},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, NUMBER, STREAM, 0, 0, INT32_MAX},
    {IPPROTO_TCP, TCP_QUICKACK, FLAG, STREAM, 1, 0, 0},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, NUMBER, STREAM, 0, 0, INT32_MAX},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, NUMBER, STREAM, 0, INT32_MIN, INT32_MAX},
    {IPPROTO_TCP, TCP_FASTOPEN, NUMBER, STREAM, 0, 0, INT32_MAX},
    {IPPROTO_IP, IP_TOS, NUMBER, INET, 0, 0, 255},
    {IPPROTO_IP, IP_TTL, NUMBER, INET, 64, 1, 255},
    {IPPROTO_IP, IP_RECVERR, FLAG, INET, 0, 0, 0},
    {IPPROTO_IP, IP_RECVTOS, FLAG, INET, 0, 0, 0},
    {IPPROTO_IP, IP_RECVTTL, FLAG, INET, 0, 0, 0},
    {IPPROTO_IP, IP_FREEBIND, FLAG, INET, 0, 0, 0},
    {IPPROTO_IP, IP_MTU_DISCOVER, NUMBER, INET, 1, 0, 5},
    {IPPROTO_IP, IP_MULTICAST_TTL, NUMBER, INET, 1, 0, 255},
    {IPPROTO_IP, IP_MULTICAST_LOOP, FLAG, INET, 1, 0, 0},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, FLAG, INET, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_V6ONLY, FLAG, INET | V6, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, NUMBER, INET | V6, 64, -1, 255},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, NUMBER, INET | V6, 1, -1, 255},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, FLAG, INET | V6, 1, 0, 0},
    {IPPROTO_IPV6, IPV6_TCLASS, NUMBER, INET | V6, 0, -1, 255},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, FLAG, INET | V6, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, FLAG, INET | V6, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_RECVERR, FLAG, INET | V6, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_DONTFRAG, FLAG, INET | V6, 0, 0, 0},
};

u32 socket_options_count(void)
{
    return ARRAY_SIZE(table);
}

static bool applies(const struct socket *s, const struct option *o)
{
    u32 here = socket_is_unix(s) ? UNIX : socket_is_stream(s) ? STREAM : DATAGRAM;

    return (o->where & here) && (!(o->where & V6) || s->family == AF_INET6);
}

static i32 *option_of(const struct socket *s, int level, int name)
{
    for (u32 i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].level == level && table[i].name == name && applies(s, &table[i]))
            return &s->options[i];
    }
    return NULL;
}

void socket_options_init(struct socket *s)
{
    s->options = xcalloc(ARRAY_SIZE(table), sizeof(s->options[0]));
    for (u32 i = 0; i < ARRAY_SIZE(table); i++)
        s->options[i] = table[i].initial;
    if (!socket_is_unix(s) && socket_is_stream(s)) {
        *option_of(s, SOL_SOCKET, SO_SNDBUF) = 16384;
        *option_of(s, SOL_SOCKET, SO_RCVBUF) = 131072;
    }
}

void socket_connected_options(struct socket *s)
{
    if (!s->own_sizes)
        *option_of(s, SOL_SOCKET, SO_SNDBUF) = 2626560;
    *option_of(s, IPPROTO_TCP, TCP_MAXSEG) = s->family == AF_INET ? 32768 : 32748;
}

i32 socket_option(const struct socket *s, int level, int name)
{
    const i32 *value = option_of(s, level, name);

    return value ? *value : 0;
}

// ---- reading ----

union option_value {
    i32 number;
    struct credentials who;
    struct timeval time;
    struct linger linger;
    char text[16];
    u8 bytes[256];
};

static i32 state_number(const struct socket *s)
{
    switch (s->state) {
    case SOCKET_LISTENING:
        return TCP_LISTEN;
    case SOCKET_CONNECTED:
    case SOCKET_CONNECTING:
        return s->shut == SHUT_RECEIVE ? TCP_CLOSE_WAIT
               : s->shut == SHUT_SEND  ? TCP_FIN_WAIT2
                                       : TCP_ESTABLISHED;
    default:
        return TCP_CLOSE;
    }
}

static struct timeval timeval_of(i64 ns)
{
    return (struct timeval){ns / 1000000000, ns % 1000000000 / 1000};
}

// Options whose value is not kept as a number. Its size; 0: not one of them.
static u32 socket_level(struct socket *s, int name, union option_value *v)
{
    switch (name) {
    case SO_TYPE:
        v->number = s->type;
        return 4;
    case SO_DOMAIN:
        v->number = s->family;
        return 4;
    case SO_PROTOCOL:
        v->number = s->protocol;
        return 4;
    case SO_ERROR:
        v->number = s->error;
        s->error = 0;
        return 4;
    case SO_ACCEPTCONN:
        v->number = s->state == SOCKET_LISTENING;
        return 4;
    case SO_PEERCRED:
        v->who = s->other;
        return sizeof(v->who);
    case SO_LINGER:
        v->linger = s->linger;
        return sizeof(v->linger);
    case SO_RCVTIMEO:
        v->time = timeval_of(s->receive_ns);
        return sizeof(v->time);
    case SO_SNDTIMEO:
        v->time = timeval_of(s->send_ns);
        return sizeof(v->time);
    default:
        return 0;
    }
}

i64 socket_get_option(struct task *t, struct socket *s, int level, int name, vaddr value,
                      vaddr size)
{
    union option_value v = {0};
    const i32 *number = option_of(s, level, name);
    i32 room;
    u32 n = 0;

    if (!USER_GET(t, size, room))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    if (number) {
        v.number = *number;
        n = 4;
    } else if (level == SOL_SOCKET) {
        n = socket_level(s, name, &v);
    } else if (level == IPPROTO_TCP && name == TCP_INFO && socket_is_stream(s)) {
        v.bytes[0] = (u8)state_number(s);
        n = 232;
    } else if (level == IPPROTO_TCP && name == TCP_CONGESTION && socket_is_stream(s)) {
        memcpy(v.text, "cubic", 6);
        n = 16;
    }
    if (n == 0)
        return socket_is_unix(s) && level != SOL_SOCKET ? -EOPNOTSUPP : -ENOPROTOOPT;
    n = MIN(n, (u32)room);
    return user_write(t, value, &v, n) && USER_PUT(t, size, n) ? 0 : -EFAULT;
}

// ---- setting ----

static i64 set_time(struct task *t, vaddr value, u32 size, i64 *ret_ns)
{
    struct timeval tv;

    if (size < sizeof(tv))
        return -EINVAL;
    if (!USER_GET(t, value, tv))
        return -EFAULT;
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EDOM;
    *ret_ns =
        tv.tv_sec < 0 || tv.tv_sec > 1ll << 32 ? 0 : tv.tv_sec * 1000000000 + tv.tv_usec * 1000;
    return 0;
}

static i64 set_number(struct socket *s, const struct option *o, i32 *at, i32 number)
{
    switch (o->kind) {
    case FLAG:
        *at = number != 0;
        return 0;
    case SIZE:
        number = MAX(MIN(number, o->most / 2), 0) * 2;
        *at = MAX(number, o->least);
        s->own_sizes |= o->name == SO_SNDBUF;
        socket_changed(s);
        return 0;
    case NUMBER:
        if (number < o->least || number > o->most)
            return -EINVAL;
        *at = number;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static i64 set_special(struct task *t, struct socket *s, int level, int name, vaddr value, u32 size)
{
    struct linger linger;

    if (level == IPPROTO_TCP && name == TCP_CONGESTION && socket_is_stream(s))
        return 0;
    // Memberships of groups: there is nobody else on this network.
    if (level == IPPROTO_IP && (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP ||
                                name == IP_MULTICAST_IF || name == IP_PKTINFO))
        return socket_is_unix(s) ? -EOPNOTSUPP : 0;
    if (level == IPPROTO_IPV6 && s->family == AF_INET6 &&
        (name == IPV6_RECVPKTINFO || name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP ||
         name == IPV6_MULTICAST_IF))
        return 0;
    if (level != SOL_SOCKET)
        return socket_is_unix(s) ? -EOPNOTSUPP : -ENOPROTOOPT;
    switch (name) {
    case SO_LINGER:
        if (size < sizeof(linger))
            return -EINVAL;
        if (!USER_GET(t, value, linger))
            return -EFAULT;
        s->linger = linger;
        s->linger.l_onoff = linger.l_onoff != 0;
        return 0;
    case SO_RCVTIMEO:
        return set_time(t, value, size, &s->receive_ns);
    case SO_SNDTIMEO:
        return set_time(t, value, size, &s->send_ns);
    case SO_BINDTODEVICE:
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

i64 socket_set_option(struct task *t, struct socket *s, int level, int name, vaddr value, u32 size)
{
    i32 *at = option_of(s, level, name), number = 0;
    u8 byte;

    if (!at)
        return set_special(t, s, level, name, value, size);
    if (size < 4 && (level == SOL_SOCKET || level == IPPROTO_TCP || size == 0))
        return -EINVAL;
    if (size < 4) { // options of IP may be one byte
        if (!USER_GET(t, value, byte))
            return -EFAULT;
        number = byte;
    } else if (!USER_GET(t, value, number)) {
        return -EFAULT;
    }
    if (level == SOL_SOCKET && name == SO_REUSEPORT && socket_is_unix(s))
        return -EOPNOTSUPP;
    return set_number(s, &table[at - s->options], at, number);
}
