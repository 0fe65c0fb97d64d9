// SPDX-License-Identifier: BSD-3-Clause
#include "cli/computer.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/bug.h"
#include "base/strbuf.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/machine_options.h"

static int exit_code_of(const struct facet_result *result)
{
    switch (result->end) {
    case FACET_END_POWER_OFF:
    case FACET_END_RESET:
        return 0;
    case FACET_END_EXITED:
        // More than a byte holds must not become success.
        return MIN((unsigned)result->status, 0xffu);
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
    char *last;     // owned: path of the last one
    double seconds; // host time of all runs between checkpoints
};

static volatile sig_atomic_t checkpoint_wanted;
static struct facet_machine *checkpointed; // for the signal handler only

// Stops for the reason 0, unless something else wants to stop it for good.
static void want_checkpoint(int signal)
{
    checkpoint_wanted = 1;
    facet_machine_stop(checkpointed, 0);
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

static bool reached(const struct when *w, const struct facet_result *r)
{
    return (w->kind == AT_INSTS && r->insts >= w->number) ||
           (w->kind == AT_TIME && r->ticks >= w->number);
}

// The next of --checkpoint-every.
static void skip_passed(struct schedule *s, const struct facet_result *r)
{
    u64 now = s->every.kind == AT_INSTS ? r->insts : r->ticks, next;

    if (s->next && s->next <= now)
        s->next = __builtin_add_overflow(now - now % s->every.number, s->every.number, &next)
                      ? 0 // never
                      : next;
}

// A run may begin in the middle: what is to be saved before is a mistake, what is to be saved again
// and again goes on behind.
static bool find_position(struct schedule *s, struct facet_error *err)
{
    struct facet_result r;

    if (!facet_machine_run_until(s->machine, 0, 0, &r, err))
        return false;
    for (size_t i = 0; i < s->at.count; i++)
        if (reached(&s->at.items[i], &r))
            return cli_usage(err, "checkpoint-at: the computer %s",
                             s->at.items[i].kind == AT_INSTS
                                 ? "has completed that many instructions already"
                                 : "is at that time or behind it already");
    skip_passed(s, &r);
    return true;
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
    cli_complain("checkpoint '%s' (%.2f s)", path, facet_machine_checkpoint_seconds(s->machine));
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
        skip_passed(s, r);
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
    case FACET_EVENT_DUMP_STATS:
    case FACET_EVENT_DUMP_RESET_STATS:
        return cli_serve_stats(s->machine, &event);
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
        s->seconds += r->seconds;
        r->seconds = s->seconds;
        if (r->end == FACET_END_LIMIT && is_due(s, r)) {
            if (!take_checkpoint(s, r, err))
                return false;
        } else if (r->end == FACET_END_STOPPED && checkpoint_wanted) {
            checkpoint_wanted = 0;
            if (!take_checkpoint(s, r, err))
                return false;
            if (r->status)
                return true;
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

// The guest ended well, but without CPUs that it was to have.
static int check_cpus(const struct facet_result *result, const struct cli_args *args, int code)
{
    if (code != 0 || !result->idle_cpus || cli_flag(args, "allow-idle-cpus"))
        return code;
    cli_complain("the guest never started %u of its CPUs (--allow-idle-cpus accepts that)",
                 result->idle_cpus);
    return BOOT_IDLE_CPUS;
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

static bool open_outputs(struct facet_machine *machine, const struct cli_args *args,
                         struct consoles *consoles, struct facet_error *err)
{
    const char *log = cli_value(args, "console-log"), *virtio = cli_value(args, "virtio-console");

    consoles->machine = machine;
    return console_open(consoles, 0, cli_value(args, "console"), err) &&
           (!virtio || console_open(consoles, FACET_PORT_VIRTIO, virtio, err)) &&
           (!log || facet_machine_log_console(machine, log, err));
}

int cli_run_computer(struct facet_machine *machine, const struct cli_args *args, bool loaded,
                     struct facet_error *err)
{
    struct consoles consoles = {0};
    struct schedule schedule = {.machine = machine};
    struct sigaction on_request = {.sa_handler = want_checkpoint, .sa_flags = SA_RESTART};
    struct facet_result result = {.end = FACET_END_POWER_OFF};
    struct facet_error stats_err;
    bool ready = loaded && read_schedule(&schedule, args, err) && find_position(&schedule, err) &&
                 serve_gdb(machine, args, err) && open_outputs(machine, args, &consoles, err);
    bool good = ready;
    int code;

    if (ready) {
        facet_machine_guest_files(machine, cli_value(args, "guest-file"),
                                  cli_value(args, "guest-folder"));
        running_schedule = &schedule;
        checkpointed = machine;
        sigaction(SIGUSR1, &on_request, NULL);
        good = cli_run_machine(machine, run_now, &result, err);
        signal(SIGUSR1, SIG_IGN);
    }
    consoles_close(&consoles);
    if (good)
        tell_end(machine, &result);
    if (ready && !cli_write_stats(machine, args, &stats_err) && good) {
        *err = stats_err;
        good = false;
    }
    code = good ? check_cpus(&result, args, exit_code_of(&result)) : BOOT_FACET;
    if (!good)
        cli_complain("%s", err->message);
    if (!cli_write_status(args, &result, good ? NULL : err, code))
        code = BOOT_FACET;
    VEC_RELEASE(&schedule.at);
    free(schedule.last);
    return code;
}
