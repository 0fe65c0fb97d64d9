// SPDX-License-Identifier: BSD-3-Clause
// Decoded blocks by physical address and mode; shared by the cores of a machine that run on one
// thread. Blocks live in one pool: when it is full, all of them go at once.
#pragma once

#include "base/error.h"
#include "isa/core.h"

struct block_cache;

struct block_cache_stats {
    u64 blocks;  // decoded
    u64 insts;   // decoded
    u64 flushes; // the pool was full
    u64 kills;   // blocks whose code was overwritten
};

// `traced`: blocks carry the ops of the traced engine.
struct block_cache *block_cache_new(u64 pool_bytes, bool traced, struct error *err);
void block_cache_free(struct block_cache *bc);

// The core's jump cache is emptied when blocks go, and stores to code are reported to bc.
void block_cache_attach(struct block_cache *bc, struct core *core);

// The block at the core's pc, decoded now if need be; a shorter one, not kept, if max_insts is less
// than its length. False as for isa_ops.fetch.
bool block_cache_find(struct block_cache *bc, struct core *core, u64 max_insts,
                      struct block **ret_block);

// All blocks go. Not while one is being executed.
void block_cache_flush(struct block_cache *bc);

const struct block_cache_stats *block_cache_stats(const struct block_cache *bc);
