// SPDX-License-Identifier: BSD-3-Clause
// Bringing a machine to rest: before a checkpoint, a switch of CPU model or a fork, everything in
// flight must land. The manager asks all drainables until each says that it is quiet, while the
// simulation goes on step by step. Bounded, cancellable, and it can name who is still busy.
// Requests that arrive while one is being served wait their turn; none is lost.
//
//     RUNNING --request--> DRAINING --all quiet--> DRAINED --resume--> RESUMING --> RUNNING
//                             |  cancel, or out of time: everyone resumes
//                             +--> RUNNING
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "sim/event.h"

enum drain_state { DRAIN_RUNNING, DRAIN_DRAINING, DRAIN_DRAINED, DRAIN_RESUMING };

struct drainable_ops {
    // True when nothing is in flight. NULL: always quiet.
    bool (*drain)(void *owner);
    void (*resume)(void *owner);
    void (*mem_writeback)(void *owner);
    void (*mem_invalidate)(void *owner);
};

// Called once the machine is DRAINED (ok), or when that failed (not ok: *err says why). The machine
// resumes after it returns. It may make further requests; they are served after this one.
typedef void drain_done_fn(void *context, bool ok, const struct error *err);

struct drain_limits {
    tick max_ticks; // of simulated time until everything must be quiet
    u64 max_steps;  // of the simulation
};

struct drain_request {
    const char *why; // "checkpoint", for messages; must outlive the request
    bool writeback, invalidate;
    struct drain_limits limits; // 0: the default, one second and ten million steps
    drain_done_fn *done;
    void *context;
};

struct drainable;
struct drain_manager {
    enum drain_state state;
    struct event_queue *queue;    // borrowed
    struct drainable *drainables; // owned
    size_t count, room;
    struct drain_request *requests; // owned; the first is being served
    size_t waiting, requests_room;
    tick deadline;
    u64 steps_left;
    bool cancelled, polling;
    u64 served, failed;
};

void drain_init(struct drain_manager *m, struct event_queue *queue);
void drain_release(struct drain_manager *m);

// Anything can register, component or not; in any state (while draining it is asked, too). `name`
// must outlive the registration. Unregistering an unknown owner is a bug.
void drain_register(struct drain_manager *m, const char *name, const struct drainable_ops *ops,
                    void *owner);
void drain_unregister(struct drain_manager *m, void *owner);

// Asks for a drain. Served by drain_poll; allowed in any state, also from drainables' methods.
void drain_request(struct drain_manager *m, const struct drain_request *request);
// Gives up the request being served and all that wait: each `done` is told so. Allowed at any time.
void drain_cancel(struct drain_manager *m);

// Whoever runs the simulation calls this between two steps, as long as it returns true ("step on,
// and call me again"). False: nothing is asked for, run freely.
bool drain_poll(struct drain_manager *m);
static inline bool drain_wanted(const struct drain_manager *m)
{
    return m->waiting != 0;
}

// Serves one request to its end, firing the machine's events as steps; for machines that are
// driven by events alone. False and *err as for `done`; then the machine is running again. After
// true the machine is DRAINED until drain_resume.
bool drain_now(struct drain_manager *m, const struct drain_request *request,
               struct error *err) MUST_CHECK;
void drain_resume(struct drain_manager *m);

// Appends the names of those that are busy, ", " between, at most 8 of them.
void drain_busy(struct drain_manager *m, struct strbuf *out);
