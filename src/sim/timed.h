// SPDX-License-Identifier: BSD-3-Clause
// The timing side of memory: who asks learns when an access is done, never what it holds. Data
// moves through sim/port.h at once; caches have tags and states only, so nothing here can change
// what a guest computes, and all of it lives in a machine of its own (its own struct sim and event
// queue).
//
// Two ways through the same components and the same tags:
//   atomic  in zero time, for warming: tags, replacement, coherence, prefetch training and row
//           buffers change as a timed access would change them; no resources, no events.
//   timed   resources are taken, misses go through the event queue.
//
// Time: a caller's `now` may be ahead of the queue (a CPU runs a few cycles ahead of the others).
// What a component schedules is at MAX(when, queue.now).
#pragma once

#include "base/types.h"

struct component;
struct timed_client;
struct timed_walker;

// Every level has lines of this size, and no access crosses one.
enum { TIMED_LINE_SHIFT = 6, TIMED_LINE = 1 << TIMED_LINE_SHIFT };

// What whoever accesses wants.
enum timed_kind {
    TIMED_READ,           // a load
    TIMED_FETCH,          // instruction fetch
    TIMED_WALK,           // a page walker's load
    TIMED_WRITE,          // a store, or a locked read-modify-write: needs the line for itself
    TIMED_PREFETCH,       // brings the line; nobody waits
    TIMED_PREFETCH_WRITE, // the same, for itself
    TIMED_DMA_READ,       // of a device: sees the newest data, takes no copy
    TIMED_DMA_WRITE,      // of a device: no cache keeps the line
    TIMED_KINDS
};

struct timed_access {
    paddr pa;        // any byte of it
    vaddr pc;        // of the instruction, for prefetchers; 0: none
    u8 kind;         // enum timed_kind
    u8 core;         // who asks, for statistics of shared levels
    bool wrong_path; // of an instruction that will not retire
};

enum timed_answer {
    TIMED_DONE,    // *ret_when: when it is complete; nothing else follows (a hit, or a miss whose
                   // end is known: of a cache below)
    TIMED_PENDING, // done() follows, also when the access shares a miss with others
    TIMED_BUSY,    // no port, bank, MSHR or buffer is free; nothing was taken; *ret_when: ask then
};

// The answering side: the CPU side of a cache, a memory controller. Interface name: "timed_port".
struct timed_port_ops {
    // Returns how long it would take with nobody else about.
    tick (*atomic)(struct component *c, const struct timed_access *a);
    // Prefetches and DMA writes are never PENDING: whoever asks them does not wait. `token` comes
    // back in done(), called on `client` when queue.now has come to where the access is complete.
    enum timed_answer (*access)(struct component *c, const struct timed_access *a, tick now,
                                struct timed_client *client, u32 token, tick *ret_when);
    // Whether the line of pa is here, in any valid state; no side effects (tests, checkers).
    bool (*probe)(const struct component *c, paddr pa);
};

// The asking side, embedded by the CPU model, TLB or device.
struct timed_client {
    void (*done)(struct timed_client *client, u32 token, tick when);
};

// ---- address translation

enum { TIMED_WALK_MAX = 5 };

// What a hardware page walker reads for one address, root first.
struct timed_walk {
    paddr entry[TIMED_WALK_MAX]; // addresses of the table entries
    u8 levels;                   // how many of them
    u8 page_shift;               // size of the mapping that they lead to: 12, 21 or 30
};

// A TLB and what is behind it (second level, walker, paging-structure caches). Interface name:
// "timed_tlb".
struct timed_tlb_ops {
    // As timed_port_ops.access, for the translation of va. `walk` tells what the walker has to
    // read; it is called at once or not at all. `pa_page`: the page that the translation leads to;
    // an entry that leads elsewhere is stale and misses.
    enum timed_answer (*access)(struct component *c, vaddr va, paddr pa_page, tick now,
                                struct timed_walker *walk, struct timed_client *client, u32 token,
                                tick *ret_when);
    tick (*atomic)(struct component *c, vaddr va, paddr pa_page, struct timed_walker *walk);
    // The guest flushed: everything, but for entries of global pages unless `global_too`.
    // A TLB here does not know which pages are global: it flushes all.
    void (*flush)(struct component *c);
};

struct timed_walker {
    // False: nothing is mapped there (a wrong path): the walk costs what `ret` has and gives
    // nothing.
    bool (*walk)(struct timed_walker *w, vaddr va, struct timed_walk *ret);
};
