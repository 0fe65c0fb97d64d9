// SPDX-License-Identifier: BSD-3-Clause
// What the parts of a checkpoint share:
//
//     checkpoint_save.c    the writer: states, parts, manifest, directory
//     checkpoint_pack.c    the writer of memory: chunks, frames, maps
//     checkpoint_files.c   opening: manifest, parts, ancestors; verify
//     checkpoint_read.c    the reader of memory: index, frames, maps; no machine, no JSON files
//     checkpoint_lazy.c    memory that is filled later
//     checkpoint_load.c    into a machine
//     checkpoint_info.c, checkpoint_diff.c   for tools
#pragma once

#include "base/alloc.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/parallel.h"
#include "sim/checkpoint.h"
#include "sim/component.h"

#include <jansson.h>

#define CHECKPOINT_FORMAT "facet-checkpoint"
#define CHECKPOINT_VERSION 2
// The manifest holds its own hash, computed with these digits in its place.
#define CHECKPOINT_SELF "\"self\": \"0x0000000000000000\""

#define CHUNK_BYTES 65536u
#define FRAME_CHUNKS 16u
#define FRAME_BYTES (CHUNK_BYTES * FRAME_CHUNKS)
// Ancestors a checkpoint can have.
#define CHECKPOINT_DEPTH_MAX 100

// Where a chunk is: its number in a pack; whose pack: 0 the checkpoint's own, 1 its parent's and so
// on. Padded with zeros at the end of a memory, a chunk always has CHUNK_BYTES.
#define CHUNK_ZERO (~(u64)0)
static inline u64 chunk_ref(u64 depth, u64 number)
{
    return depth << 32 | number;
}
static inline u32 chunk_depth(u64 ref)
{
    return (u32)(ref >> 32);
}
static inline u32 chunk_number(u64 ref)
{
    return (u32)ref;
}

bool chunk_is_zero(const u8 *data, size_t size);
// Chunks of a memory of so many bytes.
u64 chunks_of(u64 size);

struct pack_frame {
    u64 at, bytes, hash; // in the pack; the hash is of these bytes
};

// ---- writing ----

struct waiting_chunk {
    const u8 *data; // borrowed, for the duration of one call, or in the tail
    u32 length;
};

struct pack_slot {
    u8 *bytes; // owned; a compressed frame
    u64 size, hash;
};

struct pack_worker {
    void *compressor; // owned
    u8 *content;      // owned; a frame's chunks, side by side
    struct error error;
};

struct pack_writer {
    int fd;           // owned
    const char *path; // borrowed
    u64 size, syncing;
    VEC(struct pack_frame) frames;
    VEC(struct hash128) hashes;             // of the pack's chunks
    const struct checkpoint_source *parent; // borrowed, or NULL
    u64 *slots;                             // owned; hash table of references + 1
    size_t slot_count, used;
    VEC(struct waiting_chunk) queue; // the next frames' chunks
    u8 *tail;                        // owned; those of the last, unfinished one
    struct strbuf memories;          // the JSON array's elements
    struct json_out json;
    unsigned threads, frame_slots;
    struct pack_worker workers[PARALLEL_MAX];
    struct pack_slot frame[PARALLEL_MAX * 3];
    struct error error;
};

bool pack_writer_open(struct pack_writer *p, const char *path,
                      const struct checkpoint_source *parent, unsigned threads,
                      struct error *err) MUST_CHECK;
bool pack_writer_add(struct pack_writer *p, const char *name, const u8 *data, u64 size,
                     bool optional, checkpoint_data_fn *data_from, void *context,
                     struct error *err) MUST_CHECK;
// Syncs the pack and appends the contents of memory.json and memory.index.
bool pack_writer_finish(struct pack_writer *p, struct strbuf *json, struct strbuf *index,
                        struct error *err) MUST_CHECK;
void pack_writer_release(struct pack_writer *p);

// ---- reading ----

struct pack {
    char *path;     // owned; of the pack's file, for messages
    int fd;         // owned; -1: not open
    const u8 *data; // borrowed: instead of a file
    u64 size, chunk_count, frame_count;
    struct pack_frame *frames; // owned
    struct hash128 *hashes;    // owned; of the chunks
};

// A checkpoint's pack and those of its ancestors.
struct checkpoint_source {
    VEC(struct pack) packs;
    u64 holders;                    // memories that are not complete, and a load while it lasts
    struct checkpoint_source *next; // owned; of an earlier load
};

