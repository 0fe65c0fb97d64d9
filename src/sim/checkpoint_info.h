// SPDX-License-Identifier: BSD-3-Clause
// Checkpoints for tools: what is in one, which ones there are, what differs between two. No machine
// is needed. Nothing is printed: the caller makes text or JSON from these structs.
#pragma once

#include "base/alloc.h"
#include "base/error.h"

struct checkpoint_component {
    char *path, *type; // owned
    u64 schema;
};

struct checkpoint_memory {
    char *name; // owned
    u64 size;
    u64 zero, own, inherited; // its chunks: absent, in this checkpoint's pack, in an ancestor's
    bool optional;
};

struct checkpoint_info {
    char *path;          // owned, as all strings here
    char *problem;       // of checkpoint_list: why the rest is not there; NULL: all is well
    char *config_digest; // of the machine's description; may be empty
    char *description;   // of the machine, as it was given to checkpoint_save
    char digest[65];     // of this checkpoint; a child knows its parent by it
    char *parent;        // path, from the checkpoint's own; NULL: none
    char *parent_digest;
    tick time;
    u64 events_fired;
    u64 file_bytes;   // of its own files
    u64 memory_bytes; // of all memories
    u64 chunk_bytes;
    VEC(struct checkpoint_component) components;
    VEC(struct checkpoint_memory) memories;
};

// Checks the manifest, state.json and memory.json, not the pack (checkpoint_verify does).
bool checkpoint_info_read(struct checkpoint_info *info, const char *path,
                          struct error *err) MUST_CHECK;
void checkpoint_info_release(struct checkpoint_info *info);

struct checkpoint_list {
    VEC(struct checkpoint_info) items;
};
// The checkpoints that lie in a directory, by name; those that cannot be read are there with their
// problem, other files and unfinished ones ("NAME.tmp-…") are not. A checkpoint lists itself.
bool checkpoint_list_read(struct checkpoint_list *list, const char *directory,
                          struct error *err) MUST_CHECK;
void checkpoint_list_release(struct checkpoint_list *list);

enum checkpoint_difference_kind {
    CHECKPOINT_MACHINE,   // row: "tick", "events_fired", "next_sequence", "config_digest"
    CHECKPOINT_COMPONENT, // there, its type or its schema: row is "component", "type" or "schema"
    CHECKPOINT_STATE,     // a row of its state: "lcr", "fifo[3]" (the first element that differs)
    CHECKPOINT_COUNTER,   // a word of its statistics: "words[3]"
    CHECKPOINT_MEMORY,    // row NULL: bytes; else "memory" (there or not) or "size"
};

struct checkpoint_difference {
    enum checkpoint_difference_kind kind;
    char *name;   // owned; path of the component, name of a memory or an extra state; NULL: machine
    char *row;    // owned, or NULL
    char *a, *b;  // owned; the values, NULL where there is none
    u64 at, size; // bytes of a memory: a run of pages that differ
    u64 elements; // of an array that differ
};

struct checkpoint_diff {
    VEC(struct checkpoint_difference) items;
    u64 pages; // of memory that differ, also beyond CHECKPOINT_RUNS_MAX
    u64 chunks;
};
// Runs of pages that are listed for a memory.
#define CHECKPOINT_RUNS_MAX 10000

// What differs, in the order of a's components and memories. The same machine at different moments,
// or two machines: whatever both call by the same name is compared.
bool checkpoint_diff(struct checkpoint_diff *diff, const char *a, const char *b,
                     struct error *err) MUST_CHECK;
void checkpoint_diff_release(struct checkpoint_diff *diff);
