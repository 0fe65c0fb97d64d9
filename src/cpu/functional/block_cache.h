// SPDX-License-Identifier: BSD-3-Clause
// Decoded blocks by physical address and mode; shared by the cores of a machine that run on one
// thread. Blocks live in one half of a pool: when it is full, all of them go at once; their memory
// stays until the other half is full, too, for records of timing models name their instructions.
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

// The two caches of a machine whose cores change between the plain and the traced engine: each is
// told of stores to the other's code.
void block_cache_pair(struct block_cache *plain, struct block_cache *traced);

// The core may execute blocks of bc: its jump cache is emptied when they go, and its stores to code
// are reported. The first cache that a core is attached to is selected.
void block_cache_attach(struct block_cache *bc, struct core *core);
// The core's engine is bc's from now on.
void block_cache_select(struct block_cache *bc, struct core *core);

// The block at the core's pc, decoded now if need be; a shorter one, not kept, if max_insts is less
// than its length. False as for isa_ops.fetch.
bool block_cache_find(struct block_cache *bc, struct core *core, u64 max_insts,
                      struct block **ret_block);

// All blocks go. Not while one is being executed.
void block_cache_flush(struct block_cache *bc);

const struct block_cache_stats *block_cache_stats(const struct block_cache *bc);