// Checks that the content of memory.index makes sense; `path` is copied.
bool pack_init(struct pack *p, const char *path, u64 size, u64 chunk_count, const void *index,
               size_t index_size, struct error *err) MUST_CHECK;
// Opens the file, which must have the right size; nothing when it is open.
bool pack_open(struct pack *p, struct error *err) MUST_CHECK;
void pack_release(struct pack *p);

// For reading frames, one at a time.
struct pack_scratch {
    void *decompressor; // owned
    u8 *frame;          // owned
};
void pack_scratch_init(struct pack_scratch *s);
void pack_scratch_release(struct pack_scratch *s);
// Reads a frame and checks its hash.
bool pack_check_frame(const struct pack *p, u64 frame, struct pack_scratch *s,
                      struct error *err) MUST_CHECK;
// And decompresses it to content[FRAME_BYTES], checks the hash of each chunk.
bool pack_read_frame(const struct pack *p, u64 frame, struct pack_scratch *s, u8 *content,
                     struct error *err) MUST_CHECK;

// Some frames that were read last.
enum { FRAME_CACHE = 8 };
struct frame_cache {
    struct checkpoint_source *source; // borrowed
    struct pack_scratch scratch;
    u64 keys[FRAME_CACHE];     // of the frames, + 1; 0: none
    u8 *contents[FRAME_CACHE]; // owned
    unsigned turn;
};
void frame_cache_init(struct frame_cache *c, struct checkpoint_source *source);
void frame_cache_release(struct frame_cache *c);
// CHUNK_BYTES bytes, valid until the next call; NULL and *err on failure.
const u8 *frame_cache_chunk(struct frame_cache *c, u64 ref, struct error *err);
// A number for the frame that a chunk is in.
static inline u64 frame_key(u64 ref)
{
    return ref / FRAME_CHUNKS;
}

// Reads a map of memory.json into refs[chunks]; NULL: only checks it.
bool map_read(const char *map, const struct checkpoint_source *s, u64 chunks, u64 *refs,
              struct error *err) MUST_CHECK;
// How many chunks it has of each kind; false when it is malformed.
bool map_count(const char *map, u64 chunks, u64 *ret_zero, u64 *ret_own, u64 *ret_inherited);
const json_t *memory_find(const json_t *index, const char *name);
// Checks all maps and counts of memory.json.
bool memory_index_check(const json_t *index, const struct checkpoint_source *s,
                        struct error *err) MUST_CHECK;

// Who reads from a source holds it; the files are closed when nobody does.
void checkpoint_source_drop(struct checkpoint_source *s);
// *ret_lazy is NULL when there is nothing to be filled.
bool checkpoint_lazy_new(struct checkpoint_source *s, const json_t *index, const char *name,
                         u8 *data, u64 size, unsigned threads, struct checkpoint_lazy **ret_lazy,
                         struct error *err) MUST_CHECK;

// ---- a checkpoint that was opened ----

struct checkpoint_files {
    char *path;                       // owned; the directory
    json_t *manifest, *state;         // owned
    json_t *index;                    // owned; memory.json
    char digest[65];                  // of the manifest
    struct checkpoint_source *source; // owned; may be taken away
};

enum checkpoint_depth { CHECKPOINT_HEAD, CHECKPOINT_CHAIN };

// Reads and checks everything but the packs. CHECKPOINT_HEAD: no ancestors, no source, the maps are
// not checked.
bool checkpoint_files_open(struct checkpoint_files *f, const char *path,
                           enum checkpoint_depth depth, struct error *err) MUST_CHECK;
void checkpoint_files_release(struct checkpoint_files *f);
// Checks the packs: frames against their hashes, or what comes out of them. Without `decompress`
// only when that takes no time worth mentioning.
bool checkpoint_source_check(const struct checkpoint_source *s, bool decompress, unsigned threads,
                             struct error *err) MUST_CHECK;
// The record of an array whose member `key` is `name`.
const json_t *checkpoint_record(const json_t *array, const char *key, const char *name);

// Counters are saved as one vector of words, so that a continued run ends with the same totals.
struct checkpoint_counters {
    u64 words_count;
    u64 *words; // borrowed
};
extern const struct state_field checkpoint_counter_fields[];
struct checkpoint_counters checkpoint_counters_of(const struct component *c);
