// SPDX-License-Identifier: BSD-3-Clause
// A machine at rest, as a directory (docs/formats/checkpoint.md):
//
//     manifest.json   written last: format, version, configuration digest, parent, all files'
//     hashes state.json      readable: every component's path, type, schema fingerprint, state,
//     counters memory.json     which chunk of the pack is where in which memory; zero chunks are
//     absent memory.index    the pack's frames and chunks, with their hashes memory.pack     the
//     chunks, equal ones once, as zstd frames
//
// It is made beside its final name, synced and renamed: it is there whole or not at all. Loading
// checks before it changes anything, demands exactly the components the machine has, and refuses
// what is damaged or foreign with one sentence. The bytes depend on the machine alone.
#pragma once

#include "base/error.h"
#include "sim/state.h"

struct sim;
struct checkpoint_lazy;
struct checkpoint_reader;
struct checkpoint_source;
struct checkpoint_writer;

struct checkpoint_options {
    const char *config_digest; // of the machine's description; NULL: ""
    // Saving: the machine's description, from which it can be built again; NULL: "".
    const char *description;
    // Saving: a checkpoint whose chunks are referred to instead of being stored again. NULL: none.
    const char *parent;
    unsigned threads; // that save and load may use while they last; 0: what the host has
    bool eager;       // loading: fill all memory at once instead of where it is touched
};

// The machine must be drained, or between two events. `path` must not exist. Nothing is left
// behind on failure.
bool checkpoint_save(struct sim *sim, const char *path, const struct checkpoint_options *options,
                     struct error *err) MUST_CHECK;
// Into a machine that was built from the same description and reset. With a config_digest, another
// one is refused. When loading fails after the checks (a codec bug), the machine must be released.
// Large memory is filled later (checkpoint_read_lazily), from files that stay open until it is
// complete: the checkpoint may be removed meanwhile, but not changed.
bool checkpoint_load(struct sim *sim, const char *path, const struct checkpoint_options *options,
                     struct error *err) MUST_CHECK;
// Checks files, sizes, hashes and formats of the checkpoint and all its ancestors, and that every
// chunk decompresses to what was saved. Needs no machine.
bool checkpoint_verify(const char *path, struct error *err) MUST_CHECK;

// For the save and load methods of components; names are unique (begin with the path). The data is
// not needed any more when these return.
bool checkpoint_write_memory(struct checkpoint_writer *w, const char *name, const void *data,
                             u64 size, struct error *err) MUST_CHECK;
// The same for memory whose untouched parts are known to be zero and better left alone (reading a
// hole of a memory file fills it): `data_from` gives the first byte at or after `at` that may not
// be zero, or the size when there is none.
typedef u64 checkpoint_data_fn(void *context, u64 at);
bool checkpoint_write_sparse(struct checkpoint_writer *w, const char *name, const void *data,
                             u64 size, checkpoint_data_fn *data_from, void *context,
                             struct error *err) MUST_CHECK;
// For what a machine can do without (warm tables of caches and predictors): a machine that does
// not ask for it can load the checkpoint. Its reader asks checkpoint_memory_size first.
bool checkpoint_write_optional(struct checkpoint_writer *w, const char *name, const void *data,
                               u64 size, struct error *err) MUST_CHECK;
// *data must be zero before: what is zero is not written. The size must be the saved one.
bool checkpoint_read_memory(struct checkpoint_reader *r, const char *name, void *data, u64 size,
                            struct error *err) MUST_CHECK;
// The size of a saved memory, for data of variable size; false when there is none.
bool checkpoint_memory_size(const struct checkpoint_reader *r, const char *name, u64 *ret_size);
// A struct made by STATE_STRUCT that is not a component's own state.
void checkpoint_write_state(struct checkpoint_writer *w, const char *name, const void *data,
                            const struct state_field *fields);
bool checkpoint_read_state(struct checkpoint_reader *r, const char *name, void *data,
                           const struct state_field *fields, struct error *err) MUST_CHECK;

// As checkpoint_read_memory, but *data stays zero where nobody called checkpoint_lazy_fill. NULL in
// *ret_lazy: all is there already. Else it is to be freed before the machine's arena.
bool checkpoint_read_lazily(struct checkpoint_reader *r, const char *name, void *data, u64 size,
                            struct checkpoint_lazy **ret_lazy, struct error *err) MUST_CHECK;
// Makes bytes [at, at + size) what was saved, from then on the owner's to change. False when the
// files turn out to be damaged or cannot be read; no byte of a damaged chunk gets into memory.
bool checkpoint_lazy_fill(struct checkpoint_lazy *l, u64 at, u64 size,
                          struct error *err) MUST_CHECK;
// All the rest, with several threads for the time being.
bool checkpoint_lazy_complete(struct checkpoint_lazy *l, struct error *err) MUST_CHECK;
// Bytes that are still to be filled.
u64 checkpoint_lazy_left(const struct checkpoint_lazy *l);
void checkpoint_lazy_free(struct checkpoint_lazy *l);
// The open files of the checkpoints that a machine's memory is filled from; NULL is fine.
void checkpoint_source_free(struct checkpoint_source *s);
