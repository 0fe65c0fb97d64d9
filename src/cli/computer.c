// SPDX-License-Identifier: BSD-3-Clause
#include "cli/computer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "base/strbuf.h"
#include "base/units.h"
#include "cli/machine_options.h"

enum { ESCAPE = 0x1d, PENDING = 256 }; // Ctrl-]

// The terminal as the guest's console.
struct console {
    struct facet_machine *machine;
    struct termios saved;
    bool raw;              // the terminal's settings were changed
    bool input;            // standard input is read
    char pending[PENDING]; // typed, not yet taken by the guest
    size_t pending_count;
};

static int exit_code_of(const struct facet_result *result)
{
    switch (result->end) {
    case FACET_END_POWER_OFF:
    case FACET_END_RESET:
        return 0;
    case FACET_END_EXITED:
        return result->status & 0xff;
    case FACET_END_PANIC:
        return BOOT_PANIC;
    case FACET_END_SHUTDOWN:
        return BOOT_SHUTDOWN;
    case FACET_END_DEADLOCK:
        return BOOT_HALTED;
    case FACET_END_LIMIT:
        return BOOT_LIMIT;
    case FACET_END_KILLED:
    case FACET_END_STOPPED:
        return BOOT_SIGNAL + result->status;
    case FACET_END_EVENT: // served
        break;
    }
    BUG("end %d", (int)result->end);
}

// ---- the console

static void write_console(void *context, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(STDOUT_FILENO, data, size);

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
    size_t n = facet_machine_type(c->machine, 0, c->pending, c->pending_count);

    c->pending_count -= n;
    memmove(c->pending, c->pending + n, c->pending_count);
}

static void poll_console(void *context, unsigned idle_ms)
{
    struct console *c = context;
    struct pollfd p = {.fd = c->input ? STDIN_FILENO : -1, .events = POLLIN};
    ssize_t n;
    char *escape;

    type_pending(c);
    if (c->pending_count < PENDING && poll(&p, 1, c->pending_count ? 0 : (int)idle_ms) > 0) {
        char *at = c->pending + c->pending_count;

        n = read(STDIN_FILENO, at, PENDING - c->pending_count);
        if (n <= 0 && errno != EINTR)
            c->input = false;
        escape = n > 0 && c->raw ? memchr(at, ESCAPE, (size_t)n) : NULL;
        if (escape)
            facet_machine_stop(c->machine, SIGINT);
        else if (n > 0)
            c->pending_count += (size_t)n;
        type_pending(c);
    }
}

// With standard input a terminal it is the guest's keyboard; else the guest just runs.
static void open_console(struct console *c)
{
    struct termios raw;

    facet_machine_console(c->machine, 0, write_console, c);
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &c->saved) != 0)
        return;
    raw = c->saved;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; // messages of facet's own still look right
    fputs("facet: this terminal is the guest's console; Ctrl-] ends facet\n", stderr);
    c->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    c->input = true;
    facet_machine_on_poll(c->machine, poll_console, c);
}

