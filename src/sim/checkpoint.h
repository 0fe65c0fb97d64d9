// SPDX-License-Identifier: BSD-3-Clause
// A machine at rest, as a directory (docs/formats/checkpoint.md):
//
//     manifest.json   written last: format, version, configuration digest, sizes and hashes of all
//     state.json      readable: every component's path, type, schema fingerprint, state, counters
//     memory.json     which chunk of the pack is where in which memory; zero chunks are absent
//     memory.pack     the chunks, each a zstd frame, equal ones once
//
// It is made beside its final name, synced and renamed: it is there whole or not at all. Loading
// checks everything before it changes anything, demands exactly the components the machine has, and
// refuses what is damaged or foreign with one sentence.
#pragma once

#include "base/error.h"
#include "sim/state.h"

struct sim;
struct checkpoint_writer;
struct checkpoint_reader;

struct checkpoint_options {
    const char *config_digest; // of the machine's description; NULL: ""
};

// The machine must be drained, or between two events. `path` must not exist. Nothing is left
// behind on failure.
bool checkpoint_save(struct sim *sim, const char *path, const struct checkpoint_options *options,
                     struct error *err) MUST_CHECK;
// Into a machine that was built from the same description and reset. With a config_digest, another
// one is refused. When loading fails after the checks (a codec bug), the machine must be released.
bool checkpoint_load(struct sim *sim, const char *path, const struct checkpoint_options *options,
                     struct error *err) MUST_CHECK;
// Checks files, sizes, hashes and formats, without a machine.
bool checkpoint_verify(const char *path, struct error *err) MUST_CHECK;

// For the save and load methods of components; names are unique (begin with the path).
bool checkpoint_write_memory(struct checkpoint_writer *w, const char *name, const void *data,
                             u64 size, struct error *err) MUST_CHECK;
// The same for memory whose untouched parts are known to be zero and better left alone (reading a
// hole of a memory file fills it): `data_from` gives the first byte at or after `at` that may not
// be zero, or the size when there is none.
typedef u64 checkpoint_data_fn(void *context, u64 at);
bool checkpoint_write_sparse(struct checkpoint_writer *w, const char *name, const void *data,
                             u64 size, checkpoint_data_fn *data_from, void *context,
                             struct error *err) MUST_CHECK;
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
