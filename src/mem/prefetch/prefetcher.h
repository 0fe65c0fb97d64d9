// SPDX-License-Identifier: BSD-3-Clause
// What a cache tells a prefetcher, and what it gets back: the addresses of lines that may be wanted
// soon. A prefetcher is a component (interface name: "prefetcher") of one cache, which names its
// path; the cache drops lines that it has, or has asked for already, and what it has no room for.
// Atomic and timed accesses train it alike. It has no events: all it does, it does when called.
#pragma once

#include "base/types.h"

struct component;

enum { PREFETCH_MAX = 32 };

// A demand access to the cache, at the moment the tags were looked at; each once, also when it had
// to be asked again because the cache was busy. Prefetches and DMA are not shown.
struct prefetch_seen {
    paddr pa;        // any byte of it
    vaddr pc;        // of the instruction; 0: none
    tick now;        // 0 in atomic accesses: order by calls, not by time
    u8 kind;         // enum timed_kind
    u8 core;         // who asks
    bool hit;        // the line was here
    bool late;       // it was not yet, but a prefetch of it is under way
    bool first_use;  // a hit of a line that a prefetch brought and nobody had used so far
    bool wrong_path; // of an instruction that will not retire
};

struct prefetch_list {
    u32 count;
    paddr line[PREFETCH_MAX]; // aligned to TIMED_LINE, most wanted first
};

struct prefetcher_ops {
    // Learns from the access and adds to *list, which comes empty, the lines to prefetch.
    void (*notify)(struct component *c, const struct prefetch_seen *seen,
                   struct prefetch_list *list);
    // The line of pa has arrived, `prefetched`: because a prefetch asked for it. May be NULL.
    void (*filled)(struct component *c, paddr pa, bool prefetched);
    // The line of pa has left the cache; `unused`: a prefetch brought it and nobody used it. May
    // be NULL.
    void (*evicted)(struct component *c, paddr pa, bool unused);
};