static void close_console(struct console *c)
{
    if (c->raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
    c->raw = false;
}

// ---- checkpoints

enum when_kind { AT_INSTS, AT_TIME, AT_CONSOLE, AT_WORK_BEGIN };

struct when {
    enum when_kind kind;
    u64 number;
    const char *text;
    bool done;
};

struct schedule {
    struct facet_machine *machine;
    VEC(struct when) at;
    struct when every; // number 0: none
    u64 next;          // of every
    const char *folder;
    bool incremental;
    char *last; // owned: path of the last one
};

static volatile sig_atomic_t checkpoint_wanted;
static struct facet_machine *checkpointed; // for the signal handler only

static void want_checkpoint(int signal)
{
    checkpoint_wanted = 1;
    facet_machine_stop(checkpointed, signal);
}

static bool parse_when(const char *text, struct when *ret, struct facet_error *err)
{
    struct error inner;

    *ret = (struct when){0};
    if (strncmp(text, "console:", 8) == 0 && text[8]) {
        *ret = (struct when){.kind = AT_CONSOLE, .text = text + 8};
        return true;
    }
    if (strcmp(text, "work-begin") == 0) {
        ret->kind = AT_WORK_BEGIN;
        return true;
    }
    if (unit_parse(text, UNIT_NONE, &ret->number, &inner))
        return ret->number ||
               cli_usage(err, "checkpoint '%s': not before the first instruction", text);
    ret->kind = AT_TIME;
    return unit_parse(text, UNIT_TIME, &ret->number, &inner) ||
           cli_usage(err,
                     "checkpoint '%s': wants a number of instructions (500M), a simulated time "
                     "(2s), console:TEXT or work-begin",
                     text);
}

static bool read_schedule(struct schedule *s, const struct cli_args *args, struct facet_error *err)
{
    const char *value;
    struct when when;

    s->folder = cli_value(args, "checkpoint-dir");
    s->folder = s->folder ? s->folder : "checkpoints";
    s->incremental = cli_flag(args, "checkpoint-incremental");
    for (size_t i = 0; (value = cli_value_at(args, "checkpoint-at", i)); i++) {
        if (!parse_when(value, &when, err))
            return false;
        VEC_PUSH(&s->at, when);
    }
    value = cli_value(args, "checkpoint-every");
    if (!value)
        return true;
    if (!parse_when(value, &s->every, err))
        return false;
    s->next = s->every.number;
    return s->next || cli_usage(err, "checkpoint-every '%s': wants a number or a time", value);
}

static bool take_checkpoint(struct schedule *s, const struct facet_result *r,
                            struct facet_error *err)
{
    char *path = xasprintf("%s/%012" PRIu64, s->folder, r->insts);

    if (mkdir(s->folder, 0777) < 0 && errno != EEXIST) {
        snprintf(err->message, sizeof(err->message), "cannot make the folder '%s': %s", s->folder,
                 strerror(errno));
        err->code = FACET_ERROR_INPUT;
        free(path);
        return false;
    }
    if (!facet_machine_checkpoint(s->machine, path, s->incremental ? s->last : NULL, err)) {
        free(path);
        return false;
    }
    cli_complain("checkpoint '%s'", path);
    free(s->last);
    s->last = path;
    return true;
}

// Watches for the first text that has not come.
static void watch_console(struct schedule *s)
{
    for (size_t i = 0; i < s->at.count; i++)
        if (s->at.items[i].kind == AT_CONSOLE && !s->at.items[i].done) {
            facet_machine_watch_console(s->machine, s->at.items[i].text);
            return;
        }
}

static void next_stop(const struct schedule *s, u64 *ret_insts, u64 *ret_ticks)
{
    *ret_insts = *ret_ticks = UINT64_MAX;
    for (size_t i = 0; i < s->at.count; i++) {
        const struct when *w = &s->at.items[i];

        if (!w->done && w->kind == AT_INSTS)
            *ret_insts = MIN(*ret_insts, w->number);
        if (!w->done && w->kind == AT_TIME)
            *ret_ticks = MIN(*ret_ticks, w->number);
    }
    if (s->next && s->every.kind == AT_INSTS)
        *ret_insts = MIN(*ret_insts, s->next);
    if (s->next && s->every.kind == AT_TIME)
        *ret_ticks = MIN(*ret_ticks, s->next);
}

static bool reached(const struct when *w, const struct facet_result *r)
{
    return (w->kind == AT_INSTS && r->insts >= w->number) ||
           (w->kind == AT_TIME && r->ticks >= w->number);
}

// Whether a checkpoint is due where a limit ended the run.
static bool is_due(struct schedule *s, const struct facet_result *r)
{
    struct when every = {.kind = s->every.kind, .number = s->next};
    bool due = false;

    for (size_t i = 0; i < s->at.count; i++)
        if (!s->at.items[i].done && reached(&s->at.items[i], r))
            due = s->at.items[i].done = true;
    if (s->next && reached(&every, r)) {
        due = true;
        do
            s->next += s->every.number;
        while (s->next <= (s->every.kind == AT_INSTS ? r->insts : r->ticks));
    }
    return due;
}

static struct when *waiting(struct schedule *s, enum when_kind kind)
{
    for (size_t i = 0; i < s->at.count; i++)
        if (s->at.items[i].kind == kind && !s->at.items[i].done)
            return &s->at.items[i];
    return NULL;
}

static bool take_if(struct schedule *s, enum when_kind kind, const struct facet_result *r,
                    struct facet_error *err)
{
    struct when *w = waiting(s, kind);

    if (!w)
        return true;
    w->done = true;
    return take_checkpoint(s, r, err);
}

// What the guest asked for. False and *err: facet could not do it.
static bool serve_event(struct schedule *s, const struct facet_result *r, struct facet_error *err)
{
    struct facet_event event = facet_machine_event(s->machine);

    switch (event.kind) {
    case FACET_EVENT_CONSOLE:
        if (!take_if(s, AT_CONSOLE, r, err))
            return false;
        watch_console(s);
        return true;
    case FACET_EVENT_CHECKPOINT:
        return take_checkpoint(s, r, err);
    case FACET_EVENT_RESET_STATS:
        facet_machine_reset_stats(s->machine);
        return true;
    case FACET_EVENT_DUMP_STATS:
        facet_machine_dump_stats(s->machine);
        return true;
    case FACET_EVENT_DUMP_RESET_STATS:
        facet_machine_dump_stats(s->machine);
        facet_machine_reset_stats(s->machine);
        return true;
    case FACET_EVENT_WORK_BEGIN:
        return take_if(s, AT_WORK_BEGIN, r, err);
    case FACET_EVENT_WORK_END:
    case FACET_EVENT_SWITCH_CPU:
    case FACET_EVENT_DEBUG_BREAK:
        return true;
    }
    BUG("event %d", (int)event.kind);
}

static bool run_scheduled(struct schedule *s, struct facet_result *r, struct facet_error *err)
{
    watch_console(s);
    for (;;) {
        u64 insts, ticks;

        next_stop(s, &insts, &ticks);
        if (!facet_machine_run_until(s->machine, insts, ticks, r, err))
            return false;
        if (r->end == FACET_END_LIMIT && is_due(s, r)) {
            if (!take_checkpoint(s, r, err))
                return false;
        } else if (r->end == FACET_END_STOPPED && checkpoint_wanted) {
            checkpoint_wanted = 0;
            if (!take_checkpoint(s, r, err))
                return false;
        } else if (r->end == FACET_END_EVENT) {
            if (!serve_event(s, r, err))
                return false;
        } else {
            return true;
        }
    }
}

// ---- a debugger

static bool serve_gdb(struct facet_machine *machine, const struct cli_args *args,
                      struct facet_error *err)
{
    const char *where = cli_value(args, "gdb");
    bool wait = cli_flag(args, "wait-gdb");

    if (!where)
        return !wait || cli_usage(err, "option '%s' is for use with '--gdb'", "--wait-gdb");
    if (!facet_machine_serve_gdb(machine, where, wait, err))
        return false;
    fprintf(stderr, "facet: gdb may connect to %s%s\n", facet_machine_gdb_address(machine),
            wait ? "; the guest waits for it" : "");
    return true;
}

// ---- the run

static struct schedule *running_schedule; // for run_now

static bool run_now(struct facet_machine *machine, struct facet_result *r, struct facet_error *err)
{
    return run_scheduled(running_schedule, r, err);
}

static void tell_end(struct facet_machine *machine, const struct facet_result *result)
{
    switch (result->end) {
    case FACET_END_POWER_OFF:
    case FACET_END_RESET:
        break;
    case FACET_END_EXITED:
        if (result->status)
            cli_complain("%s", result->reason);
        break;
    case FACET_END_LIMIT:
    case FACET_END_STOPPED:
    case FACET_END_KILLED:
    case FACET_END_EVENT:
        cli_complain("%s", result->reason);
        break;
    case FACET_END_PANIC:
    case FACET_END_SHUTDOWN:
    case FACET_END_DEADLOCK:
        cli_complain("%s", result->reason);
        fputs(facet_machine_report(machine), stderr);
        break;
    }
}

int cli_run_computer(struct facet_machine *machine, const struct cli_args *args, bool loaded,
                     struct facet_error *err)
{
    struct console console = {.machine = machine};
    struct schedule schedule = {.machine = machine};
    struct sigaction on_request = {.sa_handler = want_checkpoint, .sa_flags = SA_RESTART};
    struct facet_result result = {.end = FACET_END_POWER_OFF};
    struct facet_error stats_err;
    bool good = loaded && read_schedule(&schedule, args, err) && serve_gdb(machine, args, err);
    int code;

    if (good) {
        running_schedule = &schedule;
        checkpointed = machine;
        sigaction(SIGUSR1, &on_request, NULL);
        open_console(&console);
        good = cli_run_machine(machine, run_now, &result, err);
        close_console(&console);
        signal(SIGUSR1, SIG_IGN);
    }
    if (good)
        tell_end(machine, &result);
    if (loaded && !cli_write_stats(machine, args, &stats_err) && good) {
        *err = stats_err;
        good = false;
    }
    code = good ? exit_code_of(&result) : BOOT_FACET;
    if (!good)
        cli_complain("%s", err->message);
    if (!cli_write_status(args, &result, good ? NULL : err, code))
        code = BOOT_FACET;
    VEC_RELEASE(&schedule.at);
    free(schedule.last);
    return code;
}
