// SPDX-License-Identifier: BSD-3-Clause
#include "machine/gdb/gdb_server.h"

#include "base/log.h"
#include "sim/sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

// Between two looks for input: whatever comes first.
enum { SLICE_INSTS = 2000000 };
#define SLICE_TICKS (TICKS_PER_SECOND / 20)

enum { WAIT_MS = 50, SEND_WAIT_MS = 5000 };

enum { SIGNAL_INT = 2, SIGNAL_ABORT = 6, SIGNAL_SEGV = 11, SIGNAL_TERM = 15 };

struct gdb_server {
    struct component *pc; // borrowed
    int listener, client; // -1: none
    bool hold;            // without a client, the machine does not run
    bool over;            // the machine has ended, and the client looks at what is left
    struct pc_result end; // of the machine
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; // of a socket to be removed
    char address[160];
    struct gdb_protocol protocol;
};

// ---- listening

static bool listen_on(struct gdb_server *s, int domain, const struct sockaddr *address,
                      socklen_t size, const char *spec, struct error *err)
{
    int on = 1;

    s->listener = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listener < 0)
        return error_set_errno(err, "gdb: cannot make a socket");
    (void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(s->listener, address, size) < 0 || listen(s->listener, 1) < 0)
        return error_set_errno(err, "gdb: cannot listen on '%s'", spec);
    return true;
}

static bool listen_unix(struct gdb_server *s, const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!*path || strlen(path) >= sizeof(address.sun_path))
        return error_set(err, ERROR_USAGE, "gdb: a socket's path has 1 to %zu bytes, not '%s'",
                         sizeof(address.sun_path) - 1, path);
    memcpy(address.sun_path, path, strlen(path));
    if (!listen_on(s, AF_UNIX, (const struct sockaddr *)&address, sizeof(address), path, err))
        return false;
    snprintf(s->path, sizeof(s->path), "%s", path);
    snprintf(s->address, sizeof(s->address), "unix:%s", path);
    return true;
}

static bool listen_tcp(struct gdb_server *s, const char *port, struct error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char *end;
    unsigned long n = strtoul(port, &end, 10);

    if (*port < '0' || *port > '9' || *end || n > 65535)
        return error_set(err, ERROR_USAGE,
                         "gdb: want unix:PATH or a TCP port (0 to 65535), not '%s'", port);
    address.sin_port = htons((u16)n);
    if (!listen_on(s, AF_INET, (const struct sockaddr *)&address, size, port, err))
        return false;
    if (getsockname(s->listener, (struct sockaddr *)&address, &size) < 0)
        return error_set_errno(err, "gdb: what port it is");
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    return true;
}

struct gdb_server *gdb_server_new(struct component *pc, const char *spec, bool wait,
                                  struct error *err)
{
    static const char prefix[] = "unix:";
    struct gdb_server *s = xcalloc(1, sizeof(*s));
    bool named = strncmp(spec, prefix, sizeof(prefix) - 1) == 0;

    s->pc = pc;
    s->listener = s->client = -1;
    s->hold = wait;
    gdb_protocol_init(&s->protocol, pc);
    if (named ? listen_unix(s, spec + sizeof(prefix) - 1, err) : listen_tcp(s, spec, err))
        return s;
    gdb_server_free(s);
    return NULL;
}

const char *gdb_server_address(const struct gdb_server *s)
{
    return s->address;
}

void gdb_server_set_checkpoint(struct gdb_server *s, gdb_checkpoint_fn *fn, void *context)
{
    s->protocol.checkpoint = fn;
    s->protocol.checkpoint_context = context;
}

// ---- the client

static void hang_up(struct gdb_server *s)
{
    if (s->client >= 0)
        close(s->client);
    s->client = -1;
    gdb_target_remove_all(&s->protocol.target);
    if (s->protocol.state != GDB_KILLED)
        s->protocol.state = GDB_DETACHED;
}

// A client that does not read is none any more.
static void flush(struct gdb_server *s)
{
    struct strbuf *out = &s->protocol.wire.out;
    size_t sent = 0;

    while (s->client >= 0 && sent < out->length) {
        struct pollfd p = {.fd = s->client, .events = POLLOUT};
        ssize_t n = send(s->client, out->text + sent, out->length - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (poll(&p, 1, SEND_WAIT_MS) == 0)
                hang_up(s);
        } else {
            hang_up(s);
        }
    }
    strbuf_clear(out);
}

static void welcome(struct gdb_server *s)
{
    int on = 1;
    int client = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (client < 0)
        return;
    if (s->client >= 0) { // one at a time
        close(client);
        return;
    }
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    s->client = client;
    s->hold = false;
    gdb_protocol_attach(&s->protocol);
    log_info("gdb", "a debugger has connected");
}

