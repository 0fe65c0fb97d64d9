// SPDX-License-Identifier: BSD-3-Clause
#include "cli/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "cli/machine_options.h"

enum { ESCAPE = 0x1d }; // Ctrl-]

static void write_console(void *context, const char *data, size_t size)
{
    struct console *c = context;

    while (size && c->out >= 0) {
        ssize_t n = write(c->out, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; // nobody reads any more; the guest goes on
        data += n;
        size -= (size_t)n;
    }
}

static void type_pending(struct console *c)
{
    size_t n = facet_machine_type(c->machine, c->port, c->pending, c->pending_count);

    c->pending_count -= n;
    memmove(c->pending, c->pending + n, c->pending_count);
}

static void accept_client(struct console *c)
{
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        c->in = c->out = fd;
}

static void hang_up(struct console *c)
{
    if (c->listener >= 0) {
        close(c->in);
        c->out = -1;
    }
    c->in = -1;
}

static void read_input(struct console *c)
{
    char *at = c->pending + c->pending_count, *escape;
    ssize_t n = read(c->in, at, CONSOLE_PENDING - c->pending_count);

    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        hang_up(c);
        return;
    }
    escape = c->raw ? memchr(at, ESCAPE, (size_t)n) : NULL;
    if (escape) {
        facet_machine_stop(c->machine, SIGINT);
        n = escape - at;
    }
    c->pending_count += (size_t)n;
}

static void serve(struct console *c)
{
    if (c->in < 0)
        accept_client(c);
    else
        read_input(c);
    type_pending(c);
}

static void poll_consoles(void *context, unsigned idle_ms)
{
    struct consoles *consoles = context;
    struct pollfd p[CONSOLES_MAX];

    for (unsigned i = 0; i < consoles->count; i++) {
        struct console *c = &consoles->all[i];

        type_pending(c);
        p[i] = (struct pollfd){.fd = c->in >= 0 ? c->in : c->listener, .events = POLLIN};
        if (c->pending_count)
            idle_ms = 0;
        if (c->pending_count == CONSOLE_PENDING)
            p[i].fd = -1;
    }
    if (poll(p, consoles->count, (int)idle_ms) <= 0)
        return;
    for (unsigned i = 0; i < consoles->count; i++)
        if (p[i].revents)
            serve(&consoles->all[i]);
}

static void open_terminal(struct console *c)
{
    struct termios raw;

    c->out = STDOUT_FILENO;
    c->terminal = true;
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &c->saved) != 0)
        return;
    raw = c->saved;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; // messages of facet's own still look right
    fputs("facet: this terminal is the guest's console; Ctrl-] ends facet\n", stderr);
    c->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    c->in = STDIN_FILENO;
}

static bool cannot_open(const char *what, struct facet_error *err)
{
    err->code = FACET_ERROR_INPUT;
    snprintf(err->message, sizeof(err->message), "cannot open the console '%s': %s", what,
             strerror(errno));
    return false;
}

static bool open_file(struct console *c, const char *path, struct facet_error *err)
{
    c->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return c->out >= 0 || cannot_open(path, err);
}

static bool open_socket(struct console *c, const char *path, struct facet_error *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(name.sun_path))
        return cli_usage(err, "console 'unix:%s': the path is too long for a socket", path);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->listener < 0 || bind(c->listener, (const struct sockaddr *)&name, sizeof(name)) < 0 ||
        listen(c->listener, 1) < 0)
        return cannot_open(path, err);
    c->path = xstrdup(path);
    signal(SIGPIPE, SIG_IGN);
    return true;
}

static bool open_where(struct console *c, const char *where, struct facet_error *err)
{
    if (strncmp(where, "file:", 5) == 0)
        return open_file(c, where + 5, err);
    if (strncmp(where, "unix:", 5) == 0)
        return open_socket(c, where + 5, err);
    if (strcmp(where, "stdio") != 0)
        return cli_usage(err, "console '%s': there are stdio, file:PATH and unix:PATH", where);
    open_terminal(c);
    return true;
}

bool console_open(struct consoles *consoles, unsigned port, const char *where,
                  struct facet_error *err)
{
    struct console *c = &consoles->all[consoles->count];

    ASSERT(consoles->count < CONSOLES_MAX);
    where = where ? where : "stdio";
    for (unsigned i = 0; i < consoles->count; i++)
        if (consoles->all[i].terminal && strcmp(where, "stdio") == 0)
            return cli_usage(err,
                             "two consoles are %s: '--console file:PATH' or 'unix:PATH' "
                             "moves one",
                             where);
    consoles->count++;
    *c = (struct console){
        .machine = consoles->machine, .port = port, .in = -1, .out = -1, .listener = -1};
    if (!facet_machine_console(consoles->machine, port, write_console, c))
        return cli_usage(err, "the computer has no such console for '%s'", where);
    if (!open_where(c, where, err))
        return false;
    if (c->in >= 0 || c->listener >= 0)
        facet_machine_on_poll(consoles->machine, poll_consoles, consoles);
    return true;
}

static void close_one(struct console *c)
{
    if (c->raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
    if (c->path)
        (void)unlink(c->path);
    free(c->path);
    if (c->listener >= 0)
        close(c->listener);
}

void consoles_close(struct consoles *consoles)
{
    for (unsigned i = 0; i < consoles->count; i++)
        close_one(&consoles->all[i]);
    consoles->count = 0;
}