static void receive(struct gdb_server *s)
{
    u8 bytes[4096];
    ssize_t n = recv(s->client, bytes, sizeof(bytes), 0);

    if (n > 0) {
        gdb_protocol_feed(&s->protocol, bytes, (size_t)n);
        flush(s);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        hang_up(s);
    }
    if (s->client >= 0 && s->protocol.state >= GDB_DETACHED)
        hang_up(s);
}

static bool held(const struct gdb_server *s)
{
    return s->hold || s->protocol.state == GDB_STOPPED;
}

static void serve(struct gdb_server *s, int wait_ms)
{
    struct pollfd p[] = {{.fd = s->listener, .events = POLLIN},
                         {.fd = s->client, .events = POLLIN}};

    if (poll(p, ARRAY_SIZE(p), wait_ms) <= 0)
        return;
    if (p[1].revents)
        receive(s);
    if (p[0].revents)
        welcome(s);
}

static void tell_end(struct gdb_server *s)
{
    switch (s->end.end) {
    case PC_POWER_OFF:
    case PC_EXIT:
    case PC_RESET:
        gdb_protocol_exit(&s->protocol, false, (u8)s->end.value);
        break;
    case PC_PANIC:
        gdb_protocol_exit(&s->protocol, true, SIGNAL_ABORT);
        break;
    case PC_SHUTDOWN:
        gdb_protocol_exit(&s->protocol, true, SIGNAL_SEGV);
        break;
    default:
        gdb_protocol_exit(&s->protocol, true, SIGNAL_TERM);
    }
}

void gdb_server_free(struct gdb_server *s)
{
    if (!s)
        return;
    if (s->client >= 0) {
        if (s->protocol.state == GDB_RUNNING) {
            tell_end(s);
            flush(s);
        }
        hang_up(s);
    }
    if (s->listener >= 0)
        close(s->listener);
    if (s->path[0])
        (void)unlink(s->path);
    gdb_protocol_release(&s->protocol);
    free(s);
}

// ---- running

static void report(struct gdb_server *s, const struct gdb_stop *stop)
{
    gdb_protocol_report(&s->protocol, stop);
    flush(s);
}

// Until the next look at the client.
static struct pc_result run_slice(struct gdb_server *s, const struct pc_limits *limits)
{
    struct pc_limits slice = *limits;

    slice.insts = MIN(limits->insts, pc_insts(s->pc) + SLICE_INSTS);
    slice.when = MIN(limits->when, s->pc->sim->queue.now + SLICE_TICKS);
    slice.debug = s->protocol.state == GDB_RUNNING ? &s->protocol.debug : NULL;
    return pc_run(s->pc, &slice);
}

static bool reached(const struct gdb_server *s, const struct pc_limits *limits)
{
    return pc_insts(s->pc) >= limits->insts || s->pc->sim->queue.now >= limits->when;
}

// Whether the end of a slice is for the client and the machine waits for it.
static bool for_client(struct gdb_server *s, struct pc_result end)
{
    struct gdb_stop stop = {.core = 0};

    if (s->protocol.state != GDB_RUNNING)
        return false;
    switch (end.end) {
    case PC_DEBUG:
        stop = gdb_target_stop(&s->protocol.target, end.value);
        break;
    case PC_PANIC:
    case PC_SHUTDOWN: // the guest cannot go on, but there is something to look at
        stop.signal = end.end == PC_PANIC ? SIGNAL_ABORT : SIGNAL_SEGV;
        stop.core = end.end == PC_SHUTDOWN ? end.value : 0;
        s->over = true;
        break;
    default:
        return false;
    }
    report(s, &stop);
    return true;
}

// Nothing runs: waits a while for the client. True: the run comes to an end all the same.
static bool wait_held(struct gdb_server *s, struct pc_result *ret)
{
    // No instruction fits: only a request to stop shows.
    struct pc_limits nothing = {.insts = pc_insts(s->pc), .when = ~(tick)0};

    serve(s, WAIT_MS);
    *ret = pc_run(s->pc, &nothing);
    return ret->end == PC_STOPPED;
}

struct pc_result gdb_server_run(struct gdb_server *s, const struct pc_limits *limits, bool brief)
{
    struct pc_result r;

    for (;;) {
        serve(s, 0);
        if (s->protocol.state == GDB_KILLED)
            return (struct pc_result){.end = PC_KILLED};
        if (held(s)) {
            if (wait_held(s, &r))
                return r;
            if (brief && held(s))
                return (struct pc_result){.end = PC_LIMIT};
            continue;
        }
        if (s->over)
            return s->end;
        if (s->protocol.interrupt) {
            report(s, &(struct gdb_stop){.signal = SIGNAL_INT, .core = s->protocol.core});
            continue;
        }
        r = run_slice(s, limits);
        s->end = r;
        if (for_client(s, r) || r.end == PC_DEBUG || (r.end == PC_LIMIT && !reached(s, limits)))
            continue;
        return r;
    }
}
